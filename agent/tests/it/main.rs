//! The integration tests of the agent.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hosting;
mod support;
