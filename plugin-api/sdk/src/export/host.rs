//! The host as the connector sees it.

use lumos_connector_abi::{Bytes, HostTable, LogLevel, Status};

use crate::log::Sink;

type LogFn = unsafe extern "C" fn(*const HostTable, u64, LogLevel, Bytes);
type FinishFn = unsafe extern "C" fn(*const HostTable, u64, Status, Bytes);

/// The host's table. It lives until the process exits, and its functions may be called from any thread.
#[derive(Clone, Copy)]
pub(super) struct Host {
    table: *const HostTable,
    log: LogFn,
    finish: FinishFn,
}

// SAFETY: the header allows every function of the host table from any thread, at any time from create's entry on.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    /// Reads the host's table; nothing if it is null, of another major version, or lacks what every host has.
    ///
    /// # Safety
    /// `table` is null or points to a host table that lives until the process exits.
    pub(super) unsafe fn new(table: *const HostTable) -> Option<Self> {
        // SAFETY: the caller vouches for a live table. Version 1.0 has every member that is read here, and a later minor
        // only appends.
        let host = unsafe { table.as_ref() }?;
        if host.abi_major != lumos_connector_abi::ABI_MAJOR {
            return None;
        }
        Some(Self {
            table,
            log: host.log?,
            finish: host.finish?,
        })
    }

    /// Ends a call.
    pub(super) fn finish(&self, call: u64, status: Status, result: &[u8]) {
        // SAFETY: the table lives until the process exits; the host copies the bytes before it returns.
        unsafe { (self.finish)(self.table, call, status, Bytes::borrow(result)) }
    }
}

impl Sink for Host {
    fn write(&self, call: u64, level: LogLevel, line: &str) {
        // SAFETY: as in finish.
        unsafe { (self.log)(self.table, call, level, Bytes::borrow(line.as_bytes())) }
    }
}
