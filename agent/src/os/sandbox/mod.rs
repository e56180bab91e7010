//! The sandbox that a connector's host process puts itself into, so that a library with bad intentions, or a hole in a
//! good one, reaches the app it is for and nothing else on this machine.
//!
//! A host runs under the agent's user, so file permissions do not separate the two. Four things do, in this order:
//!
//! ```text
//! no new privileges   no set-user-id program helps
//! Landlock            files by path, signals, abstract sockets, other processes' memory, TCP listening
//! capabilities        none, where the agent runs as root
//! seccomp             calls that Landlock does not cover: chmod by path, unix sockets, limits of other processes,
//!                     io_uring, mounts, namespaces, tracing, keys, modules; fails with EPERM, never kills
//! ```
//!
//! What stays open: TCP and UDP to anywhere (a connector is there to call apps), threads, child processes (they inherit
//! all of it), running the system's programs, reading the system's libraries, certificates and name service files.
//!
//! What stays closed: everything else below `/home`, `/root`, `/var`, `/opt`, `/srv`, `/tmp` and `/run`, every process but
//! its own below `/proc`, and, wherever they lie, the paths in [`Confinement::protected`]. Landlock can only allow, and
//! allows whole trees: where a closed path lies below an allowed directory, that directory's entries are allowed one by one.
//!
//! What nothing hides: that a path exists, its size and times (`stat`), and the names that come and go in a directory
//! (`inotify`). Contents stay closed.
//!
//! On Windows the job object limits a host but does not isolate it; [`confine`] says so.
#![cfg_attr(not(test), forbid(unsafe_code))]

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod paths;
#[cfg(target_os = "linux")]
use linux as platform;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as platform;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

/// What one host may and may not reach. All paths are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confinement {
    /// The private copy of the connector's library: readable, even if it lies in a protected directory.
    pub library: PathBuf,
    /// The host's own directory for temporary files: read and write, not execute; even in a protected directory.
    pub scratch: PathBuf,
    /// Never reachable, with everything below: state, configuration, keys, tokens, logs, the connectors directory. A path
    /// need not exist yet.
    pub protected: Vec<PathBuf>,
    /// Further files or trees to read.
    pub extra_read: Vec<PathBuf>,
    /// Further files or trees to read and write.
    pub extra_write: Vec<PathBuf>,
    /// Further programs, or trees of them, to read and run.
    pub extra_execute: Vec<PathBuf>,
    /// Unix sockets to connect to. Not empty opens unix sockets altogether where the kernel cannot tell them apart (before
    /// Linux 7.1).
    pub unix_sockets: Vec<PathBuf>,
    /// Whether it may listen on TCP ports.
    pub listen: bool,
    /// Whether it may change modes, owners, times and attributes of files by path, the agent's included: Landlock has no
    /// say in it.
    pub file_modes: bool,
}

/// How much of the wall stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The host can reach what the agent can: not isolated.
    None,
    /// Files and processes are walled off, but something is missing; the notes say what.
    Partial,
    /// All that the module promises.
    Full,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Level::None => "none",
            Level::Partial => "partial",
            Level::Full => "full",
        })
    }
}

/// What is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confined {
    /// The sum of it.
    pub level: Level,
    /// The version of Landlock in use; `None` without it.
    pub landlock_abi: Option<u32>,
    /// Whether the filter of system calls is in force.
    pub seccomp: bool,
    /// Why not more, and how it was widened. For people; one sentence each.
    pub notes: Vec<String>,
    /// Files that were allowed one by one and matter for a long life, as they were then.
    #[serde(skip)]
    pinned: Vec<Pinned>,
}

/// A file that is allowed by its inode.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pinned {
    path: PathBuf,
    inode: (u64, u64),
}

impl Confined {
    /// Of a host that is not confined because the configuration says so.
    #[must_use]
    pub fn switched_off() -> Self {
        Confined {
            level: Level::None,
            landlock_abi: None,
            seccomp: false,
            notes: vec![
                "the sandbox is switched off in the configuration (sandbox.enabled = false): the connector can reach what the agent can"
                    .to_owned(),
            ],
            pinned: Vec::new(),
        }
    }

    /// A name service file (such as `/etc/resolv.conf`) that has been replaced since, so that this process cannot read the
    /// new one: time for a fresh host. Costs a few `stat` calls; may be called from any thread.
    #[must_use]
    pub fn outdated(&self) -> Option<PathBuf> {
        let replaced =
            |pinned: &&Pinned| platform::inode(&pinned.path).is_some_and(|now| now != pinned.inode);
        self.pinned
            .iter()
            .find(replaced)
            .map(|pinned| pinned.path.clone())
    }
}

/// Confines the calling process for good: nothing undoes it, and child processes inherit it.
///
/// Never panics and never fails: it does what this system can do, and says what that is. Call it on the main thread, after
/// the limits are set and before any other thread is started and before foreign code is loaded. Before Linux 7.0 Landlock
/// holds only the calling thread and those it starts later; where others exist, the level is at most [`Level::Partial`].
pub fn confine(confinement: &Confinement) -> Confined {
    platform::confine(confinement)
}
