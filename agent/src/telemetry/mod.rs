//! What the agent tells about itself: its log, its metrics, and the log files of connectors.
#![forbid(unsafe_code)]

pub mod connector_log;
mod console;
#[cfg(any(windows, test))]
pub(crate) mod event_log;
pub mod files;
pub mod levels;
mod lines;
pub mod log;
pub(crate) mod mask;
pub mod metrics;
pub(crate) mod plain;
pub(crate) mod request_line;
