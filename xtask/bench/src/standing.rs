//! What the agent takes while it does nothing, how long it takes to be ready, and how long a dropped file takes to serve.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use demo::installation::Installation;

use crate::agent::{Agent, kib};
use crate::answers::SHORT;
use crate::table::{Table, median};

/// How long an agent is left alone before its memory is looked at.
const CALM: Duration = Duration::from_secs(3);
const SIZES: [usize; 3] = [1, 20, 100];
const MIB: f64 = 1024.0;

/// Needs as many libraries as the largest installation has, and some more to drop in.
pub(crate) async fn measure(
    program: &Path,
    directory: &Path,
    libraries: &[PathBuf],
    drops: usize,
) -> anyhow::Result<()> {
    let headings = [
        "connectors",
        "first start",
        "restart",
        "agent's RSS",
        "PSS of a host",
        "drop to serving",
    ];
    let mut table = Table::new(headings.map(str::to_owned).to_vec());
    for size in SIZES {
        let installation = Installation::make(program, &directory.join(format!("standing-{size}"))).await?;
        for library in &libraries[..size] {
            installation.drop_in(library)?;
        }
        let (agent, first) = Agent::start(installation, "process", size).await?;
        let (agent, again) = Agent::start(agent.end().await, "process", size).await?;
        tokio::time::sleep(CALM).await;
        let (resident, host) = memory(&agent)?;
        let serving = drop_in(&agent, &libraries[libraries.len() - drops..]).await?;
        agent.end().await;
        table.row(vec![
            size.to_string(),
            format!("{:.2} s", first.as_secs_f64()),
            format!("{:.2} s", again.as_secs_f64()),
            format!("{resident:.1} MiB"),
            format!("{host:.1} MiB"),
            format!("{:.2} s", serving.as_secs_f64()),
        ]);
    }
    println!("\nStarting and standing by (C connectors in processes of their own).");
    table.print();
    Ok(())
}

fn memory(agent: &Agent) -> anyhow::Result<(f64, f64)> {
    let (agent, hosts) = agent.processes()?;
    let resident = kib(&PathBuf::from(format!("/proc/{agent}/status")), "VmRSS")? / MIB;
    let share = |host: &u32| kib(&PathBuf::from(format!("/proc/{host}/smaps_rollup")), "Pss");
    let shares: Vec<f64> = hosts.iter().map(share).collect::<anyhow::Result<_>>()?;
    Ok((resident, median(shares) / MIB))
}

/// The middle time from the end of the copy to the first answer.
async fn drop_in(agent: &Agent, libraries: &[PathBuf]) -> anyhow::Result<Duration> {
    let target = agent.target()?;
    let mut times = Vec::new();
    for library in libraries {
        let app_id = library
            .file_stem()
            .and_then(|name| name.to_str())
            .context("a library without a name")?;
        agent.installation.drop_in(library)?;
        let begun = Instant::now();
        while target.once(&format!("{app_id}/{SHORT}")).await.is_err() {
            anyhow::ensure!(
                begun.elapsed() < Duration::from_secs(60),
                "{app_id} is never served"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        times.push(begun.elapsed().as_secs_f64());
    }
    Ok(Duration::from_secs_f64(median(times)))
}
