//! Keeping within the app's rate limits.
//!
//! Declare a limit once, give it to the client, and requests wait for their turn:
//!
//! ```
//! use std::time::Duration;
//! use lumos_connector_sdk::prelude::*;
//! use lumos_connector_sdk::rate_limit::RateLimit;
//!
//! const API: RateLimit = RateLimit::adaptive("example-rest", 600, Duration::from_secs(60));
//!
//! async fn list_accounts(ctx: Context<TokenCredential>, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
//!     let api = ctx.http("https://api.example.com")?.token(&ctx.auth).rate_limit(&API);
//!     let _users: Vec<Json> = api.get("/users").fetch().await?;
//!     Ok(vec![])
//! }
//! ```
//!
//! All calls of one tenant share a limit, also those that run at the same time, for as long as the connector is loaded.
//! What is known of it goes out with every response that used it (`rate_limit.current_state`); a connector that was just
//! started begins with what the caller sends back (`rate_limit.last_known_state`).
//!
//! The mode decides how a limit is treated: the one [declared](crate::Integration::rate_limit_mode) for the capability,
//! else the [limit's own](RateLimit::mode), else the caller's, else `enforce` for reads and `retry_only` for writes.
//!
//! | mode | waits for its turn | tries again |
//! |---|---|---|
//! | `enforce` | yes | yes |
//! | `enforce_no_retry` | yes | no |
//! | `retry_only` | no | yes |
//! | `bypass` | no | no |
//!
//! A wait that would last beyond the caller's deadline is not begun: the call ends with `budget_exhausted` and the seconds
//! to wait. The deadline is the caller's `max_execution_time`, or the call's own time-out, less ten seconds (less a tenth,
//! if that is shorter).
#![forbid(unsafe_code)]

mod headers;
mod limiter;
mod state;

use std::time::Duration;

use lumos_connector_models::RateLimitMode;

use crate::http::{HttpResponse, Retry};

pub use headers::{Observation, common_headers};
pub(crate) use limiter::{CallLimits, Limiter, Limits, exhausted};

/// A rate limit of the app.
#[derive(Debug, Clone)]
#[must_use = "a limit does nothing until a client has it"]
pub struct RateLimit {
    pub(crate) id: &'static str,
    pub(crate) requests: u32,
    pub(crate) window: Duration,
    pub(crate) adaptive: bool,
    pub(crate) mode: Option<RateLimitMode>,
    pub(crate) retry: Retry,
    pub(crate) pause: Duration,
    pub(crate) longest_pause: Duration,
    pub(crate) max_concurrent: Option<usize>,
    pub(crate) read: fn(&HttpResponse) -> Option<Observation>,
}

impl RateLimit {
    /// At most `requests` in any span of time as long as `window`, whatever the app says. The `id` names the limit in the
    /// state that travels; an app with several limits has several.
    pub const fn fixed(id: &'static str, requests: u32, window: Duration) -> Self {
        Self {
            id,
            requests,
            window,
            adaptive: false,
            mode: None,
            retry: Retry::times(5),
            pause: Duration::ZERO,
            longest_pause: Duration::from_secs(60),
            max_concurrent: None,
            read: common_headers,
        }
    }

    /// As [`RateLimit::fixed`] at first; then as the app's answers say. Pauses between requests grow when less than a fifth
    /// of the limit is left, and when nothing is left, requests wait until the app's window ends.
    pub const fn adaptive(id: &'static str, requests: u32, window: Duration) -> Self {
        let mut limit = Self::fixed(id, requests, window);
        limit.adaptive = true;
        limit
    }

    /// Sets the mode for capabilities that declare none.
    pub const fn mode(mut self, mode: RateLimitMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Changes how often a request is tried again; by default five times.
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets a pause between requests; by default there is none.
    pub const fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Changes how long the pause between requests may grow; by default a minute.
    pub const fn longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause;
        self
    }

    /// Allows no more than `requests` at the same time; by default any number.
    pub const fn max_concurrent(mut self, requests: usize) -> Self {
        self.max_concurrent = Some(requests);
        self
    }

    /// Sets what reads the limit's state from an answer; by default [`common_headers`].
    pub const fn observe(mut self, read: fn(&HttpResponse) -> Option<Observation>) -> Self {
        self.read = read;
        self
    }
}
