//! One call's way: admission, route, slot, host, answer.
//!
//! A call needs no task of its own. Only what its caller no longer waits for (a write after its deadline, a read that does
//! not heed its cancellation) goes on in one, keeps its slot until the connector is really done with it, and starts the
//! ladder when it overstays the connector's timeout:
//!
//! ```text
//!   timeout ─► cancel ─► grace ─► overdue: fresh host for new calls ─► grace for siblings ─► kill   (machine/)
//! ```
//! The grace for siblings ends with the last of them: a host that takes no new calls and has only overdue ones is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};

use super::fair::{Slot, Turned};
use super::listing::State;
use super::registry::{Entry, Live, Route, Shared};
use super::starter::AnyCall;
use crate::call::{Answer, Call, CallError};
use crate::domain::Level;
use crate::hosting::{CancelReason, HostCallError};
use crate::telemetry::metrics::ANSWERED;

/// How long a cancelled call may take to end before its host counts as stuck.
pub(super) const CANCEL_GRACE: Duration = Duration::from_secs(10);
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// Routes `call` and waits for its answer.
pub(super) async fn call(shared: &Arc<Shared>, call: Call) -> Result<Answer, CallError> {
    if shared.draining.load(Ordering::Acquire) {
        return Err(CallError::Draining);
    }
    let Some(entry) = shared.entry(&call.app_id) else {
        return Err(CallError::NotFound(call.app_id));
    };
    let limit = shared.max_in_flight.load(Ordering::Relaxed);
    let Some(_admitted) = Ticket::take(shared, |shared| &shared.in_flight, limit) else {
        return Err(busy(&call));
    };
    let mut meter = Meter::start(&entry);
    let result = route(shared, &entry, &call, &mut meter).await;
    meter.outcome = match &result {
        Ok(_) => ANSWERED,
        Err(error) => error_code(error),
    };
    let body = result?;
    Ok(Answer {
        body,
        queued: meter.queued,
        served: meter.served(),
    })
}

async fn route(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    call: &Call,
    meter: &mut Meter,
) -> Result<Bytes, CallError> {
    loop {
        let live = match &**entry.route.load() {
            Route::Live(live) => Arc::clone(live),
            Route::Gone => return Err(CallError::NotFound(call.app_id.clone())),
            Route::Draining => return Err(CallError::Draining),
            Route::Down { state, reason, until } => return Err(not_ready(call, *state, reason, *until)),
        };
        let Some(slot) = slot(&live, call).await? else {
            continue;
        };
        meter.slot_taken();
        let limit = entry.timeout();
        let left = call.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(CallError::DeadlinePassed { sent: false });
        }
        let begun = live
            .host
            .begin(call, left.min(limit).max(Duration::from_millis(1)));
        let outcome = match begun {
            Ok(host_call) => {
                let running = Running::new(shared, entry, &live, call, host_call, slot, limit);
                running.wait(call.deadline).await
            }
            Err(error) => Err(Failure::Host(error)),
        };
        match outcome {
            Ok(body) => {
                // Looked at first: a flag that all calls write to would be fought over.
                if !live.answered.load(Ordering::Relaxed) {
                    live.answered.store(true, Ordering::Relaxed);
                }
                return Ok(body);
            }
            Err(Failure::Deadline) => return Err(CallError::DeadlinePassed { sent: true }),
            // The host takes no calls any more: the driver is about to move the route on.
            Err(Failure::Host(HostCallError::Closed)) => moved_on(&live, call).await?,
            Err(Failure::Host(HostCallError::Died(reason))) => return Err(CallError::HostDied(reason)),
            Err(Failure::Host(HostCallError::InvalidAnswer(reason))) => {
                live.log.tell(
                    Some(&call.request_id),
                    &format!("{}: {reason}", call.capability.as_str()),
                );
                return Err(CallError::InvalidAnswer(reason));
            }
            Err(Failure::Host(HostCallError::TooLarge(limit))) => {
                let reason = format!(
                    "{}: the answer is larger than {limit} bytes",
                    call.capability.as_str()
                );
                live.log.tell(Some(&call.request_id), &reason);
                return Err(CallError::AnswerTooLarge { limit });
            }
        }
    }
}

