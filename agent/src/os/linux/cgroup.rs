//! One cgroup for each host, where a part of the tree (version 2) is delegated to the agent: the kernel then holds a host,
//! with all that it starts, to its memory limit.
//!
//! ```text
//!   lumos-agent.service          delegated, without processes of its own: else its children could have no controllers
//!    ├── agent                   the agent, which moves itself there
//!    └── host-7                  one host: memory.max, memory.swap.max = 0, memory.oom.group = 1
//! ```
//!
//! Delegated means: systemd's `Delegate=` (it marks the directory), the root of a container's own cgroup namespace, or, for an
//! agent that is not root, a directory of its own. Nothing is made where other processes run: that tree is somebody else's.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::os::{MemoryGuard, MemoryLimits};

#[cfg(test)]
mod tests;

/// The agent's own group below the delegated one.
const AGENT: &str = "agent";
/// What the names of hosts' groups begin with.
const HOST: &str = "host-";
const MEMORY: &str = "memory";
/// How systemd marks what it delegates; the second is seen by root alone, and older.
const MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];
/// Tries at removing a group whose last process is just ending.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// The delegated part of the tree. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Cgroups(Arc<Tree>);

#[derive(Debug)]
struct Tree {
    root: PathBuf,
    number: AtomicU64,
}

/// Takes what is delegated to this process, which must have no children yet and moves into a group of its own.
#[must_use]
pub fn claim_memory_limits() -> MemoryLimits {
    match own_group().and_then(|own| claim(&own, MEMORY)) {
        Ok(cgroups) => MemoryLimits {
            by: MemoryGuard::Cgroup,
            note: cgroups.0.root.display().to_string(),
            cgroups: Some(cgroups),
        },
        Err(why) => MemoryLimits {
            by: MemoryGuard::Sampled,
            note: why,
            cgroups: None,
        },
    }
}

fn own_group() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    place(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?)
        .ok_or_else(|| "no cgroup file system of version 2 is mounted here".to_owned())
}

/// Where the group of a process lies, by the kernel's words on it and on what is mounted.
fn place(cgroup: &str, mountinfo: &str) -> Option<PathBuf> {
    let group = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        if !kind.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let below = Path::new(group).strip_prefix(root).ok()?;
        Some(Path::new(point).join(below))
    })
}

/// `controller` is the one that hosts are to have: in tests, one that the machine has.
fn claim(own: &Path, controller: &str) -> Result<Cgroups, String> {
    let parent = own.parent().unwrap_or(own);
    // systemd's DelegateSubgroup= puts the agent into a group below the delegated one.
    let root = if !is_marked(own) && is_marked(parent) {
        parent
    } else {
        own
    };
    if !is_delegated(root) {
        return Err(format!(
            "{} is not delegated to the agent (Delegate=memory in its systemd unit does that)",
            root.display()
        ));
    }
    let has = |file: &str| {
        let words = fs::read_to_string(root.join(file)).unwrap_or_default();
        words.split_whitespace().any(|word| word == controller)
    };
    if !has("cgroup.controllers") {
        return Err(format!(
            "{} has no {controller} controller (Delegate=memory in the agent's systemd unit asks for it)",
            root.display()
        ));
    }
    if !has("cgroup.subtree_control") {
        let moved = if root == own { leave(own)? } else { None };
        if let Err(error) = write(&root.join("cgroup.subtree_control"), &format!("+{controller}")) {
            if let Some(inner) = moved {
                // As it was before, as far as that goes.
                let _ = write(&own.join("cgroup.procs"), &std::process::id().to_string());
                let _ = fs::remove_dir(inner);
            }
            return Err(format!("{}: {error}", root.display()));
        }
    }
    sweep(root);
    Ok(Cgroups(Arc::new(Tree {
        root: root.to_owned(),
        number: AtomicU64::new(0),
    })))
}

