//! Many reloads and calls: whatever the agent holds, it holds as much of it at the end as soon after the start.
//!
//! A short run is part of every test run; `cargo xtask test --full` has the long one. Both print a table.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};

use crate::support::agent::{Agent, PATIENCE};
use crate::support::cc;
use crate::support::connectors::drop_in;
use crate::support::levels::Levels;
use crate::support::scenario::{Scenario, build, serving};

/// Callers at the same time, each with a connection of its own, which is made anew for every cycle.
const CALLERS: u64 = 8;
/// In a host process every tenth cycle begins with a build that does not start.
const BROKEN_EVERY: u64 = 10;

/// What resident memory may differ by, in KiB: allocators keep more or less. Measured is half a MiB over 450 reloads; a
/// leak of 7 KiB for each would be more than this, and a leaked driver, buffer or library is larger.
const MARGIN: u64 = 3 * 1024;

/// What one image of the fixture may take, in KiB: about its file's size. Measured is 27 for each.
const IMAGE: u64 = 40;
/// The areas that one is mapped as: code, constants, relocated constants, data, and what the loader keeps apart.
const SEGMENTS: u64 = 5;

struct Soak {
    isolation: &'static str,
    cycles: u64,
    /// Cycles before the level that must hold is taken: what is made once, and pools that fill, is there by then.
    warm_up: u64,
    calls_per_cycle: u64,
    /// Cycles between two lines of the table.
    every: u64,
}

const SHORT: Soak = Soak {
    isolation: "process",
    cycles: 20,
    warm_up: 5,
    calls_per_cycle: 200,
    every: 5,
};

/// Inside the agent every build stays mapped, so that memory grows with each: by how much is told, and bounded.
const SHORT_INSIDE: Soak = Soak {
    isolation: "in-process",
    cycles: 12,
    warm_up: 4,
    calls_per_cycle: 80,
    every: 4,
};

const LONG_INSIDE: Soak = Soak {
    isolation: "in-process",
    cycles: 200,
    warm_up: 20,
    calls_per_cycle: 400,
    every: 20,
};

const LONG: Soak = Soak {
    isolation: "process",
    cycles: 500,
    warm_up: 50,
    calls_per_cycle: 400,
    every: 50,
};

struct Stage {
    soak: Soak,
    agent: Agent,
    token: String,
    client: Client,
    library: Vec<u8>,
    broken: Vec<u8>,
    generation: u64,
    calls: u64,
}

impl Stage {
    fn new(soak: Soak) -> Self {
        let configuration = format!("connectors.isolation = \"{}\"", soak.isolation);
        let (agent, token) = serving(&configuration);
        Stage {
            client: agent.client(),
            agent,
            token,
            library: std::fs::read(build(&Scenario::default())).unwrap(),
            broken: std::fs::read(cc::connector("rogue", &["APP_ID=\"scenario\"", "FAULT=6"])).unwrap(),
            generation: 1,
            calls: 0,
            soak,
        }
    }

    /// `bytes` as a content that was never seen: what comes after a library's sections is not looked at.
    fn put(&self, bytes: &[u8], number: u64) {
        let file: PathBuf = self.agent.installation.path().join("build");
        let mut content = bytes.to_vec();
        content.extend(number.to_le_bytes());
        std::fs::write(&file, content).unwrap();
        drop_in(&file, &self.agent.installation.connectors(), "scenario.so");
    }

    async fn row(&self) -> Value {
        let request = self.client.get(&self.agent.base_url).bearer_auth(&self.token);
        let rows: Value = request.send().await.unwrap().json().await.unwrap();
        rows[0].clone()
    }

