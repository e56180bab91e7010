//! Loads a connector library through its C ABI: the only place of the agent that runs foreign code in its own process.
//!
//! `load` maps the library and checks its table; `create` makes the instance. What the library may do wrong is checked
//! before it can hurt: a table that is null, too short or of another kind, functions that are missing, extensions
//! that this host does not have, a manifest of another app. The library is never unloaded: its threads and thread-local
//! destructors may outlive any moment at which that would be safe.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::path::Path;
use std::sync::Arc;

use lumos_connector_abi::{
    ABI_MAJOR, ABI_MINOR, Bytes, CancelReason, ConnectorTable, ENTRY_SYMBOL, EntryFn, HostTable, Instance,
    LogLevel, MAGIC, Request, Status,
};

use super::backend::{Backend, Callbacks, Invocation, LoadError};
use super::manifest::Manifest;

mod explain;

/// The id that `create` runs under in a host process; calls have higher ones.
pub(crate) const CREATE_CALL: u64 = 1;
/// Bytes of the table that every version has: up to and including `destroy`.
const LEAST_TABLE: usize = std::mem::offset_of!(ConnectorTable, get_extension);

/// A mapped library whose table is in order.
pub(crate) struct Library {
    table: ConnectorTable,
    manifest: Manifest,
    manifest_json: Vec<u8>,
}

/// The one instance of a library.
pub(crate) struct Connector {
    table: ConnectorTable,
    instance: *mut Instance,
}

// SAFETY: the ABI says that every function of the table may be called from any thread with the instance; the pointer is
// never dereferenced here.
unsafe impl Send for Connector {}
// SAFETY: as above, concurrently.
unsafe impl Sync for Connector {}

impl Library {
    /// Maps the library at `path` and checks its table and manifest. Runs the library's initialisers and its entry function.
    ///
    /// # Errors
    /// If it is not a connector that this host can serve.
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        explain::check_image(path)?;
        let library = open(path).map_err(|error| explain::load_error(&error_chain(&error)))?;
        // SAFETY: the header fixes the symbol's type; that the library keeps to it is what loading it means.
        let entry = unsafe { library.get::<EntryFn>(ENTRY_SYMBOL.to_bytes_with_nul()) };
        let entry = *entry.map_err(|_| {
            LoadError::refused(
                "the library does not export lumos_connector_entry_v1; is it a Lumos connector? Build it with the \
                 connector SDK, or export that symbol as plugin-api/include/lumos_connector.h says",
            )
        })?;
        std::mem::forget(library);
        // SAFETY: the entry function takes nothing and may be called once, on any thread, before anything else.
        let table = unsafe { entry() };
        let table = read_table(table)?;
        // SAFETY: the manifest lives until the process exits, says the ABI.
        let manifest_json = unsafe { table.manifest_json.as_slice() };
        let manifest =
            Manifest::parse(manifest_json).map_err(|error| LoadError::refused(error.to_string()))?;
        check_requires(&manifest)?;
        Ok(Library {
            table,
            manifest,
            manifest_json: manifest_json.to_vec(),
        })
    }

    /// What the library says of itself.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The same as it was written.
    pub(crate) fn manifest_json(&self) -> &[u8] {
        &self.manifest_json
    }

    /// Makes the instance. `callbacks` and the table made of it live until the process exits. `Err` is the status; the text,
    /// if there is one, has come through `callbacks` under `call`.
    pub(crate) fn create(
        &self,
        call: u64,
        callbacks: Arc<dyn Callbacks>,
        config_json: &[u8],
    ) -> Result<Connector, String> {
        let create = self.table.create.expect("checked by read_table");
        let host = host_table(callbacks);
        let mut instance = std::ptr::null_mut();
        // SAFETY: the host table is leaked; config_json and instance outlive the call.
        let status = unsafe { create(host, call, Bytes::borrow(config_json), &raw mut instance) };
        match status {
            Status::OK if instance.is_null() => Err("create returned OK but made no instance".into()),
            Status::OK => Ok(Connector {
                table: self.table,
                instance,
            }),
            Status(code) => Err(format!("create returned status {code}")),
        }
    }
}

