//! What calls and listings read: the routes, without a lock on a call's way.
//!
//! The fleet adds and removes entries, each connector's driver swaps its route; everyone else only loads.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::about::About;
use super::artifact::Artifact;
use super::fair::FairSlots;
use super::history::History;
use super::listing::{HostFacts, Listing, State, Transition};
use super::starter::{AnyHost, Masks};
use crate::conditions::Conditions;
use crate::config::Config;
use crate::config::model::Isolation;
use crate::domain::{AppId, Generation, KeyId, Sha256};
use crate::hosting::Manifest;
use crate::os::sandbox::Confined;
use crate::telemetry::metrics::{CallMetrics, Metrics};

/// Everything shared.
pub(super) struct Shared {
    pub(super) entries: ArcSwap<HashMap<AppId, Arc<Entry>>>,
    /// Files that are no connector in service: refused, shadowed, incomplete.
    pub(super) rows: ArcSwap<Vec<Listing>>,
    pub(super) draining: AtomicBool,
    pub(super) first_scan_done: AtomicBool,
    /// Calls taken over all connectors, and how many may be.
    pub(super) in_flight: AtomicU32,
    pub(super) max_in_flight: AtomicU32,
    pub(super) metrics: Metrics,
    pub(super) conditions: Conditions,
    /// Where what is to be remembered is written.
    pub(super) state_dir: PathBuf,
    /// Every task of the connectors, so that the end of all can be awaited.
    pub(super) tasks: TaskTracker,
    pub(super) runtime: Handle,
    /// Gaps in walls that were warned about.
    pub(super) told_gaps: Mutex<HashSet<String>>,
    /// Some driver's status has changed.
    pub(super) changed: Notify,
}

/// One connector.
pub(super) struct Entry {
    pub(super) app_id: AppId,
    pub(super) route: ArcSwap<Route>,
    pub(super) status: ArcSwap<Status>,
    pub(super) last_good: ArcSwapOption<Artifact>,
    /// Nothing of it is left since its file went.
    pub(super) finished: AtomicBool,
    /// Milliseconds after which a call starts the ladder.
    pub(super) timeout_ms: AtomicU64,
    /// Calls that a host has.
    pub(super) in_flight: AtomicU32,
    pub(super) metrics: CallMetrics,
    pub(super) history: Mutex<History>,
    /// At the last look.
    pub(super) observed: ArcSwapOption<Observed>,
}

/// What its driver made of its hosts' use of the machine.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    pub(super) cpu_percent: Option<u32>,
    pub(super) warning: Option<String>,
}

/// Where calls go.
pub(super) enum Route {
    Live(Arc<Live>),
    /// Why not, and when to ask again.
    Down {
        state: State,
        reason: String,
        until: Instant,
    },
    /// The file is gone.
    Gone,
    Draining,
}

/// A generation that serves.
pub(super) struct Live {
    pub(super) generation: Generation,
    /// How it is loaded.
    pub(super) isolation: Isolation,
    pub(super) host: AnyHost,
    pub(super) manifest: Arc<Manifest>,
    pub(super) info: Bytes,
    pub(super) about: About,
    pub(super) log: Masks,
    /// What of its walls is in force.
    pub(super) confined: Arc<Confined>,
    /// One for each call that may run. Closed when the route has moved on.
    pub(super) slots: Arc<FairSlots>,
    /// Cancelled when the route has moved on.
    pub(super) retired: CancellationToken,
    /// It has answered a call.
    pub(super) answered: AtomicBool,
    /// Where an overdue call is told.
    pub(super) overdue: mpsc::Sender<Generation>,
}

/// What listings say.
#[derive(Debug, Clone)]
pub(super) struct Status {
    pub(super) state: State,
    pub(super) since: Timestamp,
    pub(super) version: Option<String>,
    pub(super) generation: Option<Generation>,
    pub(super) sha256: Option<Sha256>,
    pub(super) last_error: Option<String>,
    pub(super) capabilities: Vec<String>,
    pub(super) file: Option<String>,
    pub(super) isolation: Isolation,
    pub(super) pid: Option<u32>,
    pub(super) confined: Option<Arc<Confined>>,
    pub(super) signed_by: Option<KeyId>,
    pub(super) pinned: bool,
}

