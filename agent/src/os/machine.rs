//! Facts of the machine, for whoever looks for what is wrong with it.

use std::net::IpAddr;

/// What is left of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// All of it.
    pub total_bytes: u64,
    /// Free inodes and all of them, where it counts them.
    pub inodes: Option<(u64, u64)>,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// What the system has to wall in a host with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walls {
    /// The kernel's version.
    pub kernel: String,
    /// Landlock's, if it is there and switched on.
    pub landlock_abi: Option<u32>,
    /// Whether system calls can be filtered.
    pub seccomp: bool,
}

/// Somebody who listens on a TCP port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// On which address.
    pub address: IpAddr,
    /// The processes that hold the socket, as far as this user may see them.
    pub pids: Vec<u32>,
    /// Name of the first of them.
    pub program: Option<String>,
}