impl Backend for Connector {
    fn invoke(&self, call: &Invocation<'_>) -> Status {
        let invoke = self.table.invoke.expect("checked by read_table");
        let request = Request {
            struct_size: size_of_u32::<Request>(),
            flags: 0,
            call: call.call,
            timeout_ms: call.timeout_ms.max(1),
            capability: Bytes::borrow(call.capability.as_bytes()),
            body_json: Bytes::borrow(call.body),
            trace: Bytes::borrow(call.trace.as_bytes()),
        };
        // SAFETY: the instance came from create and has not been destroyed; the request outlives the call.
        unsafe { invoke(self.instance, &raw const request) }
    }

    fn cancel(&self, call: u64, reason: CancelReason) {
        let cancel = self.table.cancel.expect("checked by read_table");
        // SAFETY: the instance has not been destroyed.
        unsafe { cancel(self.instance, call, reason) }
    }

    fn quiesce(&self) {
        let quiesce = self.table.quiesce.expect("checked by read_table");
        // SAFETY: the instance has not been destroyed; called once.
        unsafe { quiesce(self.instance) }
    }

    fn destroy(&self) {
        let destroy = self.table.destroy.expect("checked by read_table");
        // SAFETY: called once, after every call has ended, and nothing is called afterwards.
        unsafe { destroy(self.instance) }
    }
}

#[cfg(unix)]
fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: running the library's initialisers is the purpose. In a host process nothing else is at stake; in the daemon
    // the configuration has vouched for the library, and it was inspected in a host process before.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(windows)]
fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::windows::{LOAD_LIBRARY_SEARCH_DEFAULT_DIRS, Library};
    // What it needs comes from the system, or from beside the agent: not from the working directory, and not along PATH.
    // Beside the private copy lie other connectors alone.
    // SAFETY: running the library's initialisers is the purpose. In a host process nothing else is at stake; in the daemon
    // the configuration has vouched for the library, and it was inspected in a host process before.
    unsafe { Library::load_with_flags(path, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS) }.map(Into::into)
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Copies the table, however long the library's version of it is, and checks it.
fn read_table(theirs: *const ConnectorTable) -> Result<ConnectorTable, LoadError> {
    if theirs.is_null() {
        return Err(LoadError::refused(
            "the library's entry function returned no connector table (NULL); it must return a pointer to a static \
             lumos_connector. In Rust this is a panic in the connector's declaration: `cargo test` shows where",
        ));
    }
    // SAFETY: not null; magic and struct_size lead the table in every version, and the entry function vouches for them.
    // The pointer may be misaligned.
    let magic = unsafe { theirs.cast::<u64>().read_unaligned() };
    if magic != MAGIC {
        return Err(LoadError::refused(format!(
            "the library's connector table begins with {magic:#018x} instead of LUMOS_CONNECTOR_MAGIC; the entry \
             function must return a lumos_connector"
        )));
    }
    // SAFETY: as for magic.
    let size = unsafe { theirs.cast::<[u32; 3]>().read_unaligned() }[2] as usize;
    if size < LEAST_TABLE {
        return Err(LoadError::refused(format!(
            "the library's connector table says struct_size {size}, but the ABI needs at least {LEAST_TABLE}; set it to \
             sizeof(lumos_connector)"
        )));
    }
    let mut table = EMPTY_TABLE;
    let known = size.min(size_of::<ConnectorTable>());
    // SAFETY: the library vouches for struct_size readable bytes; ours has at least `known`; they cannot overlap. Every
    // member is an integer, a pointer or an optional function pointer, for which any bit pattern of a C table is valid.
    unsafe { std::ptr::copy_nonoverlapping(theirs.cast::<u8>(), (&raw mut table).cast::<u8>(), known) };
    check_table(&table)?;
    Ok(table)
}

