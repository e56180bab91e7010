//! The same declarations of OAuth, the same calls and the same authorization server for the reference SDK and for ours:
//! both have to send the same requests and give the same answers.
//!
//! Ignored like [`super::conformance`], and for the same reason.
//!
//! Where ours is meant to differ: tokens are masked in `raw_data`; a user who comes back without a code, or with another
//! state, causes no request; HTML in a refusal is not repeated; hints are in words of our own.

use std::path::Path;

use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::oauth::{OAuth, TokenRequest};
use lumos_connector_sdk::prelude::*;

use crate::comparison::Oracle;
use crate::scripted::{Scripted, answer};

fn oracle() -> Oracle {
    Oracle::start(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/oauth.py"),
        &[],
    )
}

fn question(declared: &Json, capability: &str, body: &Json) -> Json {
    json!({"declared": declared, "capability": capability, "body": body})
}

fn declared(flow: &str, basic: bool, get: bool, data: &str) -> Json {
    json!({"flow": flow, "basic": basic, "get": get, "data": data})
}

/// What `declared` says, in our words.
fn ours(declared: &Json) -> Harness {
    let url = declared["url"].as_str().unwrap();
    let token = format!("{url}/token");
    let mut oauth = match declared["flow"].as_str().unwrap() {
        "CODE_FLOW" => OAuth::code(format!("{url}/authorize"), token),
        _ => OAuth::client_credentials(token),
    }
    .scopes([("list_accounts", "read"), ("get_account", "read")])
    .request(match declared["data"].as_str().unwrap() {
        "JSON" => TokenRequest::Json,
        "QUERY" => TokenRequest::Query,
        _ => TokenRequest::Form,
    });
    if declared["basic"] == true {
        oauth = oauth.basic_client_auth();
    }
    if declared["get"] == true {
        oauth = oauth.get();
    }
    let integration = Integration::new("oauth", "1.0.0")
        .auth::<OAuthCredential>()
        .oauth(oauth);
    Harness::new(integration).unwrap()
}

/// What a request says: its first line, who asks, in which form, and what.
fn said(request: &str) -> Vec<String> {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(name));
        line.map(|line| line[name.len()..].trim().to_owned())
            .unwrap_or_default()
    };
    let line = head.lines().next().unwrap().to_owned();
    vec![
        line,
        header("authorization:"),
        header("content-type:"),
        body.to_owned(),
    ]
}

/// An answer without what is meant to differ.
fn comparable(mut answer: Json) -> Json {
    if let Some(error) = answer.get_mut("error") {
        error["raised_in"] = json!(null);
        error["error_metadata"]["hint"] = json!(null);
    }
    answer
}

fn bodies() -> [(&'static str, Json); 4] {
    [
        (
            "handle_authorization_callback",
            json!({"request": {
                "client_id": "cl ient", "client_secret": "s3&cret", "code_verifier": "verifier",
                "redirect_uri_with_code": "https://lumos.example/back/here?code=c%2Fo%20de&state=x",
            }}),
        ),
        (
            "handle_client_credentials_request",
            json!({"request": {"client_id": "cl ient", "client_secret": "s3&cret", "scopes": ["a", "b:c"]}}),
        ),
        (
            "handle_client_credentials_request",
            json!({"request": {"client_id": "cl ient", "client_secret": "s3&cret", "scopes": []}}),
        ),
        (
            "refresh_access_token",
            json!({"request": {"client_id": "cl ient", "client_secret": "s3&cret", "refresh_token": "o/ld"}}),
        ),
    ]
}

fn answers() -> Vec<(u16, &'static str)> {
    vec![
        (
            200,
            r#"{"access_token": "a", "refresh_token": "r", "token_type": "BEARER", "expires_in": 5}"#,
        ),
        (201, r#"{"access_token": "a"}"#),
        (
            400,
            r#"{"error": "invalid_grant", "error_description": "It's over"}"#,
        ),
        (400, r#"{"error": "invalid_client"}"#),
        (400, r#"{"error": "access_denied"}"#),
        (401, r#"["odd"]"#),
        (403, r#"{"error": "other"}"#),
        (418, "short and stout"),
        (429, r#"{"error": "slow_down"}"#),
        (500, r#"{"error": null}"#),
        (503, "not now"),
    ]
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn requests_and_answers_are_those_of_the_reference() {
    let mut reference = oracle();
    let ways = [
        (false, false, "FORMDATA"),
        (true, false, "JSON"),
        (false, true, "QUERY"),
        (true, false, "FORMDATA"),
    ];
    let mut calls = 0;
    for flow in ["CODE_FLOW", "CLIENT_CREDENTIALS"] {
        for (way, (basic, get, data)) in ways.iter().enumerate() {
            let mut declared = declared(flow, *basic, *get, data);
            for (status, text) in answers() {
                // How the answers are understood does not depend on how they were asked for.
                if way > 0 && status != 200 {
                    continue;
                }
                for (capability, body) in bodies() {
                    let app = Scripted::start([answer(status, "Content-Type: application/json\r\n", text)]);
                    declared["url"] = app.url.as_str().into();
                    let expected = comparable(reference.ask(&question(&declared, capability, &body)));
                    let given = comparable(ours(&declared).call(capability, body.clone()));
                    assert_eq!(given, expected, "{declared} {capability} {body} {status} {text}");
                    let requests: Vec<_> = app.requests().iter().map(|sent| said(sent)).collect();
                    if let [theirs, ours] = requests.as_slice() {
                        assert_eq!(ours, theirs, "{declared} {capability} {body}");
                        calls += 1;
                    } else {
                        // The flow has no such capability.
                        assert_eq!(requests.len(), 0, "{declared} {capability}");
                        assert_eq!(given["error"]["error_code"], "unsupported_operation");
                    }
                }
            }
        }
    }
    assert!(calls > 60, "{calls} calls were sent");
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn addresses_and_scopes_are_those_of_the_reference() {
    let mut reference = oracle();
    let mut declared = declared("CODE_FLOW", false, false, "FORMDATA");
    declared["url"] = "https://app.example".into();
    for scopes in [json!([]), json!(["users.read", "users:write"])] {
        let body = json!({"request": {
            "client_id": "cl&ient", "scopes": scopes, "redirect_uri": "https://lumos.example/back?x=y", "state": "st ate",
        }});
        let expected = reference.ask(&question(&declared, "get_authorization_url", &body));
        assert_eq!(ours(&declared).call("get_authorization_url", body), expected);
    }
    let expected = reference.ask(&question(&declared, "info", &json!({})));
    let given = ours(&declared).call("info", json!({}));
    for member in ["oauth_scopes", "capabilities"] {
        assert_eq!(
            given["response"][member], expected["response"][member],
            "{member}"
        );
    }
}
