//! The functions of the connector table.
//!
//! Each one copies what it was lent, calls safe code, and catches panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lumos_connector_abi::{
    ABI_MAJOR, ABI_MINOR, Bytes, CancelReason, ConnectorTable, HostTable, Instance, MAGIC, Request, Status,
};

use super::Exported;
use super::host::Host;
use super::running::{Invocation, Running};

/// The table of `E`. `manifest` must live as long as the process.
pub(super) fn new<E: Exported>(manifest: &[u8]) -> ConnectorTable {
    ConnectorTable {
        magic: MAGIC,
        struct_size: size_of::<ConnectorTable>() as u32,
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        reserved: 0,
        manifest_json: Bytes::borrow(manifest),
        create: Some(create::<E>),
        invoke: Some(invoke),
        cancel: Some(cancel),
        quiesce: Some(quiesce),
        destroy: Some(destroy),
        get_extension: None,
    }
}

/// Runs `body`; a panic in it becomes `otherwise`.
fn guard<R>(otherwise: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// # Safety
/// As the header says for `create`.
unsafe extern "C" fn create<E: Exported>(
    host: *const HostTable,
    call: u64,
    _config_json: Bytes,
    instance: *mut *mut Instance,
) -> Status {
    // SAFETY: the header promises a table that lives until the process exits.
    let Some(host) = (unsafe { Host::new(host) }) else {
        return Status::INTERNAL;
    };
    let made = guard(Err("the connector panicked while it started".to_owned()), || {
        start::<E>(host)
    });
    match made {
        Ok(running) => {
            let running: *mut Instance = Box::into_raw(Box::new(running)).cast();
            // SAFETY: the header promises a valid place for the instance.
            unsafe { instance.write(running) };
            Status::OK
        }
        Err(message) => {
            host.finish(call, Status::INTERNAL, message.as_bytes());
            Status::INTERNAL
        }
    }
}

fn start<E: Exported>(host: Host) -> Result<Running, String> {
    let library = E::slot()
        .0
        .get()
        .ok_or("create was called before the entry function")?;
    let connector = match &library.connector {
        Ok(connector) => connector.clone(),
        Err(error) => return Err(error.to_string()),
    };
    Running::start(connector, host).map_err(|error| format!("cannot start the connector's threads: {error}"))
}

/// The instance that `create` made.
///
/// # Safety
/// `instance` came from `create` and was not yet given to `destroy`.
unsafe fn running<'a>(instance: *mut Instance) -> &'a Running {
    // SAFETY: create made it from a boxed Running; only shared references exist until destroy.
    unsafe { &*instance.cast::<Running>() }
}

/// # Safety
/// As the header says for `invoke`.
unsafe extern "C" fn invoke(instance: *mut Instance, request: *const Request) -> Status {
    // SAFETY: the header promises a live instance.
    let running = unsafe { running(instance) };
    // SAFETY: the header promises a request that is valid for this call; version 1.0 has all members that are read.
    let Some(invocation) = (unsafe { copy(request) }) else {
        return Status::BAD_REQUEST;
    };
    guard(Status::INTERNAL, || running.invoke(invocation))
}

/// Copies a request; nothing if its capability or trace is not UTF-8.
///
/// # Safety
/// `request` and what it points to are valid.
unsafe fn copy(request: *const Request) -> Option<Invocation> {
    // SAFETY: the caller vouches for the struct.
    let request = unsafe { &*request };
    // SAFETY: the caller vouches for what it points to.
    let capability = unsafe { request.capability.as_str() }.ok()?.to_owned();
    // SAFETY: as above.
    let body = unsafe { request.body_json.as_slice() }.to_vec();
    // SAFETY: as above.
    let trace = unsafe { request.trace.as_str() }.ok()?.to_owned();
    Some(Invocation {
        call: request.call,
        capability,
        body,
        timeout_ms: request.timeout_ms,
        trace,
    })
}

/// # Safety
/// As the header says for `cancel`.
unsafe extern "C" fn cancel(instance: *mut Instance, call: u64, _reason: CancelReason) {
    // SAFETY: the header promises a live instance.
    let running = unsafe { running(instance) };
    guard((), || running.cancel(call));
}

/// # Safety
/// As the header says for `quiesce`.
unsafe extern "C" fn quiesce(instance: *mut Instance) {
    // SAFETY: the header promises a live instance.
    let running = unsafe { running(instance) };
    guard((), || running.quiesce());
}

/// # Safety
/// As the header says for `destroy`.
unsafe extern "C" fn destroy(instance: *mut Instance) {
    // SAFETY: the header promises that the instance came from create, is given up here, once, with no call in flight.
    let running = unsafe { Box::from_raw(instance.cast::<Running>()) };
    guard((), || running.stop());
}
