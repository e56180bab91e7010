//! Starting a host, learning of its end, ending it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::cgroup::Leaf;
use super::channel::{FROM_AGENT, Inbound, Outbound, Output, TO_AGENT};
use super::orphans::{self, hosts};
use crate::os::{HostCommand, HostIo, MemoryGuard, ProcessEnd, Usage};

/// Bytes that a host can leave in its channel without waiting for the agent.
const ROOM: usize = 1 << 20;

/// The running executable, by a path that leads to it even after an upgrade has replaced the file.
pub(crate) fn running_executable() -> io::Result<PathBuf> {
    let path = PathBuf::from("/proc/self/exe");
    path.metadata().map(|_| path)
}

/// What must stay open for as long as hosts are spawned: holds descriptors 3 and 4 in the agent, so that nothing of
/// the standard library's lies there between fork and exec.
pub(crate) struct Placeholders {
    _held: Vec<File>,
}

/// Prepares the thread that spawns.
pub(crate) fn prepare_spawner() -> io::Result<Placeholders> {
    let mut held = Vec::new();
    loop {
        let file = File::open("/dev/null")?;
        if file.as_raw_fd() > TO_AGENT {
            return Ok(Placeholders { _held: held });
        }
        held.push(file);
    }
}

/// A host that was started, before its channels are registered with the runtime.
pub(crate) struct RawHost {
    child: Unwatched,
    pidfd: OwnedFd,
    inbound: StdStream,
    outbound: StdStream,
    // Behind the child, so that it is dropped when that is gone.
    leaf: Option<Leaf>,
}

/// A child that nobody waits for yet. Dropping it, because nobody wants the host any more, ends and reaps it.
struct Unwatched(Option<Child>);

impl Drop for Unwatched {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // Fails only if it has ended by itself, which is as good.
            let _ = child.kill();
            let mut hosts = hosts();
            let _ = child.wait();
            hosts.remove(child.id());
        }
    }
}

/// Starts a host. Must be called on a thread that outlives it: the kernel ends the host when that thread ends.
///
/// # Errors
/// Those of `fork` and `exec`.
pub(crate) fn spawn_host(command: &HostCommand) -> io::Result<RawHost> {
    let (to_host, host_reads) = StdStream::pair()?;
    let (from_host, host_writes) = StdStream::pair()?;
    // As much as the system allows, so that a large answer needs few changes of threads. What it allows is enough.
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&host_writes, ROOM);
    to_host.shutdown(std::net::Shutdown::Read)?;
    from_host.shutdown(std::net::Shutdown::Write)?;
    let mut process = Command::new(&command.executable);
    process
        .arg0("lumos-agent")
        .arg("connector-host")
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(account) = command.account {
        // Without further groups: the standard library sees to that.
        process.uid(account.user).gid(account.group);
    }
    let ends = (host_reads.as_raw_fd(), host_writes.as_raw_fd());
    let agent = rustix::process::getpid();
    let leaf = make_leaf(command);
    let door = leaf.as_ref().map(|(_, door)| door.as_raw_fd());
    // SAFETY: between fork and exec `settle_child` only makes system calls; it neither allocates nor locks.
    unsafe { process.pre_exec(move || settle_child(ends, door, agent)) };
    let mut hosts = hosts();
    let child = process.spawn()?;
    hosts.add(child.id());
    drop(hosts);
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a child has a process id");
    let entered = leaf.map(|(leaf, _)| leaf).filter(|leaf| leaf.holds(child.id()));
    if command.cgroups.is_some() && entered.is_none() {
        tracing::warn!(
            "a host could not be put into a cgroup of its own; the agent watches its memory instead"
        );
    }
    let child = Unwatched(Some(child));
    Ok(RawHost {
        pidfd: rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?,
        child,
        inbound: from_host,
        outbound: to_host,
        leaf: entered,
    })
}

/// The cgroup for a host, and the file by which it enters.
fn make_leaf(command: &HostCommand) -> Option<(Leaf, File)> {
    let made = command.cgroups.as_ref()?.leaf(command.memory_limit);
    let made = made.and_then(|leaf| {
        let door = leaf.door()?;
        Ok((leaf, door))
    });
    made.inspect_err(|error| tracing::warn!(%error, "the cgroup of a host cannot be made"))
        .ok()
}

/// Runs in the child: its own cgroup, its own session, death with the agent, channels at their places, nothing else
/// inherited.
fn settle_child((reads, writes): (RawFd, RawFd), door: Option<RawFd>, agent: Pid) -> io::Result<()> {
    if let Some(door) = door {
        // SAFETY: a plain system call with a constant of the given length. The parent looks whether it did its work.
        unsafe { libc::write(door, b"0".as_ptr().cast(), 1) };
    }
    rustix::process::setsid()?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(agent) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    // Neither end may be overwritten by the other's move: take both out of the way first.
    let reads = duplicate(reads)?;
    let writes = duplicate(writes)?;
    place(reads, FROM_AGENT)?;
    place(writes, TO_AGENT)?;
    let first = libc::c_uint::try_from(TO_AGENT + 1).expect("a small number");
    // SAFETY: marks descriptors; closes none, so the standard library's own pipe still reports a failing exec.
    match unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn duplicate(descriptor: RawFd) -> io::Result<RawFd> {
    // SAFETY: a plain system call on a number; the result is checked.
    match unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 10) } {
        -1 => Err(io::Error::last_os_error()),
        copy => Ok(copy),
    }
}

