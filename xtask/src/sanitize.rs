//! What needs the compiler's help to find misuse of memory: the host under the address sanitizer, pure code under Miri.
//!
//! Sanitizers are unstable flags of rustc; `RUSTC_BOOTSTRAP` lets the ordinary compiler take them. What they build goes to
//! directories of its own, because every crate must be built with the flags.

use std::path::Path;
use std::process::Command;

use crate::run::{run, say, step, succeeds};
use crate::workspace::Workspace;

/// Where sanitizers are known to work. Naming the target keeps the flags from build scripts and macros.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Connectors that are compiled with the sanitizer find its run time in the host.
const ADDRESS: &str = "-Zsanitizer=address -Clink-arg=-rdynamic";

/// Whether this machine can do either.
pub(crate) fn possible() -> bool {
    cfg!(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu"
    ))
}

/// The hosting tests against an agent and C fixtures that are built with the address sanitizer.
pub(crate) fn address(workspace: &Workspace) -> anyhow::Result<()> {
    if !possible() {
        say("\n   address sanitizer: left out, it needs Linux on x86-64");
        return Ok(());
    }
    step("hosts and C connectors under the address sanitizer", || {
        let mut cargo = cargo(workspace, "test", ADDRESS, &workspace.target().join("asan"));
        cargo.args(["--package", "lumos-agent", "--test", "it", "hosting::"]);
        cargo.env("LUMOS_TEST_ASAN", "1");
        // A host ends without running exit handlers, so leaks cannot be told; its signals are the tests' to see.
        cargo.env("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0:handle_abort=0");
        run(&mut cargo)
    })
}

/// The ABI's types, the models and the codec of the host protocol under Miri, where it is installed.
pub(crate) fn miri(workspace: &Workspace) -> anyhow::Result<()> {
    if !succeeds(workspace.cargo().args(["miri", "--version"])) {
        say(
            "\n   Miri: left out, it is not installed; `rustup component add miri` on a nightly toolchain has it",
        );
        return Ok(());
    }
    let test = |what: &[&str]| {
        let mut cargo = workspace.cargo();
        cargo.args(["miri", "test", "--locked", "--quiet"]).args(what);
        // Property tests remember failures in files; and Miri is a thousand times slower than the machine.
        cargo.env("MIRIFLAGS", "-Zmiri-disable-isolation");
        cargo.env("PROPTEST_CASES", "8");
        run(&mut cargo)
    };
    step("the ABI and pure code under Miri", || {
        test(&[
            "--package",
            "lumos-connector-abi",
            "--package",
            "lumos-connector-models",
        ])?;
        test(&["--package", "lumos-agent", "--lib", "hosting::frames::"])
    })
}

/// Cargo for a build with these unstable `flags` in a directory of its own.
pub(crate) fn cargo(workspace: &Workspace, task: &str, flags: &str, target: &Path) -> Command {
    let mut cargo = workspace.cargo();
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .args([task, "--target", TARGET, "--locked", "--quiet"]);
    cargo
}
