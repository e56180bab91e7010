//! Attacks from inside. A sandbox cannot be left, so each test runs this test binary once more as the confined process
//! ([`confined`]); that one reports on stdout what came of each attempt.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use landlock::ABI;
use serde::{Deserialize, Serialize};

use super::{Confined, Confinement, Level, linux};

const ROLE: &str = "LUMOS_TEST_CONFINED";
const CANARY: &str = "canary-of-a-sibling";

/// What the confined process is told.
#[derive(Serialize, Deserialize)]
struct Mission {
    confinement: Confinement,
    newest: i32,
    dir: PathBuf,
    sibling: u32,
    abstract_socket: String,
    tcp: SocketAddr,
    nested: Option<PathBuf>,
}

/// What it reports: what is in force, and "ok" or the error's name for each attempt.
#[derive(Serialize, Deserialize)]
struct Report {
    confined: Confined,
    attempts: BTreeMap<String, String>,
}

/// A machine with an agent and another connector's host on it.
struct World {
    dir: tempfile::TempDir,
    nested: Option<tempfile::TempDir>,
    sibling: Child,
    tcp: TcpListener,
    _unix: UnixListener,
    _abstract: UnixListener,
    abstract_socket: String,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["state/copies", "state/scratch", "config", "connectors", "outside"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        for name in [
            "state/secret",
            "config/tokens.json",
            "connectors/other.so",
            "outside/file",
        ] {
            fs::write(dir.path().join(name), "secret").unwrap();
        }
        fs::copy(some_library(), dir.path().join("state/copies/library.so")).unwrap();
        let nested = tempfile::Builder::new()
            .prefix("lumos-agent-test-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in("/usr/share")
            .inspect_err(|error| println!("skipped: nothing nested, /usr/share cannot be written: {error}"))
            .ok();
        if let Some(nested) = &nested {
            fs::create_dir(nested.path().join("closed")).unwrap();
            fs::write(nested.path().join("closed/file"), "secret").unwrap();
            fs::write(nested.path().join("open"), "hello").unwrap();
        }
        let sibling = Command::new("sleep")
            .arg("600")
            .env("SECRET", CANARY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let abstract_socket = format!("lumos-agent-test-{}", dir.path().display());
        World {
            sibling,
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            _unix: UnixListener::bind(dir.path().join("state/control.sock")).unwrap(),
            _abstract: UnixListener::bind_addr(&UnixAddr::from_abstract_name(&abstract_socket).unwrap())
                .unwrap(),
            abstract_socket,
            nested,
            dir,
        }
    }

    fn confinement(&self) -> Confinement {
        let path = |name: &str| self.dir.path().join(name);
        let nested = self.nested.iter().map(|nested| nested.path().join("closed"));
        Confinement {
            library: path("state/copies/library.so"),
            scratch: path("state/scratch"),
            protected: ["state", "config", "connectors"]
                .map(path)
                .into_iter()
                .chain(nested)
                .collect(),
            ..Confinement::default()
        }
    }

    /// Runs the attacks as [`confined`]; `None` if this kernel has no Landlock.
    fn attack(&self, newest: ABI, confinement: Confinement) -> Option<Report> {
        let report = self.report(newest, confinement);
        if report.confined.landlock_abi.is_none() {
            println!(
                "skipped: this kernel has no Landlock: {:?}",
                report.confined.notes
            );
            return None;
        }
        Some(report)
    }

    /// The same on any kernel; with [`ABI::Unsupported`] nothing is confined.
    fn report(&self, newest: ABI, confinement: Confinement) -> Report {
        let mission = Mission {
            confinement,
            newest: newest as i32,
            dir: self.dir.path().to_owned(),
            sibling: self.sibling.id(),
            abstract_socket: self.abstract_socket.clone(),
            tcp: self.tcp.local_addr().unwrap(),
            nested: self.nested.as_ref().map(|nested| nested.path().to_owned()),
        };
        let output = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "os::sandbox::tests::confined",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ROLE, serde_json::to_string(&mission).unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let report = text
            .lines()
            .find_map(|line| line.split_once("REPORT "))
            .unwrap_or_else(|| {
                panic!(
                    "{}: no report:\n{text}\n{}",
                    output.status,
                    String::from_utf8_lossy(&output.stderr)
                )
            });
        serde_json::from_str(report.1).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.sibling.kill();
        let _ = self.sibling.wait();
    }
}

/// A small library of this system.
fn some_library() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libraries = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| path.contains("libgcc_s"));
    libraries.map(PathBuf::from).next().unwrap()
}

