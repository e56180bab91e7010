//! The limits of a loaded connector: one for each tenant and declared limit, shared by the calls that run.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lumos_connector_models::{RateLimitMode, RateLimitResponseInfo, RateLimitStateSnapshot};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::state::State;
use super::{Observation, RateLimit};
use crate::clock::Clock;
use crate::error::{ConnectorError, ErrorKind};

/// More than this, and the one that was not used for longest is forgotten.
const MOST_LIMITS: usize = 256;

/// The limits of a loaded connector.
#[derive(Default)]
pub(crate) struct Limits {
    /// In the order of their last use.
    known: Mutex<Vec<(Key, Arc<Limiter>)>>,
}

/// A tenant, and the limit's id.
type Key = (u64, &'static str);

/// One limit of one tenant.
pub(crate) struct Limiter {
    state: Mutex<State>,
    clock: Clock,
    /// The zero of the state's times.
    start: Instant,
    places: Option<Arc<Semaphore>>,
}

/// The limits that a call uses, and what its caller knows of them.
#[derive(Clone, Default)]
pub(crate) struct CallLimits {
    shared: Arc<Limits>,
    /// What the caller asks for.
    pub(crate) asked: Option<RateLimitMode>,
    known: Arc<BTreeMap<String, RateLimitStateSnapshot>>,
    used: Arc<Mutex<BTreeMap<&'static str, Arc<Limiter>>>>,
}

impl CallLimits {
    pub(crate) fn new(
        shared: Arc<Limits>,
        asked: Option<RateLimitMode>,
        known: Option<BTreeMap<String, RateLimitStateSnapshot>>,
    ) -> Self {
        Self {
            shared,
            asked,
            known: Arc::new(known.unwrap_or_default()),
            used: Arc::default(),
        }
    }

    /// The limiter of `limit`. A fresh one begins with what the caller knows; an older one knows better.
    pub(crate) fn limiter(&self, tenant: u64, limit: &RateLimit, clock: &Clock) -> Arc<Limiter> {
        let mut all = lock(&self.shared.known);
        let key = (tenant, limit.id);
        let limiter = match all.iter().position(|(known, _)| *known == key) {
            Some(index) => all.remove(index).1,
            None => Arc::new(Limiter::new(limit, clock, self.known.get(limit.id))),
        };
        if all.len() == MOST_LIMITS {
            all.remove(0);
        }
        all.push((key, limiter.clone()));
        lock(&self.used).insert(limit.id, limiter.clone());
        limiter
    }

    /// What the caller is told; nothing if the call used no limit.
    pub(crate) fn report(&self) -> Option<RateLimitResponseInfo> {
        let used = lock(&self.used);
        let state: BTreeMap<_, _> = used
            .iter()
            .map(|(id, limiter)| ((*id).to_owned(), limiter.snapshot()))
            .collect();
        (!state.is_empty()).then_some(RateLimitResponseInfo {
            current_state: Some(state),
        })
    }
}

impl Limiter {
    fn new(limit: &RateLimit, clock: &Clock, known: Option<&RateLimitStateSnapshot>) -> Self {
        let mut state = State::new(limit);
        if let Some(known) = known {
            state.seed(known, 0.0, clock.unix());
        }
        Self {
            state: Mutex::new(state),
            clock: clock.clone(),
            start: clock.now(),
            places: limit
                .max_concurrent
                .map(|places| Arc::new(Semaphore::new(places.max(1)))),
        }
    }

    /// Waits for a turn, but not beyond `deadline`. The request holds what it gives until it has its answer.
    pub(crate) async fn turn(
        &self,
        wait: bool,
        deadline: Instant,
    ) -> Result<Option<OwnedSemaphorePermit>, ConnectorError> {
        let place = self.place(deadline).await?;
        if !wait {
            lock(&self.state).count(self.now());
            return Ok(place);
        }
        let latest = self.seconds(deadline);
        let mut left = lock(&self.state).reserve(self.now(), latest).map_err(exhausted)?;
        while left > 0.0 {
            // What rounds to nothing would be waited for without end.
            let wait = Duration::from_secs_f64(left).max(Duration::from_micros(1));
            self.clock.sleep(wait).await;
            // The app may have refused another request meanwhile.
            let now = self.now();
            left = lock(&self.state).closed_for(now);
            if left > 0.0 && now + left >= latest {
                return Err(exhausted(left));
            }
        }
        Ok(place)
    }

    async fn place(&self, deadline: Instant) -> Result<Option<OwnedSemaphorePermit>, ConnectorError> {
        let Some(places) = &self.places else {
            return Ok(None);
        };
        let left = deadline.saturating_duration_since(self.clock.now());
        match tokio::time::timeout(left, places.clone().acquire_owned()).await {
            Ok(place) => Ok(place.ok()),
            Err(_) => Err(exhausted(0.0)),
        }
    }

    /// Takes over what an answer says.
    pub(crate) fn observe(&self, seen: &Observation) {
        lock(&self.state).observe(seen, self.now());
    }

    /// The app refused a request and wants nothing for that long.
    pub(crate) fn close(&self, wait: Duration) {
        lock(&self.state).close(self.now(), wait.as_secs_f64());
    }

    /// How long to wait after a refusal that does not say, if the limit says.
    pub(crate) fn wait_after_refusal(&self) -> Option<Duration> {
        let seconds = lock(&self.state).wait_after_refusal(self.now())?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn snapshot(&self) -> RateLimitStateSnapshot {
        lock(&self.state).snapshot(self.now(), self.clock.unix())
    }

    fn now(&self) -> f64 {
        self.seconds(self.clock.now())
    }

    fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.start).as_secs_f64()
    }
}

/// The call would have to wait longer than its caller does.
pub(crate) fn exhausted(seconds: f64) -> ConnectorError {
    #[allow(clippy::cast_possible_truncation)] // at most a window
    let seconds = seconds.ceil() as i64;
    ConnectorError::of(ErrorKind::BudgetExhausted)
        .with_message(format!(
            "The app's rate limit asks for a wait of {seconds} s, which is longer than the caller waits."
        ))
        .with_retry_after(seconds)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