fn place(descriptor: RawFd, at: RawFd) -> io::Result<()> {
    // SAFETY: a plain system call on numbers; what was at `at` in this child is of no use to it.
    match unsafe { libc::dup2(descriptor, at) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn register(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd always yields the same open descriptor, and nothing else closes it.
    Ok(unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?)
}

impl RawHost {
    /// Registers the channels with the runtime, in which this must be called.
    ///
    /// # Errors
    /// If the runtime refuses; the process is then gone.
    pub(crate) fn into_io(mut self) -> io::Result<HostIo> {
        let mut child = self.child.0.take().expect("taken only here");
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        let pid = child.id();
        let pidfd = match register(self.pidfd) {
            Ok(pidfd) => pidfd,
            Err(error) => {
                drop(Unwatched(Some(child)));
                return Err(error);
            }
        };
        let process = HostProcess {
            pid,
            pidfd,
            leaf: self.leaf,
            ran_out: AtomicBool::new(false),
        };
        let missing = || io::Error::other("the output pipe is missing");
        Ok(HostIo {
            process,
            inbound: Inbound::new(self.inbound)?,
            outbound: Outbound::new(self.outbound)?,
            stdout: Output::new(stdout.ok_or_else(missing)?)?,
            stderr: Output::new(stderr.ok_or_else(missing)?)?,
        })
    }
}

/// A host's process. Dropping it kills and reaps.
pub(crate) struct HostProcess {
    pid: u32,
    pidfd: AsyncFd<OwnedFd>,
    leaf: Option<Leaf>,
    ran_out: AtomicBool,
}

impl HostProcess {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it and its process group at once. Does nothing if it is gone.
    pub(crate) fn kill(&self) {
        // Refused only if the process is gone, which is what was wanted.
        let _ = rustix::process::pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL);
    }

    /// Waits for its end and reaps it; what it forked is ended with it. Once.
    pub(crate) async fn wait(&self) -> ProcessEnd {
        loop {
            let Ok(mut ready) = self.pidfd.readable().await else {
                return ProcessEnd::Unknown;
            };
            match self.reap() {
                Some(end) => {
                    orphans::end_all().await;
                    if let Some(leaf) = &self.leaf {
                        self.ran_out.store(leaf.ran_out(), Ordering::Relaxed);
                        leaf.remove().await;
                    }
                    return end;
                }
                None => ready.clear_ready(),
            }
        }
    }

    /// What holds it to its memory limit.
    pub(crate) fn memory_guard(&self) -> MemoryGuard {
        match self.leaf {
            Some(_) => MemoryGuard::Cgroup,
            None => MemoryGuard::Sampled,
        }
    }

    /// Whether the kernel ended it, or something that it started, because it had reached its memory limit. After `wait`.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.ran_out.load(Ordering::Relaxed)
    }

    /// What it uses. Not for a process that `wait` has reaped: the number may be another's by then.
    pub(crate) fn usage(&self) -> Option<Usage> {
        usage(&std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?)
    }

    /// Its resident bytes. Not for a process that `wait` has reaped: the number may be another's by then.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.pid)).ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
    }

    fn reap(&self) -> Option<ProcessEnd> {
        use std::os::fd::AsFd;
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let id = || WaitId::PidFd(self.pidfd.get_ref().as_fd());
        match rustix::process::waitid(id(), look | WaitIdOptions::NOWAIT) {
            Ok(None) => return None,
            Ok(Some(_)) => {}
            Err(_) => return Some(ProcessEnd::Unknown),
        }
        // As long as it is not reaped, its number, which is also its group's, cannot be given to another process.
        if let Some(group) = Pid::from_raw(self.pid.cast_signed()) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let mut hosts = hosts();
        let status = rustix::process::waitid(id(), look).ok().flatten()?;
        hosts.remove(self.pid);
        drop(hosts);
        Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => ProcessEnd::Code(code),
            (None, Some(signal)) => ProcessEnd::Signal(signal),
            (None, None) => ProcessEnd::Unknown,
        })
    }
}

/// Reads `/proc/PID/stat` (proc_pid_stat(5)): user and system time are its fields 14 and 15, resident pages its field 24.
fn usage(stat: &str) -> Option<Usage> {
    // The name in parentheses is the second field and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    Some(Usage {
        resident_bytes: number(24)? * page,
        cpu: Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()),
    })
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill();
        let _ = self.reap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_behind_a_name_with_anything_in_it() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 3 0 12345 99999 10 18446744073709551615";
        let page = u64::try_from(rustix::param::page_size()).unwrap();
        let ticks = rustix::param::clock_ticks_per_second();
        assert_eq!(
            usage(stat),
            Some(Usage {
                resident_bytes: 10 * page,
                cpu: Duration::from_millis(400 * 1000 / ticks),
            })
        );
        assert_eq!(usage("7 (a) S 1"), None);
    }
}
