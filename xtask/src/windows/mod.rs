//! `cargo xtask windows`: the second system, from Linux. Everything is compiled and linked for it, and what was built runs
//! under Wine: in a console, as a service, from its installer.

mod build;
mod console;
mod curl;
mod installed;
mod msi;
mod wine;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::need;
use crate::run::step;
use crate::workspace::Workspace;

use self::build::Build;
use self::wine::Wine;

/// Whether this machine is one to check from.
pub(crate) fn possible() -> bool {
    cfg!(target_os = "linux")
}

/// What this machine needs for it.
pub(crate) fn prepare() -> anyhow::Result<()> {
    need::windows_toolchain()?;
    need::wine()?;
    need::installer_tools()
}

/// Compiles every crate for Windows, as far as linking.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let toolchain = need::windows_toolchain()?;
    step("everything compiles for Windows", || {
        build::check(workspace, toolchain)
    })
}

/// Builds what is installed, and runs it.
pub(crate) fn test(workspace: &Workspace) -> anyhow::Result<()> {
    prepare()?;
    let built = build(workspace, build::Profile::Windows)?;
    let installer = msi::make(workspace, &built)?;
    prove(workspace, &built, &installer)
}

/// Builds the installer as it is released, and says where it is; with `check`, runs what it installs too.
pub(crate) fn msi(workspace: &Workspace, check: bool) -> anyhow::Result<PathBuf> {
    need::installer_tools()?;
    let built = build(workspace, build::Profile::Release)?;
    let installer = msi::make(workspace, &built)?;
    if check {
        need::wine()?;
        prove(workspace, &built, &installer)?;
    }
    Ok(installer)
}

fn build(workspace: &Workspace, profile: build::Profile) -> anyhow::Result<Build> {
    let toolchain = need::windows_toolchain()?;
    let mut built = None;
    step("the Windows build", || {
        built = Some(Build::make(workspace, toolchain, profile)?);
        Ok(())
    })?;
    built.context("the step makes it")
}

/// Runs the agent in a console, and as the service that the installer makes.
fn prove(workspace: &Workspace, built: &Build, installer: &Path) -> anyhow::Result<()> {
    let mut wine = None;
    step("Wine", || {
        wine = Some(Wine::new()?);
        Ok(())
    })?;
    let wine = wine.context("the step makes it")?;
    step("Windows: the agent in a console", || {
        console::check(workspace, &wine, built)
    })?;
    step("Windows: installed, as a service", || {
        installed::check(workspace, &wine, built, installer)
    })
}