const EMPTY_TABLE: ConnectorTable = ConnectorTable {
    magic: 0,
    struct_size: 0,
    abi_major: 0,
    abi_minor: 0,
    reserved: 0,
    manifest_json: Bytes::EMPTY,
    create: None,
    invoke: None,
    cancel: None,
    quiesce: None,
    destroy: None,
    get_extension: None,
};

fn check_table(table: &ConnectorTable) -> Result<(), LoadError> {
    if table.abi_major != ABI_MAJOR {
        return Err(LoadError::refused(format!(
            "the library was built for version {}.{} of the connector ABI, this agent serves version {ABI_MAJOR}; \
             install a build for ABI {ABI_MAJOR}, or an agent that serves ABI {}",
            table.abi_major, table.abi_minor, table.abi_major
        )));
    }
    let functions = [
        ("create", table.create.is_none()),
        ("invoke", table.invoke.is_none()),
        ("cancel", table.cancel.is_none()),
        ("quiesce", table.quiesce.is_none()),
        ("destroy", table.destroy.is_none()),
    ];
    let missing: Vec<_> = functions
        .iter()
        .filter_map(|(name, missing)| missing.then_some(*name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(LoadError::refused(format!(
        "the library's connector table has no {}; every function but get_extension must be given",
        missing.join(", ")
    )))
}

/// This host offers no extensions yet, so every requirement is unmet.
fn check_requires(manifest: &Manifest) -> Result<(), LoadError> {
    if manifest.requires.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = manifest
        .requires
        .iter()
        .take(8)
        .map(|name| {
            name.chars()
                .take(64)
                .collect::<String>()
                .escape_debug()
                .to_string()
        })
        .collect();
    Err(LoadError::refused(format!(
        "the connector requires {}, which this agent ({}) does not offer; install a newer agent",
        shown.join(", "),
        env!("CARGO_PKG_VERSION")
    )))
}

fn size_of_u32<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("ABI structs are small")
}

/// Makes a host table that lives until the process exits.
fn host_table(callbacks: Arc<dyn Callbacks>) -> &'static HostTable {
    let ctx: &'static Arc<dyn Callbacks> = Box::leak(Box::new(callbacks));
    Box::leak(Box::new(HostTable {
        struct_size: size_of_u32::<HostTable>(),
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        reserved: 0,
        ctx: std::ptr::from_ref(ctx).cast_mut().cast(),
        log: Some(host_log),
        finish: Some(host_finish),
        is_cancelled: Some(host_is_cancelled),
        get_extension: Some(host_get_extension),
    }))
}

/// # Safety
/// `host` is a table made by [`host_table`].
unsafe fn callbacks<'a>(host: *const HostTable) -> &'a dyn Callbacks {
    // SAFETY: the caller vouches for the table, which is leaked.
    let ctx = unsafe { (*host).ctx };
    // SAFETY: host_table stored a leaked Arc<dyn Callbacks> there.
    let callbacks = unsafe { &*ctx.cast::<Arc<dyn Callbacks>>() };
    callbacks.as_ref()
}

unsafe extern "C" fn host_log(host: *const HostTable, call: u64, level: LogLevel, message: Bytes) {
    // SAFETY: a connector passes the table it was given.
    let callbacks = unsafe { callbacks(host) };
    // SAFETY: the message is valid until this function returns.
    callbacks.log(call, level, unsafe { message.as_slice() });
}

unsafe extern "C" fn host_finish(host: *const HostTable, call: u64, status: Status, result: Bytes) {
    // SAFETY: a connector passes the table it was given.
    let callbacks = unsafe { callbacks(host) };
    // SAFETY: the result is valid until this function returns.
    callbacks.finish(call, status, unsafe { result.as_slice() });
}

unsafe extern "C" fn host_is_cancelled(host: *const HostTable, call: u64) -> i32 {
    // SAFETY: a connector passes the table it was given.
    let callbacks = unsafe { callbacks(host) };
    i32::from(callbacks.is_cancelled(call))
}

unsafe extern "C" fn host_get_extension(_host: *const HostTable, _name: Bytes) -> *const c_void {
    std::ptr::null()
}
