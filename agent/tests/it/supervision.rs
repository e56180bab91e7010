//! Hosts that hang, an agent that is told to end, and one whose binary is upgraded while it runs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation, PATIENCE};
use crate::support::connectors::{drop_in, set_mode};
use crate::support::home::{copy_agent, text};
use crate::support::load::Load;
use crate::support::residue::descendants;
use crate::support::scenario::{Scenario, build};

fn installation(configuration: &str) -> (Installation, String) {
    let installation = Installation::new();
    installation.configure(configuration);
    let token = installation.token("test", &["*:*"]);
    let library = build(&Scenario::default());
    drop_in(&library, &installation.connectors(), "scenario.so");
    (installation, token)
}

fn agent(configuration: &str) -> (Agent, String) {
    let (installation, token) = installation(configuration);
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    (agent, token)
}

fn host(agent: &Agent) -> Pid {
    let pid = agent.row("scenario").unwrap()["pid"].as_i64().unwrap();
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

fn until_replaced(agent: &mut Agent, old: Pid) -> Value {
    agent.eventually("a fresh host", |agent| {
        agent.row("scenario").filter(|row| {
            row["state"] == "ready" && row["pid"].as_i64() != Some(old.as_raw_nonzero().get().into())
        })
    })
}

async fn slow_call(agent: &Agent, token: &str, capability: &str, ms: u64) -> tokio::task::JoinHandle<u16> {
    let url = format!("{}/scenario/{capability}", agent.base_url);
    let request = agent.client().post(url).bearer_auth(token);
    let request = request.json(&json!({"request": {"ms": ms}}));
    tokio::spawn(async move {
        request
            .send()
            .await
            .map_or(0, |response| response.status().as_u16())
    })
}

fn until_in_flight(agent: &mut Agent) {
    agent.eventually("the call to begin", |agent| {
        agent.row("scenario").filter(|row| row["in_flight"] == 1)
    });
}

async fn until_draining(agent: &Agent, token: &str) {
    let begun = Instant::now();
    while agent.call(token, "scenario", "list_accounts", &json!({})).await.0 != 503 {
        assert!(begun.elapsed() < PATIENCE, "never drained");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stopped_host_is_noticed_and_replaced() {
    let (mut agent, token) = agent("");
    let old = host(&agent);
    let call = slow_call(&agent, &token, "create_account", 600_000).await;
    until_in_flight(&mut agent);
    kill_process(old, Signal::STOP).unwrap();
    let row = until_replaced(&mut agent, old);
    let said = row["last_error"].as_str().unwrap();
    assert!(said.contains("did not answer"), "{said}");
    assert_eq!(call.await.unwrap(), 502);
    let (status, _) = agent.call(&token, "scenario", "list_accounts", &json!({})).await;
    assert_eq!(status, 200);
    assert!(!Path::new(&format!("/proc/{}", old.as_raw_nonzero())).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_term_ends_the_agent_at_once() {
    // Longer than the test waits: only the second signal can end it.
    let (mut agent, token) = agent("agent.shutdown_grace = \"30m\"");
    let host = host(&agent);
    let call = slow_call(&agent, &token, "create_account", 600_000).await;
    until_in_flight(&mut agent);
    agent.signal(Signal::TERM);
    until_draining(&agent, &token).await;
    agent.signal(Signal::TERM);
    let (code, _installation) = agent.ended();
    assert_eq!(code, Some(0));
    assert_ne!(call.await.unwrap(), 200);
    let begun = Instant::now();
    while Path::new(&format!("/proc/{}", host.as_raw_nonzero())).exists() {
        assert!(begun.elapsed() < PATIENCE, "the host is left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_that_drains_can_be_asked_and_is_not_ready() {
    let (mut agent, token) = agent("agent.shutdown_grace = \"30m\"");
    let ask = |agent: &Agent, args: &[&str]| {
        let output = agent.installation.run(args);
        (output.status.code(), text(&output.stdout))
    };
    let ready = ["status", "--ready", "--output", "table"];
    let (code, told) = ask(&agent, &ready);
    assert!(code == Some(0) && !told.contains("not ready"), "{code:?} {told}");

    let _call = slow_call(&agent, &token, "create_account", 600_000).await;
    until_in_flight(&mut agent);
    agent.signal(Signal::TERM);
    until_draining(&agent, &token).await;
    let (code, told) = ask(&agent, &ready);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("not ready            the agent is shutting down"),
        "{told}"
    );
    assert_eq!(
        ask(&agent, &ready[..1]).0,
        Some(0),
        "it lives, which is all that was asked"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_under_load_ends_what_runs_and_refuses_the_rest() {
    let (agent, token) = agent("");
    let load = Load::start(
        &agent,
        &token,
        "scenario/create_account",
        8,
        |caller, n| json!({"request": {"ms": 100 + (caller * 31 + n * 17) % 200}}),
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let long = slow_call(&agent, &token, "get_last_activity", 2000).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = Instant::now();
    let (code, _) = agent.stop();
    assert_eq!(code, Some(0));
    assert_eq!(long.await.unwrap(), 200, "a call in flight goes on to its end");
    // In order: served; refused; nobody there any more.
    let rank = |status| [200, 503, 0].iter().position(|known| *known == status);
    for caller in load.stop().await {
        let statuses: Vec<u16> = caller.iter().map(|sample| sample.status).collect();
        let head = &statuses[..statuses.len().min(200)];
        let ranks: Option<Vec<usize>> = statuses.iter().map(|status| rank(*status)).collect();
        assert!(ranks.is_some_and(|ranks| ranks.is_sorted()), "{head:?}");
        let begun = caller
            .iter()
            .filter(|sample| sample.began + Duration::from_millis(50) < told);
        assert!(begun.into_iter().all(|sample| sample.status == 200), "{head:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_start_after_the_agents_binary_was_replaced() {
    let (installation, token) = installation("");
    let binary = installation.file("lumos-agent-copy");
    copy_agent(&binary);
    let mut agent = installation.start_copy(&binary);
    agent.wait_for("scenario", "ready");

    let upgrade = agent.installation.file("upgrade");
    fs::write(
        &upgrade,
        "#!/bin/false\nanother version, which speaks another protocol\n",
    )
    .unwrap();
    set_mode(&upgrade, 0o755);
    fs::rename(&upgrade, &binary).unwrap();

    let old = host(&agent);
    kill_process(old, Signal::KILL).unwrap();
    until_replaced(&mut agent, old);
    let library = build(&Scenario {
        app_id: "newcomer",
        ..Scenario::default()
    });
    drop_in(&library, &agent.installation.connectors(), "newcomer.so");
    agent.wait_for("newcomer", "ready");
    let (status, _) = agent.call(&token, "newcomer", "list_accounts", &json!({})).await;
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_agent_leaves_nothing_in_the_way_of_the_next() {
    let (mut agent, token) = agent("");
    let call = slow_call(&agent, &token, "create_account", 600_000).await;
    until_in_flight(&mut agent);
    let hosts = descendants(agent.pid());
    assert!(!hosts.is_empty());
    let installation = agent.kill();
    assert_ne!(call.await.unwrap(), 200);
    let begun = Instant::now();
    while hosts
        .iter()
        .any(|pid| Path::new(&format!("/proc/{pid}")).exists())
    {
        assert!(begun.elapsed() < PATIENCE, "hosts are left: {hosts:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut agent = installation.start();
    let row = agent.wait_for("scenario", "ready");
    assert_eq!(row["last_error"], Value::Null, "{row}");
    let (status, _) = agent.call(&token, "scenario", "list_accounts", &json!({})).await;
    assert_eq!(status, 200);
}
