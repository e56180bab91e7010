//! The connectors: from a file in the watched directory to a generation that serves calls.
#![forbid(unsafe_code)]

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::call::{Answer, Call, CallError};
use crate::config::Config;
use crate::domain::{AppId, CapabilityName, Level};
use crate::hosting::Launcher;
use crate::telemetry::connector_log::ConnectorLogs;
use crate::telemetry::metrics::Metrics;

mod listing;

pub use listing::{Detail, Listing, State, Transition};

/// All connectors of the agent. Cheap to clone.
#[derive(Clone)]
pub struct Connectors {}

impl Connectors {
    /// Starts watching and serving. Ends, with every host gone, after `shutdown` fires and [`Connectors::drained`].
    ///
    /// # Errors
    /// If the state directory cannot be used.
    pub async fn start(
        config: watch::Receiver<Arc<Config>>,
        launcher: Launcher,
        logs: ConnectorLogs,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> std::io::Result<Self> {
        let _ = (config, launcher, logs, metrics, shutdown);
        unimplemented!()
    }

    /// Routes a call, waits for a slot, and for the answer. Dropping the future cancels a read and lets a write go on.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(&self, call: Call) -> Result<Answer, CallError> {
        let _ = call;
        unimplemented!()
    }

    /// The level of a capability: the API's, else the manifest's, else write.
    #[must_use]
    pub fn level(&self, app_id: &AppId, capability: &CapabilityName) -> Level {
        let _ = (app_id, capability);
        unimplemented!()
    }

    /// Whether a failed call of it may simply be repeated: reads, and writes that the manifest names idempotent.
    #[must_use]
    pub fn repeatable(&self, app_id: &AppId, capability: &CapabilityName) -> bool {
        let _ = (app_id, capability);
        unimplemented!()
    }

    /// Names of settings that the connector's schema marks `x-secret`; empty for an unknown connector.
    #[must_use]
    pub fn secret_settings(&self, app_id: &AppId) -> Arc<[String]> {
        let _ = app_id;
        unimplemented!()
    }

    /// Connectors that serve, sorted.
    #[must_use]
    pub fn ready(&self) -> Vec<AppId> {
        unimplemented!()
    }

    /// Everything in the directory: serving, failed, shadowed and refused. Sorted.
    #[must_use]
    pub fn list(&self) -> Vec<Listing> {
        unimplemented!()
    }

    /// One connector with its history; `None` if there never was one of that name.
    #[must_use]
    pub fn show(&self, app_id: &AppId) -> Option<Detail> {
        let _ = app_id;
        unimplemented!()
    }

    /// The last `info` answer of a connector that serves, for the OpenAPI document.
    #[must_use]
    pub fn info(&self, app_id: &AppId) -> Option<bytes::Bytes> {
        let _ = app_id;
        unimplemented!()
    }

    /// Whether every file of the first scan has come to a state in which it stays: served or refused.
    #[must_use]
    pub fn first_scan_done(&self) -> bool {
        unimplemented!()
    }

    /// Lists the directory now instead of at the next event or interval; returns after that scan.
    pub async fn rescan(&self) {
        unimplemented!()
    }

    /// Waits until all calls have ended and all hosts are gone, after the shutdown token has fired.
    pub async fn drained(&self) {
        unimplemented!()
    }
}
