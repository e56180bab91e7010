//! The time, and waiting: a seam, so that tests of waits take none.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time and waits. Of two that skip, clones share what they skipped.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<Mutex<Vec<Duration>>>>);

impl Clock {
    /// A clock on which waiting takes no time but moves the hands.
    pub(crate) fn skipping() -> Self {
        Self(Some(Arc::default()))
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::now() + self.skipped()
    }

    /// Seconds since 1970.
    pub(crate) fn unix(&self) -> f64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (since + self.skipped()).as_secs_f64()
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        match &self.0 {
            Some(waits) => waits.lock().unwrap_or_else(PoisonError::into_inner).push(time),
            None => tokio::time::sleep(time).await,
        }
    }

    /// The waits so far.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.0.as_ref().map_or_else(Vec::new, |waits| {
            waits.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    fn skipped(&self) -> Duration {
        self.waits().iter().sum()
    }
}
