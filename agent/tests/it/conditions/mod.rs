//! What is wrong with the machine around a running agent, one thing after the other: calls go on, and it is told.

mod clock;
mod disk;
mod logs;
mod state;

use serde_json::Value;

use crate::support::agent::{Agent, Installation};
use crate::support::connectors::drop_in;
use crate::support::scenario::{self, Scenario};

/// An installation with the scenario connector and a token for everything.
fn prepared(configuration: &str) -> (Installation, String) {
    let installation = Installation::new();
    installation.configure(configuration);
    let token = installation.token("test", &["*:*"]);
    drop_in(
        &scenario::build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    (installation, token)
}

/// The condition of that name, if it holds.
fn condition(agent: &Agent, name: &str) -> Option<Value> {
    let status = agent.installation.json(["status", "--output", "json"]);
    let held = status["conditions"].as_array().unwrap();
    held.iter().find(|held| held["name"] == name).cloned()
}

#[track_caller]
fn until_raised(agent: &mut Agent, name: &str) -> Value {
    let found = agent.eventually(name, |agent| condition(agent, name));
    assert!(
        !found["message"].as_str().unwrap().is_empty() && !found["remedy"].as_str().unwrap().is_empty(),
        "{found}"
    );
    found
}

#[track_caller]
fn until_over(agent: &mut Agent, name: &str) {
    agent.eventually(&format!("the end of {name}"), |agent| {
        condition(agent, name).is_none().then_some(())
    });
}

async fn get(url: String) -> String {
    // Two tests may get here first at the same time; the loser's error only says that it is installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// Whether `/metrics` says that it holds.
async fn measured(agent: &Agent, name: &str) -> bool {
    let text = get(format!("{}/metrics", agent.admin_url)).await;
    text.contains(&format!("lumos_agent_condition{{name=\"{name}\"}} 1\n"))
}

async fn ok(agent: &Agent, token: &str) {
    let body = serde_json::json!({"request": {}});
    let (status, answer) = agent.call(token, "scenario", "list_accounts", &body).await;
    assert_eq!(status, 200, "{answer}");
}
