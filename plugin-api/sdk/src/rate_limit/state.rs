//! What is known of one limit of one tenant. Pure: every function is told the time.
//!
//! Times are seconds from an arbitrary moment; `unix` is what the machine's clock shows at `now`.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use lumos_connector_models::{RateLimitStateSnapshot, RateLimitStateSnapshotSource as Source};

use super::{Observation, RateLimit};

/// More than this and a limit is none. It bounds what a caller's state can make us remember.
const MOST_REQUESTS: usize = 100_000;
const LONGEST_WINDOW: f64 = 31.0 * 86_400.0;
/// Below this part of the limit, pauses grow.
const SCARCE: f64 = 0.2;
/// How fast pauses grow and shrink.
const FACTOR: f64 = 1.5;
/// The pause that one grows from, and below which it ends, in seconds.
const SHORTEST_PAUSE: f64 = 0.1;

#[derive(Debug)]
pub(super) struct State {
    /// When requests were sent, or will be: each that waits has its time already. In order.
    sent: VecDeque<f64>,
    limit: usize,
    window: f64,
    pause: f64,
    shortest: f64,
    longest: f64,
    adaptive: bool,
    /// Nothing is sent before this.
    closed_until: f64,
    /// When the app's window ends.
    reset: Option<f64>,
    /// What the app said is left.
    remaining: Option<u64>,
    observed: bool,
}

impl State {
    pub(super) fn new(limit: &RateLimit) -> Self {
        Self {
            sent: VecDeque::new(),
            limit: usize::try_from(limit.requests)
                .unwrap_or(MOST_REQUESTS)
                .clamp(1, MOST_REQUESTS),
            window: limit.window.as_secs_f64().clamp(0.001, LONGEST_WINDOW),
            pause: limit.pause.as_secs_f64(),
            shortest: limit.pause.as_secs_f64(),
            longest: limit.longest_pause.as_secs_f64(),
            adaptive: limit.adaptive,
            closed_until: f64::MIN,
            reset: None,
            remaining: None,
            observed: false,
        }
    }

    /// Takes the next turn and gives the seconds until then. If that is not before `latest`, takes none and gives them as
    /// an error.
    pub(super) fn reserve(&mut self, now: f64, latest: f64) -> Result<f64, f64> {
        self.forget(now);
        let mut at = now.max(self.closed_until);
        if let Some(last) = self.sent.back() {
            at = at.max(last + self.pause);
        }
        if self.sent.len() >= self.limit {
            at = at.max(self.sent[self.sent.len() - self.limit] + self.window);
        }
        if at > now && at >= latest {
            return Err(at - now);
        }
        self.take(at);
        Ok(at - now)
    }

    /// Counts a request that is sent without waiting.
    pub(super) fn count(&mut self, now: f64) {
        self.forget(now);
        self.take(now);
    }

