//! The tables, the request and the constants of the header.

use core::ffi::c_void;
use core::mem::{offset_of, size_of};

use crate::Bytes;

/// `LUMOS_ABI_MAJOR`: a break is a new entry symbol, so a table of another major is refused.
pub const ABI_MAJOR: u32 = 1;
/// `LUMOS_ABI_MINOR`: grows when members are appended; a newer one on the other side is fine.
pub const ABI_MINOR: u32 = 0;
/// `LUMOS_CONNECTOR_MAGIC`: `LUMOSCN1` in memory.
pub const MAGIC: u64 = u64::from_le_bytes(*b"LUMOSCN1");
/// `LUMOS_ENTRY_SYMBOL`, NUL-terminated as the dynamic loader wants it.
pub const ENTRY_SYMBOL: &core::ffi::CStr = c"lumos_connector_entry_v1";
/// [`Request::timeout_ms`] of a call without a limit.
pub const NO_TIMEOUT: u64 = u64::MAX;

/// `lumos_status`: 0 done, 1 pending, below 0 an error.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// Finished.
    pub const OK: Status = Status(0);
    /// `invoke` only: `finish` will be called exactly once, later.
    pub const PENDING: Status = Status(1);
    /// The connector failed, by its own fault.
    pub const INTERNAL: Status = Status(-1);
    /// The request is not acceptable.
    pub const BAD_REQUEST: Status = Status(-2);
    /// No such capability.
    pub const UNSUPPORTED: Status = Status(-3);
    /// Stopped because it was cancelled.
    pub const CANCELLED: Status = Status(-4);
    /// Cannot serve now, may later.
    pub const UNAVAILABLE: Status = Status(-5);

    /// Whether this is an error.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < 0
    }
}

/// A log level of the Connector SDK guide. Any integer may arrive; an unknown one counts as the next lower level.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogLevel(pub i32);

impl LogLevel {
    /// `LUMOS_LOG_DEBUG`.
    pub const DEBUG: LogLevel = LogLevel(10);
    /// `LUMOS_LOG_INFO`.
    pub const INFO: LogLevel = LogLevel(20);
    /// `LUMOS_LOG_WARNING`.
    pub const WARNING: LogLevel = LogLevel(30);
    /// `LUMOS_LOG_ERROR`.
    pub const ERROR: LogLevel = LogLevel(40);
    /// `LUMOS_LOG_CRITICAL`.
    pub const CRITICAL: LogLevel = LogLevel(50);
}

/// Why a call is cancelled.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelReason(pub i32);

impl CancelReason {
    /// The caller closed its connection; reads only.
    pub const CALLER_GONE: CancelReason = CancelReason(1);
    /// The caller's deadline or the connector's time-out has passed.
    pub const DEADLINE: CancelReason = CancelReason(2);
    /// The host is about to end.
    pub const SHUTDOWN: CancelReason = CancelReason(3);
}

/// `lumos_instance`: defined by the connector, opaque to the host.
#[repr(C)]
pub struct Instance {
    _opaque: [u8; 0],
    _not_send_sync_unpin: core::marker::PhantomData<(*mut u8, core::marker::PhantomPinned)>,
}

/// `lumos_host`: what the host offers. Every function may be called from any thread and never blocks.
#[repr(C)]
pub struct HostTable {
    /// Bytes of the struct as the host knows it.
    pub struct_size: u32,
    /// The host's [`ABI_MAJOR`].
    pub abi_major: u32,
    /// The host's [`ABI_MINOR`].
    pub abi_minor: u32,
    /// 0.
    pub reserved: u32,
    /// The host's own.
    pub ctx: *mut c_void,
    /// Writes one line to the connector's log.
    pub log: Option<unsafe extern "C" fn(host: *const HostTable, call: u64, level: LogLevel, msg: Bytes)>,
    /// Ends a call with its answer (status 0) or a message (status below 0).
    pub finish:
        Option<unsafe extern "C" fn(host: *const HostTable, call: u64, status: Status, result: Bytes)>,
    /// 1 if nobody waits for the call any more.
    pub is_cancelled: Option<unsafe extern "C" fn(host: *const HostTable, call: u64) -> i32>,
    /// A further table of the host by `name/rev`, or null.
    pub get_extension: Option<unsafe extern "C" fn(host: *const HostTable, name: Bytes) -> *const c_void>,
}

