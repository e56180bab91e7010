//! The two systems of packages, as far as the life of a package differs between them.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::root::Root;

/// What installs and removes.
pub(super) trait System {
    /// Installs or upgrades; what was said meanwhile.
    fn install(&self, root: &Root, package: &Path) -> anyhow::Result<String>;
    /// Removes the package, not its data.
    fn remove(&self, root: &Root) -> anyhow::Result<String>;
    /// Removes the data too; false where the system knows no such thing.
    fn purge(&self, root: &Root) -> anyhow::Result<bool>;
    /// The version that is installed.
    fn installed(&self, root: &Root) -> anyhow::Result<String>;
    /// How a service is stopped when the package is removed.
    fn stops(&self) -> &'static str;
}

/// apt and dpkg, inside.
pub(super) struct Debian;

impl System for Debian {
    fn install(&self, root: &Root, package: &Path) -> anyhow::Result<String> {
        let package = root.copy_in(package)?;
        root.output(&["apt-get", "--yes", "--no-install-recommends", "install", &package])
    }

    fn remove(&self, root: &Root) -> anyhow::Result<String> {
        root.output(&["dpkg", "--remove", "lumos-agent"])
    }

    fn purge(&self, root: &Root) -> anyhow::Result<bool> {
        root.output(&["dpkg", "--purge", "lumos-agent"])?;
        Ok(true)
    }

    fn installed(&self, root: &Root) -> anyhow::Result<String> {
        root.output(&["dpkg-query", "--show", "--showformat=${Version}", "lumos-agent"])
    }

    fn stops(&self) -> &'static str {
        "stop lumos-agent.s"
    }
}

/// Scripts of packages find /proc, as on every machine.
const WITH_PROC: &str = r#"mount -t proc proc "$0/proc"; exec rpm --root "$0" --dbpath /var/lib/rpm "$@""#;

/// rpm, from outside: it runs the scripts inside. Debian's packages are not in its database, so dependencies are not asked for.
pub(super) struct Rpm;

impl System for Rpm {
    fn install(&self, root: &Root, package: &Path) -> anyhow::Result<String> {
        output(rpm(root).args(["--nodeps", "--upgrade"]).arg(package))
    }

    fn remove(&self, root: &Root) -> anyhow::Result<String> {
        output(rpm(root).args(["--nodeps", "--erase", "lumos-agent"]))
    }

    fn purge(&self, _root: &Root) -> anyhow::Result<bool> {
        Ok(false)
    }

    fn installed(&self, root: &Root) -> anyhow::Result<String> {
        output(rpm(root).args(["--query", "--queryformat", "%{VERSION}-%{RELEASE}", "lumos-agent"]))
    }

    fn stops(&self) -> &'static str {
        "disable --now lumos-agent.socket lumos-agent.service"
    }
}

fn rpm(root: &Root) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", WITH_PROC]).arg(root.path());
    command
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().context("cannot run rpm")?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "{command:?}: {}\n{out}{error}",
        output.status
    );
    Ok(out)
}
