//! Which requests are sent again, and when.
//!
//! The rule that everything here serves: a request that changes something is never repeated if it may have been done. It is
//! done at most once unless its method says that doing it twice is doing it once (RFC 9110, section 9.2.2).
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use reqwest::Method;

/// How often a request that failed is sent again, and how long it waits before that.
///
/// Sent again are: every request whose connection could not be made; every request that the app refused with 429, or with
/// 503 and `Retry-After`; and those that may be done twice (GET, HEAD, OPTIONS, PUT, DELETE, or
/// [`HttpRequest::repeatable`](crate::http::HttpRequest::repeatable)) after 408, 502, 503, 504, a time-out or a broken
/// connection. The second DELETE of something answers 404 in most apps, also if the first did it.
///
/// `Retry-After` is obeyed. Without it the waits double, and vary at random between a half and the whole. No wait goes
/// beyond the caller's deadline: the error is given at once, with the seconds to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a policy does nothing until a client or a limit has it"]
pub struct Retry {
    pub(crate) times: u32,
    pub(crate) first_wait: Duration,
    pub(crate) longest_wait: Duration,
}

impl Retry {
    /// Sends a request up to `times` times again; 0 is never.
    pub const fn times(times: u32) -> Self {
        Self {
            times,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
        }
    }

    /// Changes the wait before the first repetition; by default half a second.
    pub const fn first_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }

    /// Changes the longest wait; by default a minute. An app that asks for a longer one with `Retry-After` gets no
    /// repetition.
    pub const fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// The wait before repetition `count`, the first being 0.
    pub(super) fn back_off(&self, count: u32) -> Duration {
        let whole = self
            .first_wait
            .saturating_mul(2_u32.saturating_pow(count))
            .min(self.longest_wait);
        let half = whole / 2;
        half + half.mul_f64(random())
    }
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, so nothing was sent.
    Unsent,
    /// The request was sent, or a part of it; there is no answer.
    Unknown,
    /// The app says that it wants fewer requests, and did not do this one.
    Throttled,
    Status {
        status: u16,
        /// Whether the app said when to come again.
        asked: bool,
    },
    /// Something that another try does not change.
    Final,
}

/// Whether a request may be sent again; `repeatable` if doing it twice is doing it once.
pub(super) fn may_repeat(failure: Failure, repeatable: bool) -> bool {
    match failure {
        Failure::Unsent | Failure::Throttled => true,
        Failure::Unknown => repeatable,
        Failure::Status { status: 503, asked } => asked || repeatable,
        Failure::Status { status, .. } => repeatable && matches!(status, 408 | 502 | 504),
        Failure::Final => false,
    }
}

pub(super) fn is_repeatable(method: &Method) -> bool {
    method.is_idempotent()
}

/// Between 0 and 1; good enough to keep callers from coming back together.
fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_not_repeated() {
        let status = |status, asked| Failure::Status { status, asked };
        let always = [Failure::Unsent, Failure::Throttled, status(503, true)];
        let if_repeatable = [
            Failure::Unknown,
            status(408, true),
            status(502, true),
            status(503, false),
            status(504, false),
        ];
        let never = [Failure::Final, status(500, true), status(404, false)];
        for failure in always {
            assert!(
                may_repeat(failure, false) && may_repeat(failure, true),
                "{failure:?}"
            );
        }
        for failure in if_repeatable {
            assert!(
                !may_repeat(failure, false) && may_repeat(failure, true),
                "{failure:?}"
            );
        }
        for failure in never {
            assert!(
                !may_repeat(failure, false) && !may_repeat(failure, true),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = Retry::times(99)
            .first_wait(Duration::from_secs(1))
            .longest_wait(Duration::from_secs(10));
        for (count, whole) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 10), (98, 10)] {
            let wait = retry.back_off(count);
            let whole = Duration::from_secs(whole);
            assert!(whole / 2 <= wait && wait <= whole, "{count}: {wait:?}");
        }
    }
}
