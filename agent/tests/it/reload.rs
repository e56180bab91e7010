//! A connector is replaced again and again under load, every other time by a build that does not do.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation, PATIENCE};
use crate::support::cc;
use crate::support::connectors::drop_in;
use crate::support::load::{Load, Sample};
use crate::support::scenario::{Scenario, build};

/// Builds, from `a` on; their order is the alphabet's.
const BUILDS: [&str; 11] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
/// Faults of `fixtures/rogue.c`, and what is said about them.
const BROKEN: [(u32, &str); 4] = [
    (6, "no licence on this machine"),
    (8, "info is out of order"),
    (9, "wrong app_id"),
    (CRASHES, "its host ended"),
];
const CRASHES: u32 = 10;

fn good(id: &'static str) -> std::path::PathBuf {
    build(&Scenario {
        build: id,
        ..Scenario::default()
    })
}

fn broken(fault: u32) -> std::path::PathBuf {
    cc::connector("rogue", &["APP_ID=\"scenario\"", &format!("FAULT={fault}")])
}

fn replace(agent: &Agent, library: &std::path::Path) {
    drop_in(library, &agent.installation.connectors(), "scenario.so");
}

fn agent() -> (Agent, String) {
    let installation = Installation::new();
    let token = installation.token("test", &["*:*"]);
    drop_in(&good("a"), &installation.connectors(), "scenario.so");
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    (agent, token)
}

async fn until_served(agent: &Agent, token: &str, id: &str) {
    let begun = Instant::now();
    loop {
        let (_, answer) = agent.call(token, "scenario", "list_accounts", &json!({})).await;
        if answer["build"] == id {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "build {id} does not come: {answer}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

fn until_told(agent: &mut Agent, text: &str) -> Value {
    agent.eventually(text, |agent| {
        agent.row("scenario").filter(|row| {
            row["last_error"]
                .as_str()
                .is_some_and(|error| error.contains(text))
        })
    })
}

/// A build that crashes when it is first called passes every test that the agent can make before it gives it calls. Its own
/// calls fail (502), and for as long as the last good build takes to start again there is nobody to serve (503). From the
/// moment it is dropped until the next good build serves, failures of these two kinds are its own.
fn own_failure(sample: &Sample, crashing: &[(Instant, Instant)]) -> bool {
    let during = crashing
        .iter()
        .any(|(from, until)| sample.began + sample.took >= *from && sample.began <= *until);
    let error = &sample.answer["error"]["error_code"];
    let kind = [(502, "connection_closed"), (503, "service_error")]
        .iter()
        .any(|(status, code)| sample.status == *status && error == code);
    during && kind
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_fails_while_builds_come_and_half_of_them_are_broken() {
    let (mut agent, token) = agent();
    let load = Load::start(
        &agent,
        &token,
        "scenario/get_last_activity",
        16,
        |caller, n| json!({"request": {"ms": 50 + (caller * 131 + n * 89) % 451}}),
    );
    let mut crashing = Vec::new();
    for (round, id) in BUILDS[1..].iter().enumerate() {
        let (fault, says) = BROKEN[round % BROKEN.len()];
        let dropped = Instant::now();
        replace(&agent, &broken(fault));
        until_told(&mut agent, says);
        replace(&agent, &good(id));
        until_served(&agent, &token, id).await;
        if fault == CRASHES {
            crashing.push((dropped, Instant::now()));
        }
    }
    let callers = load.stop().await;
    let all = || callers.iter().flatten();
    let failed: Vec<_> = all()
        .filter(|sample| sample.status != 200 && !own_failure(sample, &crashing))
        .map(|sample| (sample.status, &sample.answer))
        .collect();
    println!(
        "reload: {} calls, {} lost to builds that crash",
        all().count(),
        all().filter(|sample| sample.status != 200).count()
    );
    assert!(
        failed.is_empty(),
        "{} calls failed: {:?}",
        failed.len(),
        failed.first()
    );
    for caller in &callers {
        let seen: Vec<&str> = caller
            .iter()
            .filter_map(|sample| sample.answer["build"].as_str())
            .collect();
        assert!(seen.is_sorted(), "builds went backwards for a caller: {seen:?}");
        assert_eq!(seen.first(), Some(&"a"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_build_that_dies_three_times_is_rolled_back() {
    let (mut agent, token) = agent();
    let load = Load::start(
        &agent,
        &token,
        "scenario/get_last_activity",
        2,
        |_, _| json!({"request": {"ms": 50}}),
    );
    replace(&agent, &broken(CRASHES));
    let row = until_told(&mut agent, "ended 3 times within 60 s of its start");
    assert_eq!(
        row["last_error"]
            .as_str()
            .map(|error| error.contains("serves again")),
        Some(true),
        "{row}"
    );
    until_served(&agent, &token, "a").await;
    agent.wait_for("scenario", "ready");
    let before = agent.row("scenario").unwrap();
    for _ in 0..20 {
        let (status, answer) = agent.call(&token, "scenario", "list_accounts", &json!({})).await;
        assert_eq!((status, &answer["build"]), (200, &json!("a")), "{answer}");
    }
    assert_eq!(agent.row("scenario").unwrap()["generation"], before["generation"]);
    // A new file is a new chance.
    replace(&agent, &good("b"));
    until_served(&agent, &token, "b").await;
    load.stop().await;
}