#[track_caller]
fn expect(report: &Report, what: &str, names: &[&str]) {
    for name in names {
        let Some(result) = report.attempts.get(*name) else {
            panic!("{name} was not tried")
        };
        assert_eq!(
            result == "ok",
            what == "ok",
            "{name}: {result}, expected {what}; {:?}",
            report.confined
        );
    }
}

const CLOSED: &[&str] = &[
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

const OPEN: &[&str] = &[
    "load the library",
    "write to scratch",
    "rename in scratch",
    "change a mode by descriptor",
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
];

#[test]
fn what_is_closed_is_closed_and_what_is_open_is_open() {
    let world = World::new();
    let Some(report) = world.attack(ABI::V9, world.confinement()) else {
        return;
    };
    expect(&report, "closed", CLOSED);
    expect(&report, "closed", &["connect to the control socket"]);
    expect(&report, "ok", OPEN);
    assert!(report.confined.seccomp);
    if report.confined.landlock_abi >= Some(6) {
        expect(&report, "ok", &["signal a child"]);
        assert_eq!(report.confined.notes, [""; 0]);
    }
    assert_eq!(report.confined.level, Level::Full);
}

#[test]
fn without_the_sandbox_the_same_attacks_succeed() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: for others than root some of them fail by themselves");
        return;
    }
    let world = World::new();
    let report = world.report(ABI::Unsupported, world.confinement());
    // Few kernels have the x32 ABI; the rest proves that an attempt would have worked.
    let possible: Vec<&str> = CLOSED
        .iter()
        .copied()
        .filter(|name| *name != "x32 getpid")
        .collect();
    expect(&report, "ok", &possible);
    expect(
        &report,
        "ok",
        &["connect to the control socket", "signal a child"],
    );
}

#[test]
fn on_an_older_kernel_the_filter_stands_in_for_what_landlock_lacks() {
    let world = World::new();
    for newest in [ABI::V1, ABI::V2, ABI::V3, ABI::V5] {
        let Some(report) = world.attack(newest, world.confinement()) else {
            return;
        };
        let by_ports: &[&str] = &["bind a TCP port"];
        let closed: Vec<&str> = CLOSED
            .iter()
            .copied()
            .filter(|name| !by_ports.contains(name))
            .collect();
        expect(&report, "closed", &closed);
        expect(
            &report,
            "closed",
            &["signal a child", "connect to the control socket"],
        );
        // Between directories the first Landlock forbids every rename; within one it works.
        expect(&report, "ok", OPEN);
        assert!(
            report
                .confined
                .notes
                .iter()
                .any(|note| note.contains("cannot scope signals"))
        );
        assert_eq!(report.confined.level, Level::Full);
    }
}

#[test]
fn a_closed_directory_in_an_open_one_stays_closed_and_its_neighbours_open() {
    let world = World::new();
    if world.nested.is_none() {
        return;
    }
    let Some(report) = world.attack(ABI::V9, world.confinement()) else {
        return;
    };
    expect(
        &report,
        "closed",
        &["read nested", "list nested", "create in nested"],
    );
    expect(&report, "ok", &["read beside nested"]);
}

#[test]
fn each_widening_opens_what_it_names_and_no_more() {
    let world = World::new();
    let path = |name: &str| world.dir.path().join(name);
    let widened = Confinement {
        extra_read: vec![path("outside"), path("config/tokens.json"), path("missing")],
        unix_sockets: vec![path("outside/socket")],
        listen: true,
        file_modes: true,
        ..world.confinement()
    };
    let Some(report) = world.attack(ABI::V9, widened) else {
        return;
    };
    expect(
        &report,
        "ok",
        &[
            "read a file outside",
            "listen",
            "bind a TCP port",
            "change a protected file's mode",
        ],
    );
    expect(
        &report,
        "closed",
        &[
            "write a file outside",
            "read another protected file",
            "read a protected file",
        ],
    );
    if report.confined.landlock_abi >= Some(6) {
        expect(&report, "closed", &["connect to an abstract socket"]);
    }
    let notes = report.confined.notes.join("\n");
    assert!(
        notes.contains("tokens.json was not opened to the connector: it belongs to the agent"),
        "{notes}"
    );
    assert!(
        notes.contains("missing was not opened to the connector: it does not exist"),
        "{notes}"
    );
}

