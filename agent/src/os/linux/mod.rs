//! Linux.

mod account;
mod activation;
mod cgroup;
mod channel;
mod files;
mod inlet;
mod limits;
mod listeners;
mod machine;
mod orphans;
mod process;

pub(crate) use account::{Account, lesser_account};
pub(crate) use activation::inherited_sockets;
pub(crate) use cgroup::Cgroups;
pub use cgroup::claim_memory_limits;
pub(crate) use channel::{HostReader, HostWriter, Inbound, Outbound, Output, inherited_channels};
pub use files::{
    create_private, create_private_dir, current_owner, current_user_is_privileged, file_facts, free_space,
    open_append, open_untrusted, path_facts, resolve_owner, share_with_service,
};
pub(crate) use inlet::Inlet;
pub use limits::{disable_core_dumps, raise_nofile_limit};
pub(crate) use limits::{exit_now, harden_host, keep_freed_memory, limit_host};
pub use listeners::tcp_listeners;
pub use machine::{clock_follows_a_source, space, walls};
pub(crate) use orphans::adopt_orphans;
pub(crate) use process::{HostProcess, RawHost, prepare_spawner, running_executable, spawn_host};
