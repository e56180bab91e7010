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
    measure::all(
        &arguments.python,
        &arguments.connectors,
        &arguments.script,
        effort,
    )
}
