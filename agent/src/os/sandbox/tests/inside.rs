//! What a confined process tries, good and bad.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Mission;

/// What must fail.
pub(super) const CLOSED: &[&str] = &[
    "read a protected file",
    "read another protected file",
    "list a protected directory",
    "create in a protected directory",
    "rename into a protected directory",
    "link a protected file out",
    "truncate a protected file",
    "change a protected file's mode",
    "change a protected directory's mode",
    "change a protected file's owner",
    "change a protected file's attributes",
    "change a protected file's times",
    "delete a protected file",
    "read a file outside",
    "write a file outside",
    "list the temporary directory",
    "read /etc/shadow",
    "read a sibling's environment",
    "read a sibling's memory",
    "read a sibling's command line",
    "process_vm_readv of a sibling",
    "ptrace a sibling",
    "signal the parent",
    "signal a sibling",
    "signal everybody",
    "limit the parent",
    "pin the parent",
    "renice the parent",
    "connect to an abstract socket",
    "run a program from scratch",
    "bind a TCP port",
    "listen",
    "make a user namespace",
    "clone into a user namespace",
    "mount",
    "io_uring",
    "keyctl",
    "bpf",
    "type into a terminal",
    "x32 getpid",
];

/// What must work.
pub(super) const OPEN: &[&str] = &[
    "load the library",
    "write to scratch",
    "rename in scratch",
    "change a mode by descriptor",
    "change times by descriptor",
    "name service settings",
    "certificates",
    "resolve localhost",
    "connect by TCP",
    "bind port 0",
    "start a thread",
    "make a socket pair",
    "own memory map",
    "own status from a thread",
    "memory of the machine",
    "random numbers",
    "run a program",
    "limit itself",
    "signal itself",
    "parent-death signal is kept",
    "watch the name service settings",
];

pub(super) struct Attempts(pub(super) BTreeMap<String, String>);

impl Attempts {
    pub(super) fn attempt<T>(&mut self, name: &str, result: io::Result<T>) {
        let outcome = result.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert!(self.0.insert(name.to_owned(), outcome).is_none(), "{name} twice");
    }

