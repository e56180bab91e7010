//! A connector is replaced again and again under load, every other time by a build that does not do.
//!
//! Some broken builds pass every test that the agent can make before it gives them calls. In a host process that is one that
//! crashes when it is first called. Inside the agent a crash would be the agent's, so its place is taken by one that never
//! ends a call: nothing can end that there either.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::agent::{Agent, PATIENCE};
use crate::support::cc;
use crate::support::connectors::drop_in;
use crate::support::load::{Load, Sample};
use crate::support::scenario::{Scenario, build, serving};

/// Builds, from `a` on; their order is the alphabet's.
const BUILDS: [&str; 11] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
/// Faults of `fixtures/rogue.c`, and what is said about them.
type Fault = (u32, &'static str);
const CREATE: Fault = (6, "no licence on this machine");
const INFO: Fault = (8, "info is out of order");
const NAME: Fault = (9, "wrong app_id");
const CRASHES: Fault = (10, "its host ended");
const HANGS: Fault = (11, "a call did not end within the connector's timeout");

/// How a connector is isolated, and the builds that are broken there.
struct Isolation {
    configuration: &'static str,
    name: &'static str,
    broken: [Fault; 10],
    /// What the callers of [`CRASHES`] or [`HANGS`] get: the status and the error code.
    own: &'static [(u16, &'static str)],
}

const PROCESS: Isolation = Isolation {
    configuration: "",
    name: "process",
    broken: [
        CREATE, INFO, NAME, CRASHES, CREATE, INFO, NAME, CRASHES, CREATE, INFO,
    ],
    own: &[(502, "connection_closed"), (503, "service_error")],
};

/// The timeout is far beyond what a call takes on a busy machine: a good build whose call overstays it would be failed, too.
/// The one that hangs is the last: what it wedges drains for half a minute, and only then comes the next replacement.
const IN_PROCESS: Isolation = Isolation {
    configuration: "connectors.isolation = \"in-process\"\nconnectors.settings.scenario.timeout = \"20s\"",
    name: "in-process",
    broken: [CREATE, INFO, NAME, CREATE, INFO, NAME, CREATE, INFO, NAME, HANGS],
    own: &[(504, "request_timeout"), (503, "service_error")],
};

fn good(id: &'static str) -> PathBuf {
    build(&Scenario {
        build: id,
        ..Scenario::default()
    })
}

fn broken(fault: u32) -> PathBuf {
    cc::connector("rogue", &["APP_ID=\"scenario\"", &format!("FAULT={fault}")])
}

fn replace(agent: &Agent, library: &Path) {
    drop_in(library, &agent.installation.connectors(), "scenario.so");
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

/// Builds that break only under calls fail their own (502, or 504 where they hang), and for as long as the last good build
/// takes to start again, if it may, there is nobody to serve (503). From the moment such a build is dropped until the next
/// good one serves, failures of these kinds are its own.
fn own_failure(sample: &Sample, isolation: &Isolation, broken: &[(Instant, Instant)]) -> bool {
    let during = broken
        .iter()
        .any(|(from, until)| sample.began + sample.took >= *from && sample.began <= *until);
    let error = &sample.answer["error"]["error_code"];
    let kind = isolation
        .own
        .iter()
        .any(|(status, code)| sample.status == *status && error == code);
    during && kind
}

async fn replaced_under_load(isolation: &Isolation) {
    let (mut agent, token) = serving(isolation.configuration);
    assert_eq!(agent.row("scenario").unwrap()["isolation"], isolation.name);
    let load = Load::start(
        &agent,
        &token,
        "scenario/get_last_activity",
        16,
        |caller, n| json!({"request": {"ms": 50 + (caller * 131 + n * 89) % 451}}),
    );
    let mut own = Vec::new();
    for (id, fault) in BUILDS[1..].iter().zip(isolation.broken) {
        let dropped = Instant::now();
        replace(&agent, &broken(fault.0));
        until_told(&mut agent, fault.1);
        replace(&agent, &good(id));
        until_served(&agent, &token, id).await;
        if [CRASHES, HANGS].contains(&fault) {
            own.push((dropped, Instant::now()));
        }
    }
    let callers = load.stop().await;
    judge(&callers, isolation, &own);
    no_copy_is_left(&agent);
}

#[expect(clippy::print_stdout, reason = "measured, not asserted")]
fn judge(callers: &[Vec<Sample>], isolation: &Isolation, own: &[(Instant, Instant)]) {
    let all = || callers.iter().flatten();
    let failed: Vec<_> = all()
        .filter(|sample| sample.status != 200 && !own_failure(sample, isolation, own))
        .map(|sample| (sample.status, &sample.answer))
        .collect();
    println!(
        "reload, {}: {} calls, {} lost to builds that break under calls",
        isolation.name,
        all().count(),
        all().filter(|sample| sample.status != 200).count()
    );
    assert!(
        failed.is_empty(),
        "{} calls failed: {:?}",
        failed.len(),
        failed.first()
    );
    for caller in callers {
        let seen: Vec<&str> = caller
            .iter()
            .filter_map(|sample| sample.answer["build"].as_str())
            .collect();
        assert!(seen.is_sorted(), "builds went backwards for a caller: {seen:?}");
        assert_eq!(seen.first(), Some(&"a"));
    }
}

/// What is mapped into the agent is a copy under a name of its own, which is taken away at once.
fn no_copy_is_left(agent: &Agent) {
    let store = fs::read_dir(agent.installation.file("state/store")).unwrap();
    let names = store.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = names.filter(|name| name.starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_fails_while_builds_come_and_half_of_them_are_broken() {
    replaced_under_load(&PROCESS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_fails_inside_the_agent_either() {
    replaced_under_load(&IN_PROCESS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_build_that_dies_three_times_is_rolled_back() {
    let (mut agent, token) = serving("");
    let load = Load::start(
        &agent,
        &token,
        "scenario/get_last_activity",
        2,
        |_, _| json!({"request": {"ms": 50}}),
    );
    replace(&agent, &broken(CRASHES.0));
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
