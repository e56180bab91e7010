//! Podman, in namespaces for mounts, processes and the network that end with the check: its images, containers, addresses and
//! rules of the firewall are not this machine's, and ports are free.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, bail, ensure};

use super::base::BASE;
use crate::workspace::Workspace;

/// Says when all is in place, and then only reaps what is left to it. `$0` is the directory for images.
const HOLD: &str = r#"set -e
mount -t tmpfs -o mode=755 none /run
mkdir -p /var/lib/containers /var/lib/cni
mount --bind "$0" /var/lib/containers
mount -t tmpfs none /var/lib/cni
ip link set lo up
echo ready
while sleep 1; do :; done"#;

/// No systemd is at hand. The limits are those that every machine allows: the usual ones need a privilege that a test may lack.
const SETTINGS: &str = r#"[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"#;

pub(super) struct Engine {
    /// Who holds the namespaces.
    holder: Child,
    /// Where commands run.
    work: PathBuf,
    /// Images, work and settings; deleted in the end.
    directory: tempfile::TempDir,
}

impl Engine {
    pub(super) fn start(workspace: &Workspace) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("container-check-")
            .tempdir_in(workspace.target())?;
        let place = |name: &str| directory.path().join(name);
        for name in ["images", "work"] {
            fs::create_dir(place(name))?;
        }
        fs::write(place("containers.conf"), SETTINGS)?;
        let mut unshare = Command::new("unshare");
        let namespaces = [
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ];
        let mut holder = unshare
            .args(namespaces)
            .args(["sh", "-c", HOLD])
            .arg(place("images"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run unshare")?;
        let mut said = String::new();
        let output = holder.stdout.take().context("unshare has no output")?;
        BufReader::new(output).read_line(&mut said)?;
        let engine = Engine {
            holder,
            work: place("work"),
            directory,
        };
        ensure!(said == "ready\n", "namespaces could not be set up");
        Ok(engine)
    }

    /// The directory that commands run in.
    pub(super) fn work(&self) -> &Path {
        &self.work
    }

    /// Whether the system lets a container run at all, told by a program that is none of ours.
    pub(super) fn runs_containers(&self) -> anyhow::Result<()> {
        let program = "/lib64/ld-linux-x86-64.so.2 --version";
        let options = "--rm --read-only --cap-drop=ALL -p 8443:8443";
        self.shell(&format!("podman run {options} {BASE} {program}"))
            .map(drop)
    }

    pub(super) fn import(&self, archive: &Path, name: &str) -> anyhow::Result<()> {
        self.shell(&format!("podman import --quiet {} {name}", archive.display()))
            .map(drop)
    }

    /// Runs a script, and gives its standard output; its error tells all.
    pub(super) fn shell(&self, script: &str) -> anyhow::Result<String> {
        let output = self.try_shell(script)?;
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        if !output.status.success() {
            bail!("{script}\n{}\n{out}{err}", output.status);
        }
        Ok(out)
    }

    /// The same, where failing is an answer.
    pub(super) fn try_shell(&self, script: &str) -> anyhow::Result<Output> {
        let mut nsenter = Command::new("nsenter");
        nsenter
            .arg("--target")
            .arg(self.inner()?)
            .args(["--mount", "--net", "--pid"])
            .args(["sh", "-c", r#"cd "$1" && exec sh -ec "$2""#, "sh"])
            .arg(&self.work)
            .arg(script)
            .env("CONTAINERS_CONF", self.directory.path().join("containers.conf"))
            .env("BUILDAH_ISOLATION", "chroot")
            .stdin(Stdio::null());
        nsenter.output().context("cannot run nsenter")
    }

    /// The first process of the namespace: the only child of who made it.
    fn inner(&self) -> anyhow::Result<String> {
        let id = self.holder.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        Ok(children.trim().to_owned())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Mounts go with the last process, and with them what keeps the directory from being deleted.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
