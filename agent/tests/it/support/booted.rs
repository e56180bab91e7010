//! A real systemd as the first process of namespaces of its own, over this machine's files: what is written goes to memory
//! and is gone with it. So units are tested as they are, not as somebody read them.
//!
//! It takes root, which containers of continuous integration mostly are, and systemd's programs; [`Booted::new`] says so
//! where it does not go.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::home::{AGENT, text};

const PATIENCE: Duration = Duration::from_secs(90);
/// Where a package puts each file.
const PACKAGED: [(&str, &str); 4] = [
    (
        "lumos-agent.service",
        "usr/lib/systemd/system/lumos-agent.service",
    ),
    ("lumos-agent.socket", "usr/lib/systemd/system/lumos-agent.socket"),
    ("lumos-agent.sysusers", "usr/lib/sysusers.d/lumos-agent.conf"),
    ("lumos-agent.tmpfiles", "usr/lib/tmpfiles.d/lumos-agent.conf"),
];

/// `$1` is an empty directory. Everything is mounted in a namespace that ends with its first process.
const SCRIPT: &str = r#"
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do : > "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for directory in dev/shm run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$directory"; done
chmod 755 run
# Nothing of an agent on this machine, and only what these tests need of its services.
rm -rf etc/lumos-agent var/lib/lumos-agent var/log/lumos-agent etc/systemd/system usr/lib/systemd/system/lumos-agent.*
rm -f etc/machine-id etc/sysusers.d/lumos-agent.conf etc/tmpfiles.d/lumos-agent.conf
sed -i '/^lumos-agent:/d' etc/passwd etc/group etc/shadow etc/gshadow
echo 11111111111111111111111111111111 > etc/machine-id
mkdir -p etc/systemd/system usr/lib/systemd/system usr/lib/sysusers.d usr/lib/tmpfiles.d
printf '[Unit]\nRequires=systemd-journald.service\nAfter=systemd-journald.service\n' > etc/systemd/system/lumos-test.target
printf '[Manager]\nDefaultTimeoutStartSec=120\n' > etc/systemd/system.conf
pivot_root . mnt
umount -l /mnt
# As on a machine: systemd leaves it to who starts a container.
mount --make-rshared /
exec env -i container=lumos-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=lumos-test.target --log-target=journal --show-status=no
"#;

/// The running system; it ends when dropped.
pub(crate) struct Booted {
    unshare: Child,
    /// systemd, as this machine numbers it.
    init: i32,
    directory: tempfile::TempDir,
}