    async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let row = self.row().await;
            if wanted(&row) {
                return row;
            }
            assert!(begun.elapsed() < PATIENCE, "not {what}: {row}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Puts another build in place, and waits until it serves.
    async fn reload(&self, cycle: u64) -> u64 {
        if self.soak.isolation == "process" && cycle.is_multiple_of(BROKEN_EVERY) {
            self.put(&self.broken, cycle);
            self.until("refused", |row| {
                let told = row["last_error"].as_str().unwrap_or_default();
                told.contains("no licence")
            })
            .await;
        }
        self.put(&self.library, cycle);
        let last = self.generation;
        let row = self.until("replaced", |row| {
            row["state"] == "ready" && row["generation"].as_u64() > Some(last) && row["last_error"].is_null()
        });
        row.await["generation"].as_u64().unwrap()
    }

    async fn caller(&self, calls: u64) {
        let client = self.agent.client();
        for n in 0..calls {
            let (capability, fails) = match n % 10 {
                0 => ("assign_entitlement", true),
                1 => ("get_last_activity", false),
                _ => ("list_accounts", false),
            };
            let url = format!("{}/scenario/{capability}", self.agent.base_url);
            let request = client.post(url).bearer_auth(&self.token);
            let request = request.json(&json!({"request": {"ms": 5}}));
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let answer: Value = response.json().await.unwrap();
            assert_eq!((status, answer["is_error"] == true), (200, fails), "{answer}");
        }
    }

    async fn cycle(&mut self, cycle: u64) {
        let share = self.soak.calls_per_cycle / CALLERS;
        let calls = futures_util::future::join_all((0..CALLERS).map(|_| self.caller(share)));
        let (generation, _) = tokio::join!(self.reload(cycle), calls);
        self.generation = generation;
        self.calls += share * CALLERS;
    }

    /// The levels once nothing is under way: no call, and no generation beside the one that serves.
    async fn at_rest(&self, fits: impl Fn(&Levels) -> bool) -> Levels {
        let hosts = u64::from(self.soak.isolation == "process");
        let begun = Instant::now();
        loop {
            let levels = Levels::of(&self.agent);
            let rests = levels.processes == hosts && self.row().await["in_flight"] == 0;
            if (rests && fits(&levels)) || begun.elapsed() > PATIENCE {
                return levels;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn line(cycle: u64, calls: u64, levels: &Levels) {
    let [descriptors, threads, watches, processes, files] = levels.counts();
    println!(
        "{cycle:>6} {calls:>8} {:>13.1} {:>9} {descriptors:>12} {threads:>8} {watches:>8} {processes:>10} {files:>6}",
        levels.resident as f64 / 1024.0,
        levels.mappings,
    );
}

#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn title(isolation: &str) {
    println!("soak, {isolation}");
    println!(
        "{:>6} {:>8} {:>13} {:>9} {:>12} {:>8} {:>8} {:>10} {:>6}",
        "cycles",
        "calls",
        "resident MiB",
        "mappings",
        "descriptors",
        "threads",
        "watches",
        "processes",
        "files"
    );
}

/// The levels after the warm-up and at the end, with the cycles between them.
async fn soak(soak: Soak) -> (Levels, Levels, u64) {
    let mut stage = Stage::new(soak);
    title(stage.soak.isolation);
    let mut base = None;
    for cycle in 1..=stage.soak.cycles {
        stage.cycle(cycle).await;
        if cycle == stage.soak.warm_up {
            base = Some(stage.at_rest(|_| true).await);
        }
        if cycle.is_multiple_of(stage.soak.every) {
            line(cycle, stage.calls, &stage.at_rest(|_| true).await);
        }
    }
    let base = base.unwrap();
    let end = stage.at_rest(|now| no_more(now, &base)).await;
    line(stage.soak.cycles, stage.calls, &end);
    for (name, (then, now)) in Levels::COUNTS.iter().zip(base.counts().iter().zip(end.counts())) {
        assert!(now <= *then, "{now} {name} instead of {then}");
    }
    let between = stage.soak.cycles - stage.soak.warm_up;
    let (code, _) = stage.agent.stop();
    assert_eq!(code, Some(0));
    (base, end, between)
}

fn no_more(now: &Levels, then: &Levels) -> bool {
    now.counts()
        .iter()
        .zip(then.counts())
        .all(|(now, then)| *now <= then)
}

fn level(base: &Levels, end: &Levels) {
    assert!(
        end.resident <= base.resident + MARGIN,
        "{} KiB resident instead of {}",
        end.resident,
        base.resident
    );
}

/// An image stays: its segments, and the pages of them that were touched.
#[expect(clippy::print_stdout, reason = "measured, and bounded")]
fn grown(base: &Levels, end: &Levels, reloads: u64) {
    let resident = end.resident.saturating_sub(base.resident);
    let mappings = end.mappings.saturating_sub(base.mappings);
    println!(
        "for each reload {:.1} KiB and {:.1} mappings stay",
        resident as f64 / reloads as f64,
        mappings as f64 / reloads as f64
    );
    assert!(
        resident <= reloads * IMAGE + MARGIN,
        "{resident} KiB stay of {reloads} images"
    );
    // A few for threads that live at the end and did not before.
    assert!(
        mappings <= reloads * SEGMENTS + 16,
        "{mappings} mappings stay of {reloads} images"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_short_soak_leaves_every_level_where_it_was() {
    let (base, end, _) = soak(SHORT).await;
    level(&base, &end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes many minutes; `cargo xtask test --full` runs it"]
async fn a_long_soak_leaves_every_level_where_it_was() {
    let (base, end, _) = soak(LONG).await;
    level(&base, &end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inside_the_agent_only_images_stay() {
    let (base, end, reloads) = soak(SHORT_INSIDE).await;
    grown(&base, &end, reloads);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes many minutes; `cargo xtask test --full` runs it"]
async fn inside_the_agent_only_images_stay_for_long() {
    let (base, end, reloads) = soak(LONG_INSIDE).await;
    grown(&base, &end, reloads);
}
