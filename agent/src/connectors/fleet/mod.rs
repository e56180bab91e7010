//! Which file is which connector: turns what the watch reports into what each driver shall serve.
//!
//! ```text
//!   watch ─► settled file ─► examine (examine.rs) ─► held artifact ─► highest version of its app_id ─► driver
//! ```
//! A file keeps the artifact it held when its new content is refused, so a bad file never takes a connector away.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::driver::{self, Desired, Surroundings};
use super::history::History;
use super::intake::{Owners, Refusal, Signers};
use super::listing::State;
use super::memory::{Files, Memory};
use super::registry::Entry;
use super::settings::Effective;
use super::store::Store;
use super::watch::{Ask, Change, Report};
use crate::conditions::{Conditions, Name as Condition};
use crate::config::Config;
use crate::domain::{AppId, Sha256};

mod examine;
mod files;
mod keep;

use examine::{Examiner, Finding};
use files::FileState;

/// Files that are copied at the same time.
const TAKES: usize = 4;

/// The parts that outlive every file.
pub(super) struct Parts {
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) surroundings: Surroundings,
    pub(super) store: Store,
    pub(super) memory: Memory,
    /// What an earlier agent knew of the files.
    pub(super) remembered: Files,
    pub(super) histories: std::path::PathBuf,
    pub(super) asks: mpsc::Sender<Ask>,
}

struct Fleet {
    parts: Parts,
    config: Arc<Config>,
    owners: Arc<Owners>,
    files: BTreeMap<String, FileState>,
    drivers: BTreeMap<AppId, (Arc<Entry>, watch::Sender<Desired>)>,
    jobs: JoinSet<Finding>,
    tickets: u64,
    takes: Arc<Semaphore>,
    /// Files to be reported again.
    again: Vec<String>,
    remembered: Files,
    saved: Option<Files>,
    stored: HashSet<Sha256>,
    /// Files of the first listing that have not come to rest, or what is remembered of them where that listing failed; none
    /// before either.
    first: Option<BTreeSet<String>>,
    /// A listing has succeeded.
    listed: bool,
    listing_failed: Option<String>,
    shutdown: bool,
}

/// Runs until `shutdown` fires and every connector is gone.
pub(super) async fn run(mut parts: Parts, mut reports: mpsc::Receiver<Report>, shutdown: CancellationToken) {
    let config = Arc::clone(&parts.config.borrow_and_update());
    let remembered = std::mem::take(&mut parts.remembered);
    let shared = Arc::clone(&parts.surroundings.shared);
    let mut fleet = Fleet {
        owners: owners(&config),
        config,
        parts,
        files: BTreeMap::new(),
        drivers: BTreeMap::new(),
        jobs: JoinSet::new(),
        tickets: 0,
        takes: Arc::new(Semaphore::new(TAKES)),
        again: Vec::new(),
        saved: Some(remembered.clone()),
        remembered,
        stored: HashSet::new(),
        first: None,
        listed: false,
        listing_failed: None,
        shutdown: false,
    };
    let mut configured = true;
    loop {
        tokio::select! {
            () = shutdown.cancelled(), if !fleet.shutdown => fleet.shut_down(),
            report = reports.recv(), if !fleet.shutdown => match report {
                Some(report) => fleet.report(report),
                None => fleet.shut_down(),
            },
            Some(finding) = fleet.jobs.join_next() => {
                if let Ok(finding) = finding {
                    fleet.finding(finding);
                }
            }
            changed = fleet.parts.config.changed(), if configured => {
                configured = changed.is_ok();
                fleet.reconfigure();
            }
            () = shared.changed.notified() => {}
        }
        fleet.tidy().await;
        if fleet.shutdown && fleet.drivers.is_empty() {
            return;
        }
    }
}

fn owners(config: &Config) -> Arc<Owners> {
    let owners = Owners::of(config);
    for owner in owners.unknown() {
        tracing::warn!(
            owner,
            "connectors.trusted_owners names a user that this system does not know; give the numeric id, on Windows the SID"
        );
    }
    Arc::new(owners)
}

impl Fleet {
    fn report(&mut self, report: Report) {
        let changes = match report {
            Report::Failed(reason) => {
                let directory = self.config.connectors.directory.display();
                self.conditions().raise(
                    Condition::ConnectorsUnlisted,
                    format!("the connectors directory {directory} cannot be listed: {reason}; what is known of it is served"),
                    "mount it, or let the agent's user read it",
                );
                if self.first.is_none() {
                    self.recall(&reason);
                }
                self.listing_failed = Some(reason);
                return;
            }
            Report::Looked(changes) => changes,
        };
        self.listing_failed = None;
        self.conditions().clear(Condition::ConnectorsUnlisted);
        for change in changes {
            match change {
                Change::Seen(name) => {
                    self.files.entry(name).or_insert_with(FileState::new);
                }
                Change::Settled(name) => self.examine(name),
                Change::Gone(name) => self.gone(&name),
            }
        }
        if !std::mem::replace(&mut self.listed, true) {
            let files = self.files.keys().cloned();
            self.first.get_or_insert_default().extend(files);
        }
    }

