//! The life of one connector as a pure state machine: no clock, no process, no file.
//!
//! [`Machine::step`] takes what happened and gives what is to be done; `driver.rs` does it. That keeps every rule about
//! replacing, failing and ending in one place where it can be tested without a host.
//!
//! ```text
//!   candidate ─► starting ─► serving ─► draining ─► gone
//!                   │           │ died
//!                   ▼           ▼
//!              backing off ◄────┘   after 5 failures: quarantined (the same, seldom, for ever)
//! ```
//!
//! A connector has at most one generation that starts and one that serves. One more may drain; while it does, nothing
//! that would replace the serving one is started, so that later files coalesce into the last of them. Only an end
//! (removal, switching off, shutdown) may leave two draining.
//!
//! `wanted` is the file's content; `good` is the last content that served without dying early. While `wanted` cannot
//! serve, `good` does, unless `wanted` has answered callers before: they must not see an older version in between. That it
//! does see one is for a build that was given up, rolled back after three early deaths.
//!
//! In the agent itself (`isolation = "in-process"`) nothing can be ended by force. A generation there with an overdue call
//! fails: it gets no more calls, its other calls may end, and its content is *barred*, which means that it is not loaded
//! into this agent again; likewise a content whose start does not come to an end there, or failed five times, since each try
//! leaves an image behind. Another content may be loaded, and the same one into a host process.

use std::sync::Arc;
use std::time::Duration;

use super::artifact::Artifact;
use super::listing::State;
use crate::domain::{Generation, Sha256};

mod handlers;
mod lane;
#[cfg(test)]
mod tests;

use lane::Lane;

/// A generation that lives this long after its swap is proven.
pub(super) const PROBATION: Duration = Duration::from_secs(60);
/// Health for this long forgets earlier failures.
pub(super) const HEALTH: Duration = Duration::from_secs(600);
/// Deaths within the probation after which a build is rolled back.
const EARLY_DEATHS: u32 = 3;
/// How long the other calls of a host with an overdue call may go on once a fresh host serves.
pub(super) const SIBLING_GRACE: Duration = Duration::from_secs(30);

/// Whose back-off a timer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Wanted,
    Good,
}

/// One of each at most runs; arming it again replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Timer {
    Retry(Role),
    Probation,
    Health,
    Siblings,
}

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// This content shall be served.
    Candidate(Arc<Artifact>),
    /// This content served well before the agent was restarted.
    LastGood(Arc<Artifact>),
    /// No file offers the connector any more.
    Removed,
    /// It was switched on or off.
    Enabled(bool),
    /// Settings that only a new host can take over were changed.
    SettingsChanged,
    HostReady(Generation),
    StartFailed {
        generation: Generation,
        refused: bool,
        reason: String,
    },
    HostGone {
        generation: Generation,
        reason: String,
        /// Whether it ever answered a call.
        answered: bool,
    },
    /// A start inside the agent that does not come to an end, and cannot be ended.
    StartStuck {
        generation: Generation,
        reason: String,
    },
    /// A call overstayed the connector's timeout, and its cancellation.
    Overdue(Generation),
    /// A fresh host of the same content should take its place, though it works.
    Outdated {
        generation: Generation,
        /// For the history.
        reason: String,
    },
    Timer(Timer),
    Shutdown,
}

/// How long the calls of a generation that ends may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grace {
    /// As long as any call of the connector may take.
    Calls,
    /// `agent.shutdown_grace`
    Shutdown,
}

/// What is to be done, in this order.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Start(Generation, Arc<Artifact>),
    /// New calls go to this generation.
    Route(Generation),
    /// New calls go nowhere.
    Unroute,
    Drain(Generation, Grace),
    /// Ends a host, or gives up its start.
    Kill(Generation, &'static str),
    Arm(Timer, Duration),
    Disarm(Timer),
    Note(Note),
}

/// A line for the history.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Note {
    pub(super) generation: Option<Generation>,
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) sha256: Option<Sha256>,
}

#[derive(Debug, Clone)]
struct Live {
    generation: Generation,
    artifact: Arc<Artifact>,
    /// Survived its probation.
    proven: bool,
    /// Has an overdue call.
    wedged: bool,
    /// Runs in the agent itself.
    in_process: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// May be started.
    Open,
    /// The same bytes will never do.
    Refused,
    /// Died early too often; the last good one serves.
    RolledBack,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Machine {
    next: Generation,
    enabled: bool,
    shutdown: bool,
    /// Where the next generation is started: in the agent itself, or in a host process.
    in_process: bool,
    /// Contents that are not loaded into this agent again.
    barred: Vec<Sha256>,
    /// The serving generation is to be replaced even though its content is the wanted one.
    renew: bool,
    verdict: Verdict,
    /// Callers have had answers of the wanted content: an older one must not stand in for it.
    answered: bool,
    wanted: Option<Arc<Artifact>>,
    good: Option<Arc<Artifact>>,
    wanted_lane: Lane,
    good_lane: Lane,
    starting: Option<Live>,
    serving: Option<Live>,
    draining: Vec<Live>,
    last_error: Option<String>,
    last_tried: Option<Live>,
}

impl Machine {
    /// A connector without a file; its first generation will be `first`.
    pub(super) fn new(first: Generation, enabled: bool) -> Self {
        Machine {
            next: first,
            enabled,
            shutdown: false,
            in_process: false,
            barred: Vec::new(),
            renew: false,
            verdict: Verdict::Open,
            answered: false,
            wanted: None,
            good: None,
            wanted_lane: Lane::default(),
            good_lane: Lane::default(),
            starting: None,
            serving: None,
            draining: Vec::new(),
            last_error: None,
            last_tried: None,
        }
    }