async fn moved_on(live: &Live, call: &Call) -> Result<(), CallError> {
    timeout_at(call.deadline, live.retired.cancelled())
        .await
        .map_err(|_| CallError::DeadlinePassed { sent: false })
}

/// Waits for a slot; `None` if the route has moved on meanwhile.
async fn slot(live: &Live, call: &Call) -> Result<Option<Slot>, CallError> {
    let taken = match live.slots.try_take() {
        Ok(Some(slot)) => Ok(slot),
        Ok(None) => timeout_at(call.deadline, live.slots.take(&call.caller))
            .await
            .map_err(|_| CallError::DeadlinePassed { sent: false })?,
        Err(turned) => Err(turned),
    };
    match taken {
        Ok(slot) => Ok(Some(slot)),
        Err(Turned::Full) => Err(busy(call)),
        Err(Turned::Closed) => moved_on(live, call).await.map(|()| None),
    }
}

fn busy(call: &Call) -> CallError {
    CallError::Busy {
        app_id: call.app_id.clone(),
        retry_after: BUSY_RETRY,
    }
}

fn not_ready(call: &Call, state: State, reason: &str, until: Instant) -> CallError {
    CallError::NotReady {
        app_id: call.app_id.clone(),
        state: state_text(state),
        reason: reason.to_owned(),
        retry_after: until
            .saturating_duration_since(Instant::now())
            .max(Duration::from_secs(1)),
    }
}

/// A state as the listings write it.
pub(super) fn state_text(state: State) -> &'static str {
    match state {
        State::Discovered => "discovered",
        State::Verifying => "verifying",
        State::Starting => "starting",
        State::Ready => "ready",
        State::Draining => "draining",
        State::Stopped => "stopped",
        State::BackingOff => "backing-off",
        State::Quarantined => "quarantined",
        State::Refused => "refused",
        State::Shadowed => "shadowed",
    }
}

/// The error_code of the envelope, for the metric.
fn error_code(error: &CallError) -> &'static str {
    match error {
        CallError::NotFound(_) => "not_found",
        CallError::NotReady { .. } | CallError::Draining => "service_error",
        CallError::Busy { .. } => "rate_limit",
        CallError::DeadlinePassed { .. } => "request_timeout",
        CallError::HostDied(_) => "connection_closed",
        CallError::InvalidAnswer(_) | CallError::AnswerTooLarge { .. } => "invalid_response",
    }
}

enum Failure {
    Deadline,
    Host(HostCallError),
}

/// A call that a host has. Dropped before its answer came, it is cancelled if it is a read, and looked after to its end.
struct Running {
    shared: Arc<Shared>,
    work: Option<Work>,
    /// Why the caller no longer waits.
    why: CancelReason,
}

struct Work {
    call: AnyCall,
    entry: Arc<Entry>,
    live: Arc<Live>,
    level: Level,
    request_id: Arc<str>,
    capability: crate::domain::CapabilityName,
    begun: Instant,
    /// When the ladder begins.
    limit: Instant,
    _slot: Slot,
    _counted: Ticket<Entry>,
}

impl Running {
    fn new(
        shared: &Arc<Shared>,
        entry: &Arc<Entry>,
        live: &Arc<Live>,
        call: &Call,
        host_call: AnyCall,
        slot: Slot,
        limit: Duration,
    ) -> Self {
        let begun = Instant::now();
        let work = Work {
            call: host_call,
            entry: Arc::clone(entry),
            live: Arc::clone(live),
            level: call.level,
            request_id: Arc::clone(&call.request_id),
            capability: call.capability.clone(),
            begun,
            limit: begun + limit,
            _slot: slot,
            _counted: Ticket::count(entry, |entry| &entry.in_flight),
        };
        Running {
            shared: Arc::clone(shared),
            work: Some(work),
            why: CancelReason::CallerGone,
        }
    }

