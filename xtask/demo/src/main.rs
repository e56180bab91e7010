//! The demo behind `cargo xtask up`: a mock app and a throw-away agent, and a tour of calls through the one to the other.
//!
//! Everything lives in one temporary directory and on loopback ports. Each write through the agent is confirmed by
//! asking the mock app directly; whatever does not hold ends the demo with an error. Both programs end with it.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the demo tells its story on the terminal"
)]

mod agent;
mod client;
mod mock_app;
mod signals;
mod tour;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::agent::Agent;
use crate::mock_app::MockApp;

/// Starts a mock app and an agent, makes calls through it, and stays up until ctrl-c
#[derive(Debug, Parser)]
struct Arguments {
    /// The agent's program
    #[arg(long)]
    agent: PathBuf,
    /// The mock app's program
    #[arg(long)]
    mock_app: PathBuf,
    /// End after the calls
    #[arg(long)]
    once: bool,
    /// Connector libraries to drop in
    connectors: Vec<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match demo(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(arguments: &Arguments) -> anyhow::Result<()> {
    client::choose_crypto();
    let directory = tempfile::Builder::new()
        .prefix("lumos-demo-")
        .tempdir()
        .context("cannot make a temporary directory")?;
    let result = perform(arguments, directory.path()).await;
    if result.is_err() {
        let kept = directory.keep();
        show_end_of_log(&kept);
        eprintln!("Its files are kept in {}", kept.display());
    }
    result
}

async fn perform(arguments: &Arguments, directory: &Path) -> anyhow::Result<()> {
    let mut stop = std::pin::pin!(signals::stop()?);
    let mock_app = MockApp::start(&arguments.mock_app).await?;
    println!("The mock app answers at {0} (its API: {0}/docs).", mock_app.url());
    let mut agent = Agent::start(&arguments.agent, directory).await?;
    println!(
        "The agent answers at {}; its files are in {}.",
        agent.url(),
        directory.display()
    );

    let mut result = tokio::select! {
        result = show(arguments, &mut agent, &mock_app) => result,
        () = &mut stop => Err(anyhow::anyhow!("it was told to stop before its end")),
    };
    if result.is_ok() && !arguments.once {
        agent.print_lines_to_paste(mock_app.url());
        result = tokio::select! {
            () = &mut stop => Ok(()),
            result = agent.ended_by_itself() => result,
        };
    }
    agent.end().await;
    mock_app.end().await;
    result
}

async fn show(arguments: &Arguments, agent: &mut Agent, mock_app: &MockApp) -> anyhow::Result<()> {
    for library in &arguments.connectors {
        agent.drop_in(library)?;
    }
    tour::take(agent, mock_app, arguments.connectors.len()).await
}

/// What the agent said last, but for the requests that it answered.
fn show_end_of_log(directory: &Path) {
    let Ok(log) = std::fs::read_to_string(agent::log_file(directory)) else {
        return;
    };
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| !line.contains(" INFO request "))
        .collect();
    eprintln!("\nThe agent's last words:");
    for line in &lines[lines.len().saturating_sub(25)..] {
        eprintln!("  {line}");
    }
}
