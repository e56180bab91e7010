//! What holds without running anything: formatting, clippy, and the rules for dependencies in `deny.toml`.

use crate::need;
use crate::run::{run, say, step, succeeds};
use crate::workspace::Workspace;

/// The task: all of them.
pub(crate) fn all(workspace: &Workspace) -> anyhow::Result<()> {
    need::rust_components()?;
    format(workspace)?;
    clippy(workspace)?;
    dependencies(workspace)
}

/// `cargo fmt --check`.
pub(crate) fn format(workspace: &Workspace) -> anyhow::Result<()> {
    step("formatting", || {
        run(workspace.cargo().args(["fmt", "--all", "--check"]))
    })
}

/// Clippy over everything, warnings denied.
pub(crate) fn clippy(workspace: &Workspace) -> anyhow::Result<()> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    step("clippy", || run(workspace.cargo().args(arguments)))
}

/// The rules for dependencies; installs cargo-deny if it is missing.
pub(crate) fn dependencies(workspace: &Workspace) -> anyhow::Result<()> {
    step("rules for dependencies", || {
        need::cargo_deny()?;
        let deny = |what: &[&str]| {
            let mut cargo = workspace.cargo();
            cargo
                .args(["deny", "--workspace", "--log-level", "error"])
                .args(what);
            cargo
        };
        run(&mut deny(&[
            "check",
            "--hide-inclusion-graph",
            "bans",
            "licenses",
            "sources",
        ]))?;
        // The list of known vulnerabilities lives elsewhere; a machine without a way there is not at fault.
        if succeeds(&mut deny(&["fetch", "db"])) {
            return run(&mut deny(&["check", "--hide-inclusion-graph", "advisories"]));
        }
        say("   the list of known vulnerabilities cannot be fetched; left out");
        Ok(())
    })
}

/// The same if cargo-deny is here already: building it takes longer than all the tests.
pub(crate) fn dependencies_if_installed(workspace: &Workspace) -> anyhow::Result<()> {
    if need::exists("cargo-deny") {
        return dependencies(workspace);
    }
    say("\n   rules for dependencies: not checked, cargo-deny is missing; `cargo xtask lint` installs it");
    Ok(())
}