    async fn wait(mut self, deadline: Instant) -> Result<Bytes, Failure> {
        let work = self.work.as_mut().expect("the work is taken at the end only");
        let until = deadline.min(work.limit);
        if let Ok(answer) = timeout_at(until, work.call.answer()).await {
            self.work = None;
            return answer.map_err(Failure::Host);
        }
        self.why = CancelReason::Deadline;
        Err(Failure::Deadline)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if work.level == Level::Read {
            work.call.cancel(self.why);
        }
        self.shared.tasks.spawn_on(look_after(work), &self.shared.runtime);
    }
}

/// Sees a call to its end that nobody waits for.
async fn look_after(mut work: Work) {
    let answer = match timeout_at(work.limit, work.call.answer()).await {
        Ok(answer) => answer,
        Err(_) => overstayed(&mut work).await,
    };
    let outcome = match &answer {
        Ok(_) => "answered".to_owned(),
        Err(error) => error.to_string(),
    };
    let (app_id, generation) = (&work.entry.app_id, work.live.generation);
    let seconds = work.begun.elapsed().as_secs_f64();
    let (request_id, capability) = (&work.request_id, &work.capability);
    if work.level == Level::Write {
        tracing::info!(%app_id, %generation, %request_id, %capability, seconds, %outcome, "a write ended after its caller had stopped waiting");
    } else {
        tracing::debug!(%app_id, %generation, %request_id, %capability, seconds, %outcome, "a cancelled read ended");
    }
}

async fn overstayed(work: &mut Work) -> Result<Bytes, HostCallError> {
    work.call.cancel(CancelReason::Deadline);
    if let Ok(answer) = timeout(CANCEL_GRACE, work.call.answer()).await {
        return answer;
    }
    tracing::warn!(
        app_id = %work.entry.app_id,
        generation = %work.live.generation,
        request_id = %work.request_id,
        capability = %work.capability,
        reason = "the call overstayed the connector's timeout and its cancellation",
        "a call is overdue; its generation is given up"
    );
    let reason = format!(
        "{}: the call overstayed the connector's timeout and its cancellation; its host is replaced",
        work.capability.as_str()
    );
    work.live.log.tell(Some(&work.request_id), &reason);
    work.call.overdue();
    // Full means that this host's overdue calls are known already.
    let _ = work.live.overdue.try_send(work.live.generation);
    work.call.answer().await
}

/// Counts one while it lives.
struct Ticket<T> {
    of: Arc<T>,
    counter: fn(&T) -> &AtomicU32,
}

impl<T> Ticket<T> {
    fn count(of: &Arc<T>, counter: fn(&T) -> &AtomicU32) -> Self {
        counter(of).fetch_add(1, Ordering::Relaxed);
        Ticket {
            of: Arc::clone(of),
            counter,
        }
    }

    /// `None` if there are `limit` already.
    fn take(of: &Arc<T>, counter: fn(&T) -> &AtomicU32, limit: u32) -> Option<Self> {
        let before = counter(of).fetch_add(1, Ordering::Relaxed);
        let ticket = Ticket {
            of: Arc::clone(of),
            counter,
        };
        (before < limit).then_some(ticket)
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        (self.counter)(&self.of).fetch_sub(1, Ordering::Relaxed);
    }
}

/// Measures a call, also one whose caller goes away.
struct Meter {
    entry: Arc<Entry>,
    start: Instant,
    sent: Option<Instant>,
    queued: Duration,
    outcome: &'static str,
}

impl Meter {
    fn start(entry: &Arc<Entry>) -> Self {
        entry.metrics.begun();
        Meter {
            entry: Arc::clone(entry),
            start: Instant::now(),
            sent: None,
            queued: Duration::ZERO,
            outcome: "caller_gone",
        }
    }

    fn slot_taken(&mut self) {
        let now = Instant::now();
        self.queued = now - self.start;
        self.sent = Some(now);
    }

    fn served(&self) -> Duration {
        self.sent.map_or(Duration::ZERO, |sent| sent.elapsed())
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let queued = if self.sent.is_some() {
            self.queued
        } else {
            self.start.elapsed()
        };
        self.entry.metrics.ended(self.outcome, queued, self.served());
    }
}
