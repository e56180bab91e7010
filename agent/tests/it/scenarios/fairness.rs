//! One caller's greed is that caller's problem.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::agent::{Agent, Installation};
use crate::support::connectors::drop_in;
use crate::support::scenario::{Scenario, build};

fn agent_with(configuration: &str) -> (Agent, String, String) {
    let installation = Installation::new();
    installation.configure(configuration);
    let (greedy, modest) = (
        installation.token("greedy", &["*:*"]),
        installation.token("modest", &["*:*"]),
    );
    drop_in(
        &build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    (agent, greedy, modest)
}

fn begin(agent: &Agent, client: &reqwest::Client, token: &str, ms: u32) -> JoinHandle<(u16, bool, Value)> {
    let url = format!("{}/scenario/get_last_activity", agent.base_url);
    let request = client
        .post(url)
        .bearer_auth(token)
        .json(&json!({"request": {"ms": ms}}));
    tokio::spawn(async move {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let waits = response.headers().contains_key("retry-after");
        (status, waits, response.json().await.unwrap())
    })
}

/// Keeps `count` calls of `token` going until stopped; returns the codes that they got.
fn flood(
    agent: &Agent,
    token: &str,
    count: usize,
    stop: &tokio_util::sync::CancellationToken,
) -> Vec<JoinHandle<Vec<u16>>> {
    let client = agent.client();
    let one = |_| {
        let (client, token, stop) = (client.clone(), token.to_owned(), stop.clone());
        let url = format!("{}/scenario/get_last_activity", agent.base_url);
        tokio::spawn(async move {
            let mut codes = Vec::new();
            while !stop.is_cancelled() {
                let request = client.post(&url).bearer_auth(&token);
                let response = request
                    .json(&json!({"request": {"ms": 50}}))
                    .send()
                    .await
                    .unwrap();
                codes.push(response.status().as_u16());
                if response.status() == 429 {
                    tokio::task::yield_now().await;
                }
            }
            codes
        })
    };
    (0..count).map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_of_one_caller_refuses_no_other() {
    let (agent, greedy, modest) = agent_with("connectors.settings.scenario.max_in_flight = 1");
    let stop = tokio_util::sync::CancellationToken::new();
    let flood = flood(&agent, &greedy, 16, &stop);
    let client = agent.client();
    for _ in 0..20 {
        let (status, _, answer) = begin(&agent, &client, &modest, 1).await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }
    stop.cancel();
    let mut codes = Vec::new();
    for one in flood {
        codes.extend(one.await.unwrap());
    }
    assert!(codes.contains(&429), "the queue was full meanwhile: {codes:?}");
    assert!(codes.contains(&200), "the greedy caller is served too: {codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_has_a_limit_of_his_own() {
    let (mut agent, greedy, modest) = agent_with("dispatch.max_in_flight_per_caller = 2");
    let client = agent.client();
    let running = [
        begin(&agent, &client, &greedy, 5_000),
        begin(&agent, &client, &greedy, 5_000),
    ];
    agent.eventually("both calls to run", |agent| {
        (agent.row("scenario")?["in_flight"] == 2).then_some(())
    });
    let (status, waits, answer) = begin(&agent, &client, &greedy, 1).await.unwrap();
    assert_eq!((status, waits), (429, true), "{answer}");
    assert_eq!(answer["error"]["error_code"], "rate_limit");
    let (status, _, answer) = begin(&agent, &client, &modest, 1).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    for one in running {
        assert_eq!(one.await.unwrap().0, 200);
    }
    assert_eq!(begin(&agent, &client, &greedy, 1).await.unwrap().0, 200);
}
