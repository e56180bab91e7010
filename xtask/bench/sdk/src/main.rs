//! Behind `cargo xtask bench --only sdk`: a program of its own, for it needs no agent.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the figures go to the terminal"
)]

mod measure;
#[path = "../../src/table.rs"]
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::measure::Effort;

/// Measure the SDK beside the reference SDK
#[derive(Debug, Parser)]
struct Arguments {
    /// The Python that has the reference SDK
    #[arg(long)]
    python: PathBuf,
    /// Where the connector for the reference SDK is
    #[arg(long)]
    connectors: PathBuf,
    /// The script that calls it
    #[arg(long)]
    script: PathBuf,
    /// Look only, do not measure well
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let effort = Effort {
        rounds: if arguments.quick { 3 } else { 15 },
        calls: if arguments.quick { 10 } else { 40 },
    };
    // One worker besides this thread, as a connector's host has for a lone call.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start")?;
    let measure = measure::all(
        &arguments.python,
        &arguments.connectors,
        &arguments.script,
        effort,
    );
    runtime.block_on(measure)
}
