//! Calls that end otherwise than well, and the agent's own end.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::{Agent, PATIENCE};
use crate::support::scenario::serving;

/// A call in the background.
fn begin(
    agent: &Agent,
    token: &str,
    capability: &str,
    body: &Value,
    timeout_ms: Option<u64>,
) -> tokio::task::JoinHandle<(u16, Value)> {
    let mut request = agent
        .client()
        .post(format!("{}/scenario/{capability}", agent.base_url))
        .bearer_auth(token);
    if let Some(ms) = timeout_ms {
        request = request.header("X-Lumos-Timeout-Ms", ms);
    }
    let request = request.json(body);
    tokio::spawn(async move {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    })
}

/// Lets the connector write to a directory that is not the agent's.
fn widened(outbox: &tempfile::TempDir) -> String {
    let path = outbox.path().display();
    format!("connectors.settings.scenario.sandbox.write = [\"{path}\"]")
}

fn metadata(answer: &Value) -> &Value {
    &answer["error"]["error_metadata"]
}

async fn until_in_flight(agent: &mut Agent, count: u64) {
    agent.eventually("the call to begin", |agent| {
        agent
            .row("scenario")
            .filter(|row| row["in_flight"].as_u64() == Some(count))
            .map(|_| ())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_502_with_an_unknown_outcome_and_the_next_call_is_served() {
    let (mut agent, token) = serving("");
    let before = agent.row("scenario").unwrap();
    let (status, answer) = agent
        .call(&token, "scenario", "delete_account", &json!({"request": {}}))
        .await;
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (502, &json!("connection_closed"))
    );
    assert_eq!(metadata(&answer)["retryable"], false);
    assert!(
        metadata(&answer)["hint"].as_str().unwrap().contains("unknown"),
        "{answer}"
    );
    assert_eq!(answer["error"]["raised_by"], "lumos-agent");

    let after = agent.eventually("a new generation", |agent| {
        agent
            .row("scenario")
            .filter(|row| row["state"] == "ready" && row["generation"] != before["generation"])
    });
    assert_ne!(after["pid"], before["pid"]);
    assert_eq!(
        agent
            .call(&token, "scenario", "list_accounts", &json!({}))
            .await
            .0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_host_makes_reads_retryable_and_writes_not() {
    for (capability, retryable) in [("get_last_activity", true), ("create_account", false)] {
        let (mut agent, token) = serving("");
        let pid = agent.row("scenario").unwrap()["pid"].as_u64().unwrap();
        let call = begin(
            &agent,
            &token,
            capability,
            &json!({"request": {"ms": 60000}}),
            None,
        );
        until_in_flight(&mut agent, 1).await;
        let host = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(host, rustix::process::Signal::KILL).unwrap();
        let (status, answer) = call.await.unwrap();
        assert_eq!(
            (status, &answer["error"]["error_code"]),
            (502, &json!("connection_closed")),
            "{capability}"
        );
        assert_eq!(
            metadata(&answer)["retryable"],
            retryable,
            "{capability}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_504_and_only_a_read_is_cancelled() {
    let outbox = tempfile::tempdir().unwrap();
    let (mut agent, token) = serving(&widened(&outbox));
    let read = begin(
        &agent,
        &token,
        "get_last_activity",
        &json!({"request": {"ms": 50000}}),
        Some(300),
    );
    let (status, answer) = read.await.unwrap();
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (504, &json!("request_timeout"))
    );
    // The read was cancelled, so that it leaves the host long before its 50 s.
    until_in_flight(&mut agent, 0).await;

    let file = outbox.path().join("written");
    let body = json!({"request": {"ms": 1500, "file": file.to_str().unwrap()}});
    let write = begin(&agent, &token, "create_account", &body, Some(300));
    let (status, answer) = write.await.unwrap();
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (504, &json!("request_timeout"))
    );
    assert_eq!(metadata(&answer)["retryable"], false, "{answer}");
    agent.eventually("the write to go on to its end", |_| {
        fs::read(&file).ok().filter(|text| text == b"done\n")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_is_also_read_from_the_request() {
    let (agent, token) = serving("");
    let body = json!({"request": {"ms": 50000}, "rate_limit": {"max_execution_time": 1}});
    let (status, answer) = begin(&agent, &token, "get_last_activity", &body, None)
        .await
        .unwrap();
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (504, &json!("request_timeout"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_cancels_a_read_and_not_a_write() {
    let outbox = tempfile::tempdir().unwrap();
    let (mut agent, token) = serving(&widened(&outbox));
    let read = begin(
        &agent,
        &token,
        "get_last_activity",
        &json!({"request": {"ms": 50000}}),
        None,
    );
    until_in_flight(&mut agent, 1).await;
    read.abort();
    until_in_flight(&mut agent, 0).await;

    let file = outbox.path().join("written");
    let body = json!({"request": {"ms": 1500, "file": file.to_str().unwrap()}});
    let write = begin(&agent, &token, "create_account", &body, None);
    until_in_flight(&mut agent, 1).await;
    write.abort();
    agent.eventually("the write to go on to its end", |_| {
        fs::read(&file).ok().filter(|text| text == b"done\n")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_call_costs_the_host_and_no_other_call() {
    let (agent, token) = serving("connectors.settings.scenario.timeout = \"1s\"");
    let before = agent.row("scenario").unwrap()["generation"].as_u64().unwrap();
    // A write ignores its cancellation, so that only the ladder helps.
    let stuck = begin(
        &agent,
        &token,
        "create_account",
        &json!({"request": {"ms": 600_000}}),
        None,
    );
    let (status, _) = stuck.await.unwrap();
    assert_eq!(status, 504);
    let begun = std::time::Instant::now();
    loop {
        let (status, answer) = agent.call(&token, "scenario", "list_accounts", &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        let generation = agent.row("scenario").unwrap()["generation"].as_u64().unwrap();
        if generation > before {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "no fresh host: {}", agent.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_are_429_and_the_queue_is_bounded() {
    let (agent, token) = serving("connectors.settings.scenario.max_in_flight = 1");
    let calls: Vec<_> = (0..40)
        .map(|_| {
            begin(
                &agent,
                &token,
                "get_last_activity",
                &json!({"request": {"ms": 300}}),
                Some(20_000),
            )
        })
        .collect();
    let mut codes = Vec::new();
    for call in calls {
        let (status, answer) = call.await.unwrap();
        if status == 429 {
            assert_eq!(answer["error"]["error_code"], "rate_limit");
            assert_eq!(metadata(&answer)["retryable"], true);
            assert!(
                metadata(&answer)["retry_after_seconds"]
                    .as_u64()
                    .is_some_and(|seconds| seconds >= 1)
            );
        }
        codes.push(status);
    }
    assert!(codes.contains(&200) && codes.contains(&429), "{codes:?}");
    assert!(codes.iter().all(|code| [200, 429].contains(code)), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_writes_finish_and_refuses_new_calls() {
    let outbox = tempfile::tempdir().unwrap();
    let (mut agent, token) = serving(&widened(&outbox));
    let file = outbox.path().join("written");
    let body = json!({"request": {"ms": 3000, "file": file.to_str().unwrap()}});
    let write = begin(&agent, &token, "create_account", &body, None);
    until_in_flight(&mut agent, 1).await;
    agent.signal(rustix::process::Signal::TERM);
    let begun = std::time::Instant::now();
    loop {
        let (status, answer) = agent.call(&token, "scenario", "list_accounts", &json!({})).await;
        if status == 503 {
            assert_eq!(answer["error"]["error_code"], "service_error");
            break;
        }
        assert_eq!(status, 200, "{answer}");
        assert!(begun.elapsed() < PATIENCE, "never drained");
    }
    let (status, answer) = write.await.unwrap();
    assert_eq!((status, &answer["response"]["created"]), (200, &json!(true)));
    assert_eq!(fs::read_to_string(&file).unwrap(), "done\n");
    let (code, _) = agent.stop();
    assert_eq!(code, Some(0), "a second TERM may come while it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_host_outlives_a_killed_agent() {
    let (agent, _) = serving("");
    let host = agent.row("scenario").unwrap()["pid"].as_u64().unwrap();
    let installation = agent.kill();
    let begun = std::time::Instant::now();
    while fs::exists(format!("/proc/{host}")).unwrap() {
        assert!(begun.elapsed() < PATIENCE, "host {host} is left");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_request_has_its_status_code_and_envelope() {
    let (agent, token) = serving("dispatch.max_body_bytes = 2048");
    let reads = agent.installation.token("reader", &["scenario:read"]);
    let client = agent.client();
    let url = |path: &str| format!("{}{path}", agent.base_url);
    let post = |path: &str| client.post(url(path)).bearer_auth(&token);
    let json_post =
        |path: &str, body: &'static str| post(path).header("content-type", "application/json").body(body);
    let long = format!("{{\"request\":\"{}\"}}", "x".repeat(4096));
    let capability = "/scenario/list_accounts";
    let cases = [
        (
            "no credential",
            client.post(url(capability)).body("{}"),
            401,
            "unauthorized",
        ),
        (
            "bad credential",
            client.post(url(capability)).bearer_auth("lumos_wrong").body("{}"),
            401,
            "unauthorized",
        ),
        (
            "basic credential",
            client.post(url(capability)).basic_auth("a", Some("b")).body("{}"),
            401,
            "unauthorized",
        ),
        (
            "missing scope",
            client
                .post(url("/scenario/create_account"))
                .bearer_auth(&reads)
                .json(&json!({})),
            403,
            "permission_denied",
        ),
        (
            "unknown connector",
            json_post("/nothing/list_accounts", "{}"),
            404,
            "not_found",
        ),
        (
            "bad app_id",
            json_post("/no..thing/list_accounts", "{}"),
            404,
            "not_found",
        ),
        (
            "unknown path",
            json_post("/scenario/list_accounts/more", "{}"),
            404,
            "not_found",
        ),
        (
            "wrong method",
            client.get(url(capability)).bearer_auth(&token),
            405,
            "unsupported_operation",
        ),
        (
            "not JSON",
            json_post(capability, "{\"request\": }"),
            400,
            "bad_request",
        ),
        ("nothing", json_post(capability, ""), 400, "bad_request"),
        (
            "not UTF-8",
            post(capability)
                .header("content-type", "application/json")
                .body(b"{\"a\":\"\xff\"}".to_vec()),
            400,
            "bad_request",
        ),
        (
            "not application/json",
            post(capability).header("content-type", "text/plain").body("{}"),
            415,
            "bad_request",
        ),
        (
            "compressed",
            post(capability)
                .header("content-type", "application/json")
                .header("content-encoding", "gzip")
                .body("{}"),
            415,
            "bad_request",
        ),
        (
            "too large",
            post(capability)
                .header("content-type", "application/json")
                .body(long),
            413,
            "bad_request",
        ),
    ];
    for (case, request, status, code) in cases {
        let response = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(response.status().as_u16(), status, "{case}");
        let headers = response.headers().clone();
        assert!(headers.contains_key("x-request-id"), "{case}");
        assert!(headers.contains_key("server-timing"), "{case}");
        assert_eq!(headers.contains_key("www-authenticate"), status == 401, "{case}");
        assert_eq!(headers.contains_key("allow"), status == 405, "{case}");
        let answer: Value = response
            .json()
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(answer["is_error"], true, "{case}: {answer}");
        assert_eq!(answer["error"]["error_code"], code, "{case}: {answer}");
        assert_eq!(answer["error"]["raised_by"], "lumos-agent", "{case}: {answer}");
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty(), "{case}");
        assert!(metadata(&answer)["retryable"].is_boolean(), "{case}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connectors_own_error_is_200_and_its_bytes_are_untouched() {
    let (agent, token) = serving("");
    let (status, answer) = agent
        .call(&token, "scenario", "assign_entitlement", &json!({"request": {}}))
        .await;
    assert_eq!((status, &answer["is_error"]), (200, &json!(true)), "{answer}");
    assert_eq!(answer["error"]["error_code"], "internal_error");

    let response = agent
        .client()
        .post(format!("{}/scenario/list_accounts", agent.base_url))
        .bearer_auth(&token)
        .header("X-Request-Id", "abc.DEF-1")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-request-id"], "abc.DEF-1");
    assert!(
        response.headers()["server-timing"]
            .to_str()
            .unwrap()
            .contains("connector")
    );
    assert_eq!(
        response.text().await.unwrap(),
        "{\"response\":[],\"build\":\"a\"}"
    );
}
