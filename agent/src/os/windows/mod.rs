//! Windows.

mod account;
mod channel;
mod descriptor;
mod event_log;
mod files;
mod inlet;
mod limits;
mod listeners;
mod machine;
mod pipe;
mod process;
mod security;
mod service;

pub(crate) use account::{Account, lesser_account};
pub(crate) use channel::{HostReader, HostWriter, Inbound, Outbound, Output, inherited_channels};
pub(crate) use descriptor::give_to;
pub(crate) use event_log::EventSource;
pub use files::{
    create_private, create_private_dir, file_facts, free_space, open_append, open_untrusted, path_facts,
    share_with_service,
};
pub(crate) use inlet::Inlet;
pub use limits::{disable_core_dumps, raise_nofile_limit};
pub(crate) use limits::{exit_now, harden_host, keep_freed_memory, limit_host};
pub use listeners::tcp_listeners;
pub use machine::{clock_follows_a_source, space, walls};
pub(crate) use pipe::{create_control_pipe, open_control_pipe};
pub use process::claim_memory_limits;
pub(crate) use process::{
    Cgroups, HostProcess, RawHost, adopt_orphans, prepare_spawner, running_executable, spawn_host,
};
pub use security::{current_owner, current_user_is_privileged, resolve_owner};
pub(crate) use service::{
    SERVICE_NAME, ServiceRequest, require_privileges, serve_as_service, service_requests, service_runs,
    service_stops,
};
