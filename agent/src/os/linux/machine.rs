//! What `doctor` asks the machine: free space, the clock's source, and what walls the kernel offers.

use std::io;
use std::path::Path;

use crate::os::{Space, Walls};

/// What is left of the file system that `path` lies on.
///
/// # Errors
/// Those of `statvfs`.
pub fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    Ok(Space {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        // File systems without a table of inodes say 0.
        inodes: (found.f_files > 0).then_some((found.f_favail, found.f_files)),
        read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

/// Whether the kernel's clock follows a time source; `None` where it does not tell.
#[must_use]
pub fn clock_follows_a_source() -> Option<bool> {
    // SAFETY: plain data, for which all zeros is a value; `modes` = 0 asks and sets nothing.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a whole `timex` of ours.
    match unsafe { libc::adjtimex(&raw mut state) } {
        -1 => None,
        libc::TIME_ERROR => Some(false),
        _ => Some(state.status & libc::STA_UNSYNC == 0),
    }
}

/// What a host could be walled in with.
#[must_use]
pub fn walls() -> Walls {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag, a null pointer and no size the call makes nothing and answers with a version.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            VERSION,
        )
    };
    let actions = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Walls {
        kernel: kernel.trim().to_owned(),
        landlock_abi: u32::try_from(abi).ok().filter(|abi| *abi > 0),
        seccomp: actions.is_ok_and(|actions| actions.contains("errno")),
    }
}
