//! `isolation = "in-process"`: the same promises, as far as they can be kept without a wall.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::agent::{Agent, Installation, PATIENCE};
use crate::support::cc;
use crate::support::connectors::{drop_in, mockapp};
use crate::support::home::text;
use crate::support::scenario::{Scenario, build};

const IN_PROCESS: &str = "connectors.isolation = \"in-process\"\n";

fn build_of(build_id: &'static str) -> std::path::PathBuf {
    build(&Scenario {
        build: build_id,
        ..Scenario::default()
    })
}

fn agent_with(configuration: &str) -> (Agent, String) {
    let installation = Installation::new();
    installation.configure(configuration);
    let token = installation.token("test", &["*:*"]);
    drop_in(&build_of("a"), &installation.connectors(), "scenario.so");
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    (agent, token)
}

fn begin(
    agent: &Agent,
    token: &str,
    capability: &str,
    ms: u64,
    timeout_ms: u64,
) -> tokio::task::JoinHandle<(u16, Value)> {
    let url = format!("{}/scenario/{capability}", agent.base_url);
    let request = agent.client().post(url).bearer_auth(token);
    let request = request.header("X-Lumos-Timeout-Ms", timeout_ms);
    let request = request.json(&json!({"request": {"ms": ms}}));
    tokio::spawn(async move {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    })
}

fn until_in_flight(agent: &mut Agent, count: u64) {
    agent.eventually("calls to begin or end", |agent| {
        let row = agent.row("scenario")?;
        (row["in_flight"].as_u64() == Some(count)).then_some(())
    });
}

