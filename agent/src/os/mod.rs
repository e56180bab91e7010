//! What differs between Linux and Windows, behind one interface: files and their owners, host processes, their channels
//! and limits.
//!
//! Nothing outside this module asks which system it runs on. `linux/` and `windows/` export the same names; the types that
//! both share are here. The daemon's side of a host's channels is asynchronous, the host's side blocks: a host has
//! no runtime.
#![allow(unsafe_code)]

mod facts;
#[cfg(target_os = "linux")]
mod linux;
mod machine;
mod process;
pub mod sandbox;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as imp;
#[cfg(windows)]
use windows as imp;

#[cfg(windows)]
pub(crate) use facts::Audience;
#[cfg(windows)]
pub(crate) use facts::SERVICE_SID;
pub use facts::{FileFacts, FileKind, Owner, Stamp};
pub(crate) use imp::Cgroups;
#[cfg(target_os = "linux")]
pub(crate) use imp::inherited_sockets;
pub(crate) use imp::{Account, lesser_account};
#[cfg(windows)]
pub(crate) use imp::{
    EventSource, SERVICE_NAME, ServiceRequest, create_control_pipe, give_to, open_control_pipe,
    require_privileges, serve_as_service, service_requests, service_runs, service_stops,
};
pub(crate) use imp::{
    HostProcess, HostReader, HostWriter, Inbound, Inlet, Outbound, Output, RawHost, adopt_orphans, exit_now,
    harden_host, inherited_channels, keep_freed_memory, limit_host, prepare_spawner, running_executable,
    spawn_host,
};
pub use imp::{
    claim_memory_limits, create_private, create_private_dir, current_owner, current_user_is_privileged,
    disable_core_dumps, file_facts, free_space, open_append, open_untrusted, path_facts, raise_nofile_limit,
    resolve_owner, share_with_service,
};
pub use imp::{clock_follows_a_source, space, tcp_listeners, walls};
pub use machine::{Listener, Space, Walls, port_holder};
#[cfg(windows)]
pub(crate) use process::EventKind;
pub(crate) use process::{HostCommand, HostIo, HostLimits, ProcessEnd};
pub use process::{MemoryGuard, MemoryLimits, Usage};

/// Why [`Inlet::wait`] has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InletEvent {
    /// Something has come through the channel, which is this thread's to read now.
    Channel,
    /// Somebody rang.
    Bell,
    /// It took too long, or was interrupted.
    Nothing,
}
