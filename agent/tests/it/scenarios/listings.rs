//! What is told: listings to callers, health and metrics to the machine's admin.

use serde_json::{Value, json};

use crate::support::scenario::serving;

#[tokio::test(flavor = "multi_thread")]
async fn the_listing_calls_answer_what_the_token_covers() {
    let (agent, token) = serving("");
    let other = agent.installation.token("other", &["elsewhere:*"]);
    let client = agent.client();
    for (token, expected) in [
        (&token, json!({"response": ["scenario"]})),
        (&other, json!({"response": []})),
    ] {
        let request = client
            .post(format!("{}/list-connector-app-ids", agent.base_url))
            .bearer_auth(token);
        let answer: Value = request
            .json(&json!({}))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer, expected);
        let rows: Value = client
            .get(&agent.base_url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(
            rows.as_array().unwrap().len(),
            expected["response"].as_array().unwrap().len()
        );
    }
    let info = agent.call(&token, "scenario", "info", &json!({})).await;
    assert_eq!((info.0, &info.1["response"]["app_id"]), (200, &json!("scenario")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_tells_and_refuses() {
    let (agent, _) = serving("");
    let client = agent.client();
    let get = |path: &str| client.get(format!("{}{path}", agent.admin_url));
    assert_eq!(get("/healthz").send().await.unwrap().status(), 200);
    assert_eq!(get("/readyz").send().await.unwrap().status(), 200);
    assert_eq!(
        get("/readyz?connector=scenario").send().await.unwrap().status(),
        200
    );
    assert_eq!(
        get("/readyz?connector=scenario,nothing")
            .send()
            .await
            .unwrap()
            .status(),
        503
    );
    let info: Value = get("/info").send().await.unwrap().json().await.unwrap();
    for member in [
        "connected",
        "domain_name",
        "cluster_id",
        "operation_mode",
        "version",
        "connectors",
    ] {
        assert!(info.get(member).is_some(), "{member} in {info}");
    }
    assert_eq!(info["connectors"][0]["app_id"], "scenario");
    assert_eq!(info["connectors"][0]["state"], "ready");
    let metrics = get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("lumos_agent_host_starts_total{app_id=\"scenario\"} 1"),
        "{metrics}"
    );

    let rebinding = get("/info").header("host", "evil.example").send().await.unwrap();
    assert!(rebinding.status().is_client_error(), "{}", rebinding.status());
    assert_eq!(
        client
            .post(format!("{}/info", agent.admin_url))
            .send()
            .await
            .unwrap()
            .status(),
        405
    );
}
