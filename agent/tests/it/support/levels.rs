//! How much an agent holds, in numbers: to see over many reloads that none of them grows.

use std::fs;
use std::path::Path;

use super::agent::Agent;
use super::residue::descendants;

/// One measurement of the agent's process. Its hosts count as `processes`; they are new ones after every reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Levels {
    /// Resident memory in KiB.
    pub(crate) resident: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    /// Watches of inotify.
    pub(crate) watches: u64,
    /// Mapped areas of memory.
    pub(crate) mappings: u64,
    pub(crate) processes: u64,
    /// Files and directories below the state directory, without the last use of tokens, which is written now and then.
    pub(crate) files: u64,
}

impl Levels {
    /// The names of what [`Levels::counts`] gives.
    pub(crate) const COUNTS: [&str; 5] = ["descriptors", "threads", "watches", "processes", "files"];

    /// Looks.
    pub(crate) fn of(agent: &Agent) -> Self {
        let process = format!("/proc/{}", agent.pid());
        let maps = fs::read_to_string(format!("{process}/maps")).unwrap();
        Levels {
            resident: resident(&process),
            descriptors: entries(&format!("{process}/fd")),
            threads: entries(&format!("{process}/task")),
            watches: watches(&process),
            mappings: maps.lines().count() as u64,
            processes: descendants(agent.pid()).len() as u64,
            files: below(&agent.installation.file("state")),
        }
    }

    /// What must be exactly as it was, once the agent is at rest.
    pub(crate) fn counts(&self) -> [u64; 5] {
        [
            self.descriptors,
            self.threads,
            self.watches,
            self.processes,
            self.files,
        ]
    }
}

fn entries(directory: &str) -> u64 {
    fs::read_dir(directory).unwrap().count() as u64
}

fn resident(process: &str) -> u64 {
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn watches(process: &str) -> u64 {
    let mut count = 0;
    for entry in fs::read_dir(format!("{process}/fdinfo")).unwrap().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        count += text
            .lines()
            .filter(|line| line.starts_with("inotify wd:"))
            .count();
    }
    count as u64
}

fn below(directory: &Path) -> u64 {
    let mut count = 0;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        count += u64::from(entry.file_name() != "token-use.json");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            count += below(&entry.path());
        }
    }
    count
}
