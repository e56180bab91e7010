//! The failures of one content, and when it is tried again.

use std::time::Duration;

use crate::connectors::listing::State;

/// Failures in a row after which a connector counts as quarantined.
pub(in crate::connectors) const QUARANTINE_AFTER: u32 = 5;
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Since the last new file or ten minutes of health.
    pub(super) failures: u32,
    /// Deaths in a row before the probation was over.
    pub(super) early_deaths: u32,
    waiting: Option<Duration>,
}

impl Lane {
    /// Counts a failure; gives the time to the next try: 1, 2, 4, … 600 s, a quarter more or less.
    pub(super) fn fail(&mut self, jitter: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let seconds = 1_u64 << (self.failures - 1).min(10);
        let base = Duration::from_secs(seconds).min(LONGEST);
        let wait = base.mul_f64(0.75 + 0.5 * jitter.clamp(0.0, 1.0)).min(LONGEST);
        self.waiting = Some(wait);
        wait
    }

    pub(super) fn died(&mut self, early: bool) {
        self.early_deaths = if early { self.early_deaths + 1 } else { 0 };
    }

    /// Forgets everything. Whether a retry was pending.
    pub(super) fn reset(&mut self) -> bool {
        std::mem::take(self).waiting.is_some()
    }

    /// Whether a retry was pending.
    pub(super) fn stop_waiting(&mut self) -> bool {
        self.waiting.take().is_some()
    }

    /// How long the pending retry waits in all.
    pub(super) fn waiting(&self) -> Option<Duration> {
        self.waiting
    }

    pub(super) fn state(&self) -> State {
        match self.failures {
            0 => State::Starting,
            failures if failures >= QUARANTINE_AFTER => State::Quarantined,
            _ => State::BackingOff,
        }
    }
}