    /// The directory cannot be listed since the start: what served before is served from the private copies.
    fn recall(&mut self, reason: &str) {
        if self.remembered.is_empty() {
            return;
        }
        let names = self.remembered.keys().cloned();
        self.first.get_or_insert_with(|| names.collect());
        for (name, remembered) in self.remembered.clone() {
            let file = self.files.entry(name.clone()).or_insert_with(FileState::new);
            if file.held.is_none() {
                let unlisted = self.examiner().remember(name, remembered, reason.to_owned());
                self.jobs.spawn(unlisted);
            }
        }
    }

    fn conditions(&self) -> &Conditions {
        &self.parts.surroundings.shared.conditions
    }

    fn examiner(&self) -> Examiner {
        Examiner {
            directory: self.config.connectors.directory.clone(),
            config: Arc::clone(&self.config),
            owners: Arc::clone(&self.owners),
            store: self.parts.store.clone(),
            starter: self.parts.surroundings.starter.clone(),
            starts: Arc::clone(&self.parts.surroundings.starts),
            takes: Arc::clone(&self.takes),
            shared: Arc::clone(&self.parts.surroundings.shared),
        }
    }

    fn examine(&mut self, name: String) {
        self.tickets += 1;
        let before = self.remembered.get(&name).cloned();
        let Some(file) = self.files.get_mut(&name) else {
            return;
        };
        let remembered = before.clone().filter(|_| file.ticket == 0);
        file.ticket = self.tickets;
        if file.trouble.is_none() {
            file.enter(State::Verifying);
        }
        let bound = file.held.as_ref().map(|held| held.manifest.app_id.clone());
        let bound = bound.or_else(|| before.map(|before| before.app_id));
        let examination = self.examiner().examine(name, self.tickets, bound, remembered);
        self.jobs.spawn(examination);
    }

    fn finding(&mut self, finding: Finding) {
        let Some(file) = self.files.get_mut(&finding.file) else {
            return;
        };
        if file.held.is_none() && finding.verdict.is_err() {
            file.held.clone_from(&finding.stand_in);
        }
        if let Some(recalled) = finding.recalled {
            file.recalled = Some(recalled);
        }
        if file.ticket == finding.ticket {
            file.rejudging = false;
            match finding.verdict {
                Ok(artifact) => file.accept(artifact),
                Err(rejection) => {
                    let again = matches!(rejection.refusal, Refusal::Surroundings(_) | Refusal::Changing);
                    let news = file.reject(&rejection);
                    if news && file.held.is_none() {
                        let reason = rejection.refusal.to_string();
                        tracing::warn!(file = finding.file, reason, "file refused");
                    }
                    if again {
                        self.again.push(finding.file.clone());
                    }
                }
            }
        }
        self.reconcile();
    }

    fn gone(&mut self, name: &str) {
        self.files.remove(name);
        self.remembered.remove(name);
        self.reconcile();
    }

    /// Has files looked at again. Where the watch is busy it is asked the next time round.
    fn ask_again(&mut self) {
        if self.again.is_empty() {
            return;
        }
        if let Ok(place) = self.parts.asks.try_reserve() {
            place.send(Ask::Forget(std::mem::take(&mut self.again)));
        }
    }

    fn reconfigure(&mut self) {
        let signers = Signers::of(&self.config);
        self.config = Arc::clone(&self.parts.config.borrow_and_update());
        if Signers::of(&self.config) != signers {
            self.rejudge();
        }
        let owners = owners(&self.config);
        let rejudge = self.owners != owners;
        self.owners = owners;
        let again = self
            .files
            .iter()
            .filter(|(_, file)| rejudge || file.trouble.is_some());
        self.again.extend(again.map(|(name, _)| name.clone()));
        self.ask_again();
        if let Some(reason) = self.listing_failed.clone().filter(|_| !self.listed) {
            self.recall(&reason);
        }
        let (asker, _) = tokio::sync::oneshot::channel();
        // A full queue means that a look is under way.
        drop(self.parts.asks.try_send(Ask::Rescan(asker)));
        let limit = self.config.dispatch.max_in_flight;
        self.parts
            .surroundings
            .shared
            .max_in_flight
            .store(limit, Ordering::Relaxed);
        self.reconcile();
    }

    /// Examines every file under the signers that count now. What it holds is served meanwhile.
    fn rejudge(&mut self) {
        let known = self.files.iter_mut().filter(|(_, file)| file.ticket != 0);
        let names: Vec<String> = known
            .map(|(name, file)| {
                file.rejudging = true;
                name.clone()
            })
            .collect();
        for name in names {
            self.examine(name);
        }
    }

    fn shut_down(&mut self) {
        self.shutdown = true;
        self.parts
            .surroundings
            .shared
            .draining
            .store(true, Ordering::Release);
        self.jobs.abort_all();
        for (_, desired) in self.drivers.values() {
            desired.send_modify(|desired| desired.shutdown = true);
        }
    }

