//! Runs a connector in a test, without an agent.
//!
//! ```
//! use lumos_connector_sdk::prelude::*;
//! use lumos_connector_sdk::harness::Harness;
//!
//! let harness = Harness::new(Integration::new("example", "1.0.0")).unwrap();
//! assert_eq!(harness.call("info", json!({}))["response"]["app_id"], "example");
//! ```
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lumos_connector_abi::LogLevel;
use serde_json::Value;

use crate::auth::Auth;
use crate::clock::Clock;
use crate::connector::{CallOptions, Connector};
use crate::integration::{Integration, IntegrationError};
use crate::log;
use crate::settings::Settings;

pub use crate::export::testing::LoadedConnector;

/// A connector in the test's own process.
pub struct Harness {
    connector: Connector,
    runtime: tokio::runtime::Runtime,
    lines: Arc<Lines>,
}

/// The lines that a connector has written.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<(LogLevel, String)>>);

impl Lines {
    pub(crate) fn push(&self, level: LogLevel, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push((level, line.to_owned()));
    }

    pub(crate) fn all(&self) -> Vec<(LogLevel, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl log::Sink for Lines {
    fn write(&self, _call: u64, level: LogLevel, line: &str) {
        self.push(level, line);
    }
}

impl Harness {
    /// Builds the connector.
    ///
    /// # Errors
    /// The first mistake in its declaration.
    ///
    /// # Panics
    /// If the system gives no threads.
    pub fn new<A: Auth, S: Settings>(integration: Integration<A, S>) -> Result<Self, IntegrationError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a test can start a thread");
        Ok(Self {
            connector: integration.build()?,
            runtime,
            lines: Arc::default(),
        })
    }

    /// Lets waits for rate limits and between attempts take no time; the connector's clock stands still but for them.
    #[must_use]
    pub fn without_waiting(mut self) -> Self {
        self.connector.clock = Clock::skipping();
        self
    }

    /// The waits so far, if they [take no time](Self::without_waiting).
    #[must_use]
    pub fn waits(&self) -> Vec<Duration> {
        self.connector.clock.waits()
    }

    /// Calls a capability and gives its answer, an error envelope included.
    ///
    /// # Panics
    /// If the answer is not JSON, which would be a mistake of the SDK.
    #[allow(clippy::needless_pass_by_value)] // reads better at every call, where the document is written in place
    pub fn call(&self, capability: &str, request: Value) -> Value {
        self.call_bytes(capability, request.to_string().as_bytes())
    }

    /// Calls a capability with a document as text, which need not be JSON.
    ///
    /// # Panics
    /// If the answer is not JSON, which would be a mistake of the SDK.
    pub fn call_bytes(&self, capability: &str, request: &[u8]) -> Value {
        let log = log::CallLog {
            sink: self.lines.clone(),
            call: 1,
        };
        let options = CallOptions {
            timeout: Some(Duration::from_secs(60)),
            trace: None,
        };
        let call = self.connector.call(capability, request, options);
        let answer = self.runtime.block_on(log::scope(log, call));
        serde_json::from_slice(&answer).expect("an answer is JSON")
    }

    /// The lines that the connector has written so far, with their levels (10 debug … 50 critical).
    #[must_use]
    pub fn log_lines(&self) -> Vec<(i32, String)> {
        self.lines
            .all()
            .into_iter()
            .map(|(level, line)| (level.0, line))
            .collect()
    }

    /// The connector itself.
    #[must_use]
    pub fn connector(&self) -> &Connector {
        &self.connector
    }
}
