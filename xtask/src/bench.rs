//! `cargo xtask bench`: builds the agent and the benchmarks for release, and hands over to them.

use crate::run::{run, step};
use crate::workspace::Workspace;
use crate::{need, reference};

/// Builds and measures; `only` is one part of it.
pub(crate) fn run_all(workspace: &Workspace, quick: bool, only: Option<&str>) -> anyhow::Result<()> {
    anyhow::ensure!(cfg!(target_os = "linux"), "the benchmarks need Linux");
    need::compilers()?;
    let with_reference = only.is_none_or(|part| part == "sdk");
    if with_reference {
        step("the reference SDK", || reference::prepare(workspace))?;
    }
    step("build for release", || {
        let packages = ["lumos-agent", "bench", "bench-noop"];
        let packages = packages.iter().flat_map(|package| ["--package", package]);
        run(workspace
            .cargo()
            .args(["build", "--release", "--locked"])
            .args(packages))
    })?;
    step("measure", || {
        let built = |file: &str| workspace.target().join("release").join(file);
        let mut bench = workspace.command(built("bench"));
        bench.arg("run").arg("--agent").arg(built("lumos-agent"));
        bench.arg("--noop").arg(built("libbench_noop.so"));
        bench
            .arg("--source")
            .arg(workspace.path("xtask/bench/noop-c/noop.c"));
        bench.arg("--include").arg(workspace.path("plugin-api/include"));
        if with_reference {
            bench.arg("--python").arg(reference::python(workspace));
            bench
                .arg("--connectors")
                .arg(workspace.path("plugins/mockapp/tests/reference"));
            bench
                .arg("--script")
                .arg(workspace.path("xtask/bench/reference.py"));
        }
        if quick {
            bench.arg("--quick");
        }
        if let Some(part) = only {
            bench.args(["--only", part]);
        }
        run(&mut bench)
    })
}
