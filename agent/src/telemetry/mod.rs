//! What the agent tells about itself: its log, its metrics, and the log files of connectors.
#![forbid(unsafe_code)]

pub mod connector_log;
#[cfg(any(windows, test))]
pub(crate) mod event_log;
mod lines;
pub mod log;
pub(crate) mod mask;
pub mod metrics;
pub(crate) mod request_line;
