//! Attacks from inside. A sandbox cannot be left, so each test runs this test binary once more as the confined process
//! ([`confined`]); that one reports on stdout what came of each attempt.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, fs, io};

use landlock::ABI;
use serde::{Deserialize, Serialize};

use super::{Confined, Confinement, Level, linux};
use inside::{Attempts, CLOSED, OPEN};

mod inside;

const ROLE: &str = "LUMOS_TEST_CONFINED";
const CANARY: &str = "canary-of-a-sibling";
/// In place of a version of Landlock: no sandbox at all.
const NOTHING: i32 = -1;

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
        let report = self.report(newest as i32, confinement);
        if report.confined.landlock_abi.is_none() {
            println!(
                "skipped: this kernel has no Landlock: {:?}",
                report.confined.notes
            );
            return None;
        }
        Some(report)
    }

    /// The same on any kernel. With [`NOTHING`] nothing is confined, with 0 the kernel is taken for one without Landlock.
    fn report(&self, newest: i32, confinement: Confinement) -> Report {
        let mission = Mission {
            confinement,
            newest,
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
    let report = world.report(NOTHING, world.confinement());
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
fn without_landlock_the_filter_is_left_and_the_level_is_none() {
    let world = World::new();
    let report = world.report(ABI::Unsupported as i32, world.confinement());
    let filtered = [
        "truncate a protected file",
        "change a protected file's mode",
        "process_vm_readv of a sibling",
        "ptrace a sibling",
        "signal the parent",
        "signal a sibling",
        "limit the parent",
        "connect to the control socket",
        "connect to an abstract socket",
        "listen",
    ];
    expect(&report, "closed", &filtered);
    expect(
        &report,
        "ok",
        &[
            "read a protected file",
            "load the library",
            "connect by TCP",
            "run a program",
        ],
    );
    assert_eq!(
        (report.confined.level, report.confined.seccomp),
        (Level::None, true)
    );
    assert!(
        report.confined.notes[0].starts_with("not isolated: "),
        "{:?}",
        report.confined.notes
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
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).unwrap();
    if mission.confinement.scratch.as_os_str().is_empty() {
        std::thread::spawn(std::thread::park);
    }
    let confined = match mission.newest {
        NOTHING => Confined {
            level: Level::None,
            landlock_abi: None,
            seccomp: false,
            notes: Vec::new(),
            pinned: Vec::new(),
        },
        newest => linux::confine_up_to(ABI::from(newest), &mission.confinement),
    };
    let mut attempts = Attempts(BTreeMap::new());
    attempts.files(mission);
    attempts.processes(mission);
    attempts.network(mission);
    attempts.kernel();
    attempts.ordinary_life(mission);
    let watched = confined
        .pinned
        .iter()
        .any(|pinned| pinned.path.ends_with("resolv.conf"));
    let watched = if watched && confined.outdated().is_none() {
        Ok(())
    } else {
        Err(io::Error::other("not watched"))
    };
    attempts.attempt("watch the name service settings", watched);
    let report = Report {
        confined,
        attempts: attempts.0,
    };
    println!("\nREPORT {}", serde_json::to_string(&report).unwrap());
}