/// Moves this process out of `own` into a group below it.
fn leave(own: &Path) -> Result<Option<PathBuf>, String> {
    let failed = |error: io::Error| format!("{}: {error}", own.display());
    let members = fs::read_to_string(own.join("cgroup.procs")).map_err(failed)?;
    let this = std::process::id().to_string();
    if members.split_whitespace().any(|pid| pid != this) {
        return Err(format!("other processes run in {}", own.display()));
    }
    let inner = own.join(AGENT);
    match fs::create_dir(&inner) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    write(&inner.join("cgroup.procs"), &this).map_err(|error| {
        let _ = fs::remove_dir(&inner);
        failed(error)
    })?;
    Ok(Some(inner))
}

fn is_delegated(group: &Path) -> bool {
    is_marked(group) || is_ours(group) || is_namespace_root(group)
}

fn is_marked(group: &Path) -> bool {
    MARKS.iter().any(|mark| {
        let mut value = [0_u8; 8];
        rustix::fs::getxattr(group, *mark, &mut value[..]).is_ok_and(|length| value[..length] == *b"1")
    })
}

/// Root owns everything, which says nothing.
fn is_ours(group: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid();
    !user.is_root() && fs::metadata(group).is_ok_and(|metadata| metadata.uid() == user.as_raw())
}

/// The top of what this process sees, and yet not the top of the tree, which has no type.
fn is_namespace_root(group: &Path) -> bool {
    let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    cgroup.lines().any(|line| line == "0::/") && group.join("cgroup.type").exists()
}

/// Removes what hosts of an agent that was killed have left.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(HOST) {
            let _ = write(&entry.path().join("cgroup.kill"), "1");
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    // Not `fs::write`: nothing is to be created where a file is missing.
    File::options().write(true).open(file)?.write_all(text.as_bytes())
}

impl Cgroups {
    /// Makes the group of one host.
    ///
    /// # Errors
    /// If the kernel refuses; nothing is left behind.
    pub(super) fn leaf(&self, memory_limit: Option<u64>) -> io::Result<Leaf> {
        let leaf = Leaf { path: self.make()? };
        let limit = memory_limit.map_or_else(|| "max".to_owned(), |bytes| bytes.to_string());
        leaf.set("memory.max", &limit)?;
        leaf.set("memory.oom.group", "1")?;
        // Missing where the kernel does not account for swap; then there is nothing to forbid.
        match leaf.set("memory.swap.max", "0") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(leaf),
        }
    }

    /// Passes over what an agent that was killed has left and that could not be removed yet.
    fn make(&self) -> io::Result<PathBuf> {
        loop {
            let number = self.0.number.fetch_add(1, Ordering::Relaxed);
            let path = self.0.root.join(format!("{HOST}{number}"));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| path),
            }
        }
    }
}

/// The group of one host. Dropping it ends what runs in it and removes it.
#[derive(Debug)]
pub(super) struct Leaf {
    path: PathBuf,
}

impl Leaf {
    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        write(&self.path.join(file), value)
    }

    /// Whoever writes `0` there enters.
    pub(super) fn door(&self) -> io::Result<File> {
        File::options().write(true).open(self.path.join("cgroup.procs"))
    }

    /// Whether that process is in it.
    pub(super) fn holds(&self, pid: u32) -> bool {
        let members = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        members.lines().any(|line| line == pid.to_string())
    }

    /// Whether the kernel has ended a process in it for want of memory.
    pub(super) fn ran_out(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|count| count.trim() != "0")
    }

    /// Ends what is in it and removes it. What resists is left to the agent's next start.
    pub(super) async fn remove(&self) {
        let _ = self.set("cgroup.kill", "1");
        for _ in 0..TRIES {
            match fs::remove_dir(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    tokio::time::sleep(PAUSE).await;
                }
                _ => return,
            }
        }
        tracing::warn!(cgroup = %self.path.display(), "the cgroup of a host that ended cannot be removed");
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        let _ = self.set("cgroup.kill", "1");
        let _ = fs::remove_dir(&self.path);
    }
}