#[test]
fn a_tree_around_something_protected_is_widened_without_it() {
    let world = World::new();
    let around = Confinement {
        extra_write: vec![world.dir.path().to_owned()],
        ..world.confinement()
    };
    let Some(report) = world.attack(ABI::V9, around) else {
        return;
    };
    expect(&report, "ok", &["read a file outside", "write a file outside"]);
    expect(
        &report,
        "closed",
        &[
            "read a protected file",
            "create in a protected directory",
            "delete a protected file",
        ],
    );
}

#[test]
fn threads_that_were_there_before_are_told_of() {
    let world = World::new();
    let Some(report) = world.attack(
        ABI::V9,
        Confinement {
            scratch: PathBuf::new(),
            ..world.confinement()
        },
    ) else {
        return;
    };
    // The mission without a scratch directory starts a thread first: see carry_out().
    if report.confined.landlock_abi < Some(8) {
        assert_eq!(report.confined.level, Level::Partial);
        assert!(
            report.confined.notes[0].contains("not confined"),
            "{:?}",
            report.confined.notes
        );
    }
}

#[test]
fn a_replaced_name_service_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resolv.conf");
    fs::write(&path, "a").unwrap();
    let pinned = vec![super::Pinned {
        path: path.clone(),
        inode: linux::inode(&path).unwrap(),
    }];
    let confined = Confined {
        level: Level::Full,
        landlock_abi: None,
        seccomp: true,
        notes: Vec::new(),
        pinned,
    };
    assert_eq!(confined.outdated(), None);
    fs::write(dir.path().join("new"), "b").unwrap();
    fs::rename(dir.path().join("new"), &path).unwrap();
    assert_eq!(confined.outdated(), Some(path));
}

/// Not a test of its own: the confined process of the others.
#[test]
fn confined() {
    let Ok(mission) = env::var(ROLE) else { return };
    // The test harness has threads; a fork has one, as a host has.
    // SAFETY: the harness's main thread only waits, so it holds no lock that the fork would miss.
    match unsafe { libc::fork() } {
        0 => {
            // A panic must not run into the harness of the other process.
            let done = std::panic::catch_unwind(|| carry_out(&serde_json::from_str(&mission).unwrap()));
            std::process::exit(i32::from(done.is_err()));
        }
        child => {
            let child = rustix::process::Pid::from_raw(child).unwrap();
            rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty()).unwrap();
        }
    }
}

fn carry_out(mission: &Mission) {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    if mission.confinement.scratch.as_os_str().is_empty() {
        std::thread::spawn(std::thread::park);
    }
    let confined = match ABI::from(mission.newest) {
        ABI::Unsupported => Confined {
            level: Level::None,
            landlock_abi: None,
            seccomp: false,
            notes: Vec::new(),
            pinned: Vec::new(),
        },
        newest => linux::confine_up_to(newest, &mission.confinement),
    };
    let mut attempts = Attempts(BTreeMap::new());
    attempts.files(mission);
    attempts.processes(mission);
    attempts.network(mission);
    attempts.kernel();
    attempts.ordinary_life(mission);
    let report = Report {
        confined,
        attempts: attempts.0,
    };
    println!("\nREPORT {}", serde_json::to_string(&report).unwrap());
}

struct Attempts(BTreeMap<String, String>);

impl Attempts {
    fn attempt<T>(&mut self, name: &str, result: io::Result<T>) {
        let outcome = result.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert!(self.0.insert(name.to_owned(), outcome).is_none(), "{name} twice");
    }

    fn files(&mut self, mission: &Mission) {
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

    fn processes(&mut self, mission: &Mission) {
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

    fn network(&mut self, mission: &Mission) {
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
        self.attempt("bind a TCP port", bind(free_port(mission.tcp.port())));
        self.attempt("bind port 0", bind(0));
        self.attempt(
            "listen",
            bind(0).and_then(|socket| Ok(rustix::net::listen(&socket, 1)?)),
        );
    }

    fn kernel(&mut self) {
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

    fn ordinary_life(&mut self, mission: &Mission) {
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

/// Some port that is likely free; binding it is the question, not using it.
fn free_port(other_than: u16) -> u16 {
    if other_than == 28_443 { 28_444 } else { 28_443 }
}

fn bind(port: u16) -> io::Result<OwnedFd> {
    let socket = call(
        libc::SYS_socket,
        &[libc::AF_INET as usize, libc::SOCK_STREAM as usize, 0],
    )?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(i32::try_from(socket).unwrap()) };
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], port)))?;
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
