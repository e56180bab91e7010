//! Requests as a caller words them.

use lumos_connector_sdk::arbitrary_endpoint::ArbitraryEndpoint;
use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::http::Retry;
use lumos_connector_sdk::prelude::*;

use crate::scripted::{Scripted, answer};

/// Settings of the connector.
#[derive(Clone, Deserialize, JsonSchema)]
struct App {
    url: String,
}

fn harness() -> Harness {
    let integration = Integration::new("arbitrary", "1.0.0")
        .auth::<TokenCredential>()
        .settings::<App>()
        .arbitrary_endpoint(
            |ctx| {
                let api = ctx.http(&ctx.settings.url)?.token(&ctx.auth);
                Ok(api.retry(Retry::times(5)))
            },
            ArbitraryEndpoint::reads()
                .post("/graphql", "application/json")
                .header("X-Api-Version")
                .header("Authorization"),
        );
    Harness::new(integration).unwrap().without_waiting()
}

fn call(url: &str, request: Json) -> Json {
    let document = json!({
        "auth": {"token": {"token": "t0ken"}},
        "settings": {"url": format!("{url}/v1")},
        "request": request,
    });
    harness().call("fulfill_arbitrary_endpoint", document)
}

#[test]
fn what_the_app_answers_is_the_answer() {
    let app = Scripted::start([
        answer(200, "Content-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\n", "hello"),
        answer(404, "", "nobody"),
        answer(302, "Location: /elsewhere\r\n", ""),
        answer(429, "Retry-After: 7\r\n", ""),
        answer(
            403,
            "X-RateLimit-Remaining: 0\r\nX-RateLimit-Limit: 5\r\nX-RateLimit-Reset: 9\r\n",
            "",
        ),
    ]);
    let headers = json!({"x-api-version": "2"});
    let found = call(&app.url, json!({"url": "/users?a=1", "headers": headers}));
    let url = &app.url;
    let expected = json!({
        "ok": true,
        "status_code": 200,
        "headers": {"content-length": "5", "content-type": "text/plain", "x-a": "1, 2"},
        "body": "hello",
        "content_type": "text/plain",
        "error": null,
        "retry_after_seconds": null,
        "resolved_url": format!("{url}/v1/users?a=1"),
    });
    assert_eq!(found["response"], expected, "{found}");
    let asked = &app.requests()[0];
    for part in [
        "GET /v1/users?a=1 HTTP/1.1",
        "authorization: Bearer t0ken",
        "x-api-version: 2",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
    for (status, seconds) in [
        (404, json!(null)),
        (302, json!(null)),
        (429, json!(7.0)),
        (403, json!(9.0)),
    ] {
        let told = call(url, json!({"url": "/users"}));
        let told = &told["response"];
        assert_eq!(told["status_code"], status, "{told}");
        assert_eq!(told["ok"], false);
        assert_eq!(told["retry_after_seconds"], seconds, "{told}");
    }
    assert_eq!(
        app.requests().len(),
        5,
        "nothing is repeated, no redirect followed"
    );
}

#[test]
fn posts_go_where_the_connector_allows_them() {
    let app = Scripted::start([answer(200, "", "{}")]);
    let query = json!({"url": "graphql", "method": "POST", "body": "{\"query\": 1}"});
    let done = call(&app.url, query);
    assert_eq!(done["response"]["ok"], true, "{done}");
    let asked = app.requests().remove(0);
    assert!(asked.starts_with("POST /v1/graphql HTTP/1.1"), "{asked}");
    assert!(asked.contains("content-type: application/json"), "{asked}");
    assert!(asked.ends_with("{\"query\": 1}"), "{asked}");
}

#[test]
fn what_is_refused_never_reaches_the_app() {
    let app = Scripted::start([answer(200, "", "")]);
    let with = |name: &str| json!({"url": "/users", "headers": {name: "x"}});
    for (request, why) in [
        (json!({"url": "/users", "method": "POST"}), "POST is not allowed"),
        (
            json!({"url": "/graphql/more", "method": "POST"}),
            "POST is not allowed",
        ),
        (json!({"url": "/users", "body": "x"}), "only accepted with POST"),
        (with("X-Other"), "header"),
        (with("Authorization"), "header"),
        (with("Cookie"), "header"),
        (json!({"url": "http://127.0.0.1:1/"}), "connection's host"),
        (json!({"url": "/%2e%2e/admin"}), "'..'"),
        (json!({"url": "http://u:s3cret@127.0.0.1/"}), "credentials"),
    ] {
        let answer = call(&app.url, request);
        let told = &answer["response"];
        assert_eq!(told["ok"], false, "{answer}");
        assert!(told["error"].as_str().unwrap().contains(why), "{answer}");
        assert!(!answer.to_string().contains("s3cret"), "{answer}");
    }
    assert!(app.requests().is_empty());
}

#[test]
fn a_refused_credential_is_an_error_and_an_absent_app_none() {
    let app = Scripted::start([answer(401, "", "who?")]);
    let answer = call(&app.url, json!({"url": "/users"}));
    assert_eq!(answer["error"]["error_code"], "unauthorized", "{answer}");
    let absent = call("http://127.0.0.1:9", json!({"url": "/users"}));
    assert_eq!(
        absent["response"]["error"], "The app could not be reached.",
        "{absent}"
    );
}
