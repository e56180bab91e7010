//! OAuth 2.0 of a connector that only declares where its app gives out tokens.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64_STANDARD, URL_SAFE_NO_PAD as BASE64};
use lumos_connector_sdk::IntegrationError;
use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::oauth::{OAuth, TokenRequest};
use lumos_connector_sdk::prelude::*;
use sha2::{Digest, Sha256};

use crate::scripted::{App, Scripted, answer};

const TOKENS: &str =
    r#"{"access_token": "acc3ss", "refresh_token": "r3fresh", "token_type": "Bearer", "instance": "eu1"}"#;

fn code() -> OAuth<App> {
    OAuth::code_with(
        |app: &App| format!("{}/authorize", app.url),
        |app: &App| format!("{}/token", app.url),
    )
    .scopes([
        ("list_accounts", "users.read"),
        ("create_account", "users.read users.write"),
    ])
}

fn client_credentials() -> OAuth<App> {
    OAuth::client_credentials_with(|app: &App| format!("{}/token", app.url))
        .scopes([("list_accounts", "read")])
}

fn harness(oauth: OAuth<App>) -> Harness {
    let integration = Integration::new("oauth", "1.0.0")
        .auth::<OAuthCredential>()
        .settings::<App>()
        .oauth(oauth);
    Harness::new(integration).unwrap()
}

fn request(url: &str, payload: Json) -> Json {
    json!({"settings": {"url": url}, "request": payload})
}

fn consent(url: &str) -> Json {
    request(
        url,
        json!({"client_id": "cl&ient", "scopes": [], "redirect_uri": "https://lumos.example/back", "state": "st ate"}),
    )
}

fn callback(url: &str, back: &str) -> Json {
    request(
        url,
        json!({
            "client_id": "client", "client_secret": "s3cret", "state": "state", "code_verifier": "verifier",
            "redirect_uri_with_code": format!("https://lumos.example/back?{back}"),
        }),
    )
}

fn refresh(url: &str) -> Json {
    request(
        url,
        json!({"client_id": "client", "client_secret": "s3cret", "refresh_token": "old"}),
    )
}

fn asked(url: &str) -> Json {
    request(
        url,
        json!({"client_id": "client", "client_secret": "s3cret", "scopes": []}),
    )
}

/// First line, `authorization` header and body of the only request.
fn sent(app: &Scripted) -> (String, String, String) {
    let requests = app.requests();
    assert_eq!(requests.len(), 1);
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let authorization = head.lines().find_map(|line| line.strip_prefix("authorization: "));
    (
        head.lines().next().unwrap().to_owned(),
        authorization.unwrap_or_default().to_owned(),
        body.to_owned(),
    )
}

#[test]
fn the_address_of_consent_has_what_it_needs() {
    let harness = harness(code());
    let answer = harness.call("get_authorization_url", consent("https://app.example"));
    assert_eq!(
        answer["response"],
        json!({
            "authorization_url": "https://app.example/authorize?client_id=cl%26ient&response_type=code\
                &scope=users.read+users.write&redirect_uri=https%3A%2F%2Flumos.example%2Fback&state=st+ate",
            "code_verifier": null,
        })
    );
    let mut document = consent("https://app.example");
    document["request"]["scopes"] = json!(["a", "b"]);
    let answer = harness.call("get_authorization_url", document);
    assert!(
        answer["response"]["authorization_url"]
            .as_str()
            .unwrap()
            .contains("&scope=a+b&")
    );
}

#[test]
fn the_code_challenge_is_the_hash_of_the_verifier() {
    let harness = harness(code().pkce());
    let call = || harness.call("get_authorization_url", consent("https://app.example"))["response"].clone();
    let (first, second) = (call(), call());
    let verifier = first["code_verifier"].as_str().unwrap();
    let challenge = BASE64.encode(Sha256::digest(verifier));
    let url = first["authorization_url"].as_str().unwrap();
    assert!(
        url.ends_with(&format!("&code_challenge={challenge}&code_challenge_method=S256")),
        "{url}"
    );
    assert!((43..=128).contains(&verifier.len()));
    assert_ne!(first["code_verifier"], second["code_verifier"]);
}

#[test]
fn a_code_becomes_tokens() {
    let app = Scripted::start([answer(200, "", TOKENS)]);
    let mut document = callback(&app.url, "code=c%2Fode&state=state");
    document["include_raw_data"] = true.into();
    let given = harness(code()).call("handle_authorization_callback", document);
    assert_eq!(
        given["response"],
        json!({"access_token": "acc3ss", "refresh_token": "r3fresh", "token_type": "bearer", "state": null})
    );
    assert_eq!(given["raw_data"]["instance"], "eu1");
    assert!(!given["raw_data"].to_string().contains("acc3ss"));
    let (line, authorization, body) = sent(&app);
    assert_eq!(
        (line.as_str(), authorization.as_str()),
        ("POST /token HTTP/1.1", "")
    );
    assert_eq!(
        body,
        "grant_type=authorization_code&code=c%2Fode&redirect_uri=https%3A%2F%2Flumos.example%2Fback\
         &code_verifier=verifier&client_id=client&client_secret=s3cret"
    );
}

#[test]
fn nothing_is_asked_for_without_a_code() {
    let app = Scripted::start([answer(200, "", TOKENS)]);
    let harness = harness(code());
    for (back, error) in [
        ("state=state", "bad_request"),
        ("code=c&state=forged", "bad_request"),
        ("error=access_denied&state=state", "permission_denied"),
        ("error=S3cret+text&state=state", "permission_denied"),
    ] {
        let answer = harness.call("handle_authorization_callback", callback(&app.url, back));
        assert!(!answer.to_string().contains("S3cret"), "{answer}");
        assert_eq!(answer["error"]["error_code"], error, "{back}");
        assert_eq!(answer["error"]["error_metadata"]["retryable"], false);
    }
    assert_eq!(app.requests().len(), 0);
}

