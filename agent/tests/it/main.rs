//! The integration tests of the agent.

mod hosting;
mod support;
