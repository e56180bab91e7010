//! `cargo xtask bench`: builds the agent, the SDK and the benchmarks for release, and hands over to them.

use crate::run::{run, step};
use crate::workspace::Workspace;
use crate::{need, reference};

/// The part that measures the SDK; the others measure the agent.
const SDK: &str = "sdk";

/// Builds and measures; `only` is one part of it.
pub(crate) fn run_all(workspace: &Workspace, quick: bool, only: Option<&str>) -> anyhow::Result<()> {
    anyhow::ensure!(cfg!(target_os = "linux"), "the benchmarks need Linux");
    if only != Some(SDK) {
        agent(workspace, quick, only)?;
    }
    if only.is_none_or(|part| part == SDK) {
        sdk(workspace, quick)?;
    }
    Ok(())
}

fn agent(workspace: &Workspace, quick: bool, only: Option<&str>) -> anyhow::Result<()> {
    need::compilers()?;
    build(workspace, &["lumos-agent", "bench", "bench-noop"])?;
    step("measure the agent", || {
        let built = |file: &str| workspace.target().join("release").join(file);
        let mut bench = workspace.command(built("bench"));
        bench.arg("run").arg("--agent").arg(built("lumos-agent"));
        bench.arg("--noop").arg(built("libbench_noop.so"));
        bench
            .arg("--source")
            .arg(workspace.path("xtask/bench/noop-c/noop.c"));
        bench.arg("--include").arg(workspace.path("plugin-api/include"));
        if quick {
            bench.arg("--quick");
        }
        if let Some(part) = only {
            bench.args(["--only", part]);
        }
        run(&mut bench)
    })
}

fn sdk(workspace: &Workspace, quick: bool) -> anyhow::Result<()> {
    step("the reference SDK", || reference::prepare(workspace))?;
    build(workspace, &["bench-sdk"])?;
    step("measure the SDK", || {
        let mut bench = workspace.command(workspace.target().join("release/bench-sdk"));
        bench.arg("--python").arg(reference::python(workspace));
        bench
            .arg("--connectors")
            .arg(workspace.path("plugins/mockapp/tests/reference"));
        bench
            .arg("--script")
            .arg(workspace.path("xtask/bench/sdk/reference.py"));
        if quick {
            bench.arg("--quick");
        }
        run(&mut bench)
    })
}

fn build(workspace: &Workspace, packages: &[&str]) -> anyhow::Result<()> {
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    step("build for release", || {
        let mut cargo = workspace.cargo();
        run(cargo.args(["build", "--release", "--locked"]).args(packages))
    })
}
