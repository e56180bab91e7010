//! The task of one connector: does what its machine says, and tells the machine what came of it.
//!
//! It is told level-triggered what is wanted ([`Desired`], a watch channel, so that a burst of files coalesces), and
//! publishes its route and status in the connector's [`Entry`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;

use super::about::About;
use super::artifact::Artifact;
use super::call::{CANCEL_GRACE, state_text};
use super::fair::FairSlots;
use super::listing::{State, Transition};
use super::machine::{Action, Event, Grace, Machine, Note, SIBLING_GRACE, Timer};
use super::registry::{Entry, Live, Route, Shared, Status};
use super::settings::Effective;
use super::starter::{AnyHost, Starter, Up, Wanted};
use super::vitals::{self, Watch};
use crate::config::model::Isolation;
use crate::domain::Generation;
use crate::hosting::{Exit, StartError};

/// The longest that a start waits for others to end.
const TURN: Duration = Duration::from_secs(2);
/// What a host may take beyond the grace to quiesce and end.
const KILL_SLACK: Duration = Duration::from_secs(5);
/// Calls that may wait for a slot, for every slot.
const QUEUE_FACTOR: u32 = 4;

/// What the fleet wants of a connector.
#[derive(Debug, Clone)]
pub(super) struct Desired {
    /// The content to serve; none once the file is gone.
    pub(super) candidate: Option<Arc<Artifact>>,
    /// The content to serve where the candidate cannot be.
    pub(super) last_good: Option<Arc<Artifact>>,
    /// What is wrong with the file as it is now.
    pub(super) trouble: Option<String>,
    pub(super) settings: Arc<Effective>,
    pub(super) shutdown: bool,
}

/// What all drivers share.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) shared: Arc<Shared>,
    pub(super) starter: Starter,
    /// Hosts that may start at the same time.
    pub(super) starts: Arc<Semaphore>,
}

mod looks;
mod report;

enum Done {
    Started(Generation, Box<Result<Up, StartError>>),
    Gone(Generation, Exit),
    Outdated(Generation),
    Drained,
}

struct Driver {
    entry: Arc<Entry>,
    surroundings: Surroundings,
    machine: Machine,
    desired: Desired,
    settings: Arc<Effective>,
    hosts: HashMap<Generation, Arc<Live>>,
    starts: HashMap<Generation, AbortHandle>,
    start_ids: HashMap<Id, Generation>,
    tasks: JoinSet<Done>,
    timers: HashMap<Timer, Instant>,
    overdue: mpsc::Sender<Generation>,
    since: (State, Timestamp),
    watch: Watch,
}

