//! The seam between running calls and the library that answers them: the host process runs a [`Backend`], and so can the
//! daemon itself; tests run one that is no library.
#![forbid(unsafe_code)]

use lumos_connector_abi::{CancelReason, LogLevel, Status};

/// One call as a connector gets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invocation<'a> {
    /// The id to finish it with.
    pub(crate) call: u64,
    /// Milliseconds left, `u64::MAX` for no limit.
    pub(crate) timeout_ms: u64,
    /// The capability's name.
    pub(crate) capability: &'a str,
    /// The request document.
    pub(crate) body: &'a [u8],
    /// W3C traceparent, or empty.
    pub(crate) trace: &'a str,
}

/// An instance of a connector. Every method may block and may be called from any thread; `quiesce` and `destroy` once each.
pub(crate) trait Backend: Send + Sync {
    /// Runs a capability; see `lumos_connector.invoke`.
    fn invoke(&self, call: &Invocation<'_>) -> Status;
    /// Tells that a call's answer is no longer wanted.
    fn cancel(&self, call: u64, reason: CancelReason);
    /// No `invoke` will follow.
    fn quiesce(&self);
    /// Frees the instance; no call is in flight.
    fn destroy(&self);
}

/// What a connector can do to its host. None of these blocks; any thread may call them at any time.
pub(crate) trait Callbacks: Send + Sync {
    /// A line for the connector's log.
    fn log(&self, call: u64, level: LogLevel, message: &[u8]);
    /// The end of a call.
    fn finish(&self, call: u64, status: Status, result: &[u8]);
    /// Whether nobody waits for the call any more.
    fn is_cancelled(&self, call: u64) -> bool;
}

/// Why a library is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadError {
    /// Whether trying again with the same bytes is of no use.
    pub(crate) refused: bool,
    /// For people, with the remedy.
    pub(crate) text: String,
}

impl LoadError {
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        LoadError {
            refused: true,
            text: text.into(),
        }
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        LoadError {
            refused: false,
            text: text.into(),
        }
    }
}
