//! `cargo xtask package`: builds once, and makes of it what administrators install.
//!
//! ```text
//!  cargo build ──▶ stage: stripped programs, pages, completions, notices, SBOM ──▶ cargo-deb          ──▶ package/*.deb
//!                                                                              └▶ cargo-generate-rpm ──▶ package/*.rpm
//! ```
//!
//! What goes where is said once, in `[package.metadata.deb]` of the agent's manifest.

mod archives;
mod check;
mod components;
mod notices;
mod stage;

use std::path::PathBuf;

use archives::Payload;
use clap::{Args, ValueEnum};

use crate::run::{run, say, step};
use crate::windows;
use crate::workspace::Workspace;

pub(crate) use check::root::{Base, Root, possible as root_possible};

/// What is built for the packages.
const CRATES: [&str; 3] = ["lumos-agent", "mockapp", "mockapp-server"];

/// `package`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How to build; `dev` is faster, not for release, and makes no installer for Windows
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
    /// Also install, run, upgrade, remove and purge the packages in a fresh Debian root, and the installer under Wine
    #[arg(long)]
    check: bool,
    /// Only lay out what they carry, in `release/package/` under the target directory; an image is made from that
    #[arg(long, conflicts_with = "check")]
    stage: bool,
}

/// `--profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// For release
    Release,
    /// For trying
    Dev,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Profile::Release => "release",
            Profile::Dev => "dev",
        }
    }

    /// Where cargo puts what it builds.
    fn directory(self, workspace: &Workspace) -> PathBuf {
        workspace.target().join(match self {
            Profile::Release => "release",
            Profile::Dev => "debug",
        })
    }
}

/// The packages that were made.
#[derive(Debug)]
struct Packages {
    deb: PathBuf,
    rpm: PathBuf,
}

/// The task.
pub(crate) fn all(workspace: &Workspace, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.stage {
        return stage(workspace, arguments.profile).map(drop);
    }
    let packages = make(workspace, arguments.profile)?;
    if arguments.check {
        check::check(workspace, &packages)?;
    }
    let mut made = vec![packages.deb, packages.rpm];
    if arguments.profile == Profile::Release {
        made.push(windows::msi(workspace, arguments.check)?);
    }
    say("");
    for package in made {
        say(&package.display().to_string());
    }
    Ok(())
}

/// What `--profile dev --check` does.
pub(crate) fn test(workspace: &Workspace) -> anyhow::Result<()> {
    check::check(workspace, &make(workspace, Profile::Dev)?)
}

fn make(workspace: &Workspace, profile: Profile) -> anyhow::Result<Packages> {
    anyhow::ensure!(
        cfg!(target_os = "linux"),
        "packages for Linux are made on Linux, for what they are run on"
    );
    step("tools for packages", || archives::tools(workspace))?;
    stage(workspace, profile)?;
    let directory = workspace.target().join("package");
    std::fs::create_dir_all(&directory)?;
    let version = workspace.version("lumos-agent")?;
    let payload = match profile {
        Profile::Release => Payload::Small,
        Profile::Dev => Payload::Plain,
    };
    let mut made = None;
    step("packages", || {
        made = Some(Packages {
            deb: archives::deb(workspace, &version, &directory)?,
            rpm: archives::rpm(workspace, &version, &directory, payload)?,
        });
        Ok(())
    })?;
    made.ok_or_else(|| anyhow::anyhow!("no package was made"))
}

/// Builds and lays out what packages and images carry; gives the directory.
pub(crate) fn stage(workspace: &Workspace, profile: Profile) -> anyhow::Result<PathBuf> {
    step("build what the packages carry", || build(workspace, profile))?;
    step("stage", || stage::all(workspace, profile))?;
    Ok(stage::directory(workspace))
}

fn build(workspace: &Workspace, profile: Profile) -> anyhow::Result<()> {
    let packages = CRATES.iter().flat_map(|name| ["--package", name]);
    run(workspace
        .cargo()
        .args(["build", "--locked", "--profile", profile.name()])
        .args(packages))
}
