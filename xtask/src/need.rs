//! What tasks need besides Rust, and how a machine gets it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::run::{run, say, succeeds};
use crate::workspace::Workspace;

/// The target that Windows builds are compiled for.
pub(crate) const WINDOWS_TARGET: &str = "x86_64-pc-windows-gnu";
/// The C compiler for it.
pub(crate) const MINGW_CC: &str = "x86_64-w64-mingw32-gcc";

/// How the Windows side can be compiled on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowsToolchain {
    /// The ordinary toolchain has the target's standard library.
    Ordinary,
    /// Debian's compiler builds the standard library itself.
    Debian,
}

/// The parts of the Rust toolchain that are not in its smallest profile.
pub(crate) fn rust_components() -> anyhow::Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !succeeds(Command::new("cargo").args([subcommand, "--version"])) {
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Compilers for C and C++.
pub(crate) fn compilers() -> anyhow::Result<()> {
    for program in ["cc", "c++"] {
        if !exists(program) {
            install(&["build-essential"]).with_context(|| format!("there is no {program}"))?;
        }
    }
    Ok(())
}

/// `openssl`: the tests' hostile TLS peer.
pub(crate) fn openssl() -> anyhow::Result<()> {
    if succeeds(Command::new("openssl").arg("version")) {
        return Ok(());
    }
    install(&["openssl"])
}

/// systemd's programs, for the tests of the service, which are skipped where they cannot be had.
pub(crate) fn systemd() -> anyhow::Result<()> {
    let there = exists("systemd-analyze") && Path::new("/lib/systemd/systemd").exists();
    if there || !exists("apt-get") {
        return Ok(());
    }
    install(&["systemd"])
}

/// Python with what makes virtual environments.
pub(crate) fn python_with_venv() -> anyhow::Result<()> {
    if succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        return Ok(());
    }
    install(&["python3", "python3-venv"])
}

/// Whether a program can be run.
pub(crate) fn exists(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version"))
}

/// A way to compile for Windows: the target by rustup where it can be had, otherwise Debian's own Rust with the source
/// of its standard library; and mingw's C compiler, which dependencies need.
pub(crate) fn windows_toolchain() -> anyhow::Result<WindowsToolchain> {
    let toolchain = if has_windows_target()
        || succeeds_loudly(Command::new("rustup").args(["target", "add", WINDOWS_TARGET]))
    {
        WindowsToolchain::Ordinary
    } else {
        say("   rustup cannot give the target; taking Debian's compiler");
        if !exists("/usr/bin/rustc") || !exists("/usr/bin/cargo") || !has_debian_source() {
            install(&["rustc-web", "cargo-web", "rust-web-src"])?;
        }
        WindowsToolchain::Debian
    };
    if !exists(MINGW_CC) {
        install(&["gcc-mingw-w64-x86-64-win32", "g++-mingw-w64-x86-64-win32"])?;
    }
    Ok(toolchain)
}

/// Wine, which Windows programs run under, and curl, which calls them from outside.
pub(crate) fn wine() -> anyhow::Result<()> {
    if !exists("wine") {
        install(&["wine", "wine64"])?;
    }
    if !exists("curl") {
        install(&["curl"])?;
    }
    Ok(())
}

/// What makes Windows' installers.
pub(crate) fn installer_tools() -> anyhow::Result<()> {
    // msibuild knows no option that does nothing.
    let msibuild = Command::new("msibuild").arg("--help").output();
    if !exists("wixl") || msibuild.is_err() {
        install(&["wixl", "msitools"])?;
    }
    Ok(())
}

/// cargo-deny, built from source if it is missing, which takes minutes.
pub(crate) fn cargo_deny() -> anyhow::Result<()> {
    if exists("cargo-deny") {
        return Ok(());
    }
    run(Command::new("cargo").args(["install", "cargo-deny", "--locked"]))
}

/// What makes and looks into packages, besides tools of cargo's.
pub(crate) fn package_tools() -> anyhow::Result<()> {
    for (program, package) in [
        ("strip", "binutils"),
        ("xz", "xz-utils"),
        ("dpkg-shlibdeps", "dpkg-dev"),
    ] {
        if !exists(program) {
            install(&[package])?;
        }
    }
    Ok(())
}

/// What looks into packages, and what they are tried in.
pub(crate) fn package_checks() -> anyhow::Result<()> {
    let programs = ["lintian", "debootstrap", "rpm", "man", "zsh", "fish"];
    if programs.into_iter().all(exists) {
        return Ok(());
    }
    install(&[
        "lintian",
        "debootstrap",
        "rpm",
        "man-db",
        "zsh",
        "fish",
        "tar",
        "util-linux",
    ])
}

/// What makes and runs images, with the addresses and rules that a container's ports take.
pub(crate) fn containers() -> anyhow::Result<()> {
    let programs = ["podman", "runc", "curl", "iptables"];
    // Neither knows `--version`.
    let files = ["/usr/lib/cni/bridge", "/sbin/ip"];
    if programs.into_iter().all(exists) && files.iter().all(|file| Path::new(file).exists()) {
        return Ok(());
    }
    install(&[
        "podman",
        "runc",
        "containernetworking-plugins",
        "iptables",
        "iproute2",
        "curl",
        "ca-certificates",
    ])
}

/// A tool of cargo's in the version that is wanted, built from source if it is missing, which takes a minute or two. Without
/// optimisation: it runs for seconds.
pub(crate) fn cargo_tool(workspace: &Workspace, (name, version): (&str, &str)) -> anyhow::Result<()> {
    let output = Command::new(cargo_tool_path(workspace, name))
        .arg("--version")
        .output();
    if output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(version)) {
        return Ok(());
    }
    run(workspace
        .cargo()
        .args([
            "install",
            name,
            "--version",
            version,
            "--locked",
            "--debug",
            "--quiet",
            "--root",
        ])
        .arg(workspace.target().join("tools"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0"))
}

/// Where [`cargo_tool`] puts a tool.
pub(crate) fn cargo_tool_path(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target().join("tools/bin").join(name)
}

/// Whether the compiler in use can compile for Windows.
fn has_windows_target() -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", WINDOWS_TARGET])
        .output();
    let Ok(output) = output else { return false };
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}

fn has_debian_source() -> bool {
    let output = Command::new("/usr/bin/rustc")
        .args(["--print", "sysroot"])
        .output();
    let Ok(output) = output else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Path::new(&sysroot)
        .join("lib/rustlib/src/rust/library/std")
        .is_dir()
}

/// Like [`run`], for what has an alternative.
fn succeeds_loudly(command: &mut Command) -> bool {
    match run(command) {
        Ok(()) => true,
        Err(error) => {
            say(&format!("   {error:#}"));
            false
        }
    }
}

/// Installs Debian packages. The lists are fetched only if they turn out to be missing or old.
fn install(packages: &[&str]) -> anyhow::Result<()> {
    let wanted = packages.join(" ");
    if !exists("apt-get") {
        bail!("install {wanted} (or what your system calls it) and start again");
    }
    if install_once(packages).is_ok() {
        return Ok(());
    }
    run(apt_get()?.args(["update", "-qq"]))?;
    install_once(packages).with_context(|| format!("cannot install {wanted}"))
}

fn install_once(packages: &[&str]) -> anyhow::Result<()> {
    run(apt_get()?
        .args(["install", "-qq", "--yes", "--no-install-recommends"])
        .args(packages))
}

fn apt_get() -> anyhow::Result<Command> {
    let mut command = if is_root() {
        Command::new("env")
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    } else {
        bail!("packages are missing, and neither root nor a sudo without password is there to install them");
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Ok(command)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