#[test]
fn token_requests_travel_as_declared() {
    let with_basic = BASE64_STANDARD.encode("client:s3cret");
    let cases = [
        (
            client_credentials(),
            "POST /token HTTP/1.1",
            String::new(),
            "grant_type=client_credentials&scope=read&client_id=client&client_secret=s3cret",
        ),
        (
            client_credentials()
                .basic_client_auth()
                .request(TokenRequest::Json),
            "POST /token HTTP/1.1",
            format!("Basic {with_basic}"),
            r#"{"grant_type":"client_credentials","scope":"read"}"#,
        ),
        (
            client_credentials().request(TokenRequest::Query).get(),
            "GET /token?grant_type=client_credentials&scope=read&client_id=client&client_secret=s3cret HTTP/1.1",
            String::new(),
            "",
        ),
    ];
    for (oauth, line, authorization, body) in cases {
        let app = Scripted::start([answer(200, "", r#"{"access_token": "acc3ss"}"#)]);
        let answer = harness(oauth).call("handle_client_credentials_request", asked(&app.url));
        assert_eq!(answer["response"]["token_type"], "bearer", "{answer}");
        assert_eq!(sent(&app), (line.to_owned(), authorization, body.to_owned()));
    }
}

#[test]
fn a_token_is_refreshed() {
    for oauth in [code(), client_credentials()] {
        let app = Scripted::start([answer(200, "", TOKENS)]);
        let given = harness(oauth).call("refresh_access_token", refresh(&app.url));
        assert_eq!(given["response"]["access_token"], "acc3ss");
        let expected = "grant_type=refresh_token&refresh_token=old&client_id=client&client_secret=s3cret";
        assert_eq!(sent(&app).2, expected);
    }
}

#[test]
fn refusals_are_told_apart_and_none_is_repeated() {
    let refused = |error: &str| format!(r#"{{"error": "{error}"}}"#);
    let cases = [
        (400, refused("invalid_grant"), "authentication_expired"),
        (400, refused("invalid_client"), "unauthorized"),
        (401, String::new(), "unauthorized"),
        (400, refused("unauthorized_client"), "permission_denied"),
        (403, refused("x"), "permission_denied"),
        (429, String::new(), "rate_limit"),
        (503, "<html>".to_owned(), "bad_gateway"),
        (302, String::new(), "unauthorized"),
        (200, r#"{"access_token": 5}"#.to_owned(), "invalid_response"),
        (
            200,
            r#"{"access_token": "a", "token_type": "mac"}"#.to_owned(),
            "invalid_response",
        ),
    ];
    for (status, body, code) in cases {
        let app = Scripted::start([answer(status, "Location: /token\r\nRetry-After: 1\r\n", &body)]);
        let given = harness(client_credentials()).call("refresh_access_token", refresh(&app.url));
        let metadata = &given["error"]["error_metadata"];
        assert_eq!(given["error"]["error_code"], code, "{status} {body}");
        assert_eq!(
            (&metadata["retryable"], &metadata["refreshable"]),
            (&json!(false), &json!(false))
        );
        assert_eq!(metadata["throttled"], false);
        assert_eq!(app.requests().len(), 1);
        assert!(!given.to_string().contains("s3cret"));
    }
}

#[test]
fn a_declaration_gives_its_capabilities_and_no_others() {
    let of = |oauth: OAuth<App>| -> Vec<Json> {
        let info = harness(oauth).call("info", json!({}));
        let names = info["response"]["capabilities"].as_array().unwrap().clone();
        names
            .into_iter()
            .filter(|name| name != "app_info" && name != "probe_integration")
            .collect()
    };
    let refresh = "refresh_access_token";
    assert_eq!(
        of(code()),
        ["get_authorization_url", "handle_authorization_callback", refresh]
    );
    assert_eq!(
        of(client_credentials()),
        ["handle_client_credentials_request", refresh]
    );
    assert_eq!(
        of(code().without(refresh)),
        ["get_authorization_url", "handle_authorization_callback"]
    );
}

#[test]
fn oauth_is_declared_for_credentials_that_take_its_tokens() {
    for id in ["pasted", "nobody"] {
        let integration = Integration::new("oauth", "1.0.0")
            .credential(CredentialConfig::<TokenCredential>::new("pasted", "…"))
            .oauth_credentials([(id, OAuth::client_credentials("https://app.example/token"))]);
        let error = integration.build().err();
        assert_eq!(error, Some(IntegrationError::UnknownCredential(id.to_owned())));
    }
}

#[test]
fn one_of_several_credentials_is_chosen_by_its_id() {
    let app = Scripted::start([answer(200, "", TOKENS)]);
    let integration = Integration::new("oauth", "1.0.0")
        .settings::<App>()
        .credential(CredentialConfig::<OAuthCredential>::new("user", "…"))
        .credential(CredentialConfig::<OAuthClientCredential>::new("machine", "…"))
        .oauth_credentials([("user", code()), ("machine", client_credentials())]);
    let harness = Harness::new(integration).unwrap();
    let mut document = asked(&app.url);
    let without = harness.call("handle_client_credentials_request", document.clone());
    assert_eq!(without["error"]["error_code"], "integration_missing_parameter");
    document["request"]["credential_id"] = "machine".into();
    let answer = harness.call("handle_client_credentials_request", document);
    assert_eq!(answer["response"]["access_token"], "acc3ss");
    let mut document = consent(&app.url);
    document["request"]["credential_id"] = "machine".into();
    let answer = harness.call("get_authorization_url", document);
    assert_eq!(answer["error"]["error_code"], "integration_missing_parameter");
}
