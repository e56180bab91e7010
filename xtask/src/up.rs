//! `cargo xtask up`: builds the agent, the mock app and the example connectors, and hands over to the demo program.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::path::PathBuf;
use std::process::Command;

use crate::run::{run, say, step};
use crate::workspace::Workspace;
use crate::{c, need};

/// Builds and shows everything; with `once` it ends after the calls.
pub(crate) fn show(workspace: &Workspace, once: bool) -> anyhow::Result<()> {
    let mut connectors = Vec::new();
    step("build", || {
        let packages = [
            "lumos-agent",
            "mockapp",
            "mockapp-server",
            "example-minimal",
            "demo",
        ];
        let packages = packages.iter().flat_map(|package| ["--package", package]);
        run(workspace.cargo().args(["build", "--locked"]).args(packages))?;
        connectors.push(library(workspace, "mockapp"));
        connectors.push(library(workspace, "example_minimal"));
        if cfg!(unix) {
            need::compilers()?;
            connectors.push(c::example_library(workspace)?);
        }
        Ok(())
    })?;
    let mut demo = Command::new(program(workspace, "demo"));
    demo.arg("--agent").arg(program(workspace, "lumos-agent"));
    demo.arg("--mock-app").arg(program(workspace, "mockapp-server"));
    if once {
        demo.arg("--once");
    }
    demo.args(connectors);
    say("");
    become_program(demo)
}

fn program(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.built(&format!("{name}{EXE_SUFFIX}"))
}

fn library(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.built(&format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"))
}

/// The demo takes this process's place, so that a signal to it reaches the one who has children to end.
#[cfg(unix)]
fn become_program(mut command: Command) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    Err(anyhow::Error::new(command.exec()).context("cannot start the demo"))
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> anyhow::Result<()> {
    run(&mut command)
}
