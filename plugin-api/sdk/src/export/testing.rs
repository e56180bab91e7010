//! Loads a connector through its C table, as a host does, inside a test.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use lumos_connector_abi::{
    ABI_MAJOR, ABI_MINOR, Bytes, CancelReason, ConnectorTable, HostTable, Instance, LogLevel, NO_TIMEOUT,
    Request, Status,
};
use serde_json::Value;

/// A connector that was loaded through its C table.
///
/// ```
/// use lumos_connector_sdk::harness::LoadedConnector;
/// use lumos_connector_sdk::prelude::*;
///
/// fn integration() -> Integration {
///     Integration::new("example", "1.0.0")
/// }
/// export_connector!(integration);
///
/// let connector = LoadedConnector::load(lumos_connector_entry_v1).unwrap();
/// assert_eq!(connector.manifest()["app_id"], "example");
/// assert_eq!(connector.call("info", json!({}))["response"]["version"], "1.0.0");
/// ```
pub struct LoadedConnector {
    table: &'static ConnectorTable,
    instance: *mut Instance,
    state: &'static State,
}

// SAFETY: the ABI allows invoke and cancel from any thread.
unsafe impl Send for LoadedConnector {}
// SAFETY: as above.
unsafe impl Sync for LoadedConnector {}

/// A call that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingCall(u64);

type Ends = Vec<(Status, Vec<u8>)>;

#[derive(Default)]
struct State {
    /// By call; more than one end is the connector's mistake.
    finished: Mutex<HashMap<u64, Ends>>,
    news: Condvar,
    lines: Mutex<Vec<(i32, String)>>,
    next: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Waits for the end of `call`.
    fn wait(&self, call: u64) -> (Status, Vec<u8>) {
        let mut finished = lock(&self.finished);
        loop {
            if let Some(first) = finished.get(&call).and_then(|ends| ends.first()) {
                return first.clone();
            }
            finished = self.news.wait(finished).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// # Safety
/// `host` is a table made by `load`.
unsafe fn state<'a>(host: *const HostTable) -> &'a State {
    // SAFETY: load made the table and leaked it.
    let ctx = unsafe { (*host).ctx };
    // SAFETY: its ctx is a leaked State.
    unsafe { &*ctx.cast::<State>() }
}

unsafe extern "C" fn on_log(host: *const HostTable, _call: u64, level: LogLevel, line: Bytes) {
    // SAFETY: the connector hands back the table it was given.
    let state = unsafe { state(host) };
    // SAFETY: the line is valid for this call.
    let line = unsafe { line.as_str() }.unwrap_or("(not UTF-8)");
    lock(&state.lines).push((level.0, line.to_owned()));
}

unsafe extern "C" fn on_finish(host: *const HostTable, call: u64, status: Status, result: Bytes) {
    // SAFETY: the connector hands back the table it was given.
    let state = unsafe { state(host) };
    // SAFETY: the result is valid for this call.
    let result = unsafe { result.as_slice() }.to_vec();
    lock(&state.finished)
        .entry(call)
        .or_default()
        .push((status, result));
    state.news.notify_all();
}

unsafe extern "C" fn on_is_cancelled(_host: *const HostTable, _call: u64) -> i32 {
    0
}

unsafe extern "C" fn on_get_extension(_host: *const HostTable, _name: Bytes) -> *const c_void {
    std::ptr::null()
}

impl LoadedConnector {
    /// Calls the entry function and `create`.
    ///
    /// # Errors
    /// What the connector says when it cannot start.
    ///
    /// # Panics
    /// If the table lacks a function.
    pub fn load(entry: extern "C" fn() -> *const ConnectorTable) -> Result<Self, String> {
        // SAFETY: the entry function gives null or a table that lives until the process exits.
        let table: &'static ConnectorTable = unsafe { entry().as_ref() }.ok_or("the declaration panicked")?;
        // The table must outlive the connector's threads, so a test leaks it: a few hundred bytes.
        let state: &'static State = Box::leak(Box::default());
        let host: &'static HostTable = Box::leak(Box::new(HostTable {
            struct_size: size_of::<HostTable>() as u32,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            reserved: 0,
            ctx: std::ptr::from_ref(state).cast_mut().cast(),
            log: Some(on_log),
            finish: Some(on_finish),
            is_cancelled: Some(on_is_cancelled),
            get_extension: Some(on_get_extension),
        }));
        let mut instance = std::ptr::null_mut();
        let call = state.next.fetch_add(1, Ordering::Relaxed) + 1;
        let create = table.create.expect("a table has create");
        // SAFETY: as the header asks.
        let status = unsafe { create(host, call, Bytes::borrow(b"{}"), &raw mut instance) };
        if status == Status::OK {
            return Ok(Self {
                table,
                instance,
                state,
            });
        }
        let (_, message) = state.wait(call);
        Err(String::from_utf8_lossy(&message).into_owned())
    }

