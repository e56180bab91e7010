//! What an agent holds: to see that nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::agent::Agent;

/// What one agent holds at one moment.
#[derive(Debug)]
pub(crate) struct Residue {
    /// How many of each kind: sockets, pipes, processes, the path of a file.
    pub(crate) descriptors: BTreeMap<String, usize>,
    pub(crate) threads: usize,
    /// The process ids of its descendants.
    pub(crate) processes: BTreeSet<u32>,
    /// Its state directory, without what is kept on purpose: histories, and the last use of tokens.
    pub(crate) files: BTreeSet<String>,
}

impl Residue {
    /// Looks.
    pub(crate) fn of(agent: &Agent) -> Self {
        let threads = fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap();
        let mut files = BTreeSet::new();
        list(&agent.installation.file("state"), Path::new(""), &mut files);
        Residue {
            descriptors: descriptors(agent.pid()),
            threads: threads.count(),
            processes: descendants(agent.pid()),
            files,
        }
    }

    /// What of it was not there `before`.
    pub(crate) fn beyond(&self, before: &Residue) -> Vec<String> {
        let mut left = Vec::new();
        for (kind, now) in &self.descriptors {
            let then = before.descriptors.get(kind).copied().unwrap_or(0);
            if *now > then {
                left.push(format!("{now} descriptors {kind} instead of {then}"));
            }
        }
        if self.threads > before.threads {
            left.push(format!("{} threads instead of {}", self.threads, before.threads));
        }
        let processes = self.processes.difference(&before.processes);
        left.extend(processes.map(|pid| format!("process {pid}")));
        let files = self.files.difference(&before.files);
        left.extend(files.map(|file| format!("file {file}")));
        left
    }
}

fn descriptors(pid: u32) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let target = target.display().to_string();
        // `socket:[12345]` and `pipe:[12345]` without their numbers.
        let kind = match target.split_once(":[") {
            Some((kind @ ("socket" | "pipe"), _)) => kind.to_owned(),
            _ => target,
        };
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

fn list(root: &Path, below: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(root.join(below)).into_iter().flatten().flatten() {
        let path = below.join(entry.file_name());
        if path.starts_with("history") || path == Path::new("token-use.json") {
            continue;
        }
        into.insert(path.display().to_string());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(root, &path, into);
        }
    }
}

/// Everything that `pid` has started, directly or not.
pub(crate) fn descendants(pid: u32) -> BTreeSet<u32> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(child) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // `pid (name) state parent …`, where the name may contain anything.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.insert(child, parent.unwrap_or(0));
    }
    let mut found = BTreeSet::from([pid]);
    loop {
        let more: Vec<u32> = parents
            .iter()
            .filter(|(child, parent)| found.contains(parent) && !found.contains(child))
            .map(|(child, _)| *child)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found.remove(&pid);
    found
}

/// The largest resident memory that a process ever had, in bytes.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}
