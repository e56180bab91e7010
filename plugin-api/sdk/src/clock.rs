//! The time, and waiting: a seam, so that tests of waits take none.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time and waits.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<Skipping>>);

/// A clock that stands still but for the waits; clones share it.
struct Skipping {
    start: Instant,
    unix: Duration,
    waits: Mutex<Vec<Duration>>,
}

impl Clock {
    /// A clock on which waiting takes no time but moves the hands.
    pub(crate) fn skipping() -> Self {
        Self(Some(Arc::new(Skipping {
            start: Instant::now(),
            unix: since_1970(),
            waits: Mutex::default(),
        })))
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.0 {
            Some(skipping) => skipping.start + skipping.skipped(),
            None => Instant::now(),
        }
    }

    /// Seconds since 1970.
    pub(crate) fn unix(&self) -> f64 {
        let since = match &self.0 {
            Some(skipping) => skipping.unix + skipping.skipped(),
            None => since_1970(),
        };
        since.as_secs_f64()
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        match &self.0 {
            Some(skipping) => skipping.lock().push(time),
            None => tokio::time::sleep(time).await,
        }
    }

    /// The waits so far.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.0
            .as_ref()
            .map_or_else(Vec::new, |skipping| skipping.lock().clone())
    }
}

impl Skipping {
    fn skipped(&self) -> Duration {
        self.lock().iter().sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