impl Booted {
    /// `None`, with a word to the reader of the test's output, where this cannot be done at all.
    #[expect(
        clippy::print_stderr,
        reason = "who reads a test's output should know what was not tested"
    )]
    pub(crate) fn new() -> Option<Self> {
        if let Err(why) = possible() {
            eprintln!("SKIPPED: no systemd can be started here: {why}");
            return None;
        }
        let directory = tempfile::Builder::new()
            .prefix("lumos-booted-")
            .tempdir()
            .unwrap();
        let log = File::create(directory.path().with_extension("log")).unwrap();
        let mut unshare = namespaces();
        unshare.args(["sh", "-euc", SCRIPT, "boot"]).arg(directory.path());
        unshare
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null());
        let unshare = unshare.process_group(0).spawn().unwrap();
        let mut booted = Booted {
            unshare,
            init: 0,
            directory,
        };
        booted.init = booted.eventually("the first process", |booted| {
            let children = format!("/proc/{0}/task/{0}/children", booted.unshare.id());
            std::fs::read_to_string(children).ok()?.trim().parse().ok()
        });
        booted.eventually("systemd", |booted| {
            let state = booted.run(["systemctl", "is-system-running"]);
            let state = text(&state.stdout);
            matches!(state.trim(), "running" | "degraded").then_some(())
        });
        Some(booted)
    }

    /// The same with the agent's package in it, initialised.
    pub(crate) fn with_package() -> Option<Self> {
        let booted = Self::new()?;
        booted.put(Path::new(AGENT), "/usr/bin/lumos-agent", "755");
        for (file, place) in PACKAGED {
            booted.put(&packaging().join(file), &format!("/{place}"), "644");
        }
        booted.ok(["systemd-sysusers"]);
        booted.ok(["systemd-tmpfiles", "--create", "lumos-agent.conf"]);
        booted.ok(["systemctl", "daemon-reload"]);
        booted.ok(["lumos-agent", "init", "--host", "agent.example.com"]);
        Some(booted)
    }

    /// Copies a file of this machine into it.
    pub(crate) fn put(&self, from: &Path, to: &str, mode: &str) {
        self.write(&std::fs::read(from).unwrap(), to, mode);
    }

    /// Writes a file beside `to` and puts it in its place, as packages do.
    pub(crate) fn write(&self, content: &[u8], to: &str, mode: &str) {
        let script = r#"mkdir -p "${1%/*}"; cat > "$1.new"; chmod "$2" "$1.new"; mv "$1.new" "$1""#;
        let mut child = self
            .command(["sh", "-euc", script, "put", to, mode])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        assert!(child.wait().unwrap().success(), "{to}");
    }

    /// A command in it, as root.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &self.init.to_string(),
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--net",
            "--cgroup",
        ]);
        command.args(args).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed; what it prints.
    #[track_caller]
    pub(crate) fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let mut command = self.command(args);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{command:?}: {}\n{}",
            text(&output.stderr),
            self.journal()
        );
        text(&output.stdout)
    }

    /// A property of a unit.
    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        let shown = self.ok(["systemctl", "show", unit, "--value", "--property", name]);
        shown.trim().to_owned()
    }

    /// What the agent and its units have logged.
    pub(crate) fn journal(&self) -> String {
        let units = [
            "journalctl",
            "--no-pager",
            "-u",
            "lumos-agent",
            "-u",
            "lumos-agent.socket",
        ];
        text(&self.run(units).stdout)
    }

    /// The agent's process, as this machine numbers it.
    pub(crate) fn agent_pid(&self) -> i32 {
        let inner = self.property("lumos-agent", "MainPID");
        self.outer(&inner)
    }

    /// What is process `inner` in it.
    pub(crate) fn outer(&self, inner: &str) -> i32 {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let own = std::fs::read_link(format!("/proc/{}/ns/pid", self.init)).unwrap();
        let same = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|ns| ns == own);
        let numbered = |pid: &i32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            line.and_then(|line| line.split_whitespace().last().map(str::to_owned)) == Some(inner.to_owned())
        };
        pids.filter(same).find(numbered).unwrap()
    }

    /// What a thread needs to enter its network.
    pub(crate) fn network(&self) -> File {
        File::open(format!("/proc/{}/ns/net", self.init)).unwrap()
    }

    /// Polls `probe` until it gives something.
    #[track_caller]
    pub(crate) fn eventually<T>(&self, what: &str, mut probe: impl FnMut(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = probe(self) {
                return found;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited too long for {what}\n{}\n{}",
                std::fs::read_to_string(self.directory.path().with_extension("log")).unwrap_or_default(),
                if self.init == 0 {
                    String::new()
                } else {
                    self.journal()
                }
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // With the first process of a namespace all others in it end.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        let _ = std::fs::remove_file(self.directory.path().with_extension("log"));
    }
}

/// The repository's files for Linux packages.
pub(crate) fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/linux")
}

fn namespaces() -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--pid",
        "--fork",
        "--kill-child",
        "--mount",
        "--cgroup",
        "--uts",
        "--ipc",
        "--net",
    ]);
    command
}

fn possible() -> Result<(), String> {
    if !Path::new("/lib/systemd/systemd").exists() {
        return Err("it is not installed".into());
    }
    let mut probe = namespaces();
    probe.args([
        "sh",
        "-ec",
        "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && mount -t cgroup2 cgroup2 /mnt",
    ]);
    let output = probe.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(text(&output.stderr).trim().to_owned()),
    }
}
