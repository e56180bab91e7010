//! What a host process is started with, and how it ended: the parts that are the same on both systems.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Account, Cgroups, HostProcess, Inbound, Outbound, Output};

/// A host to be started. Everything else (descriptors, session, working directory) is the same for all of them.
#[derive(Debug, Clone)]
pub(crate) struct HostCommand {
    /// The agent's own executable, by a path that survives its replacement on disk.
    pub(crate) executable: PathBuf,
    /// All of its environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Bytes of memory that the kernel is to hold it to, where it can.
    pub(crate) memory_limit: Option<u64>,
    /// Where it gets a cgroup of its own.
    #[cfg_attr(windows, expect(dead_code, reason = "Windows has none"))]
    pub(crate) cgroups: Option<Cgroups>,
    /// Whom it runs as, if not as this process.
    #[cfg_attr(windows, expect(dead_code, reason = "Windows has none"))]
    pub(crate) account: Option<Account>,
}

/// How bad an event of the Event Log is.
#[cfg(windows)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// `Information`
    Information,
    /// `Warning`
    Warning,
    /// `Error`
    Error,
}

/// What holds a host to its memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryGuard {
    /// The agent, which looks four times a second at what is resident, and a limit on the data segment far above.
    Sampled,
    /// The kernel, by a cgroup of the host's own.
    Cgroup,
    /// Windows, by the host's job object, and the agent, which looks.
    Job,
}

/// How the memory of all hosts is limited.
#[derive(Debug, Clone, Serialize)]
pub struct MemoryLimits {
    /// By what, where the limit can be set up for a host.
    pub by: MemoryGuard,
    /// Where the cgroups are, or why there are none. For people.
    pub note: String,
    /// Where hosts get theirs.
    #[serde(skip)]
    pub(crate) cgroups: Option<Cgroups>,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        MemoryLimits {
            by: if cfg!(windows) {
                MemoryGuard::Job
            } else {
                MemoryGuard::Sampled
            },
            note: String::new(),
            cgroups: None,
        }
    }
}

/// What a process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Resident bytes.
    pub resident_bytes: u64,
    /// Processor time of all its threads since it was started.
    pub cpu: std::time::Duration,
}

/// What a host may use, by limits that it sets for itself before it loads anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostLimits {
    /// Open files at the same time.
    pub(crate) open_files: u64,
    /// Bytes of writable private memory; a backstop that is far above what the agent allows by looking.
    pub(crate) data_bytes: Option<u64>,
}

/// A running host and the agent's ends of its channels.
pub(crate) struct HostIo {
    /// To wait for it and to end it.
    pub(crate) process: HostProcess,
    /// Frames from it.
    pub(crate) inbound: Inbound,
    /// Frames to it.
    pub(crate) outbound: Outbound,
    /// Its standard output.
    pub(crate) stdout: Output,
    /// Its standard error.
    pub(crate) stderr: Output,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessEnd {
    /// By itself.
    Code(i32),
    /// By a signal, with its number.
    #[cfg_attr(windows, expect(dead_code, reason = "Windows has no signals"))]
    Signal(i32),
    /// It is gone, and nobody knows how.
    Unknown,
}

impl std::fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProcessEnd::Code(code) if *code < 0 => {
                write!(
                    f,
                    "exit code {:#010x}{}",
                    code.cast_unsigned(),
                    exception(code.cast_unsigned())
                )
            }
            ProcessEnd::Code(code) => write!(f, "exit code {code}"),
            ProcessEnd::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "killed by signal {number} ({name})"),
                None => write!(f, "killed by signal {number}"),
            },
            ProcessEnd::Unknown => f.write_str("ended for an unknown reason"),
        }
    }
}

/// Names of the exception codes that end a Windows process.
fn exception(code: u32) -> &'static str {
    match code {
        0xC000_0005 => " (access violation)",
        0xC000_00FD => " (stack overflow)",
        0xC000_0374 => " (heap corruption)",
        0xC000_0409 => " (fast fail)",
        0xC000_001D => " (illegal instruction)",
        0xC000_0094 => " (division by zero)",
        _ => "",
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    const NAMES: [(i32, &str); 14] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (31, "SIGSYS"),
    ];
    NAMES
        .iter()
        .find_map(|(known, name)| (*known == number).then_some(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(ProcessEnd::Code(3).to_string(), "exit code 3");
        assert_eq!(
            ProcessEnd::Signal(11).to_string(),
            "killed by signal 11 (SIGSEGV)"
        );
        assert_eq!(ProcessEnd::Signal(40).to_string(), "killed by signal 40");
        assert_eq!(
            ProcessEnd::Code(0xC000_0005_u32.cast_signed()).to_string(),
            "exit code 0xc0000005 (access violation)"
        );
    }
}