    /// Tells every driver what its connector shall be now.
    fn reconcile(&mut self) {
        if self.shutdown {
            return;
        }
        let mut winners: BTreeMap<AppId, String> = BTreeMap::new();
        for (name, file) in &mut self.files {
            let Some(held) = file.held.clone() else { continue };
            let app_id = &held.manifest.app_id;
            if let Err(text) = file.check(&self.config) {
                file.unpin(text);
                continue;
            }
            winners.entry(app_id.clone()).or_insert_with(|| name.clone());
        }
        for (app_id, winner) in &mut winners {
            let current = self
                .drivers
                .get(app_id)
                .and_then(|(_, desired)| file_of(&desired.borrow()));
            *winner =
                files::choose(&self.files, app_id, current.as_deref()).unwrap_or_else(|| winner.clone());
        }
        for file in self.files.values_mut() {
            file.shadowed_by = None;
        }
        for (name, file) in &mut self.files {
            let app_id = file.held.as_ref().map(|held| &held.manifest.app_id);
            file.shadowed_by = app_id
                .and_then(|app_id| winners.get(app_id))
                .filter(|winner| *winner != name)
                .cloned();
        }
        let gone: Vec<AppId> = self
            .drivers
            .keys()
            .filter(|app_id| !winners.contains_key(*app_id))
            .cloned()
            .collect();
        for app_id in gone {
            self.want(&app_id, None);
        }
        for (app_id, winner) in winners {
            self.want(&app_id, Some(&winner));
        }
    }

    fn want(&mut self, app_id: &AppId, winner: Option<&str>) {
        let settings = Arc::new(Effective::of(&self.config, app_id));
        let file = winner.and_then(|winner| self.files.get(winner));
        let candidate = file.and_then(|file| file.held.clone());
        let desired = Desired {
            last_good: file
                .and_then(|file| file.recalled.clone())
                .filter(|good| good.manifest.app_id == *app_id),
            trouble: file.and_then(|file| file.trouble.clone()),
            candidate,
            settings,
            shutdown: false,
        };
        match self.drivers.get(app_id) {
            Some((_, sender)) => {
                sender.send_if_modified(|old| {
                    let changed = old.candidate != desired.candidate
                        || old.trouble != desired.trouble
                        || old.settings != desired.settings;
                    if changed {
                        *old = desired;
                    }
                    changed
                });
            }
            None if desired.candidate.is_some() => self.add(app_id.clone(), desired),
            None => {}
        }
    }

    fn add(&mut self, app_id: AppId, desired: Desired) {
        let shared = &self.parts.surroundings.shared;
        let mut history = History::open(&self.parts.histories, &app_id);
        let own = self.remembered.values().filter(|known| known.app_id == app_id);
        history.mend(own.filter_map(|known| known.generation).max(), &shared.conditions);
        let settings = &desired.settings;
        let metrics = shared.metrics.calls_of(&app_id);
        let entry = Entry::new(
            app_id.clone(),
            settings.isolation,
            settings.timeout,
            history,
            metrics,
        );
        shared.insert(Arc::clone(&entry));
        let (sender, receiver) = watch::channel(desired);
        shared.tasks.spawn(driver::run(
            Arc::clone(&entry),
            self.parts.surroundings.clone(),
            receiver,
        ));
        self.drivers.insert(app_id, (entry, sender));
    }

    /// Drops what has ended, and brings everything derived up to date: rows, readiness, memory, store.
    async fn tidy(&mut self) {
        let ended = |(entry, desired): &(Arc<Entry>, watch::Sender<Desired>)| {
            let wanted = desired.borrow();
            entry.finished.load(Ordering::Acquire) && (wanted.shutdown || wanted.candidate.is_none())
        };
        let shared = Arc::clone(&self.parts.surroundings.shared);
        self.drivers.retain(|app_id, driver| {
            let ended = ended(driver);
            if ended && !self.shutdown {
                shared.remove(app_id);
                shared.metrics.forget(app_id);
                tracing::info!(%app_id, "connector removed");
            }
            !ended
        });
        if self.shutdown {
            return;
        }
        self.ask_again();
        self.note_first_scan();
        shared
            .rows
            .store(Arc::new(files::rows(&self.files, &self.remembered)));
        if let Err(error) = self.save().await {
            shared.write_failed(&error);
        }
    }

    fn note_first_scan(&mut self) {
        let Some(first) = &mut self.first else { return };
        let drivers = &self.drivers;
        first.retain(|name| {
            let Some(file) = self.files.get(name) else {
                return false;
            };
            if file.in_examination() {
                return true;
            }
            let app_id = file.held.as_ref().map(|held| &held.manifest.app_id);
            let state = app_id
                .and_then(|app_id| drivers.get(app_id))
                .map(|(entry, _)| entry.status.load().state);
            matches!(
                state,
                Some(State::Discovered | State::Verifying | State::Starting)
            )
        });
        if first.is_empty() {
            self.parts
                .surroundings
                .shared
                .first_scan_done
                .store(true, Ordering::Release);
        }
    }
}

fn file_of(desired: &Desired) -> Option<String> {
    desired
        .candidate
        .as_ref()
        .map(|candidate| candidate.file.to_string())
}

/// Now, for rows.
fn now() -> Timestamp {
    Timestamp::now()
}
