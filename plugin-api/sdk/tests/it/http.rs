//! What becomes of the app's answers.

use std::sync::atomic::Ordering;

use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::http::Method;
use lumos_connector_sdk::prelude::*;

use crate::connector::{TestSettings, integration, request};
use crate::upstream::Upstream;

#[test]
fn each_failure_has_its_error() {
    let upstream = Upstream::start();
    let harness = Harness::new(integration()).unwrap();
    let url = &upstream.url;
    let place = |status: u16, path: &str| format!("[{status}][{url}{path}]");
    let cases = [
        (
            "/missing",
            "not_found",
            format!("{} {{'detail': 'User not found'}}", place(404, "/missing")),
        ),
        (
            "/busy",
            "rate_limit",
            format!("{} slow down", place(429, "/busy")),
        ),
        (
            "/html",
            "bad_gateway",
            format!("{} Upstream HTML error response.", place(502, "/html")),
        ),
        (
            "/garbage",
            "invalid_response",
            "Failed to parse JSON response: Expecting value: line 1 column 1 (char 0)".to_owned(),
        ),
        (
            "/shape",
            "invalid_response",
            "Failed to parse JSON response: unexpected shape: line 1 column 0".to_owned(),
        ),
        (
            "/long",
            "invalid_response",
            format!("{} The response is longer than 4096 bytes.", place(200, "/long")),
        ),
        (
            "/away",
            "invalid_response",
            "The upstream API redirected too often.".to_owned(),
        ),
        (
            "/broken",
            "connection_closed",
            "The upstream API closed the connection unexpectedly.".to_owned(),
        ),
        (
            "/gzip",
            "invalid_response",
            "The upstream API's response could not be decoded.".to_owned(),
        ),
        (
            "/cut",
            "connection_closed",
            "The upstream API closed the connection unexpectedly.".to_owned(),
        ),
    ];
    for (path, code, message) in cases {
        let answer = harness.call("list_accounts", request(url, path, json!({})));
        let error = &answer["error"];
        assert_eq!(
            (&error["error_code"], &error["message"]),
            (&json!(code), &json!(message))
        );
        assert_eq!(error["raised_in"], "it.connector:list_accounts");
    }
}

#[test]
fn retry_after_reaches_the_caller() {
    let upstream = Upstream::start();
    let harness = Harness::new(integration()).unwrap();
    let answer = harness.call("list_accounts", request(&upstream.url, "/busy", json!({})));
    let metadata = &answer["error"]["error_metadata"];
    assert_eq!(metadata["retry_after_seconds"], 7);
    assert_eq!(metadata["throttled"], true);
}

#[test]
fn connections_live_on_between_calls_of_a_tenant() {
    let upstream = Upstream::start();
    let harness = Harness::new(integration()).unwrap();
    for _ in 0..20 {
        let answer = harness.call("list_accounts", request(&upstream.url, "/users", json!({})));
        assert_eq!(answer["response"][0]["email"], "a@example.com");
    }
    // A connection returns to the pool on its own time, so that now and then a call may be earlier.
    let used = upstream.connections.load(Ordering::Relaxed);
    assert!(used < 10, "{used} connections for 20 calls");
    let mut other = request(&upstream.url, "/users", json!({}));
    other["auth"]["token"]["token"] = "another".into();
    harness.call("list_accounts", other);
    assert_eq!(upstream.connections.load(Ordering::Relaxed), used + 1);
}

#[test]
fn requests_carry_the_credential_and_pages_their_positions() {
    let upstream = Upstream::start();
    let harness = Harness::new(integration()).unwrap();
    let mut document = request(&upstream.url, "/users", json!({}));
    let answer = harness.call("list_accounts", document.clone());
    assert_eq!(answer["page"], json!({"token": "910a", "size": 10}));
    document["page"] = answer["page"].clone();
    assert_eq!(harness.call("list_accounts", document)["page"], json!(null));
    let requests = upstream.requests.lock().unwrap();
    assert!(
        requests[0].contains("authorization: Bearer t0ken"),
        "{}",
        requests[0]
    );
    assert!(
        requests[1].starts_with("GET /users?offset=10 "),
        "{}",
        requests[1]
    );
}

