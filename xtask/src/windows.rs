//! `cargo xtask windows --check`: no change may forget the second system, so all of it is compiled for Windows too.

use crate::need::{self, MINGW_CC, WINDOWS_TARGET, WindowsToolchain};
use crate::run::{run, step};
use crate::workspace::Workspace;

/// Whether this machine is one to check from; Windows itself compiles for Windows anyway.
pub(crate) fn possible() -> bool {
    cfg!(target_os = "linux")
}

/// Compiles every crate for Windows, as far as linking.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let toolchain = need::windows_toolchain()?;
    step("everything compiles for Windows", || {
        let mut cargo = match toolchain {
            WindowsToolchain::Ordinary => workspace.cargo(),
            WindowsToolchain::Debian => debian_cargo(workspace),
        };
        cargo.env("CC_x86_64_pc_windows_gnu", MINGW_CC);
        cargo.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", MINGW_CC);
        cargo.args([
            "check",
            "--workspace",
            "--locked",
            "--quiet",
            "--target",
            WINDOWS_TARGET,
        ]);
        if toolchain == WindowsToolchain::Debian {
            cargo.arg("-Zbuild-std=std,panic_unwind");
        }
        run(&mut cargo)
    })
}

/// Debian's compiler, with a target directory of its own: what one compiler built, another cannot use.
fn debian_cargo(workspace: &Workspace) -> std::process::Command {
    let mut cargo = workspace.command("/usr/bin/cargo");
    cargo
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN");
    cargo.env("CARGO_TARGET_DIR", workspace.target().join("windows"));
    cargo
}