    pub(super) fn files(&mut self, mission: &Mission) {
        let path = |name: &str| mission.dir.join(name);
        let c_path = |name: &str| CString::new(path(name).as_os_str().as_bytes()).unwrap();
        let secret = c_path("state/secret");
        self.attempt("read a protected file", fs::read(path("state/secret")));
        self.attempt(
            "read another protected file",
            fs::read(path("config/tokens.json")),
        );
        self.attempt("list a protected directory", fs::read_dir(path("connectors")));
        self.attempt(
            "create in a protected directory",
            fs::write(path("connectors/mine.so"), ""),
        );
        self.attempt(
            "write to scratch",
            fs::write(path("state/scratch/mine"), "#!/bin/true\n"),
        );
        self.attempt(
            "rename in scratch",
            fs::rename(path("state/scratch/mine"), path("state/scratch/program")),
        );
        let moved = fs::rename(path("state/scratch/program"), path("connectors/mine.so"));
        self.attempt("rename into a protected directory", moved);
        let linked = fs::hard_link(path("state/secret"), path("state/scratch/linked"));
        self.attempt("link a protected file out", linked);
        let call = |number, arguments: [usize; 3]| call(number, &arguments);
        let pointer = secret.as_ptr() as usize;
        self.attempt(
            "truncate a protected file",
            call(libc::SYS_truncate, [pointer, 0, 0]),
        );
        let mode = |name: &str| fs::set_permissions(path(name), fs::Permissions::from_mode(0o777));
        self.attempt("change a protected file's mode", mode("state/secret"));
        self.attempt("change a protected directory's mode", mode("connectors"));
        let owner = std::os::unix::fs::chown(
            path("state/secret"),
            Some(rustix::process::getuid().as_raw()),
            None,
        );
        self.attempt("change a protected file's owner", owner);
        let attribute = rustix::fs::setxattr(
            path("state/secret"),
            "user.x",
            b"1",
            rustix::fs::XattrFlags::empty(),
        );
        self.attempt(
            "change a protected file's attributes",
            attribute.map_err(io::Error::from),
        );
        let times = rustix::fs::Timestamps {
            last_access: rustix::fs::Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            },
            last_modification: rustix::fs::Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            },
        };
        let (here, flags) = (rustix::fs::CWD, rustix::fs::AtFlags::empty());
        let touched = rustix::fs::utimensat(here, path("state/secret"), &times, flags);
        self.attempt(
            "change a protected file's times",
            touched.map_err(io::Error::from),
        );
        let touched = || {
            Ok(rustix::fs::futimens(
                fs::File::create(path("state/scratch/touched"))?,
                &times,
            )?)
        };
        self.attempt("change times by descriptor", touched());
        self.attempt("delete a protected file", fs::remove_file(path("state/secret")));
        self.attempt("read a file outside", fs::read(path("outside/file")));
        self.attempt("write a file outside", fs::write(path("outside/new"), ""));
        self.attempt("list the temporary directory", fs::read_dir("/tmp"));
        self.attempt("read /etc/shadow", fs::read("/etc/shadow"));
        let by_descriptor = || {
            let mut file = fs::File::create(path("state/scratch/file"))?;
            file.write_all(b"#!/bin/sh\n")?;
            file.set_permissions(fs::Permissions::from_mode(0o700))
        };
        self.attempt("change a mode by descriptor", by_descriptor());
        self.attempt(
            "run a program from scratch",
            Command::new(path("state/scratch/file")).status(),
        );
        if let Some(nested) = &mission.nested {
            self.attempt("read nested", fs::read(nested.join("closed/file")));
            self.attempt("list nested", fs::read_dir(nested.join("closed")));
            self.attempt("create in nested", fs::write(nested.join("closed/new"), ""));
            self.attempt("read beside nested", fs::read(nested.join("open")));
        }
    }

    pub(super) fn processes(&mut self, mission: &Mission) {
        let sibling = mission.sibling as usize;
        let parent = std::os::unix::process::parent_id() as usize;
        let proc = |name: &str| format!("/proc/{sibling}/{name}");
        self.attempt("read a sibling's environment", fs::read(proc("environ")));
        self.attempt("read a sibling's memory", fs::File::open(proc("mem")));
        self.attempt("read a sibling's command line", fs::read(proc("cmdline")));
        let mut buffer = [0_u8; 8];
        let local = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        let remote = libc::iovec {
            iov_base: std::ptr::dangling_mut(),
            iov_len: buffer.len(),
        };
        let (local, remote) = (&raw const local as usize, &raw const remote as usize);
        let read = call(libc::SYS_process_vm_readv, &[sibling, local, 1, remote, 1, 0]);
        // EFAULT would say that it was allowed to look.
        self.attempt("process_vm_readv of a sibling", refused(read));
        self.attempt(
            "ptrace a sibling",
            call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE as usize, sibling, 0, 0]),
        );
        self.attempt("signal the parent", call(libc::SYS_kill, &[parent, 0]));
        self.attempt("signal a sibling", call(libc::SYS_kill, &[sibling, 0]));
        self.attempt("signal everybody", call(libc::SYS_kill, &[usize::MAX, 0]));
        self.attempt(
            "signal itself",
            call(libc::SYS_kill, &[std::process::id() as usize, 0]),
        );
        let limit = libc::rlimit {
            rlim_cur: 1 << 20,
            rlim_max: 1 << 20,
        };
        let (resource, limit) = (libc::RLIMIT_MEMLOCK as usize, &raw const limit as usize);
        self.attempt(
            "limit the parent",
            call(libc::SYS_prlimit64, &[parent, resource, 0, limit]),
        );
        self.attempt(
            "limit itself",
            call(libc::SYS_prlimit64, &[0, resource, 0, limit]),
        );
        let mask = 1_usize;
        let pin = call(
            libc::SYS_sched_setaffinity,
            &[parent, size_of::<usize>(), &raw const mask as usize],
        );
        self.attempt("pin the parent", pin);
        self.attempt("renice the parent", call(libc::SYS_setpriority, &[0, parent, 19]));
        self.attempt("run a program", Command::new("true").status());
        let signal_a_child = || {
            // Ends by itself when its input does.
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn()?;
            let signalled = call(libc::SYS_kill, &[child.id() as usize, 9]);
            drop(child.stdin.take());
            child.wait()?;
            signalled
        };
        self.attempt("signal a child", signal_a_child());
        let kept = match rustix::process::parent_process_death_signal() {
            Ok(Some(rustix::process::Signal::KILL)) => Ok(()),
            other => Err(io::Error::other(format!("{other:?}"))),
        };
        self.attempt("parent-death signal is kept", kept);
    }

    pub(super) fn network(&mut self, mission: &Mission) {
        let address = UnixAddr::from_abstract_name(&mission.abstract_socket).unwrap();
        self.attempt(
            "connect to an abstract socket",
            UnixStream::connect_addr(&address),
        );
        self.attempt(
            "connect to the control socket",
            UnixStream::connect(mission.dir.join("state/control.sock")),
        );
        self.attempt("make a socket pair", UnixStream::pair());
        self.attempt("connect by TCP", TcpStream::connect(mission.tcp));
        self.attempt("resolve localhost", ("localhost", 1).to_socket_addrs());
        // Bound but not listening.
        self.attempt("bind a TCP port", bind(SOME_PORT));
        self.attempt("bind port 0", bind(0));
        self.attempt(
            "listen",
            bind(0).and_then(|socket| Ok(rustix::net::listen(&socket, 1)?)),
        );
    }

    pub(super) fn kernel(&mut self) {
        let user_namespace = libc::CLONE_NEWUSER as usize;
        self.attempt(
            "make a user namespace",
            call(libc::SYS_unshare, &[user_namespace]),
        );
        // With an invalid combination of flags, so that nothing is started even where it is allowed; EINVAL is no refusal.
        let clone = call(
            libc::SYS_clone,
            &[user_namespace | libc::CLONE_FS as usize, 0, 0, 0, 0],
        );
        self.attempt("clone into a user namespace", refused(clone));
        self.attempt("mount", refused(call(libc::SYS_mount, &[0, 0, 0, 0, 0])));
        self.attempt("io_uring", refused(call(libc::SYS_io_uring_setup, &[0, 0])));
        self.attempt("keyctl", refused(call(libc::SYS_keyctl, &[0, 0, 0, 0, 0])));
        self.attempt("bpf", refused(call(libc::SYS_bpf, &[0, 0, 0])));
        self.attempt(
            "type into a terminal",
            refused(call(libc::SYS_ioctl, &[0, libc::TIOCSTI as usize, 0])),
        );
        self.attempt("x32 getpid", call(0x4000_0000 + libc::SYS_getpid, &[]));
    }

    pub(super) fn ordinary_life(&mut self, mission: &Mission) {
        self.attempt(
            "name service settings",
            fs::read("/etc/resolv.conf").and(fs::read("/etc/hosts")),
        );
        self.attempt("certificates", read_some_certificate());
        self.attempt("start a thread", std::thread::Builder::new().spawn(|| ()));
        self.attempt("own memory map", fs::read("/proc/self/maps"));
        let from_a_thread = std::thread::spawn(|| fs::read("/proc/thread-self/status"))
            .join()
            .unwrap();
        self.attempt("own status from a thread", from_a_thread);
        self.attempt("memory of the machine", fs::read("/proc/meminfo"));
        let random = || fs::File::open("/dev/urandom")?.read_exact(&mut [0; 8]);
        let null = || fs::File::options().write(true).open("/dev/null")?.write_all(b"x");
        self.attempt("random numbers", random().and_then(|()| null()));
        // SAFETY: it is a copy of a library that this process has loaded already; it has no initialisers that matter.
        let library = unsafe { libloading::Library::new(&mission.confinement.library) };
        self.attempt("load the library", library.map_err(io::Error::other));
    }
}

