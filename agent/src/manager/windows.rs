//! Windows' service control manager. What it asks for comes by way of `cli::signals`; it holds no sockets and has no watchdog:
//! a service that crashes is started again, and one that hangs is not noticed.

use std::time::Duration;

use super::{Activated, ActivationError};
use crate::os;

/// How long a stop may take before the agent has asked for more.
const AT_FIRST: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Default)]
pub(super) struct Manager;

#[expect(clippy::unnecessary_wraps, reason = "fails on Linux")]
pub(super) fn activated() -> Result<Activated, ActivationError> {
    Ok(Activated::default())
}

impl Manager {
    pub(super) fn of_this_process() -> Self {
        Manager
    }

    pub(super) fn ready(&self, _status: &str) {
        os::service_runs();
    }

    pub(super) fn reloading(&self) {}

    pub(super) fn status(&self, _status: &str) {}

    pub(super) fn stopping(&self, _status: &str) {
        os::service_stops(AT_FIRST);
    }

    pub(super) fn extend(&self, time: Duration) {
        os::service_stops(time);
    }

    pub(super) fn alive(&self) {}

    pub(super) fn watchdog(&self) -> Option<Duration> {
        None
    }
}