/// Serves `entry` until it is removed or shut down and nothing of it is left.
pub(super) async fn run(
    entry: Arc<Entry>,
    surroundings: Surroundings,
    mut desired: watch::Receiver<Desired>,
) {
    let first = entry
        .history
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .next_generation();
    let start = desired.borrow_and_update().clone();
    let (overdue, mut overdue_calls) = mpsc::channel(8);
    let mut driver = Driver {
        machine: Machine::new(first, start.settings.enabled),
        settings: Arc::clone(&start.settings),
        entry,
        surroundings,
        desired: Desired {
            candidate: None,
            last_good: None,
            trouble: None,
            ..start.clone()
        },
        hosts: HashMap::new(),
        starts: HashMap::new(),
        start_ids: HashMap::new(),
        tasks: JoinSet::new(),
        timers: HashMap::new(),
        overdue,
        since: (State::Discovered, Timestamp::now()),
        watch: Watch::default(),
    };
    let mut looks = tokio::time::interval(vitals::EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    driver.take_over(start).await;
    let mut told = true;
    loop {
        let timer = driver.next_timer();
        let due = timer.map_or_else(Instant::now, |(_, at)| at);
        tokio::select! {
            changed = desired.changed(), if told => {
                told = changed.is_ok();
                let new = if told { desired.borrow_and_update().clone() } else { driver.abandoned() };
                driver.take_over(new).await;
            }
            Some(done) = driver.tasks.join_next_with_id() => driver.done(done).await,
            Some(generation) = overdue_calls.recv() => driver.step(Event::Overdue(generation)).await,
            _ = looks.tick() => driver.look().await,
            () = sleep_until(due), if timer.is_some() => {
                if let Some((timer, _)) = timer {
                    driver.timers.remove(&timer);
                    driver.step(Event::Timer(timer)).await;
                }
            }
        }
        if driver.entry.finished.load(Ordering::Acquire) && (!told || driver.desired.shutdown) {
            return;
        }
    }
}

impl Driver {
    fn next_timer(&self) -> Option<(Timer, Instant)> {
        self.timers
            .iter()
            .map(|(timer, at)| (*timer, *at))
            .min_by_key(|(_, at)| *at)
    }

    /// The fleet has dropped this driver: the connector is gone.
    fn abandoned(&self) -> Desired {
        Desired {
            candidate: None,
            last_good: None,
            trouble: None,
            ..self.desired.clone()
        }
    }

    async fn take_over(&mut self, new: Desired) {
        let old = std::mem::replace(&mut self.desired, new.clone());
        self.take_settings(&new.settings).await;
        if let Some(good) = new.last_good.filter(|_| old.last_good.is_none()) {
            self.step(Event::LastGood(good)).await;
        }
        if let Some(trouble) = new
            .trouble
            .as_ref()
            .filter(|trouble| old.trouble.as_ref() != Some(*trouble))
        {
            let note = Note {
                generation: None,
                state: State::Refused,
                reason: trouble.clone(),
                sha256: None,
            };
            self.record(vec![note]).await;
        }
        if new.shutdown && !old.shutdown {
            self.step(Event::Shutdown).await;
            self.hasten();
        } else if new.candidate != old.candidate {
            let event = new.candidate.map_or(Event::Removed, Event::Candidate);
            self.step(event).await;
        }
        self.publish();
    }

    async fn take_settings(&mut self, new: &Arc<Effective>) {
        let old = std::mem::replace(&mut self.settings, Arc::clone(new));
        self.entry.set_timeout(new.timeout);
        self.machine.place(new.isolation == Isolation::InProcess);
        if old.enabled != new.enabled {
            self.step(Event::Enabled(new.enabled)).await;
        }
        if old.needs_new_host(new) || self.has_other_places(&old) {
            self.step(Event::SettingsChanged).await;
        }
    }

    /// Whether what serves, starts or is to be started takes more or fewer calls at once than under `old`.
    fn has_other_places(&self, old: &Effective) -> bool {
        let shown = self.machine.shown().map(|(_, artifact)| artifact);
        let mut known = shown.into_iter().chain(self.machine.wanted());
        known.any(|artifact| old.places(artifact) != self.settings.places(artifact))
    }

    async fn done(&mut self, done: Result<(Id, Done), JoinError>) {
        let id = match &done {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let started = self.start_ids.remove(&id);
        match done {
            Ok((_, Done::Started(generation, result))) => self.started(generation, *result).await,
            Ok((_, Done::Gone(generation, exit))) => {
                let live = self.hosts.remove(&generation);
                self.watch.gone(generation);
                let answered = live.is_some_and(|live| live.answered.load(Ordering::Relaxed));
                self.surroundings
                    .shared
                    .metrics
                    .host_exited(&self.entry.app_id, exit.expected);
                let reason = exit.reason;
                self.step(Event::HostGone {
                    generation,
                    reason,
                    answered,
                })
                .await;
            }
            Ok((_, Done::Outdated(generation))) => {
                let reason = "a name service file such as /etc/resolv.conf was replaced, and its sandbox knows only the old one; a fresh host takes over".to_owned();
                self.step(Event::Outdated { generation, reason }).await;
            }
            Ok((_, Done::Drained)) => {}
            Err(error) => {
                let Some(generation) = started.filter(|_| error.is_panic()) else {
                    return;
                };
                let reason = "starting the host failed inside the agent; please report it".to_owned();
                self.start_failed(generation, false, reason).await;
            }
        }
    }

    async fn started(&mut self, generation: Generation, result: Result<Up, StartError>) {
        self.starts.remove(&generation);
        let up = match result {
            Ok(up) => up,
            Err(error) => {
                if let StartError::Stuck(reason) = error {
                    return self.step(Event::StartStuck { generation, reason }).await;
                }
                let refused = matches!(error, StartError::Refused(_));
                return self.start_failed(generation, refused, error.to_string()).await;
            }
        };
        self.surroundings.shared.metrics.host_started(&self.entry.app_id);
        let Some(artifact) = self.machine.starting_artifact(generation) else {
            // Given up while it answered.
            up.host.kill("no longer wanted");
            return;
        };
        self.watch_exit(generation, up.host.clone());
        self.watch_walls(generation, up.host.clone());
        self.tell_gaps(generation, &up.confined);
        self.watch.started(Instant::now(), generation, up.host.vitals());
        let live = self.live(generation, up, &artifact);
        self.hosts.insert(generation, Arc::new(live));
        self.step(Event::HostReady(generation)).await;
    }

    async fn start_failed(&mut self, generation: Generation, refused: bool, reason: String) {
        self.step(Event::StartFailed {
            generation,
            refused,
            reason,
        })
        .await;
    }

    fn live(&self, generation: Generation, up: Up, artifact: &Arc<Artifact>) -> Live {
        let capacity = self.settings.places(artifact);
        Live {
            generation,
            isolation: self.settings.isolation,
            host: up.host,
            manifest: Arc::clone(&artifact.manifest),
            about: About::parse(&up.info),
            info: up.info,
            log: up.log,
            confined: Arc::new(up.confined),
            slots: FairSlots::new(capacity, capacity.saturating_mul(QUEUE_FACTOR)),
            retired: CancellationToken::new(),
            answered: AtomicBool::new(false),
            overdue: self.overdue.clone(),
        }
    }

    fn watch_exit(&mut self, generation: Generation, host: AnyHost) {
        self.tasks
            .spawn(async move { Done::Gone(generation, host.exited().await) });
    }

    fn watch_walls(&mut self, generation: Generation, host: AnyHost) {
        self.tasks.spawn(async move {
            tokio::select! {
                () = host.outdated() => Done::Outdated(generation),
                _ = host.exited() => Done::Drained,
            }
        });
    }

    async fn step(&mut self, event: Event) {
        let actions = self.machine.step(event, jitter());
        let mut notes = Vec::new();
        for action in actions {
            self.act(action, &mut notes);
        }
        self.publish();
        self.record(notes).await;
    }

    fn act(&mut self, action: Action, notes: &mut Vec<Note>) {
        match action {
            Action::Start(generation, artifact) => self.start(generation, &artifact),
            Action::Route(generation) => {
                if let Some(live) = self.hosts.get(&generation) {
                    self.entry.reroute(Route::Live(Arc::clone(live)));
                }
            }
            Action::Unroute => self.entry.reroute(self.down()),
            Action::Drain(generation, grace) => self.drain(generation, grace),
            Action::Kill(generation, reason) => self.kill(generation, reason),
            Action::Arm(timer, after) => {
                self.timers.insert(timer, Instant::now() + after);
            }
            Action::Disarm(timer) => {
                self.timers.remove(&timer);
            }
            Action::Note(note) => notes.push(note),
        }
    }

    fn start(&mut self, generation: Generation, artifact: &Arc<Artifact>) {
        let wanted = Wanted {
            app_id: self.entry.app_id.clone(),
            generation,
            library: artifact.library.clone(),
            max_in_flight: self.settings.places(artifact),
            settings: Arc::clone(&self.settings),
        };
        let (starter, starts) = (
            self.surroundings.starter.clone(),
            Arc::clone(&self.surroundings.starts),
        );
        let handle = self.tasks.spawn(async move {
            let turn = turn(&starts).await;
            let result = starter.start(wanted).await;
            drop(turn);
            Done::Started(generation, Box::new(result))
        });
        self.start_ids.insert(handle.id(), generation);
        self.starts.insert(generation, handle);
    }

    fn drain(&mut self, generation: Generation, grace: Grace) {
        let Some(live) = self.hosts.get(&generation) else {
            return;
        };
        let grace = match grace {
            Grace::Calls => self.settings.timeout + CANCEL_GRACE + SIBLING_GRACE,
            Grace::Shutdown => self.settings.shutdown_grace,
        };
        let host = live.host.clone();
        self.tasks.spawn(async move {
            host.drain(grace).await;
            Done::Drained
        });
    }

    /// At shutdown no host outlives the grace, whatever it was draining for.
    fn hasten(&mut self) {
        let grace = self.settings.shutdown_grace + KILL_SLACK;
        for live in self.hosts.values() {
            let host = live.host.clone();
            self.tasks.spawn(async move {
                if tokio::time::timeout(grace, host.exited()).await.is_err() {
                    host.kill("the agent is shutting down");
                }
                Done::Drained
            });
        }
    }

    fn kill(&mut self, generation: Generation, reason: &str) {
        if let Some(start) = self.starts.remove(&generation) {
            start.abort();
        }
        if let Some(live) = self.hosts.get(&generation) {
            live.host.kill(reason);
        }
    }
}

/// Waits for a turn to start a host; not for long, or a few connectors that hang would hold up all others.
pub(super) async fn turn(starts: &Semaphore) -> Option<SemaphorePermit<'_>> {
    tokio::time::timeout(TURN, starts.acquire()).await.ok()?.ok()
}

/// A random number from 0 to 1.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
