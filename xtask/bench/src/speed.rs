//! Calls a second, and the time that a call takes, beside the baseline.
//!
//! All servers run at once and are loaded in turn, so that whatever else the machine does hits all of them alike. A ratio
//! is made within each round; the middle one of all rounds is told.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use demo::installation::free_address;
use demo::program::Program;
use tokio::process::Command;

use crate::agent::Agent;
use crate::answers::{LONG, SHORT, file_of};
use crate::baseline::TOKEN;
use crate::load::{Sample, Target};
use crate::table::{Table, count, median};

/// How long and how often everything is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

const CONNECTIONS: [usize; 3] = [1, 8, 64];
const CONNECTORS: [&str; 2] = ["noop-c", "noop-rust"];

/// A server and the connector called there. The first of all is the baseline.
struct Lane {
    name: String,
    target: Target,
    connector: &'static str,
}

/// What is reported of one kind of load: for each lane the ratio to the baseline, and the time of a call.
struct Figures {
    baseline: f64,
    ratios: Vec<f64>,
    medians: Vec<Duration>,
}

/// Starts the baseline with the certificate of `agent`.
pub(crate) async fn baseline(agent: &Agent, answers: &Path) -> anyhow::Result<(Program, Target)> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe().context("this program has no name")?);
    command.arg("baseline").arg("--listen").arg(address.to_string());
    command
        .arg("--tls")
        .arg(agent.installation.directory().join("tls"));
    command.arg("--answers").arg(answers);
    command.env(TOKEN, &agent.installation.token).stdin(Stdio::null());
    let program = Program::start(&mut command).context("cannot start the baseline")?;
    let target = Target {
        address,
        ..agent.target()?
    };
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((program, target))
}

/// Measures everything and prints the tables. Gives the calls a second of the process-isolated C connector, one at a time.
pub(crate) async fn measure(
    baseline: Target,
    process: &Agent,
    in_process: &Agent,
    answers: &Path,
    effort: Effort,
) -> anyhow::Result<f64> {
    let mut lanes = vec![Lane {
        name: "B".into(),
        target: baseline,
        connector: CONNECTORS[0],
    }];
    for connector in CONNECTORS {
        for (agent, isolation) in [(process, "process"), (in_process, "in-process")] {
            lanes.push(Lane {
                name: format!("{} {isolation}", connector.trim_start_matches("noop-")),
                target: agent.target()?,
                connector,
            });
        }
    }
    let mut speeds = Table::new(headings(&lanes, "÷ B"));
    let mut times = Table::new(headings(&lanes, "more"));
    let mut one_at_a_time = 0.0;
    for capability in [SHORT, LONG] {
        let bytes = check(&lanes, capability, answers).await?;
        for connections in CONNECTIONS {
            let figures = figures(&lanes, capability, connections, effort).await?;
            speeds.row(speed_row(bytes, connections, &figures));
            times.row(time_row(bytes, connections, &figures));
            if (capability, connections) == (SHORT, 1) {
                one_at_a_time = figures.baseline * figures.ratios[1];
            }
        }
    }
    println!("\nCalls a second: the baseline, and each of the others as a part of it.");
    speeds.print();
    println!("\nThe median time of a call: the baseline, and what each of the others adds to it.");
    times.print();
    Ok(one_at_a_time)
}

fn headings(lanes: &[Lane], what: &str) -> Vec<String> {
    let mut headings: Vec<String> = vec!["answer".into(), "connections".into(), "B".into()];
    headings.extend(lanes[1..].iter().map(|lane| format!("{} {what}", lane.name)));
    headings
}

/// All servers must give the same bytes; gives how many.
async fn check(lanes: &[Lane], capability: &str, answers: &Path) -> anyhow::Result<usize> {
    let expected = std::fs::read(file_of(answers, capability)).context("an answer is missing")?;
    for lane in lanes {
        let answer = lane
            .target
            .once(&format!("{}/{capability}", lane.connector))
            .await?;
        ensure!(
            answer == expected,
            "{} gives another answer to {capability}",
            lane.name
        );
    }
    Ok(expected.len())
}

async fn figures(
    lanes: &[Lane],
    capability: &str,
    connections: usize,
    effort: Effort,
) -> anyhow::Result<Figures> {
    let mut rounds: Vec<Vec<Sample>> = Vec::new();
    for _ in 0..effort.rounds {
        let mut round = Vec::new();
        for lane in lanes {
            let path = format!("{}/{capability}", lane.connector);
            round.push(lane.target.load(&path, connections, effort.time).await?);
        }
        rounds.push(round);
    }
    let ratio = |lane: usize| {
        median(
            rounds
                .iter()
                .map(|round| round[lane].per_second / round[0].per_second)
                .collect(),
        )
    };
    let time = |lane: usize| {
        median(
            rounds
                .iter()
                .map(|round| round[lane].median.as_secs_f64())
                .collect(),
        )
    };
    Ok(Figures {
        baseline: median(rounds.iter().map(|round| round[0].per_second).collect()),
        ratios: (0..lanes.len()).map(ratio).collect(),
        medians: (0..lanes.len()).map(time).map(Duration::from_secs_f64).collect(),
    })
}

fn labels(bytes: usize, connections: usize) -> Vec<String> {
    let size = if bytes < 1000 {
        format!("{bytes} B")
    } else {
        format!("{} KB", bytes / 1000)
    };
    vec![size, connections.to_string()]
}

fn speed_row(bytes: usize, connections: usize, figures: &Figures) -> Vec<String> {
    let mut row = labels(bytes, connections);
    row.push(format!("{}/s", count(figures.baseline)));
    row.extend(figures.ratios[1..].iter().map(|ratio| format!("{ratio:.2}")));
    row
}

fn time_row(bytes: usize, connections: usize, figures: &Figures) -> Vec<String> {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let base = micros(figures.medians[0]);
    let mut row = labels(bytes, connections);
    row.push(format!("{} µs", count(base)));
    let added = figures.medians[1..].iter().map(|&time| micros(time) - base);
    row.extend(added.map(|added| format!("{added:+.0} µs")));
    row
}
