//! Starting a host, learning of its end, ending it.

use std::ffi::{OsStr, OsString, c_void};
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::path::PathBuf;
use std::sync::OnceLock;

use tokio::sync::watch;
use windows_sys::Win32::Foundation::{FILETIME, HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_TYPE_PIPE, GetFileType};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
    JOB_OBJECT_LIMIT_JOB_MEMORY, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_UILIMIT_DESKTOP,
    JOB_OBJECT_UILIMIT_DISPLAYSETTINGS, JOB_OBJECT_UILIMIT_EXITWINDOWS, JOB_OBJECT_UILIMIT_GLOBALATOMS,
    JOB_OBJECT_UILIMIT_HANDLES, JOB_OBJECT_UILIMIT_READCLIPBOARD, JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS,
    JOB_OBJECT_UILIMIT_WRITECLIPBOARD, JOBOBJECT_BASIC_UI_RESTRICTIONS, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JOBOBJECTINFOCLASS, JobObjectBasicUIRestrictions, JobObjectExtendedLimitInformation,
    QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT, GetExitCodeProcess, GetProcessTimes,
    INFINITE, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_INFORMATION, ResumeThread, STARTF_USESTDHANDLES,
    STARTUPINFOEXW, TerminateProcess, UpdateProcThreadAttribute, WaitForSingleObject,
};

use super::channel::{Inbound, Outbound};
use crate::os::{HostCommand, HostIo, MemoryGuard, MemoryLimits, ProcessEnd, Usage};

/// What of the desktop a host is kept from: the clipboard, other programs' windows, logging off.
const NO_DESKTOP: u32 = JOB_OBJECT_UILIMIT_DESKTOP
    | JOB_OBJECT_UILIMIT_DISPLAYSETTINGS
    | JOB_OBJECT_UILIMIT_EXITWINDOWS
    | JOB_OBJECT_UILIMIT_GLOBALATOMS
    | JOB_OBJECT_UILIMIT_HANDLES
    | JOB_OBJECT_UILIMIT_READCLIPBOARD
    | JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS
    | JOB_OBJECT_UILIMIT_WRITECLIPBOARD;

/// Nothing to do: what a host starts stays in its job, and ends with it.
///
/// # Errors
/// None.
#[expect(clippy::unnecessary_wraps, reason = "fails on Linux")]
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// There are none on Windows: a host's job limits its memory.
#[derive(Debug, Clone)]
pub(crate) enum Cgroups {}

/// Nothing to be claimed: each host's job limits its memory.
#[must_use]
pub fn claim_memory_limits() -> MemoryLimits {
    MemoryLimits::default()
}

/// The running executable. Windows lets nobody overwrite it while it runs, but would let it be renamed and another be put
/// in its place, which hosts would then be started from; so it is held open without leave to do that.
pub(crate) fn running_executable() -> io::Result<PathBuf> {
    static HELD: OnceLock<File> = OnceLock::new();
    let path = std::env::current_exe()?;
    if HELD.get().is_none() {
        let file = File::options()
            .read(true)
            .share_mode(FILE_SHARE_READ)
            .open(&path)?;
        HELD.get_or_init(|| file);
    }
    Ok(path)
}

/// Prepares the thread that spawns: nothing to do.
#[expect(clippy::unnecessary_wraps, reason = "the same as on Linux")]
pub(crate) fn prepare_spawner() -> io::Result<()> {
    Ok(())
}

/// A host that was started, before its channels are registered with the runtime.
pub(crate) struct RawHost {
    process: OwnedHandle,
    job: OwnedHandle,
    memory_limit: Option<u64>,
    pid: u32,
    inbound: io::PipeReader,
    outbound: io::PipeWriter,
    stdout: io::PipeReader,
    stderr: io::PipeReader,
}