/// `lumos_request`: one call of a capability, borrowed until `invoke` returns.
#[repr(C)]
pub struct Request {
    /// Bytes of the struct as the host knows it.
    pub struct_size: u32,
    /// 0; unknown bits are to be ignored.
    pub flags: u32,
    /// The id to finish this call with.
    pub call: u64,
    /// Time left in milliseconds, at least 1; [`NO_TIMEOUT`] means no limit.
    pub timeout_ms: u64,
    /// Such as `list_accounts`.
    pub capability: Bytes,
    /// The request document, or empty for none.
    pub body_json: Bytes,
    /// W3C traceparent, or empty.
    pub trace: Bytes,
}

/// `lumos_connector`: what the connector offers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ConnectorTable {
    /// [`MAGIC`].
    pub magic: u64,
    /// Bytes of the struct as the connector was compiled.
    pub struct_size: u32,
    /// [`ABI_MAJOR`] as compiled.
    pub abi_major: u32,
    /// [`ABI_MINOR`] as compiled.
    pub abi_minor: u32,
    /// 0.
    pub reserved: u32,
    /// Describes the library without running it.
    pub manifest_json: Bytes,
    /// Makes the one instance.
    pub create: Option<
        unsafe extern "C" fn(
            host: *const HostTable,
            call: u64,
            config_json: Bytes,
            instance: *mut *mut Instance,
        ) -> Status,
    >,
    /// Runs one capability.
    pub invoke: Option<unsafe extern "C" fn(instance: *mut Instance, request: *const Request) -> Status>,
    /// Tells that a call's answer is no longer wanted.
    pub cancel: Option<unsafe extern "C" fn(instance: *mut Instance, call: u64, reason: CancelReason)>,
    /// No `invoke` will follow.
    pub quiesce: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// Frees the instance.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut Instance)>,
    /// A further table of the connector by `name/rev`, or null. May be absent.
    pub get_extension: Option<unsafe extern "C" fn(instance: *mut Instance, name: Bytes) -> *const c_void>,
}

// SAFETY: both tables are constant for the life of the process and all their functions may be called from any thread;
// that is the ABI's contract (header, "Threads" and "Lifetime").
unsafe impl Sync for ConnectorTable {}
// SAFETY: as above.
unsafe impl Send for ConnectorTable {}
// SAFETY: as above.
unsafe impl Sync for HostTable {}
// SAFETY: as above.
unsafe impl Send for HostTable {}

/// The type of the exported symbol.
pub type EntryFn = unsafe extern "C" fn() -> *const ConnectorTable;

const _: () = {
    assert!(
        size_of::<*const ()>() == 8,
        "the Lumos connector ABI is for 64-bit targets"
    );
    assert!(
        cfg!(target_endian = "little"),
        "the Lumos connector ABI is for little-endian targets"
    );

    assert!(size_of::<Bytes>() == 16);
    assert!(offset_of!(Bytes, len) == 8);

    assert!(size_of::<Request>() == 72);
    assert!(offset_of!(Request, call) == 8);
    assert!(offset_of!(Request, timeout_ms) == 16);
    assert!(offset_of!(Request, capability) == 24);
    assert!(offset_of!(Request, body_json) == 40);
    assert!(offset_of!(Request, trace) == 56);

    assert!(size_of::<HostTable>() == 56);
    assert!(offset_of!(HostTable, ctx) == 16);
    assert!(offset_of!(HostTable, log) == 24);
    assert!(offset_of!(HostTable, finish) == 32);
    assert!(offset_of!(HostTable, is_cancelled) == 40);
    assert!(offset_of!(HostTable, get_extension) == 48);

    assert!(size_of::<ConnectorTable>() == 88);
    assert!(offset_of!(ConnectorTable, struct_size) == 8);
    assert!(offset_of!(ConnectorTable, manifest_json) == 24);
    assert!(offset_of!(ConnectorTable, create) == 40);
    assert!(offset_of!(ConnectorTable, invoke) == 48);
    assert!(offset_of!(ConnectorTable, cancel) == 56);
    assert!(offset_of!(ConnectorTable, quiesce) == 64);
    assert!(offset_of!(ConnectorTable, destroy) == 72);
    assert!(offset_of!(ConnectorTable, get_extension) == 80);
};