    fn take(&mut self, at: f64) {
        let place = self.sent.partition_point(|sent| *sent <= at);
        self.sent.insert(place, at);
        while self.sent.len() > MOST_REQUESTS {
            self.sent.pop_front();
        }
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(1));
    }

    fn forget(&mut self, now: f64) {
        while self.sent.front().is_some_and(|sent| sent + self.window <= now) {
            self.sent.pop_front();
        }
        if self.reset.is_some_and(|reset| reset <= now) {
            self.reset = None;
            self.remaining = None;
            self.pause = self.shortest;
        }
    }

    /// Seconds until anything may be sent, 0 if now.
    pub(super) fn closed_for(&self, now: f64) -> f64 {
        (self.closed_until - now).max(0.0)
    }

    /// The app wants nothing for `seconds`.
    pub(super) fn close(&mut self, now: f64, seconds: f64) {
        self.closed_until = self.closed_until.max(now + seconds);
    }

    /// How long to wait after a refusal that does not say: until the window ends, if that is known.
    pub(super) fn wait_after_refusal(&self, now: f64) -> Option<f64> {
        match self.reset {
            Some(reset) if reset > now => Some(reset - now),
            _ if self.adaptive => None,
            _ => Some(self.window.min(self.longest)),
        }
    }

    /// Takes over what an answer says.
    #[allow(clippy::cast_precision_loss)] // numbers of requests
    pub(super) fn observe(&mut self, seen: &Observation, now: f64) {
        if !self.adaptive {
            return;
        }
        self.observed = true;
        if let Some(limit) = seen.limit {
            self.limit = usize::try_from(limit)
                .unwrap_or(MOST_REQUESTS)
                .clamp(1, MOST_REQUESTS);
        }
        if let Some(window) = seen.window {
            self.window = (window as f64).clamp(1.0, LONGEST_WINDOW);
        }
        self.reset = seen.reset_in.map(|seconds| now + seconds).or(self.reset);
        let Some(remaining) = seen.remaining else { return };
        self.remaining = Some(remaining);
        let left = self.reset.map(|reset| reset - now).filter(|left| *left > 0.0);
        if remaining == 0
            && let Some(left) = left
        {
            self.close(now, left);
        } else if (remaining as f64) < self.limit as f64 * SCARCE {
            let grown = self.pause.max(SHORTEST_PAUSE) * FACTOR;
            let spread = left.map_or(grown, |left| left / (remaining as f64 + 1.0));
            self.pause = spread.clamp(self.shortest, self.longest.max(self.shortest));
        } else {
            let shrunk = self.pause / FACTOR;
            self.pause = if shrunk < SHORTEST_PAUSE {
                self.shortest
            } else {
                shrunk.max(self.shortest)
            };
        }
    }

    /// Begins with what the caller knows.
    #[allow(clippy::cast_precision_loss)] // seconds
    pub(super) fn seed(&mut self, known: &RateLimitStateSnapshot, now: f64, unix: f64) {
        let positive = |value: Option<i64>| value.and_then(|value| usize::try_from(value).ok());
        if let Some(limit) = positive(known.limit) {
            self.limit = limit.clamp(1, MOST_REQUESTS);
        }
        if let Some(window) = known.window_seconds {
            self.window = (window as f64).clamp(1.0, LONGEST_WINDOW);
        }
        let reset = known.reset.map(|reset| reset as f64 - unix + now);
        let over = reset.is_some_and(|reset| reset <= now);
        if over {
            return;
        }
        self.reset = reset.filter(|reset| self.adaptive && *reset - now <= LONGEST_WINDOW);
        if let Some(pause) = known.current_delay {
            self.pause = (pause as f64).clamp(self.shortest, self.longest.max(self.shortest));
        }
        let Some(remaining) = positive(known.remaining) else {
            return;
        };
        self.remaining = (self.adaptive).then_some(remaining as u64);
        let used = self.limit.saturating_sub(remaining);
        let begun = reset.map_or(now, |reset| (reset - self.window).min(now));
        self.sent = std::iter::repeat_n(begun, used).collect();
    }

    /// What the caller is told.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // bounded above
    pub(super) fn snapshot(&mut self, now: f64, unix: f64) -> RateLimitStateSnapshot {
        self.forget(now);
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let left = whole(self.limit.saturating_sub(self.sent.len()));
        let remaining = self
            .remaining
            .map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        let reset = match self.adaptive {
            true => self.reset,
            false => self.sent.front().map(|first| first + self.window),
        };
        RateLimitStateSnapshot {
            remaining: Some(remaining.unwrap_or(left)),
            limit: Some(whole(self.limit)),
            reset: reset.map(|reset| (reset - now + unix) as i64),
            window_seconds: Some(self.window.ceil() as i64),
            current_delay: Some(self.pause.round() as i64),
            source: Some(if self.observed {
                Source::ApiHeaders
            } else {
                Source::SdkCounter
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const UNIX: f64 = 1_800_000_000.0;

    fn fixed(requests: u32, seconds: u64) -> State {
        State::new(&RateLimit::fixed("t", requests, Duration::from_secs(seconds)))
    }

    fn adaptive(requests: u32, seconds: u64) -> State {
        State::new(&RateLimit::adaptive("t", requests, Duration::from_secs(seconds)))
    }

    fn seen(limit: u64, remaining: u64, reset_in: f64) -> Observation {
        Observation {
            limit: Some(limit),
            remaining: Some(remaining),
            reset_in: Some(reset_in),
            window: None,
        }
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_limit(limit in 1_u32..6, gaps in prop::collection::vec(0.0..3.0_f64, 1..60)) {
            let mut state = fixed(limit, 10);
            let (mut now, mut times) = (0.0, Vec::new());
            for gap in gaps {
                now += gap;
                times.push(now + state.reserve(now, f64::MAX).unwrap());
            }
            prop_assert!(times.is_sorted());
            for pair in times.windows(limit as usize + 1) {
                prop_assert!(pair[pair.len() - 1] - pair[0] >= 10.0 - 1e-6, "{times:?}");
            }
        }

        #[test]
        fn no_state_of_a_caller_breaks_it(limit: Option<i64>, remaining: Option<i64>, reset: Option<i64>, window: Option<i64>, delay: Option<i64>) {
            let known = RateLimitStateSnapshot {
                limit, remaining, reset, window_seconds: window, current_delay: delay, source: None,
            };
            for mut state in [fixed(5, 60), adaptive(5, 60)] {
                state.seed(&known, 0.0, UNIX);
                let wait = state.reserve(0.0, f64::MAX).unwrap();
                prop_assert!(wait.is_finite() && wait >= 0.0);
                prop_assert!(state.sent.len() <= MOST_REQUESTS);
                state.snapshot(0.0, UNIX);
            }
        }
    }

    #[test]
    fn a_turn_that_comes_too_late_is_not_taken() {
        let mut state = fixed(1, 60);
        assert_eq!(state.reserve(0.0, 30.0), Ok(0.0));
        assert_eq!(state.reserve(0.0, 30.0), Err(60.0));
        assert_eq!(state.reserve(0.0, 61.0), Ok(60.0));
    }

    #[test]
    fn pauses_grow_when_little_is_left_and_shrink_again() {
        let mut state = adaptive(100, 60);
        state.observe(&seen(100, 9, 50.0), 0.0);
        assert_eq!(state.pause, 5.0);
        state.observe(&seen(100, 90, 50.0), 0.0);
        assert!(state.pause < 5.0);
        state.observe(&seen(100, 0, 50.0), 0.0);
        assert_eq!(state.reserve(0.0, f64::MAX), Ok(50.0));
    }

    #[test]
    fn a_fixed_limit_does_not_listen() {
        let mut state = fixed(100, 60);
        state.observe(&seen(1, 0, 50.0), 0.0);
        assert_eq!(state.reserve(0.0, f64::MAX), Ok(0.0));
        assert_eq!(state.snapshot(0.0, UNIX).limit, Some(100));
    }

    #[test]
    fn what_was_told_is_understood_when_it_comes_back() {
        let mut first = fixed(3, 60);
        for _ in 0..3 {
            first.reserve(0.0, f64::MAX).unwrap();
        }
        let told = first.snapshot(0.0, UNIX);
        assert_eq!((told.remaining, told.reset), (Some(0), Some(1_800_000_060)));
        let mut second = fixed(3, 60);
        second.seed(&told, 1000.0, UNIX + 20.0);
        assert_eq!(second.reserve(1000.0, f64::MAX), Ok(40.0));
        let mut late = fixed(3, 60);
        late.seed(&told, 1000.0, UNIX + 61.0);
        assert_eq!(late.reserve(1000.0, f64::MAX), Ok(0.0));
    }

    #[test]
    fn what_the_app_said_is_told() {
        let mut state = adaptive(100, 60);
        state.observe(&seen(80, 70, 33.0), 0.0);
        state.count(0.0);
        let told = state.snapshot(0.0, UNIX);
        assert_eq!(
            (told.limit, told.remaining, told.reset),
            (Some(80), Some(69), Some(1_800_000_033))
        );
        assert_eq!(told.source, Some(Source::ApiHeaders));
    }
}