fn checked(outcome: i32) -> io::Result<()> {
    if outcome == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Whether the number is the handle of an open pipe.
pub(super) fn check_pipe(number: usize) -> io::Result<()> {
    // SAFETY: only asks; an invalid handle is answered with "unknown".
    if unsafe { GetFileType(number as RawHandle) } == FILE_TYPE_PIPE {
        return Ok(());
    }
    Err(io::ErrorKind::InvalidInput.into())
}

/// Starts a host in a job that ends with the agent. It inherits its five pipes and nothing else.
///
/// # Errors
/// Those of `CreateProcessW`.
pub(crate) fn spawn_host(command: &HostCommand) -> io::Result<RawHost> {
    let (host_reads, to_host) = io::pipe()?;
    let (from_host, host_writes) = io::pipe()?;
    let (no_input, _) = io::pipe()?;
    let (stdout, host_stdout) = io::pipe()?;
    let (stderr, host_stderr) = io::pipe()?;
    let inherited = [
        host_reads.as_raw_handle(),
        host_writes.as_raw_handle(),
        no_input.as_raw_handle(),
        host_stdout.as_raw_handle(),
        host_stderr.as_raw_handle(),
    ];
    for handle in inherited {
        // SAFETY: an open handle of ours.
        checked(unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) })?;
    }
    let job = new_job(command.memory_limit)?;
    let mut line: Vec<u16> = format!(
        "lumos-agent connector-host {} {}",
        inherited[0] as usize, inherited[1] as usize
    )
    .encode_utf16()
    .chain([0])
    .collect();
    let application = wide(command.executable.as_os_str());
    let environment = environment_block(&command.environment);
    let attributes = Attributes::new(&inherited)?;
    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = u32::try_from(size_of::<STARTUPINFOEXW>()).expect("a small struct");
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = inherited[2];
    startup.StartupInfo.hStdOutput = inherited[3];
    startup.StartupInfo.hStdError = inherited[4];
    startup.lpAttributeList = attributes.list();
    let mut made = PROCESS_INFORMATION::default();
    // SAFETY: all strings are NUL-terminated (the environment doubly), and they, the attributes and both structs outlive
    // the call; the command line is writable.
    checked(unsafe {
        CreateProcessW(
            application.as_ptr(),
            line.as_mut_ptr(),
            std::ptr::null(),
            std::ptr::null(),
            1,
            CREATE_SUSPENDED | CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT,
            environment.as_ptr().cast(),
            std::ptr::null(),
            (&raw const startup).cast(),
            &raw mut made,
        )
    })?;
    // SAFETY: CreateProcessW gave us this handle to own.
    let process = unsafe { OwnedHandle::from_raw_handle(made.hProcess) };
    // SAFETY: as above.
    let thread = unsafe { OwnedHandle::from_raw_handle(made.hThread) };
    if let Err(error) = enter_and_run(&job, &process, &thread) {
        // SAFETY: our own process, not yet running.
        unsafe { TerminateProcess(process.as_raw_handle(), 1) };
        return Err(error);
    }
    Ok(RawHost {
        process,
        job,
        memory_limit: command.memory_limit,
        pid: made.dwProcessId,
        inbound: from_host,
        outbound: to_host,
        stdout,
        stderr,
    })
}

fn enter_and_run(job: &OwnedHandle, process: &OwnedHandle, thread: &OwnedHandle) -> io::Result<()> {
    // SAFETY: both handles are open.
    checked(unsafe { AssignProcessToJobObject(job.as_raw_handle(), process.as_raw_handle()) })?;
    // SAFETY: the handle is open.
    if unsafe { ResumeThread(thread.as_raw_handle()) } == u32::MAX {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A job whose processes end when its last handle is closed, which the end of the agent does. Together they may commit
/// `memory_limit` bytes; allocations beyond that fail.
fn new_job(memory_limit: Option<u64>) -> io::Result<OwnedHandle> {
    // SAFETY: no attributes, no name.
    let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, owned by nobody else.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
    if let Some(bytes) = memory_limit {
        limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
        limits.JobMemoryLimit = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    set_information(&job, JobObjectExtendedLimitInformation, &limits)?;
    let desktop = JOBOBJECT_BASIC_UI_RESTRICTIONS {
        UIRestrictionsClass: NO_DESKTOP,
    };
    // A service has no desktop to protect, and some systems have no such limits.
    let _ = set_information(&job, JobObjectBasicUIRestrictions, &desktop);
    Ok(job)
}

/// `limits` is the struct that `class` asks for.
fn set_information<T>(job: &OwnedHandle, class: JOBOBJECTINFOCLASS, limits: &T) -> io::Result<()> {
    // SAFETY: an open handle; the struct is the one that the class asks for, with its size.
    checked(unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            class,
            std::ptr::from_ref(limits).cast(),
            u32::try_from(size_of::<T>()).expect("a small struct"),
        )
    })
}

/// A list of attributes that names the handles to inherit; borrows them.
struct Attributes {
    memory: Vec<usize>,
}

impl Attributes {
    fn new(handles: &[RawHandle]) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: asks for the size; fails by design.
        unsafe { InitializeProcThreadAttributeList(std::ptr::null_mut(), 1, 0, &raw mut size) };
        let attributes = Attributes {
            memory: vec![0; size.div_ceil(size_of::<usize>())],
        };
        // SAFETY: the memory has the size that was asked for and is aligned.
        checked(unsafe { InitializeProcThreadAttributeList(attributes.list(), 1, 0, &raw mut size) })?;
        // SAFETY: the list is initialised; the handles outlive it in spawn_host.
        checked(unsafe {
            UpdateProcThreadAttribute(
                attributes.list(),
                0,
                PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize,
                handles.as_ptr().cast::<c_void>(),
                size_of_val(handles),
                std::ptr::null_mut(),
                std::ptr::null(),
            )
        })?;
        Ok(attributes)
    }

    fn list(&self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.memory.as_ptr().cast_mut().cast()
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised by new, or all zero, which has nothing to delete.
        unsafe { DeleteProcThreadAttributeList(self.list()) };
    }
}

