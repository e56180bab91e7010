//! `cargo xtask test`: what continuous integration runs. Cheap checks come first, so that a slip shows early.

use crate::run::{run, say, step};
use crate::workspace::Workspace;
use crate::{c, container, lint, need, package, reference, sanitize, windows};

/// The module of tests that run for many minutes.
const SOAK: &str = "soak::";

/// Everything; with `full` also the tests that are marked as ignored because they take long.
pub(crate) fn run_all(workspace: &Workspace, full: bool) -> anyhow::Result<()> {
    step("what the tests need", || {
        need::rust_components()?;
        need::compilers()?;
        need::openssl()?;
        if cfg!(target_os = "linux") {
            need::systemd()?;
        }
        if windows::possible() {
            windows::prepare()
        } else {
            Ok(())
        }
    })?;
    lint::format(workspace)?;
    if cfg!(unix) {
        c::header(workspace)?;
        c::example(workspace)?;
    }
    lint::clippy(workspace)?;
    if full {
        lint::dependencies(workspace)?;
    } else {
        lint::dependencies_if_installed(workspace)?;
    }
    step("the reference SDK", || reference::prepare(workspace))?;
    tests(workspace, full)?;
    if full && cfg!(target_os = "linux") {
        soak(workspace)?;
    }
    if !full {
        reference::compare(workspace)?;
    }
    sanitize::address(workspace)?;
    sanitize::miri(workspace)?;
    if cfg!(target_os = "linux") {
        // What a release build would add takes minutes, and is not in the packages' hands.
        package::test(workspace)?;
        container::check(workspace, package::Profile::Dev)?;
    }
    if windows::possible() {
        windows::test(workspace)?;
    }
    say("\nAll tests passed.");
    Ok(())
}

/// Libraries and programs are built too, because tests load and start them.
fn tests(workspace: &Workspace, full: bool) -> anyhow::Result<()> {
    step("build", || {
        let what = [
            "build",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--locked",
            "--quiet",
        ];
        run(workspace.cargo().args(what))
    })?;
    step("tests", || {
        let mut cargo = testing(workspace);
        cargo.args(["--workspace", "--no-fail-fast"]);
        cargo.env(reference::VARIABLE, reference::environment(workspace));
        if full {
            cargo.args(["--", "--include-ignored", "--skip", SOAK]);
        }
        run(&mut cargo)
    })
}

/// Many reloads and calls, with nothing else beside them. Prints what the agent holds meanwhile.
fn soak(workspace: &Workspace) -> anyhow::Result<()> {
    step("soak", || {
        let mut cargo = testing(workspace);
        cargo.args(["--workspace", "--test", "it", "--", SOAK]);
        cargo.args(["--include-ignored", "--nocapture", "--test-threads", "1"]);
        run(&mut cargo)
    })
}

/// `cargo test` with what tests need to know.
fn testing(workspace: &Workspace) -> std::process::Command {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--locked", "--quiet"]);
    // Tests talk to servers of their own on this machine, whatever proxy leads elsewhere.
    cargo.env("NO_PROXY", "127.0.0.1,localhost");
    cargo.env("LUMOS_TEST_LIBRARIES", workspace.built(""));
    cargo
}
