//! Where there is no service manager of this kind.

use std::time::Duration;

use super::{Activated, ActivationError};

#[derive(Debug, Clone, Default)]
pub(super) struct Manager;

pub(super) fn activated() -> Result<Activated, ActivationError> {
    Ok(Activated::default())
}

impl Manager {
    pub(super) fn of_this_process() -> Self {
        Manager
    }

    pub(super) fn ready(&self, _status: &str) {}

    pub(super) fn reloading(&self) {}

    pub(super) fn status(&self, _status: &str) {}

    pub(super) fn stopping(&self, _status: &str) {}

    pub(super) fn extend(&self, _time: Duration) {}

    pub(super) fn alive(&self) {}

    pub(super) fn watchdog(&self) -> Option<Duration> {
        None
    }
}
