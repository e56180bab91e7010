//! What needs the compiler's sanitizers: fuzzing guided by coverage, and the host under the address sanitizer.
//!
//! Both are unstable flags of rustc; `RUSTC_BOOTSTRAP` lets the ordinary compiler take them. What they build goes to
//! directories of its own, because every crate must be built with the flags.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::need;
use crate::run::{run, say, step, succeeds};
use crate::workspace::Workspace;

/// The targets of `lumos_agent::fuzzing`.
const TARGETS: [&str; 8] = [
    "frames-from-host",
    "frames-to-host",
    "manifest",
    "request-path",
    "headers",
    "body",
    "configuration",
    "signature",
];
/// Where sanitizers are known to work. Naming the target keeps the flags from build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Coverage for libFuzzer, as cargo-fuzz asks for it.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address";
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

/// Runs `target`, or each in turn, for `seconds`. What it learns stays in `{target}/fuzz/corpus`.
pub(crate) fn fuzz(workspace: &Workspace, target: Option<&str>, seconds: u32) -> anyhow::Result<()> {
    anyhow::ensure!(possible(), "fuzzing needs Linux on x86-64");
    let chosen: Vec<&str> = TARGETS
        .into_iter()
        .filter(|name| target.is_none_or(|wanted| wanted == *name))
        .collect();
    anyhow::ensure!(
        !chosen.is_empty(),
        "there is no such target; there are {}",
        TARGETS.join(", ")
    );
    let built = workspace.target().join("fuzz");
    step("build the fuzz targets", || {
        need::compilers()?;
        let mut cargo = sanitized(workspace, "build", COVERAGE, &built);
        // Some optimisation, for speed; and the dev profile's checks of overflows and assertions.
        cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        run(cargo.args(["--package", "fuzz", "--features", "libfuzzer"]))
    })?;
    let program = built.join(TARGET).join("debug/fuzz");
    for name in chosen {
        step(&format!("fuzz {name}"), || {
            let corpus = directory(built.join("corpus").join(name))?;
            let findings = directory(built.join("findings"))?;
            let mut fuzzer = Command::new(&program);
            fuzzer
                .env("LUMOS_FUZZ_TARGET", name)
                .env("LUMOS_FUZZ_SEEDS", &corpus);
            fuzzer.args([
                "-max_len=16384",
                "-timeout=10",
                "-print_final_stats=1",
                "-verbosity=0",
            ]);
            fuzzer.arg(format!("-max_total_time={seconds}"));
            fuzzer.arg(format!("-artifact_prefix={}/{name}-", findings.display()));
            run(fuzzer.arg(corpus))
        })?;
    }
    Ok(())
}

/// The hosting tests against an agent and C fixtures that are built with the address sanitizer.
pub(crate) fn address(workspace: &Workspace) -> anyhow::Result<()> {
    if !possible() {
        say("\n   address sanitizer: left out, it needs Linux on x86-64");
        return Ok(());
    }
    step("hosts and C connectors under the address sanitizer", || {
        let mut cargo = sanitized(workspace, "test", ADDRESS, &workspace.target().join("asan"));
        cargo.args(["--package", "lumos-agent", "--test", "it", "hosting::"]);
        cargo.env("LUMOS_TEST_ASAN", "1");
        // A host ends without running exit handlers, so leaks cannot be told; its signals are the tests' to see.
        cargo.env("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0:handle_abort=0");
        run(&mut cargo)
    })
}

/// The ABI's types under Miri, where it is installed.
pub(crate) fn miri(workspace: &Workspace) -> anyhow::Result<()> {
    if !succeeds(workspace.cargo().args(["miri", "--version"])) {
        say(
            "\n   Miri: left out, it is not installed; `rustup component add miri` on a nightly toolchain has it",
        );
        return Ok(());
    }
    step("the ABI under Miri", || {
        run(workspace
            .cargo()
            .args(["miri", "test", "--package", "lumos-connector-abi", "--locked"]))
    })
}

fn sanitized(workspace: &Workspace, task: &str, flags: &str, target: &std::path::Path) -> Command {
    let mut cargo = workspace.cargo();
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", target)
        .args([task, "--target", TARGET, "--locked", "--quiet"]);
    cargo
}

fn directory(path: PathBuf) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(&path)
        .with_context(|| format!("cannot make the directory {}", path.display()))?;
    Ok(path)
}
