//! The connectors: from a file in the watched directory to a generation that serves calls.
//!
//! ```text
//!   watch/ ─► fleet/ ─► intake/ ─► store ─► driver ─► machine/
//!   (settled)  (which    (may it    (private  (one per   (what next)
//!              is which)  be code?)  copy)     connector)
//!                                                │ swaps the route
//!   call ──────────────► registry ◄──────────────┘
//! ```
//! A file is never loaded where it lies, a generation never replaced before its successor has answered, and a call never
//! knows of either: it loads a route and waits for a slot.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{Semaphore, mpsc, oneshot, watch as channel};
use tokio_util::sync::CancellationToken;

use crate::call::{Answer, Call, CallError};
use crate::conditions::Conditions;
use crate::config::Config;
use crate::domain::{AppId, CapabilityName, Level};
use crate::hosting::Launcher;
use crate::telemetry::connector_log::ConnectorLogs;
use crate::telemetry::metrics::Metrics;

mod about;
mod artifact;
mod call;
mod driver;
mod fair;
mod fleet;
mod history;
mod inspect;
mod intake;
mod levels;
mod listing;
mod machine;
mod memory;
mod registry;
mod settings;
mod starter;
mod store;
mod vitals;
mod walls;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use inspect::{Inspected, inspect, trusts_directory};
pub(crate) use settings::{Trial, pinned, pinned_by_anyone};

pub use listing::{Detail, HostFacts, Listing, Row, State, Transition};

use driver::Surroundings;
use history::History;
use memory::Memory;
use registry::Shared;
use starter::Starter;
use store::Store;
use watch::{Ask, WatchOptions};

/// Hosts that may start at the same time: starting is work for the processor, serving waits for the network.
const STARTS: usize = 4;

/// Whether an agent with this state directory has connectors to serve even if their directory cannot be read. Blocks.
pub(crate) fn served_before(state_dir: &std::path::Path) -> bool {
    Memory::new(state_dir).read().is_ok_and(|files| !files.is_empty())
}

/// All connectors of the agent. Cheap to clone.
#[derive(Clone)]
pub struct Connectors {
    shared: Arc<Shared>,
    asks: mpsc::Sender<Ask>,
    histories: Arc<std::path::Path>,
}

impl Connectors {
    /// Starts watching and serving. Ends, with every host gone, after `shutdown` fires and [`Connectors::drained`].
    ///
    /// # Errors
    /// If the state directory cannot be used.
    pub async fn start(
        config: channel::Receiver<Arc<Config>>,
        launcher: Launcher,
        logs: ConnectorLogs,
        metrics: Metrics,
        conditions: Conditions,
        shutdown: CancellationToken,
    ) -> std::io::Result<Self> {
        let starter = Starter::Real { launcher, logs };
        Self::start_with(config, starter, metrics, conditions, shutdown, true).await
    }

    async fn start_with(
        config: channel::Receiver<Arc<Config>>,
        starter: Starter,
        metrics: Metrics,
        conditions: Conditions,
        shutdown: CancellationToken,
        hints: bool,
    ) -> std::io::Result<Self> {
        let now = Arc::clone(&config.borrow());
        let state_dir = now.agent.state_dir.clone();
        let histories = state_dir.join("history");
        let (dir, made, scratch) = (state_dir.clone(), histories.clone(), walls::scratch(&now));
        let memory = Memory::new(&state_dir);
        let (files, told) = (memory.clone(), conditions.clone());
        let opened = tokio::task::spawn_blocking(move || {
            crate::os::create_private_dir(&dir)?;
            store::private_dir(&made)?;
            walls::clean(&scratch);
            Ok::<_, std::io::Error>((Store::open(&dir)?, files.load(&told)))
        });
        let (store, remembered) = opened.await.map_err(std::io::Error::other)??;
        let shared = Shared::new(metrics, conditions, &now);
        let (asks, asked) = mpsc::channel(64);
        let (reports, reported) = mpsc::channel(4);
        let options = WatchOptions {
            directory: now.connectors.directory.clone(),
            config: config.clone(),
            expected: remembered.keys().cloned().collect(),
            hints,
        };
        let parts = fleet::Parts {
            config,
            surroundings: Surroundings {
                shared: Arc::clone(&shared),
                starter,
                starts: Arc::new(Semaphore::new(STARTS)),
            },
            store,
            memory,
            remembered,
            histories: histories.clone(),
            asks: asks.clone(),
        };
        shared
            .tasks
            .spawn(watch::run(options, reports, asked, shutdown.clone()));
        shared.tasks.spawn(fleet::run(parts, reported, shutdown));
        Ok(Connectors {
            shared,
            asks,
            histories: histories.into(),
        })
    }