    /// The manifest.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn manifest(&self) -> Value {
        // SAFETY: the manifest lives as long as the table.
        let bytes = unsafe { self.table.manifest_json.as_slice() };
        serde_json::from_slice(bytes).expect("a manifest is JSON")
    }

    /// Calls a capability and waits for its answer.
    ///
    /// # Panics
    /// If the call is refused, or ends without an answer that is JSON.
    #[allow(clippy::needless_pass_by_value)] // reads better at every call, where the document is written in place
    pub fn call(&self, capability: &str, request: Value) -> Value {
        let pending = self
            .start(capability, request.to_string().as_bytes(), None)
            .expect("the call is accepted");
        let (status, answer) = self.wait(pending);
        assert_eq!(status, 0, "{}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).expect("an answer is JSON")
    }

    /// Starts a call.
    ///
    /// # Errors
    /// The status with which the connector refuses it.
    ///
    /// # Panics
    /// If the table lacks a function.
    pub fn start(
        &self,
        capability: &str,
        body: &[u8],
        timeout: Option<std::time::Duration>,
    ) -> Result<PendingCall, i32> {
        let call = self.state.next.fetch_add(1, Ordering::Relaxed) + 1;
        let request = Request {
            struct_size: size_of::<Request>() as u32,
            flags: 0,
            call,
            timeout_ms: timeout.map_or(NO_TIMEOUT, |timeout| timeout.as_millis() as u64),
            capability: Bytes::borrow(capability.as_bytes()),
            body_json: Bytes::borrow(body),
            trace: Bytes::EMPTY,
        };
        let invoke = self.table.invoke.expect("a table has invoke");
        // SAFETY: the instance lives until self is dropped; the request until the function returns.
        let status = unsafe { invoke(self.instance, &raw const request) };
        if status.is_error() {
            Err(status.0)
        } else {
            Ok(PendingCall(call))
        }
    }

    /// Waits for the end of a call: its status, and the answer or the message.
    #[must_use]
    pub fn wait(&self, call: PendingCall) -> (i32, Vec<u8>) {
        let (status, result) = self.state.wait(call.0);
        (status.0, result)
    }

    /// Cancels a call, because its caller has gone.
    ///
    /// # Panics
    /// If the table lacks a function.
    pub fn cancel(&self, call: PendingCall) {
        let cancel = self.table.cancel.expect("a table has cancel");
        // SAFETY: the instance lives until self is dropped.
        unsafe { cancel(self.instance, call.0, CancelReason::CALLER_GONE) };
    }

    /// Tells that no call will follow.
    ///
    /// # Panics
    /// If the table lacks a function.
    pub fn quiesce(&self) {
        let quiesce = self.table.quiesce.expect("a table has quiesce");
        // SAFETY: the instance lives until self is dropped.
        unsafe { quiesce(self.instance) };
    }

    /// How often `call` was finished: more than once is a mistake.
    #[must_use]
    pub fn times_finished(&self, call: PendingCall) -> usize {
        lock(&self.state.finished).get(&call.0).map_or(0, Vec::len)
    }

    /// The lines that the connector has written so far, with their levels (10 debug … 50 critical).
    #[must_use]
    pub fn log_lines(&self) -> Vec<(i32, String)> {
        lock(&self.state.lines).clone()
    }
}

impl Drop for LoadedConnector {
    fn drop(&mut self) {
        if let Some(destroy) = self.table.destroy {
            // SAFETY: the instance came from create and is given up here, once. A test that drops this with calls in
            // flight loses them, which the SDK's own destroy survives.
            unsafe { destroy(self.instance) };
        }
    }
}