async fn build_id(agent: &Agent, token: &str) -> String {
    let (status, answer) = agent.call(token, "scenario", "list_accounts", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    answer["build"].as_str().unwrap().to_owned()
}

/// Hosts of this agent.
fn hosts(agent: &Agent) -> usize {
    let children = format!("/proc/{0}/task/{0}/children", agent.pid());
    let mut count = fs::read_to_string(children).map_or(0, |text| text.split_whitespace().count());
    for task in fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap() {
        let task = task.unwrap().path();
        if !task.ends_with(agent.pid().to_string()) {
            let children = fs::read_to_string(task.join("children")).unwrap_or_default();
            count += children.split_whitespace().count();
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_served_by_the_agent_itself_and_it_is_said() {
    let (mut agent, token) = agent_with(IN_PROCESS);
    let row = agent.row("scenario").unwrap();
    assert_eq!(
        (&row["isolation"], &row["pid"]),
        (&json!("in-process"), &json!(agent.pid()))
    );
    agent.eventually("the inspecting process to end", |agent| {
        (hosts(agent) == 0).then_some(())
    });
    for (args, says) in [
        (&["connector", "list", "--output", "table"][..], "in-process"),
        (
            &["connector", "show", "scenario", "--output", "table"],
            "its crash is the agent's",
        ),
        (
            &["status", "--output", "table"],
            "it runs inside the agent itself",
        ),
    ] {
        let shown = text(&agent.installation.run(args.iter()).stdout);
        assert!(shown.contains(says), "{shown}");
    }

    assert_eq!(build_id(&agent, &token).await, "a");
    let (status, answer) = agent
        .call(&token, "scenario", "assign_entitlement", &json!({"request": {}}))
        .await;
    assert_eq!((status, &answer["is_error"]), (200, &json!(true)), "{answer}");
    assert_eq!(answer["error"]["error_code"], "internal_error");

    let read = begin(&agent, &token, "get_last_activity", 50_000, 300);
    let (status, answer) = read.await.unwrap();
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (504, &json!("request_timeout"))
    );
    // It was cancelled, so that it ends long before its 50 s.
    until_in_flight(&mut agent, 0);
    let many: Vec<_> = (0..30)
        .map(|_| begin(&agent, &token, "get_last_activity", 50, 30_000))
        .collect();
    for call in many {
        assert_eq!(call.await.unwrap().0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_call_fails_the_generation_until_restart_and_no_sibling() {
    let configuration = "agent.shutdown_grace = \"1s\"\nconnectors.settings.scenario.timeout = \"1s\"\n";
    let (mut agent, token) = agent_with(&format!("{IN_PROCESS}{configuration}"));
    let (status, _) = begin(&agent, &token, "create_account", 600_000, 60_000)
        .await
        .unwrap();
    assert_eq!(status, 504);
    // Calls are served until the ladder is at its end; then one that has just begun still ends.
    let begun = Instant::now();
    let answer = loop {
        let sibling = begin(&agent, &token, "get_last_activity", 300, 60_000)
            .await
            .unwrap();
        match sibling {
            (200, _) => assert!(begun.elapsed() < PATIENCE, "{}", agent.log()),
            (status, answer) => {
                assert_eq!(status, 503, "a sibling was lost: {answer}");
                break answer;
            }
        }
    };
    assert_eq!(answer["error"]["error_code"], "service_error");
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("restarted"),
        "{answer}"
    );
    let row = agent.wait_for("scenario", "quarantined");
    assert!(
        row["last_error"].as_str().unwrap().contains("restart the agent"),
        "{row}"
    );

    // Another build may come beside the wedged thread.
    drop_in(&build_of("b"), &agent.installation.connectors(), "scenario.so");
    agent.wait_for("scenario", "ready");
    assert_eq!(build_id(&agent, &token).await, "b");
    // The first one may not, as long as this agent runs; it goes on serving what it has.
    drop_in(&build_of("a"), &agent.installation.connectors(), "scenario.so");
    let row = agent.eventually("the first build to be seen", |agent| {
        let row = agent.row("scenario")?;
        let said = row["last_error"]
            .as_str()?
            .contains("failed inside this agent before");
        said.then_some(row)
    });
    assert_eq!(row["state"], "ready", "{row}");
    assert_eq!(build_id(&agent, &token).await, "b");

    let (code, installation) = agent.stop();
    assert_eq!(code, Some(0), "a thread that hangs does not hold up the end");
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    assert_eq!(build_id(&agent, &token).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_file_ends_it_after_its_calls_and_it_may_return() {
    let (mut agent, token) = agent_with(IN_PROCESS);
    let slow = begin(&agent, &token, "get_last_activity", 2500, 60_000);
    until_in_flight(&mut agent, 1);
    fs::remove_file(agent.installation.connectors().join("scenario.so")).unwrap();
    agent.eventually("the connector to go", |agent| {
        agent.row("scenario").is_none().then_some(())
    });
    assert_eq!(slow.await.unwrap().0, 200);
    let (status, _) = agent.call(&token, "scenario", "list_accounts", &json!({})).await;
    assert_eq!(status, 404);
    drop_in(&build_of("a"), &agent.installation.connectors(), "scenario.so");
    let row = agent.wait_for("scenario", "ready");
    assert_eq!(
        row["generation"], 2,
        "the same bytes are loaded as an image of their own"
    );
    assert_eq!(build_id(&agent, &token).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_is_switched_by_a_reload_without_a_failed_call() {
    let (agent, token) = agent_with("");
    for (isolation, generation) in [("in-process", 2), ("process", 3), ("in-process", 4)] {
        agent.installation.configure(&format!(
            "connectors.settings.scenario.isolation = \"{isolation}\""
        ));
        agent.signal(rustix::process::Signal::HUP);
        let begun = Instant::now();
        let row = loop {
            assert_eq!(build_id(&agent, &token).await, "a");
            let row = agent.row("scenario").unwrap();
            if row["generation"] == generation && row["state"] == "ready" {
                break row;
            }
            assert!(begun.elapsed() < PATIENCE, "{row}: {}", agent.log());
        };
        assert_eq!(row["isolation"], isolation);
        assert_eq!(row["pid"] == agent.pid(), isolation == "in-process", "{row}");
    }
    let (code, _) = agent.stop();
    assert_eq!(code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rust_connector_is_loaded_again_beside_its_predecessor() {
    let (mut agent, token) = agent_with(IN_PROCESS);
    drop_in(&mockapp(), &agent.installation.connectors(), "mockapp.so");
    agent.wait_for("mockapp", "ready");
    for generation in 2..6 {
        let configuration = format!("{IN_PROCESS}connectors.settings.mockapp.max_in_flight = {generation}");
        agent.installation.configure(&configuration);
        agent.signal(rustix::process::Signal::HUP);
        agent.eventually("the next generation", |agent| {
            let row = agent.row("mockapp")?;
            (row["generation"] == generation && row["state"] == "ready").then_some(())
        });
        let (status, answer) = agent.call(&token, "mockapp", "info", &json!({})).await;
        assert_eq!(
            (status, &answer["response"]["app_id"]),
            (200, &json!("mockapp")),
            "{answer}"
        );
    }
    let detail = agent
        .installation
        .json(["connector", "show", "mockapp", "--output", "json"]);
    let drained = |step: &&Value| step["state"] == "stopped" && step["reason"] == "drained";
    let steps = detail["transitions"].as_array().unwrap();
    assert!(steps.iter().filter(drained).count() >= 3, "{detail:#}");
    let (code, _) = agent.stop();
    assert_eq!(code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_to_something_impossible_leaves_all_as_it_is() {
    let (mut agent, token) = agent_with(IN_PROCESS);
    agent.installation.configure(&format!(
        "{IN_PROCESS}connectors.settings.scenario.memory_limit = \"64MiB\""
    ));
    agent.signal(rustix::process::Signal::HUP);
    agent.eventually("the refusal", |agent| {
        let status = agent.installation.json(["status", "--output", "json"]);
        let error = status["conditions"][0]["message"].as_str()?.to_owned();
        error.contains("needs a process of its own").then_some(())
    });
    assert_eq!(agent.row("scenario").unwrap()["generation"], 1);
    assert_eq!(build_id(&agent, &token).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_modes_live_side_by_side_and_survive_a_restart() {
    let (mut agent, token) = agent_with("connectors.settings.scenario.isolation = \"in-process\"\n");
    let apart = build(&Scenario {
        app_id: "apart",
        build: "x",
        ..Scenario::default()
    });
    drop_in(&apart, &agent.installation.connectors(), "apart.so");
    let row = agent.wait_for("apart", "ready");
    assert_eq!(row["isolation"], "process");
    assert_ne!(row["pid"], agent.pid());
    // A crash of the one in a process is nobody else's.
    let (status, _) = agent
        .call(&token, "apart", "delete_account", &json!({"request": {}}))
        .await;
    assert_eq!(status, 502);
    assert_eq!(build_id(&agent, &token).await, "a");

    let (code, installation) = agent.stop();
    assert_eq!(code, Some(0));
    let mut agent = installation.start();
    let row = agent.wait_for("scenario", "ready");
    assert_eq!(
        (&row["generation"], &row["isolation"]),
        (&json!(2), &json!("in-process"))
    );
    agent.wait_for("apart", "ready");
    assert_eq!(build_id(&agent, &token).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_crashes_on_load_does_not_take_the_agent_with_it() {
    let (mut agent, token) = agent_with(IN_PROCESS);
    let pid = agent.pid();
    drop_in(
        &cc::connector("crash_on_load", &[]),
        &agent.installation.connectors(),
        "crash.so",
    );
    agent.eventually("the crash to be told", |agent| {
        let row = agent.row("crash.so").or_else(|| agent.row("crash"))?;
        let told = row["last_error"].as_str()?.contains("signal 6");
        told.then_some(())
    });
    assert_eq!(build_id(&agent, &token).await, "a");
    assert_eq!(agent.pid(), pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_all_images_share_is_refused_inside_the_agent_alone() {
    let (mut agent, token) = agent_with(IN_PROCESS);
    let shared = cc::connector("scenario", &["BUILD=\"b\"", "UNIQUE_DATA"]);
    drop_in(&shared, &agent.installation.connectors(), "scenario.so");
    let row = agent.eventually("the refusal", |agent| {
        let row = agent.row("scenario")?;
        let told = row["last_error"].as_str()?.contains("the first is unique_data");
        told.then_some(row)
    });
    assert_eq!(row["state"], "ready", "{row}");
    assert_eq!(build_id(&agent, &token).await, "a");
    let report = agent.installation.report(shared.to_str().unwrap());
    let told = report["unfit_in_process"].as_str().unwrap();
    assert!(told.contains("-fno-gnu-unique"), "{told}");

    agent.installation.configure("");
    agent.signal(rustix::process::Signal::HUP);
    agent.eventually("the build in a process", |agent| {
        let row = agent.row("scenario")?;
        (row["isolation"] == "process" && row["last_error"].is_null()).then_some(())
    });
    assert_eq!(build_id(&agent, &token).await, "b");
}
