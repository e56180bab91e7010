//! What a process may use, and what a host gives up before it loads a library.

use std::io;

use crate::os::HostLimits;
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SEM_NOOPENFILEERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::LibraryLoader::{LOAD_LIBRARY_SEARCH_DEFAULT_DIRS, SetDefaultDllDirectories};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

/// Windows has no such limit.
///
/// # Errors
/// Never.
pub fn raise_nofile_limit() -> io::Result<u64> {
    Ok(u64::MAX)
}

/// Keeps a crash from being shown in a window or handed to error reporting.
///
/// # Errors
/// Never.
pub fn disable_core_dumps() -> io::Result<()> {
    // SAFETY: sets flags of this process.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX) };
    Ok(())
}

/// The system's allocator decides by itself.
pub(crate) fn keep_freed_memory() {}

/// What a host does to itself before it says HELLO: survives the console's Ctrl+C (the agent drains it first), crashes
/// without a dialogue, and takes libraries from the system and from beside the agent only, whatever a connector asks for:
/// neither from the working directory nor along PATH.
///
/// # Errors
/// Those of the system calls.
pub(crate) fn harden_host() -> io::Result<()> {
    // SAFETY: no handler means that Ctrl+C is ignored.
    if unsafe { SetConsoleCtrlHandler(None, 1) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: sets a flag of this process.
    if unsafe { SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_DEFAULT_DIRS) } == 0 {
        return Err(io::Error::last_os_error());
    }
    disable_core_dumps()
}

/// Windows has no such limits for a process by itself; the agent watches its memory.
///
/// # Errors
/// Never.
#[expect(clippy::unnecessary_wraps, reason = "the same as on Linux")]
pub(crate) fn limit_host(_: &HostLimits) -> io::Result<()> {
    Ok(())
}

/// Ends the process without running the handlers of its libraries, which belong to the connector by now.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: a constant pseudo handle.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: ends this process.
    unsafe { TerminateProcess(own, code.cast_unsigned()) };
    std::process::abort()
}
