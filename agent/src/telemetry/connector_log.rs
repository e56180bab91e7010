//! The log files of connectors.

use std::sync::Arc;

use secrecy::SecretString;

use crate::config::model::LogLevel;
use crate::domain::{AppId, Generation};

/// Writes `{app_id}_{yyyy-MM-dd}.log` files. Cheap to clone.
#[derive(Clone)]
pub struct ConnectorLogs {}

/// The log of one generation of one connector. Cheap to clone, never blocks.
#[derive(Clone)]
pub struct ConnectorLog {}

impl ConnectorLogs {
    /// The log of `generation` of `app_id`.
    #[must_use]
    pub fn of(&self, app_id: &AppId, generation: Generation) -> ConnectorLog {
        let _ = (app_id, generation);
        unimplemented!()
    }
}

impl ConnectorLog {
    /// A log that goes to standard error, for a connector without an agent.
    #[must_use]
    pub fn stderr() -> Self {
        ConnectorLog {}
    }

    /// Writes one line. `request_id` ties it to a call.
    pub fn line(&self, level: LogLevel, request_id: Option<&str>, text: &str) {
        let _ = (level, request_id, text);
    }

    /// Masks `secrets` in every line from now on until a while after the guard is dropped.
    pub fn guard(&self, secrets: Arc<[SecretString]>) -> impl Drop + Send + Sync + 'static {
        struct Guard(#[expect(dead_code)] Arc<[SecretString]>);
        impl Drop for Guard {
            fn drop(&mut self) {}
        }
        Guard(secrets)
    }
}
