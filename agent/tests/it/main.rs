//! The integration tests of the agent.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cli;
mod config_errors;
mod home;
mod hosting;
#[cfg(unix)]
mod running;
mod support;
