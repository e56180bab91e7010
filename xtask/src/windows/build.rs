//! Compiles for Windows with whatever toolchain there is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use crate::need::{MINGW_CC, WINDOWS_TARGET, WindowsToolchain};
use crate::run::run;
use crate::workspace::Workspace;

/// What is given away: the agent, the connectors, and the app that they are tried with.
const PACKAGES: [&str; 4] = ["lumos-agent", "mockapp", "mockapp-server", "example-minimal"];

/// How it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// To be checked.
    Windows,
    /// To be given away.
    Release,
}

/// Programs and libraries for Windows.
#[derive(Debug)]
pub(crate) struct Build {
    directory: PathBuf,
}

impl Build {
    /// Compiles and links them.
    pub(crate) fn make(
        workspace: &Workspace,
        toolchain: WindowsToolchain,
        profile: Profile,
    ) -> anyhow::Result<Self> {
        let name = match profile {
            Profile::Windows => "windows",
            Profile::Release => "release",
        };
        let mut cargo = cargo(workspace, toolchain);
        cargo.args([
            "build",
            "--locked",
            "--quiet",
            "--target",
            WINDOWS_TARGET,
            "--profile",
            name,
        ]);
        match profile {
            // Everything is to compile and link, not only what runs.
            Profile::Windows => {
                cargo.arg("--workspace");
            }
            Profile::Release => {
                for package in PACKAGES {
                    cargo.args(["--package", package]);
                }
            }
        }
        with_standard_library(&mut cargo, toolchain);
        run(&mut cargo)?;
        Ok(Build {
            directory: target(workspace, toolchain).join(WINDOWS_TARGET).join(name),
        })
    }

    /// A file of it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Compiles every crate, as far as linking.
pub(crate) fn check(workspace: &Workspace, toolchain: WindowsToolchain) -> anyhow::Result<()> {
    let mut cargo = cargo(workspace, toolchain);
    cargo.args([
        "check",
        "--workspace",
        "--locked",
        "--quiet",
        "--target",
        WINDOWS_TARGET,
    ]);
    with_standard_library(&mut cargo, toolchain);
    run(&mut cargo)
}

/// Compiles a connector in C as a library for Windows.
pub(crate) fn c_library(
    workspace: &Workspace,
    source: &Path,
    defines: &[String],
    library: &Path,
) -> anyhow::Result<()> {
    let mut cc = workspace.command(MINGW_CC);
    cc.args([
        "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-static", "-I",
    ]);
    cc.arg(workspace.path("plugin-api/include"));
    cc.args(defines.iter().map(|define| format!("-D{define}")));
    cc.arg("-o").arg(library).arg(source).arg("-lpthread");
    run(&mut cc)?;
    ensure!(library.exists(), "{MINGW_CC} wrote no {}", library.display());
    Ok(())
}

fn cargo(workspace: &Workspace, toolchain: WindowsToolchain) -> Command {
    let mut cargo = match toolchain {
        WindowsToolchain::Ordinary => workspace.cargo(),
        WindowsToolchain::Debian => {
            let mut cargo = workspace.command("/usr/bin/cargo");
            cargo
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTC_BOOTSTRAP", "1")
                .env_remove("RUSTUP_TOOLCHAIN");
            cargo
        }
    };
    cargo
        .env("CARGO_TARGET_DIR", target(workspace, toolchain))
        .env("CC_x86_64_pc_windows_gnu", MINGW_CC)
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", MINGW_CC);
    cargo
}

/// Debian's compiler has a directory of its own: what one compiler built, another cannot use.
fn target(workspace: &Workspace, toolchain: WindowsToolchain) -> PathBuf {
    match toolchain {
        WindowsToolchain::Ordinary => workspace.target().to_owned(),
        WindowsToolchain::Debian => workspace.target().join("windows"),
    }
}

fn with_standard_library(cargo: &mut Command, toolchain: WindowsToolchain) {
    if toolchain == WindowsToolchain::Debian {
        cargo.arg("-Zbuild-std=std,panic_unwind");
    }
}
