//! Log lines of a connector, for the connector's log file.
//!
//! A line is tied to the call in which it is written, so the agent can mask that call's secrets and the reader can follow
//! it. In a task that a capability spawned itself a line belongs to no call.
//!
//! ```
//! use lumos_connector_sdk::log;
//! log::info!("read {} accounts", 3);
//! ```
#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use lumos_connector_abi::LogLevel;

/// Where lines go.
pub(crate) trait Sink: Send + Sync {
    fn write(&self, call: u64, level: LogLevel, line: &str);
}

/// The call that the current task works for.
#[derive(Clone)]
pub(crate) struct CallLog {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) call: u64,
}

tokio::task_local! {
    static CURRENT: CallLog;
}

/// The library's own sink, for lines outside of calls.
static FALLBACK: OnceLock<Arc<dyn Sink>> = OnceLock::new();

/// Runs `future` with its lines going to `log`.
pub(crate) async fn scope<F: Future>(log: CallLog, future: F) -> F::Output {
    CURRENT.scope(log, future).await
}

/// Sets where lines outside of calls go; the first one stays.
pub(crate) fn set_fallback(sink: Arc<dyn Sink>) {
    let _ = FALLBACK.set(sink);
}

/// Writes one line. Use the macros [`debug!`], [`info!`], [`warning!`], [`error!`] instead.
#[doc(hidden)]
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    let line = line.to_string();
    let written = CURRENT.try_with(|log| log.sink.write(log.call, level.0, &line));
    if written.is_err()
        && let Some(sink) = FALLBACK.get()
    {
        sink.write(0, level.0, &line);
    }
}

/// A level of the Connector SDK guide.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Level(LogLevel);

impl Level {
    #![allow(missing_docs)]
    pub const DEBUG: Self = Self(LogLevel::DEBUG);
    pub const INFO: Self = Self(LogLevel::INFO);
    pub const WARNING: Self = Self(LogLevel::WARNING);
    pub const ERROR: Self = Self(LogLevel::ERROR);
}

/// Writes a line for developers.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::DEBUG, format_args!($($line)+)) };
}
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::INFO, format_args!($($line)+)) };
}
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warning {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::WARNING, format_args!($($line)+)) };
}
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::ERROR, format_args!($($line)+)) };
}

pub use crate::{__log_debug as debug, __log_error as error, __log_info as info, __log_warning as warning};
