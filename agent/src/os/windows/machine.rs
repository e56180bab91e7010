//! What `doctor` asks the machine: free space, the clock's source, and what walls the system offers.

use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;

use crate::os::{Space, Walls};

/// What is left of the volume that `path` lies on.
///
/// # Errors
/// Those of `GetDiskFreeSpaceExW`.
pub fn space(path: &Path) -> io::Result<Space> {
    let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let (mut free, mut total) = (0_u64, 0_u64);
    // SAFETY: the path ends with a NUL, and both results are ours.
    let done =
        unsafe { GetDiskFreeSpaceExW(wide.as_ptr(), &raw mut free, &raw mut total, std::ptr::null_mut()) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Space {
        free_bytes: free,
        total_bytes: total,
        inodes: None,
        read_only: false,
    })
}

/// `w32tm` alone knows, and asks the network for it.
#[must_use]
pub fn clock_follows_a_source() -> Option<bool> {
    None
}

/// A job object limits hosts, and does not isolate them.
#[must_use]
pub fn walls() -> Walls {
    Walls {
        kernel: "Windows".into(),
        landlock_abi: None,
        seccomp: false,
    }
}
