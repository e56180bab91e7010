//! The integration tests of the agent.
#![expect(missing_docs, reason = "tests")]

mod cli;
mod config_errors;
mod home;
mod hosting;
mod support;
