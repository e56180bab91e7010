//! What a process may use, and what a host gives up before it loads a library.

use std::io;

use crate::os::HostLimits;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use super::orphans::become_subreaper;

unsafe extern "C" {
    /// The C library's standard output, `FILE *stdout`.
    static stdout: *mut libc::FILE;
}

/// Raises the limit of open files to the most that is allowed; returns what is in force now.
///
/// # Errors
/// If the limit cannot be changed; the old one stays in force.
pub fn raise_nofile_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Makes sure that this process writes no core file and that no process of the same user may read its memory.
///
/// # Errors
/// Those of `setrlimit` and `prctl`.
pub fn disable_core_dumps() -> io::Result<()> {
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Makes the C library keep what is freed for the next answer, up to a bound. Without this a buffer of some hundred KB comes
/// from the system every time, page by page, which costs more than copying into it.
pub(crate) fn keep_freed_memory() {
    /// Buffers up to this come from what is kept.
    const KEPT: libc::c_int = 8 << 20;
    #[cfg(target_env = "gnu")]
    for option in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: sets a parameter of the allocator, which locks for it; a value that it does not take changes nothing.
        unsafe { libc::mallopt(option, KEPT) };
    }
}

/// What a host does to itself before it says HELLO: survives the signals that end the agent (the agent drains it first),
/// is the first victim when memory runs out, gains no rights, keeps what it forks, and shows its memory to nobody.
///
/// # Errors
/// If any but the memory preference is refused.
pub(crate) fn harden_host() -> io::Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: ignoring a signal installs no handler; the number is valid.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // Must come before the process stops being dumpable, or the file belongs to root.
    die_before_the_agent();
    rustix::thread::set_no_new_privs(true)?;
    become_subreaper()?;
    disable_core_dumps()?;
    // A connector that prints with printf would otherwise show its lines when 4 KiB are full, or never if it crashes.
    // SAFETY: the C library's own stream, which is initialised before main.
    let stream = unsafe { stdout };
    // SAFETY: nothing has been written to the stream yet; a null buffer lets the C library allocate its own.
    unsafe { libc::setvbuf(stream, std::ptr::null_mut(), libc::_IOLBF, 0) };
    Ok(())
}

/// Makes this process, rather than the agent, the victim when the machine's memory runs out. Inherited so far is what the
/// agent has, and that may be high already: a container's often is. Best effort.
fn die_before_the_agent() {
    const FILE: &str = "/proc/self/oom_score_adj";
    const MORE: i32 = 500;
    const MOST: i32 = 1000;
    let inherited = std::fs::read_to_string(FILE).ok();
    let inherited: i32 = inherited.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let _ = std::fs::write(FILE, inherited.max(0).saturating_add(MORE).min(MOST).to_string());
}

/// Sets what the host may use. Lower than before, so that it always may, and for good: nothing in the process can raise it.
///
/// # Errors
/// Those of `setrlimit`.
pub(crate) fn limit_host(limits: &HostLimits) -> io::Result<()> {
    lower(Resource::Nofile, limits.open_files)?;
    match limits.data_bytes {
        Some(bytes) => lower(Resource::Data, bytes),
        None => Ok(()),
    }
}

fn lower(resource: Resource, wanted: u64) -> io::Result<()> {
    let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(wanted.min(allowed));
    Ok(setrlimit(
        resource,
        Rlimit {
            current: limit,
            maximum: limit,
        },
    )?)
}

/// Ends the process without running exit handlers, which belong to the connector by now. Flushes C streams first.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: a null stream means all of them.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    // SAFETY: ends the process; nothing is run afterwards.
    unsafe { libc::_exit(code) }
}