    /// Says where the next generation is started; to be followed by [`Event::SettingsChanged`] if that is new.
    pub(super) fn place(&mut self, in_process: bool) {
        self.in_process = in_process;
    }

    /// Takes `event` in. `jitter` is a random number from 0 to 1 that spreads retries.
    pub(super) fn step(&mut self, event: Event, jitter: f64) -> Vec<Action> {
        let mut out = Vec::new();
        match event {
            Event::Candidate(artifact) => self.on_candidate(artifact, &mut out),
            Event::LastGood(artifact) => self.good = Some(artifact),
            Event::Removed => self.on_removed(&mut out),
            Event::Enabled(enabled) => self.on_enabled(enabled, &mut out),
            Event::SettingsChanged => self.on_settings(&mut out),
            Event::HostReady(generation) => self.on_ready(generation, &mut out),
            Event::StartFailed {
                generation,
                refused,
                reason,
            } => self.on_start_failed(generation, refused, reason, jitter, &mut out),
            Event::HostGone {
                generation,
                reason,
                answered,
            } => self.on_gone(generation, &reason, answered, jitter, &mut out),
            Event::StartStuck { generation, reason } => self.on_start_stuck(generation, &reason, &mut out),
            Event::Overdue(generation) => self.on_overdue(generation, &mut out),
            Event::Outdated { generation, reason } => self.on_outdated(generation, &reason, &mut out),
            Event::Timer(timer) => self.on_timer(timer, &mut out),
            Event::Shutdown => self.on_shutdown(&mut out),
        }
        self.advance(&mut out);
        out
    }

    /// The state for listings.
    pub(super) fn state(&self) -> State {
        if self.shutdown || (self.wanted.is_none() && !self.draining.is_empty()) {
            return State::Draining;
        }
        if !self.enabled || self.wanted.is_none() {
            return State::Stopped;
        }
        if self.serving.is_some() {
            return State::Ready;
        }
        if self.starting.is_some() {
            return State::Starting;
        }
        if self.until_restart() {
            return State::Quarantined;
        }
        let lane = match self.verdict {
            Verdict::Refused if self.good_lane.waiting().is_none() => return State::Refused,
            Verdict::Open => &self.wanted_lane,
            Verdict::Refused | Verdict::RolledBack => &self.good_lane,
        };
        lane.state()
    }

    /// The generation in service, with its content.
    pub(super) fn serving(&self) -> Option<(Generation, &Arc<Artifact>)> {
        self.serving
            .as_ref()
            .map(|live| (live.generation, &live.artifact))
    }

    /// What `generation` is started from, if that is the one being started.
    pub(super) fn starting_artifact(&self, generation: Generation) -> Option<Arc<Artifact>> {
        let starting = self
            .starting
            .as_ref()
            .filter(|live| live.generation == generation);
        starting.map(|live| Arc::clone(&live.artifact))
    }

    /// The generation in service, else the last that was tried.
    pub(super) fn shown(&self) -> Option<(Generation, &Arc<Artifact>)> {
        let live = self
            .serving
            .as_ref()
            .or(self.starting.as_ref())
            .or(self.last_tried.as_ref());
        live.map(|live| (live.generation, &live.artifact))
    }

    /// What the file holds.
    pub(super) fn wanted(&self) -> Option<&Arc<Artifact>> {
        self.wanted.as_ref()
    }

    /// The last failure, until it no longer matters.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// What to start from if the file turns out bad after a restart of the agent.
    pub(super) fn last_good(&self) -> Option<&Arc<Artifact>> {
        let fresh = self
            .serving
            .as_ref()
            .filter(|live| live.proven || self.good.is_none());
        fresh.map(|live| &live.artifact).or(self.good.as_ref())
    }

    /// The file's content is barred and nothing stands in for it: only a restart of the agent, another file or a host
    /// process helps.
    pub(super) fn until_restart(&self) -> bool {
        let barred = self
            .wanted
            .as_ref()
            .is_some_and(|wanted| self.is_barred(wanted.sha256));
        barred && self.serving.is_none() && self.starting.is_none()
    }

    /// Removed or shut down, and nothing of it is left.
    pub(super) fn finished(&self) -> bool {
        (self.shutdown || self.wanted.is_none()) && self.draining.is_empty()
    }

