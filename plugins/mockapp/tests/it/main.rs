//! The connector against the mock app: answers of the reference, and its own behaviour.

#[allow(
    unused,
    clippy::unwrap_used,
    reason = "shared with the tests of the SDK, which need all of it"
)]
#[path = "../../../../plugin-api/sdk/tests/comparison/mod.rs"]
mod comparison;
mod errors;
mod exported;
mod golden;
mod live;
mod misbehaving;
mod reads;
mod support;
mod writes;

/// Where the connector's answers are meant to differ from those of the reference.
const DIFFERENCES: &str = include_str!("differences.toml");