pub(super) fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}

fn environment_block(variables: &[(OsString, OsString)]) -> Vec<u16> {
    let mut block = Vec::new();
    for (name, value) in variables {
        block.extend(name.encode_wide().chain([u16::from(b'=')]));
        block.extend(value.encode_wide().chain([0]));
    }
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    block
}

impl RawHost {
    /// Starts the threads of the channels.
    ///
    /// # Errors
    /// If a thread cannot be started; the process is then gone.
    pub(crate) fn into_io(self) -> io::Result<HostIo> {
        let (ended, end) = watch::channel(None);
        let waited = self.process.try_clone()?;
        std::thread::Builder::new()
            .name("host-wait".into())
            .spawn(move || {
                ended.send_replace(Some(wait_for(&waited)));
            })?;
        Ok(HostIo {
            process: HostProcess {
                pid: self.pid,
                process: self.process,
                job: self.job,
                memory_limit: self.memory_limit,
                end,
            },
            inbound: Inbound::new(self.inbound)?,
            outbound: Outbound::new(self.outbound)?,
            stdout: Inbound::new(self.stdout)?,
            stderr: Inbound::new(self.stderr)?,
        })
    }
}

fn wait_for(process: &OwnedHandle) -> ProcessEnd {
    // SAFETY: an open handle.
    unsafe { WaitForSingleObject(process.as_raw_handle(), INFINITE) };
    let mut code = 0;
    // SAFETY: an open handle, and a place for the code.
    match checked(unsafe { GetExitCodeProcess(process.as_raw_handle(), &raw mut code) }) {
        Ok(()) => ProcessEnd::Code(code.cast_signed()),
        Err(_) => ProcessEnd::Unknown,
    }
}

/// A host's process and all that it started. Dropping it ends them.
pub(crate) struct HostProcess {
    pid: u32,
    process: OwnedHandle,
    job: OwnedHandle,
    memory_limit: Option<u64>,
    end: watch::Receiver<Option<ProcessEnd>>,
}

impl HostProcess {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it, and what it started, at once.
    pub(crate) fn kill(&self) {
        // SAFETY: an open handle.
        unsafe { TerminateJobObject(self.job.as_raw_handle(), 1) };
    }

    /// Waits for its end; what it started is ended with it.
    pub(crate) async fn wait(&self) -> ProcessEnd {
        let mut end = self.end.clone();
        let end = match end.wait_for(Option::is_some).await {
            Ok(end) => end.unwrap_or(ProcessEnd::Unknown),
            Err(_) => ProcessEnd::Unknown,
        };
        self.kill();
        end
    }

    /// What holds it to its memory limit.
    pub(crate) fn memory_guard(&self) -> MemoryGuard {
        MemoryGuard::Job
    }

    /// Whether it came so near to its memory limit that an allocation was probably refused.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let mut used = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        let size = u32::try_from(size_of_val(&used)).expect("a small struct");
        // SAFETY: an open handle, and the struct that the class asks for, with its size; nobody wants the length.
        let asked = checked(unsafe {
            QueryInformationJobObject(
                self.job.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw mut used).cast(),
                size,
                std::ptr::null_mut(),
            )
        });
        let near = |limit: u64| used.PeakJobMemoryUsed as u64 >= limit - limit / 16;
        asked.is_ok() && self.memory_limit.is_some_and(near)
    }

    /// What it uses.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let mut times = [FILETIME::default(); 4];
        let [created, ended, kernel, user] = &mut times;
        let process = self.process.as_raw_handle();
        // SAFETY: an open handle, and four places for times.
        checked(unsafe { GetProcessTimes(process, created, ended, kernel, user) }).ok()?;
        // In units of 100 ns.
        let span = |time: &FILETIME| (u64::from(time.dwHighDateTime) << 32) | u64::from(time.dwLowDateTime);
        Some(Usage {
            resident_bytes: self.resident_bytes()?,
            cpu: std::time::Duration::from_nanos((span(kernel) + span(user)).saturating_mul(100)),
        })
    }

    /// Its resident bytes.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let mut counters = PROCESS_MEMORY_COUNTERS::default();
        let size = u32::try_from(size_of_val(&counters)).ok()?;
        // SAFETY: an open handle, and a struct of the given size.
        checked(unsafe { K32GetProcessMemoryInfo(self.process.as_raw_handle(), &raw mut counters, size) })
            .ok()?;
        Some(counters.WorkingSetSize as u64)
    }
}
