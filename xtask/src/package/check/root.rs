//! A fresh Debian root: made once with debootstrap, kept as an archive, unpacked for each test. Commands run in it in a
//! namespace for mounts of their own, so that nothing stays mounted, however a test ends.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::run::{run, say, succeeds};
use crate::workspace::Workspace;

/// What the packages depend on and the smallest Debian lacks.
const INCLUDED: &str = "--include=systemd-standalone-sysusers,systemd-standalone-tmpfiles";
const ENTER: &str = r#"set -e
root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" "$@""#;
/// What changes with every use of apt and dpkg, or is no file of the system's.
const IGNORED: [&str; 10] = [
    "proc",
    "dev",
    "sys",
    "tmp",
    "run",
    "var/cache",
    "var/log",
    "var/lib/apt",
    "var/lib/dpkg",
    "root",
];

/// Whether this process may make one.
pub(crate) fn possible() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
        && succeeds(Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]))
}

/// The archive, and where it is unpacked.
#[derive(Debug)]
pub(crate) struct Base {
    archive: PathBuf,
    directory: PathBuf,
}

impl Base {
    pub(crate) fn prepare(workspace: &Workspace) -> anyhow::Result<Self> {
        let directory = workspace.target().join("package-check");
        fs::create_dir_all(&directory)?;
        let suite = suite()?;
        let archive = directory.join(format!("{suite}.tar"));
        if archive.exists() {
            say(&format!("   kept from an earlier run: {}", archive.display()));
        } else {
            let made = tempfile::tempdir_in(&directory)?;
            let root = made.path().join(&suite);
            let mut debootstrap = Command::new("debootstrap");
            debootstrap
                .args(["--variant=minbase", INCLUDED, &suite])
                .arg(&root);
            // Hundreds of lines that nobody reads; its own log has the reason of a failure.
            let status = debootstrap
                .stdout(Stdio::null())
                .status()
                .context("cannot run debootstrap")?;
            if !status.success() {
                let log = fs::read_to_string(root.join("debootstrap/debootstrap.log")).unwrap_or_default();
                bail!("debootstrap: {status}\n{log}");
            }
            let unfinished = archive.with_extension("part");
            let tar = ["--one-file-system", "--exclude=./var/cache/apt/archives/*.deb"];
            run(Command::new("tar")
                .arg("-C")
                .arg(&root)
                .args(tar)
                .arg("-cf")
                .arg(&unfinished)
                .arg("."))?;
            fs::rename(&unfinished, &archive)?;
        }
        Ok(Base { archive, directory })
    }

    /// A root that nobody has used.
    pub(crate) fn unpack(&self) -> anyhow::Result<Root> {
        let directory = tempfile::tempdir_in(&self.directory)?;
        // Others than root must find their way in.
        run(Command::new("chmod").arg("755").arg(directory.path()))?;
        run(Command::new("tar")
            .arg("-C")
            .arg(directory.path())
            .arg("-xpf")
            .arg(&self.archive))?;
        Ok(Root { directory })
    }
}

/// The release that this machine runs, since what is built here needs its libraries.
fn suite() -> anyhow::Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot tell which Debian this is")?;
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(|name| name.trim_matches('"').to_owned())
        .context("this system has no code name")
}

/// An unpacked root; deleted in the end.
#[derive(Debug)]
pub(crate) struct Root {
    directory: tempfile::TempDir,
}

impl Root {
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path inside, seen from outside.
    pub(crate) fn file(&self, inside: &str) -> PathBuf {
        self.path().join(inside.trim_start_matches('/'))
    }

    /// A program inside, as root.
    pub(super) fn command<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", ENTER, "sh"])
            .arg(self.path())
            .args(words);
        command.env_clear();
        command.env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        command
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command.stdin(Stdio::null());
        command
    }

    /// Runs it; what it wrote to standard output.
    pub(super) fn output(&self, words: &[&str]) -> anyhow::Result<String> {
        self.try_output(words)?
            .map_err(|told| anyhow::anyhow!("{} failed:\n{told}", words.join(" ")))
    }

    /// The same, where failing is an answer: what it wrote to both.
    pub(super) fn try_output(&self, words: &[&str]) -> anyhow::Result<Result<String, String>> {
        let output = self.command(words).output().context("cannot run unshare")?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(Ok(out));
        }
        let error = String::from_utf8_lossy(&output.stderr);
        Ok(Err(format!("{}\n{out}{error}", output.status)))
    }

    pub(super) fn copy_in(&self, file: &Path) -> anyhow::Result<String> {
        let name = file.file_name().context("a file without a name")?;
        let inside = format!("/root/{}", name.to_string_lossy());
        fs::copy(file, self.file(&inside)).with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(inside)
    }

    /// Every path that stays, and the content of the lists of accounts.
    pub(super) fn picture(&self) -> anyhow::Result<BTreeMap<PathBuf, String>> {
        let mut picture = BTreeMap::new();
        let mut waiting = vec![self.path().to_owned()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(&directory)? {
                let path = entry?.path();
                let inside = path.strip_prefix(self.path())?.to_owned();
                if IGNORED.iter().any(|ignored| inside == Path::new(ignored)) {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    waiting.push(path.clone());
                }
                picture.insert(inside.clone(), accounts(&path, &inside));
            }
        }
        // Backups and locks of the lists of accounts.
        picture.retain(|inside, _| {
            let name = inside.to_string_lossy();
            !(name.starts_with("etc/") && (name.ends_with('-') || name.ends_with(".lock")))
        });
        Ok(picture)
    }
}

fn accounts(path: &Path, inside: &Path) -> String {
    let lists = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"];
    if lists.iter().any(|list| inside == Path::new(list)) {
        return fs::read_to_string(path).unwrap_or_default();
    }
    String::new()
}
