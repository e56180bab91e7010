//! `cargo xtask windows`: the second system, from Linux. Everything is compiled and linked for it, and what was built runs
//! under Wine: in a console, as a service, from its installer.

mod build;
mod console;
mod curl;
mod installed;
mod msi;
mod wine;

use std::path::PathBuf;

use crate::need;
use crate::run::{say, step};
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
    let toolchain = need::windows_toolchain()?;
    let mut built = None;
    step("the Windows build", || {
        built = Some(Build::make(workspace, toolchain, build::Profile::Windows)?);
        Ok(())
    })?;
    let built = built.expect("made by the step");
    let mut wine = None;
    step("Wine", || {
        wine = Some(Wine::new()?);
        Ok(())
    })?;
    let wine = wine.expect("made by the step");
    step("Windows: the agent in a console", || {
        console::check(workspace, &wine, &built)
    })?;
    let mut installer = None;
    step("Windows: the installer", || {
        installer = Some(msi::make(workspace, &built)?);
        Ok(())
    })?;
    let installer = installer.expect("made by the step");
    step("Windows: installed, as a service", || {
        installed::check(workspace, &wine, &built, &installer)
    })
}

/// Builds the installer as it is released, and says where it is.
pub(crate) fn msi(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let toolchain = need::windows_toolchain()?;
    need::installer_tools()?;
    let built = Build::make(workspace, toolchain, build::Profile::Release)?;
    let installer = msi::make(workspace, &built)?;
    say(&format!("   built {}", installer.display()));
    Ok(installer)
}