#[test]
fn redirects_are_followed_within_the_app_only() {
    let upstream = Upstream::start();
    let harness = Harness::new(integration()).unwrap();
    let answer = harness.call("list_accounts", request(&upstream.url, "/moved", json!({})));
    assert_eq!(answer["response"][0]["email"], "a@example.com");
    let answer = harness.call("list_accounts", request(&upstream.url, "/elsewhere", json!({})));
    assert_eq!(answer["error"]["status_code"], 302);
    assert_eq!(answer["error"]["error_code"], "invalid_response");
}

#[test]
fn nobody_listening_and_an_illegal_header() {
    let harness = Harness::new(integration()).unwrap();
    let answer = harness.call("list_accounts", request("http://127.0.0.1:9", "/", json!({})));
    assert_eq!(answer["error"]["error_code"], "connection_timeout");
    let mut document = request("http://127.0.0.1:9", "/", json!({}));
    document["auth"]["token"]["token"] = "a\nb".into();
    let answer = harness.call("list_accounts", document);
    assert_eq!(answer["error"]["error_code"], "bad_request");
    assert_eq!(answer["error"]["raised_by"], "LocalProtocolError");
}

/// Names of headers are what people write them as, and a name that is none is told like a value that is none.
#[test]
fn headers_are_sent_by_names_in_any_case() {
    async fn validate(
        ctx: Context<TokenCredential, TestSettings>,
        _: ValidateCredentials,
    ) -> Result<ValidatedCredentials> {
        let client = ctx
            .http(&ctx.settings.api_url)?
            .secret_header("X-Api-Key", &ctx.auth.token)
            .header("Accept-Language", "de");
        let name = &ctx.settings.path;
        let request = client.request(Method::OPTIONS, "/users");
        request.header(name, "grüße").send().await?;
        Ok(ValidatedCredentials {
            valid: true,
            unique_tenant_id: "t".to_owned(),
        })
    }
    let integration = Integration::new("headers", "1.0.0")
        .auth::<TokenCredential>()
        .settings::<TestSettings>()
        .register(capability::VALIDATE_CREDENTIALS, validate);
    let harness = Harness::new(integration).unwrap();
    let upstream = Upstream::start();
    let call = |name: &str| harness.call("validate_credentials", request(&upstream.url, name, json!({})));
    let answer = call("X-Client-ID");
    assert!(answer["is_error"].is_null(), "{answer}");
    let seen = upstream.requests.lock().unwrap().join("");
    for line in [
        "x-api-key: t0ken\r\n",
        "accept-language: de\r\n",
        "x-client-id: grüße\r\n",
    ] {
        assert!(seen.contains(line), "{seen}");
    }
    let answer = call("no name");
    assert_eq!(answer["error"]["error_code"], "bad_request", "{answer}");
}

#[test]
fn a_probe_reports_each_check() {
    let upstream = Upstream::start();
    let harness = Harness::new(integration()).unwrap();
    let answer = harness.call("probe_integration", request(&upstream.url, "/users", json!({})));
    let checks = &answer["response"]["checks"];
    let statuses: Vec<_> = checks
        .as_array()
        .unwrap()
        .iter()
        .map(|check| &check["status"])
        .collect();
    assert_eq!(statuses, ["passed", "unsupported", "unsupported"]);
    assert_eq!(
        checks[0]["message"],
        "Fetched 1 account(s), including a@example.com."
    );
    assert_eq!(answer["response"]["status"], "passed");
}

#[test]
fn log_lines_belong_to_the_connector_and_hold_no_token() {
    let upstream = Upstream::start();
    let harness = Harness::new(integration()).unwrap();
    harness.call("list_accounts", request(&upstream.url, "/users", json!({})));
    let lines = harness.log_lines();
    let name = format!("GET {}/users: 200, 36 bytes, ", upstream.url);
    assert!(lines[0].0 == 10 && lines[0].1.starts_with(&name), "{lines:?}");
    assert_eq!(lines[1..], [(20, "read 1 users".to_owned())]);
}
