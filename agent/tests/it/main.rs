//! The integration tests of the agent.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cli;
mod config_errors;
mod fuzz;
mod hosting;
#[cfg(unix)]
mod intruder;
#[cfg(unix)]
mod running;
#[cfg(unix)]
mod scenarios;
mod support;