fn read_some_certificate() -> io::Result<Vec<u8>> {
    let bundles = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    ];
    let found = bundles.iter().map(Path::new).find(|path| path.exists());
    found.map_or_else(|| Ok(Vec::new()), fs::read)
}

/// Nobody's; binding it is the question, not using it.
const SOME_PORT: u16 = 28_443;

fn bind(port: u16) -> io::Result<OwnedFd> {
    let socket = call(
        libc::SYS_socket,
        &[libc::AF_INET as usize, libc::SOCK_STREAM as usize, 0],
    )?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(i32::try_from(socket).unwrap()) };
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    // A loopback address of its own, so that processes that try at the same time do not meet.
    let [.., high, low] = std::process::id().to_be_bytes();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 77, high, low], port)))?;
    Ok(socket)
}

/// `Ok` unless the call was refused: any other error means that it got through to the kernel's work.
fn refused(result: io::Result<i64>) -> io::Result<i64> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(error),
        _ => Ok(0),
    }
}

/// A system call as an attacker makes it, without the C library's opinion.
fn call(number: i64, arguments: &[usize]) -> io::Result<i64> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let [a, b, c, d, e, f] = std::array::from_fn(argument);
    // SAFETY: every pointer that the callers pass is to memory of theirs that outlives the call.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}
