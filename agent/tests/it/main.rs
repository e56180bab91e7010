//! The integration tests of the agent.
#![expect(missing_docs, reason = "tests")]

mod hosting;
mod support;
