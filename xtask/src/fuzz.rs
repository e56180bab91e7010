//! Fuzzing guided by coverage: the functions of `lumos_agent::fuzzing` under libFuzzer.
//!
//! What a target learns stays in `{target}/fuzz/corpus`, and the next run goes on from there. An input that breaks one is
//! kept in `{target}/fuzz/findings`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::need;
use crate::run::{run, say, step};
use crate::sanitize::{self, TARGET};
use crate::workspace::Workspace;

/// The targets of `lumos_agent::fuzzing`.
const TARGETS: [&str; 9] = [
    "frames-from-host",
    "frames-to-host",
    "manifest",
    "request-path",
    "connection",
    "headers",
    "body",
    "configuration",
    "signature",
];
/// Coverage for libFuzzer, as cargo-fuzz asks for it.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address";

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// One target; without it each in turn
    target: Option<String>,
    /// How long for each
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Try this one input instead, such as one that was found before
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
}

/// The task.
pub(crate) fn all(workspace: &Workspace, arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(sanitize::possible(), "fuzzing needs Linux on x86-64");
    let chosen: Vec<&str> = TARGETS
        .into_iter()
        .filter(|name| arguments.target.as_ref().is_none_or(|wanted| wanted == name))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "there is no such target; there are {}",
        TARGETS.join(", ")
    );
    let built = workspace.target().join("fuzz");
    step("build the fuzz targets", || {
        need::compilers()?;
        let mut cargo = sanitize::cargo(workspace, "build", COVERAGE, &built);
        // Some optimisation, for speed; and the dev profile's checks of overflows and assertions.
        cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        run(cargo.args(["--package", "fuzz", "--features", "libfuzzer"]))
    })?;
    for name in chosen {
        step(&format!("fuzz {name}"), || match &arguments.input {
            Some(input) => run(program(&built, name).env("RUST_BACKTRACE", "1").arg(input)),
            None => one(&built, name, arguments.seconds),
        })?;
    }
    Ok(())
}

fn program(built: &Path, name: &str) -> Command {
    let mut program = Command::new(built.join(TARGET).join("debug/fuzz"));
    program.env("LUMOS_FUZZ_TARGET", name);
    program
}

fn one(built: &Path, name: &str, seconds: u32) -> anyhow::Result<()> {
    let corpus = directory(built.join("corpus").join(name))?;
    let findings = directory(built.join("findings"))?;
    let (words, log) = (
        built.join(format!("{name}.dict")),
        built.join(format!("{name}.log")),
    );
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut fuzzer = program(built, name);
    fuzzer
        .env("LUMOS_FUZZ_SEEDS", &corpus)
        .env("LUMOS_FUZZ_WORDS", &words);
    fuzzer.args(["-max_len=16384", "-timeout=10", "-print_funcs=0"]);
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-dict={}", words.display()));
    fuzzer.arg(format!("-artifact_prefix={}/{name}-", findings.display()));
    let status = fuzzer
        .arg(corpus)
        .stderr(output)
        .status()
        .context("cannot run the fuzzer")?;
    let told = std::fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let told = String::from_utf8_lossy(&told);
    if !status.success() {
        bail!("{}", finding(name, &told, &log));
    }
    let summary = told.lines().rfind(|line| line.contains("DONE"));
    say(&format!(
        "   {}",
        summary.unwrap_or("it ended without a summary").trim()
    ));
    Ok(())
}

/// What went wrong, and how to see it again.
fn finding(name: &str, told: &str, log: &Path) -> String {
    const LINES: usize = 40;
    let lines: Vec<&str> = told.lines().collect();
    let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
    let Some((_, input)) = told.rsplit_once("Test unit written to ") else {
        return format!(
            "{end}\n\nthe fuzzer failed; all that it said is in {}",
            log.display()
        );
    };
    let input = input.lines().next().unwrap_or_default();
    format!(
        "{end}\n\n{name} breaks on an input\n  all that was said  {}\n  see it again       cargo xtask fuzz {name} --input {input}\n  \
         keep it fixed      add the input to the target's seeds in agent/src/fuzzing.rs, which every test run tries",
        log.display()
    )
}

fn directory(path: PathBuf) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(&path)
        .with_context(|| format!("cannot make the directory {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_how_to_see_it_again() {
        let told = "INFO: Seed: 1\nthread '<unnamed>' panicked at a.rs:1:2:\nno JSON\n\
            artifact_prefix='/t/body-'; Test unit written to /t/body-crash-00ff\nBase64: e30=\n";
        let text = finding("body", told, Path::new("/t/body.log"));
        assert!(text.contains("no JSON"), "{text}");
        assert!(
            text.contains("cargo xtask fuzz body --input /t/body-crash-00ff\n"),
            "{text}"
        );
        let other = finding("body", "no main\n", Path::new("/t/body.log"));
        assert!(
            other.starts_with("no main\n") && other.ends_with("/t/body.log"),
            "{other}"
        );
    }
}
