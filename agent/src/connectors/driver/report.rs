//! What a driver tells: its route and status to calls and listings, its transitions to the log and the history.

use super::*;
use crate::domain::KeyId;
use crate::os::sandbox::{Confined, Level};

/// When to ask again for a connector that only a restart of the agent brings back.
const UNTIL_RESTART: Duration = Duration::from_secs(60);

impl Driver {
    /// Where calls go while nothing serves.
    pub(super) fn down(&self) -> Route {
        if self.desired.shutdown {
            return Route::Draining;
        }
        let state = self.machine.state();
        match state {
            State::Draining if self.machine.wanted().is_none() => Route::Gone,
            State::Stopped if self.settings.enabled => Route::Gone,
            _ => Route::Down {
                state,
                reason: self.reason_text(state).to_owned(),
                until: Instant::now() + self.retry_after(),
            },
        }
    }

    fn reason_text(&self, state: State) -> &'static str {
        if self.machine.until_restart() {
            return "it failed inside the agent, which has to be restarted before it serves again";
        }
        reason_text(state)
    }

    pub(super) fn retry_after(&self) -> Duration {
        if self.machine.until_restart() {
            return UNTIL_RESTART;
        }
        let retries = self
            .timers
            .iter()
            .filter(|(timer, _)| matches!(timer, Timer::Retry(_)));
        let next = retries
            .map(|(_, at)| at.saturating_duration_since(Instant::now()))
            .min();
        next.unwrap_or(Duration::from_secs(2))
    }

    /// Brings route, status and last good up to date with the machine.
    pub(super) fn publish(&mut self) {
        if self.machine.serving().is_none() {
            self.entry.reroute(self.down());
        }
        let state = self.machine.state();
        if self.since.0 != state {
            self.since = (state, Timestamp::now());
        }
        let shown = self.machine.shown();
        let live = self
            .machine
            .serving()
            .and_then(|(generation, _)| self.hosts.get(&generation));
        let wanted = self.machine.wanted();
        let status = Status {
            state,
            since: self.since.1,
            version: shown.map(|(_, artifact)| artifact.manifest.version.to_string()),
            generation: shown.map(|(generation, _)| generation),
            sha256: shown.map(|(_, artifact)| artifact.sha256),
            last_error: self
                .desired
                .trouble
                .clone()
                .or_else(|| self.machine.last_error().map(str::to_owned)),
            capabilities: live
                .map(|live| live.about.capabilities.clone())
                .unwrap_or_default(),
            file: wanted.map(|artifact| artifact.file.to_string()),
            isolation: live.map_or(self.settings.isolation, |live| live.isolation),
            pid: live.map(|live| live.host.pid()),
            confined: live.map(|live| Arc::clone(&live.confined)),
            signed_by: self.signer(),
            pinned: shown.is_some_and(|(_, artifact)| self.settings.pins.contains(&artifact.sha256)),
        };
        self.entry.status.store(Arc::new(status));
        self.entry
            .finished
            .store(self.machine.finished(), Ordering::Release);
        self.entry.last_good.store(self.machine.last_good().cloned());
        self.surroundings.shared.changed.notify_one();
    }

    /// Who signed what is shown. The same content may have been signed anew since its generation started.
    fn signer(&self) -> Option<KeyId> {
        let (_, shown) = self.machine.shown()?;
        let wanted = self
            .machine
            .wanted()
            .filter(|wanted| wanted.sha256 == shown.sha256);
        wanted.unwrap_or(shown).signed_by
    }

    /// Logs the transitions and appends them to the history, after everything urgent was done.
    pub(super) async fn record(&mut self, notes: Vec<Note>) {
        if notes.is_empty() {
            return;
        }
        let at = Timestamp::now();
        let file = self
            .desired
            .candidate
            .as_ref()
            .map(|artifact| artifact.file.to_string());
        for note in &notes {
            log(&self.entry, file.as_deref().unwrap_or_default(), note);
            if let Some(generation) = note.generation.filter(|_| is_failure(note.state)) {
                let connector_log = self.surroundings.starter.log(&self.entry.app_id, generation);
                connector_log.tell(None, &note.reason);
            }
        }
        let entry = Arc::clone(&self.entry);
        let written = tokio::task::spawn_blocking(move || {
            let mut history = entry.history.lock().unwrap_or_else(PoisonError::into_inner);
            notes.into_iter().try_for_each(|note| {
                history.append(Transition {
                    at,
                    generation: note.generation,
                    state: note.state,
                    reason: note.reason,
                    sha256: note.sha256,
                })
            })
        });
        if let Ok(Err(error)) = written.await {
            self.surroundings.shared.write_failed(&error);
        }
    }
}

impl Driver {
    /// Warns of walls that are not all there; once for each kind of gap, not for each host.
    pub(super) fn tell_gaps(&self, generation: Generation, confined: &Confined) {
        let app_id = &self.entry.app_id;
        let notes = confined.notes.join("; ");
        if confined.level == Level::Full {
            tracing::debug!(%app_id, generation = generation.0, notes, "the connector's host is isolated");
            return;
        }
        let text = format!("{}: {notes}", confined.level);
        let told = &self.surroundings.shared.told_gaps;
        let new = told.lock().unwrap_or_else(PoisonError::into_inner).insert(text);
        if new {
            tracing::warn!(
                %app_id,
                isolation_level = %confined.level,
                reason = notes,
                "the connector's host is not fully isolated; others like it are only shown by `connector list`"
            );
        }
    }
}

fn log(entry: &Entry, file: &str, note: &Note) {
    let app_id = &entry.app_id;
    let (generation, state) = (
        note.generation.map(|generation| generation.0),
        state_text(note.state),
    );
    if is_failure(note.state) {
        tracing::warn!(%app_id, generation, file, reason = note.reason, "connector {state}");
    } else {
        tracing::info!(%app_id, generation, file, reason = note.reason, "connector {state}");
    }
}

fn is_failure(state: State) -> bool {
    matches!(state, State::Refused | State::BackingOff | State::Quarantined)
}

/// For callers: says nothing that a connector wrote.
fn reason_text(state: State) -> &'static str {
    match state {
        State::Discovered | State::Verifying | State::Starting => "its host is being started",
        State::BackingOff => "its host failed and is started again shortly",
        State::Quarantined => "its host failed repeatedly and is tried again at intervals",
        State::Refused => "its file was refused",
        State::Stopped => "it is switched off in the configuration",
        State::Ready | State::Draining | State::Shadowed => "it is being replaced",
    }
}