impl Shared {
    pub(super) fn new(metrics: Metrics, conditions: Conditions, config: &Config) -> Arc<Self> {
        Arc::new(Shared {
            entries: ArcSwap::default(),
            rows: ArcSwap::default(),
            draining: AtomicBool::new(false),
            first_scan_done: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            max_in_flight: AtomicU32::new(config.dispatch.max_in_flight),
            metrics,
            conditions,
            state_dir: config.agent.state_dir.clone(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            told_gaps: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Something could not be remembered.
    pub(super) fn write_failed(&self, error: &std::io::Error) {
        self.conditions.write_failed(&self.state_dir, error);
    }

    pub(super) fn entry(&self, app_id: &AppId) -> Option<Arc<Entry>> {
        self.entries.load().get(app_id).cloned()
    }

    pub(super) fn live(&self, app_id: &AppId) -> Option<Arc<Live>> {
        match &**self.entries.load().get(app_id)?.route.load() {
            Route::Live(live) => Some(Arc::clone(live)),
            _ => None,
        }
    }

    /// Only the fleet's task changes the set.
    pub(super) fn insert(&self, entry: Arc<Entry>) {
        let mut entries = HashMap::clone(&self.entries.load());
        entries.insert(entry.app_id.clone(), entry);
        self.entries.store(Arc::new(entries));
    }

    pub(super) fn remove(&self, app_id: &AppId) {
        let mut entries = HashMap::clone(&self.entries.load());
        entries.remove(app_id);
        self.entries.store(Arc::new(entries));
    }
}

impl Entry {
    pub(super) fn new(
        app_id: AppId,
        isolation: Isolation,
        timeout: Duration,
        history: History,
        metrics: CallMetrics,
    ) -> Arc<Self> {
        let status = Status {
            state: State::Discovered,
            since: Timestamp::now(),
            version: None,
            generation: None,
            sha256: None,
            last_error: None,
            capabilities: Vec::new(),
            file: None,
            isolation,
            pid: None,
            confined: None,
            signed_by: None,
            pinned: false,
        };
        let route = Route::Down {
            state: State::Discovered,
            reason: "it was only just found".into(),
            until: Instant::now(),
        };
        let entry = Entry {
            app_id,
            route: ArcSwap::from_pointee(route),
            status: ArcSwap::from_pointee(status),
            last_good: ArcSwapOption::empty(),
            finished: AtomicBool::new(false),
            timeout_ms: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            metrics,
            history: Mutex::new(history),
            observed: ArcSwapOption::empty(),
        };
        entry.set_timeout(timeout);
        Arc::new(entry)
    }

    pub(super) fn set_timeout(&self, timeout: Duration) {
        self.timeout_ms.store(
            u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.load(Ordering::Relaxed))
    }

    /// Swaps the route; whoever waits on the old one is sent on.
    pub(super) fn reroute(&self, route: Route) {
        if let Route::Live(old) = &*self.route.swap(Arc::new(route)) {
            old.slots.close();
            old.retired.cancel();
        }
    }

    pub(super) fn transitions(&self) -> Vec<Transition> {
        self.history
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .transitions()
    }

    pub(super) fn listing(&self) -> Listing {
        let status = self.status.load();
        let observed = self.observed.load();
        Listing {
            app_id: self.app_id.to_string(),
            version: status.version.clone(),
            kind: "native".into(),
            state: status.state,
            generation: status.generation,
            sha256: status.sha256,
            since: status.since,
            last_error: status.last_error.clone(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            capabilities: status.capabilities.clone(),
            file: status.file.clone(),
            isolation: Some(status.isolation),
            pid: status.pid,
            isolation_level: status.confined.as_ref().map(|confined| confined.level),
            sandbox: status.confined.as_deref().cloned(),
            signed_by: status.signed_by,
            pinned: status.pinned,
            host: self.host_facts(observed.as_deref()),
            warning: observed.as_ref().and_then(|observed| observed.warning.clone()),
        }
    }

    /// As it is now; nothing while none serves.
    fn host_facts(&self, observed: Option<&Observed>) -> Option<HostFacts> {
        let route = self.route.load();
        let Route::Live(live) = &**route else { return None };
        let vitals = live.host.vitals();
        Some(HostFacts {
            resident_bytes: vitals.usage.map(|usage| usage.resident_bytes),
            cpu_percent: observed.and_then(|observed| observed.cpu_percent),
            memory_limit: vitals.memory_limit,
            memory_guard: vitals.memory_guard,
            ignored_finishes: vitals.ignored_finishes,
        })
    }
}
