//! The benchmarks behind `cargo xtask bench`. Everything is measured in one run, side by side, and told as ratios: times on
//! one machine say little about another.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the figures go to the terminal"
)]

mod agent;
mod answers;
mod baseline;
mod load;
mod single;
mod speed;
mod standing;
mod table;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser};
use demo::installation::Installation;

use crate::agent::Agent;
use crate::baseline::Baseline;
use crate::load::Target;
use crate::speed::Effort;

/// Files dropped in to see how long one takes to serve.
const DROPS: usize = 5;

#[derive(Debug, Parser)]
enum Task {
    Run(Run),
    Baseline(Baseline),
    Load(Load),
}

/// Load a server that runs already, for profiling; the token is in BENCH_TOKEN
#[derive(Debug, Args)]
struct Load {
    #[arg(long)]
    address: SocketAddr,
    /// Its authority's certificate
    #[arg(long)]
    ca: PathBuf,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// APP_ID/CAPABILITY
    path: String,
}

/// Measure everything
#[derive(Debug, Args)]
struct Run {
    /// The agent's program
    #[arg(long)]
    agent: PathBuf,
    /// The Rust connector that does nothing
    #[arg(long)]
    noop: PathBuf,
    /// The source of the C connector that does nothing
    #[arg(long)]
    source: PathBuf,
    /// Where lumos_connector.h is
    #[arg(long)]
    include: PathBuf,
    /// Look only, do not measure well
    #[arg(long)]
    quick: bool,
    /// Only this part
    #[arg(long)]
    only: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Calls a second and their time, also against a process for every call
    Calls,
    /// Memory and starts
    Standing,
}

fn main() -> ExitCode {
    // Only fails if something has been chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = match Task::parse() {
        Task::Run(run) => alone(measure(&run)),
        Task::Baseline(baseline) => serving(&baseline),
        Task::Load(load) => alone(put_load(&load)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The load is one thread's.
fn alone(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start")?.block_on(task)
}

/// The baseline has the threads that the agent has.
fn serving(baseline: &Baseline) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .context("cannot start")?
        .block_on(baseline::serve(baseline))
}

async fn measure(run: &Run) -> anyhow::Result<()> {
    let directory = tempfile::Builder::new().prefix("lumos-bench-").tempdir();
    let directory = directory.context("cannot make a temporary directory")?;
    if run.only != Some(Part::Standing) {
        calls(run, directory.path()).await?;
    }
    if run.only != Some(Part::Calls) {
        standing(run, directory.path()).await?;
    }
    Ok(())
}

async fn put_load(load: &Load) -> anyhow::Result<()> {
    let ca = std::fs::read(&load.ca).context("cannot read the CA certificate")?;
    let target = Target {
        address: load.address,
        token: std::env::var(baseline::TOKEN).context("there is no token")?,
        tls: load::trusting(&ca)?,
    };
    let time = Duration::from_secs(load.seconds);
    let sample = target.load(&load.path, load.connections, time).await?;
    println!(
        "{} calls a second, median {} µs",
        table::count(sample.per_second),
        table::count(sample.median.as_secs_f64() * 1e6)
    );
    Ok(())
}

async fn calls(run: &Run, directory: &Path) -> anyhow::Result<()> {
    let effort = if run.quick {
        Effort {
            rounds: 1,
            time: Duration::from_millis(500),
        }
    } else {
        Effort {
            rounds: 5,
            time: Duration::from_secs(1),
        }
    };
    let process = Installation::make(&run.agent, &directory.join("process")).await?;
    let in_process = Installation::make(&run.agent, &directory.join("in-process")).await?;
    answers::record(&process, &run.noop, directory).await?;
    let connector = answers::connector(&run.source, &run.include, directory, "noop-c", true).await?;
    for installation in [&process, &in_process] {
        installation.drop_in(&run.noop)?;
        installation.drop_in(&connector)?;
    }
    let (process, _) = Agent::start(process, "process", 2).await?;
    let (in_process, _) = Agent::start(in_process, "in-process", 2).await?;
    let (server, target) = speed::baseline(&process, directory).await?;
    let resident = speed::measure(target, &process, &in_process, directory, effort).await?;
    server.end().await;
    in_process.end().await;
    let installation = process.end().await;
    single::measure(
        &installation,
        &connector,
        if run.quick { 5 } else { 40 },
        resident,
    )
    .await
}

async fn standing(run: &Run, directory: &Path) -> anyhow::Result<()> {
    let installation = Installation::make(&run.agent, &directory.join("any")).await?;
    answers::record(&installation, &run.noop, directory).await?;
    let mut libraries = Vec::new();
    for n in 0..100 + DROPS {
        let app_id = format!("standing-{n}");
        libraries.push(answers::connector(&run.source, &run.include, directory, &app_id, false).await?);
    }
    standing::measure(&run.agent, directory, &libraries, DROPS).await
}
