//! The mock app of the step-by-step tutorial: a small user directory with projects, teams and an administrator role.
//!
//! It exists so that a connector can be shown and tested against a live HTTP API without anybody's account. The routes,
//! fields, data and failures are those of the tutorial's Python server, so a connector serves either. All state is in
//! memory and the data is the same at every start.
//!
//! ```text
//! request → route (404, 405) → token (401, or the failure that the token asks for) → query (422) → data (404, 409) → answer
//! ```
//!
//! Bearer tokens: `valid-token` works; `status-NNN` answers that status (429 with `Retry-After: 7`); `html-502` answers
//! an HTML page with 502; `garbage` answers 200 with a body that is not JSON; `empty-500` answers 500 without a body;
//! anything else is 401.
//!
//! Two differences from the Python server, neither of which a connector can come to rely on: HEAD is answered wherever
//! GET is, and `%2F` in a path segment stays part of that segment instead of becoming a separator.
#![forbid(unsafe_code)]

mod auth;
mod data;
mod docs;
mod openapi;
mod operations;
mod params;
mod reply;
mod routes;
mod server;

pub use routes::router;
pub use server::{Server, serve};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The one token that works.
pub const VALID_TOKEN: &str = "valid-token";

/// What a mock app starts with.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Number of users, `user-000001` onwards.
    pub users: u32,
    /// Wait before every answer that needs a token, a failed one included.
    pub delay: Duration,
}

impl Default for Options {
    /// 1,000 users, no delay.
    fn default() -> Self {
        Self {
            users: 1000,
            delay: Duration::ZERO,
        }
    }
}

/// The running app's data, shared by all its connections. Cloning shares.
#[derive(Debug, Clone)]
pub struct State {
    options: Options,
    data: Arc<Mutex<data::Data>>,
}

impl State {
    /// A fresh app.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            data: Arc::new(Mutex::new(data::Data::new(options.users))),
        }
    }

    /// Puts everything back to how it was at the start, as `POST /api/_reset` does. Returns the number of users.
    pub fn reset(&self) -> usize {
        let mut data = self.data();
        *data = data::Data::new(self.options.users);
        data.users().len()
    }

    /// Every change of the data is a single step, so data left by a panic elsewhere is still whole.
    fn data(&self) -> MutexGuard<'_, data::Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
