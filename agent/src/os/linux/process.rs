//! Starting a host, learning of its end, ending it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::channel::{FROM_AGENT, Inbound, Outbound, Output, TO_AGENT};
use super::orphans::{self, hosts};
use crate::os::{HostCommand, HostIo, ProcessEnd};

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
    let ends = (host_reads.as_raw_fd(), host_writes.as_raw_fd());
    let agent = rustix::process::getpid();
    // SAFETY: between fork and exec `settle_child` only makes system calls; it neither allocates nor locks.
    unsafe { process.pre_exec(move || settle_child(ends, agent)) };
    let mut hosts = hosts();
    let child = process.spawn()?;
    hosts.add(child.id());
    drop(hosts);
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a child has a process id");
    let child = Unwatched(Some(child));
    Ok(RawHost {
        pidfd: rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?,
        child,
        inbound: from_host,
        outbound: to_host,
    })
}

/// Runs in the child: its own session, death with the agent, channels at their places, nothing else inherited.
fn settle_child((reads, writes): (RawFd, RawFd), agent: Pid) -> io::Result<()> {
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
        let process = HostProcess { pid, pidfd };
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
                    return end;
                }
                None => ready.clear_ready(),
            }
        }
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

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill();
        let _ = self.reap();
    }
}