    /// Routes a call, waits for a slot, and for the answer. Dropping the future cancels a read and lets a write go on.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(&self, call: Call) -> Result<Answer, CallError> {
        call::call(&self.shared, call).await
    }

    /// Lists the directory once; what settled because of it may still be under examination afterwards.
    pub async fn rescan(&self) {
        let (asker, answer) = oneshot::channel();
        if self.asks.send(Ask::Rescan(asker)).await.is_ok() {
            // An error means that the watch has ended with the agent.
            drop(answer.await);
        }
    }

    /// The level of a capability: the API's, else the manifest's, else write.
    #[must_use]
    pub fn level(&self, app_id: &AppId, capability: &CapabilityName) -> Level {
        let live = self.shared.live(app_id);
        levels::level(capability, live.as_ref().map(|live| &*live.manifest))
    }

    /// Whether a failed call of it may simply be repeated: reads, and writes that the manifest names idempotent.
    #[must_use]
    pub fn repeatable(&self, app_id: &AppId, capability: &CapabilityName) -> bool {
        let live = self.shared.live(app_id);
        levels::repeatable(capability, live.as_ref().map(|live| &*live.manifest))
    }

    /// Names of settings that the connector's schema marks `x-secret`; empty for an unknown connector.
    #[must_use]
    pub fn secret_settings(&self, app_id: &AppId) -> Arc<[String]> {
        let live = self.shared.live(app_id);
        live.map(|live| Arc::clone(&live.about.secret_settings))
            .unwrap_or_default()
    }

    /// Connectors that serve, sorted.
    #[must_use]
    pub fn ready(&self) -> Vec<AppId> {
        let entries = self.shared.entries.load();
        let mut ready: Vec<AppId> = entries
            .values()
            .filter(|entry| entry.status.load().state == State::Ready)
            .map(|entry| entry.app_id.clone())
            .collect();
        ready.sort();
        ready
    }

    /// Everything in the directory: serving, failed, shadowed and refused. Sorted.
    #[must_use]
    pub fn list(&self) -> Vec<Listing> {
        let mut list: Vec<Listing> = self
            .shared
            .entries
            .load()
            .values()
            .map(|entry| entry.listing())
            .collect();
        list.extend(self.shared.rows.load().iter().cloned());
        let key = |row: &Listing| {
            (
                row.app_id.to_ascii_lowercase(),
                row.generation.is_none(),
                row.file.clone(),
            )
        };
        list.sort_by_cached_key(key);
        list
    }

    /// One connector with its history; `None` if there never was one of that name.
    #[must_use]
    pub fn show(&self, app_id: &AppId) -> Option<Detail> {
        if let Some(entry) = self.shared.entry(app_id) {
            return Some(Detail {
                listing: entry.listing(),
                transitions: entry.transitions(),
            });
        }
        let transitions = History::open(&self.histories, app_id).transitions();
        let named = |row: &&Listing| row.app_id.eq_ignore_ascii_case(app_id.as_str());
        let row = self.shared.rows.load().iter().find(named).cloned();
        let listing = row.or_else(|| Some(listing::removed(app_id, transitions.last()?)))?;
        Some(Detail { listing, transitions })
    }

    /// The last `info` answer of a connector that serves, for the OpenAPI document.
    #[must_use]
    pub fn info(&self, app_id: &AppId) -> Option<bytes::Bytes> {
        self.shared.live(app_id).map(|live| live.info.clone())
    }

    /// Whether every file of the first scan has come to a state in which it stays: served, refused, or known to fail.
    #[must_use]
    pub fn first_scan_done(&self) -> bool {
        self.shared.first_scan_done.load(Ordering::Acquire)
    }

    /// Waits until all calls have ended and all hosts are gone, after the shutdown token has fired.
    pub async fn drained(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}