    fn stopping(&self) -> bool {
        self.shutdown || !self.enabled || self.wanted.is_none()
    }

    /// Counts a failure of `sha256` and arms its retry. Gives the state that this means.
    fn fail(&mut self, sha256: Sha256, jitter: f64, out: &mut Vec<Action>) -> State {
        let role = if self.is_wanted(sha256) {
            Role::Wanted
        } else {
            Role::Good
        };
        let Some(lane) = self.lane_mut(sha256) else {
            return State::Stopped;
        };
        let wait = lane.fail(jitter);
        out.push(Action::Arm(Timer::Retry(role), wait));
        lane.state()
    }

    fn is_barred(&self, sha256: Sha256) -> bool {
        self.in_process && self.barred.contains(&sha256)
    }

    fn is_wanted(&self, sha256: Sha256) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.sha256 == sha256)
    }

    fn lane_of(&self, sha256: Sha256) -> Option<&Lane> {
        if self.is_wanted(sha256) {
            return Some(&self.wanted_lane);
        }
        self.good
            .as_ref()
            .is_some_and(|good| good.sha256 == sha256)
            .then_some(&self.good_lane)
    }

    fn lane_mut(&mut self, sha256: Sha256) -> Option<&mut Lane> {
        if self.is_wanted(sha256) {
            return Some(&mut self.wanted_lane);
        }
        self.good
            .as_ref()
            .is_some_and(|good| good.sha256 == sha256)
            .then_some(&mut self.good_lane)
    }

    fn abandon_start(&mut self, why: &'static str, out: &mut Vec<Action>) {
        if let Some(live) = self.starting.take() {
            out.push(Action::Kill(live.generation, why));
            note(out, &live, State::Stopped, why);
        }
    }

    fn stop(&mut self, grace: Grace, why: &'static str, out: &mut Vec<Action>) {
        self.abandon_start(why, out);
        self.renew = false;
        self.verdict = Verdict::Open;
        for (lane, role) in [
            (&mut self.wanted_lane, Role::Wanted),
            (&mut self.good_lane, Role::Good),
        ] {
            if lane.reset() {
                out.push(Action::Disarm(Timer::Retry(role)));
            }
        }
        out.push(Action::Unroute);
        if let Some(live) = self.serving.take() {
            out.push(Action::Disarm(Timer::Probation));
            out.push(Action::Disarm(Timer::Health));
            note(out, &live, State::Draining, why);
            out.push(Action::Drain(live.generation, grace));
            self.last_tried = Some(live.clone());
            self.draining.push(live);
        }
    }

    /// What should run that does not.
    fn target(&self) -> Option<&Arc<Artifact>> {
        let wanted = self.wanted.as_ref()?;
        let barred = self.is_barred(wanted.sha256);
        if self.verdict == Verdict::Open && self.wanted_lane.waiting().is_none() && !barred {
            return Some(wanted);
        }
        let stand_in = self.verdict != Verdict::Open || !self.answered;
        if !stand_in || self.serving.is_some() || self.good_lane.waiting().is_some() {
            return None;
        }
        self.good
            .as_ref()
            .filter(|good| good.sha256 != wanted.sha256 && !self.is_barred(good.sha256))
    }

    fn advance(&mut self, out: &mut Vec<Action>) {
        if self.stopping() {
            return;
        }
        self.reopen_without_spare();
        let Some(target) = self.target().cloned() else {
            return;
        };
        if let Some(starting) = &self.starting {
            if starting.artifact.sha256 == target.sha256 || !self.is_wanted(target.sha256) {
                return;
            }
            self.abandon_start("a newer file came", out);
        }
        if let Some(serving) = &self.serving {
            let current = serving.artifact.sha256 == target.sha256 && !self.renew;
            if current || !self.draining.is_empty() {
                return;
            }
        }
        let generation = self.next;
        self.next = generation.next();
        let live = Live {
            generation,
            artifact: Arc::clone(&target),
            proven: false,
            wedged: false,
            in_process: self.in_process,
        };
        note(
            out,
            &live,
            State::Starting,
            &format!("starts version {} of `{}`", target.manifest.version, target.file),
        );
        out.push(Action::Start(generation, target));
        self.starting = Some(live);
    }

    /// A rolled-back build is tried again where nothing better is left.
    fn reopen_without_spare(&mut self) {
        let spare = self
            .good
            .as_ref()
            .is_some_and(|good| !self.is_wanted(good.sha256) && !self.is_barred(good.sha256));
        if self.verdict == Verdict::RolledBack && !spare {
            self.verdict = Verdict::Open;
        }
    }
}

fn note(out: &mut Vec<Action>, live: &Live, state: State, reason: &str) {
    out.push(Action::Note(Note {
        generation: Some(live.generation),
        state,
        reason: reason.to_owned(),
        sha256: Some(live.artifact.sha256),
    }));
}
