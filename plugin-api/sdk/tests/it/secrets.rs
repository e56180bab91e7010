//! That what callers send does not come back in errors, nor go into logs.

use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::prelude::*;
use serde_json::Value;

use crate::connector::{TestSettings, integration};
use crate::upstream::Upstream;

const MARKER: &str = "m4rker-of-a-secret";

/// The document with each of its values replaced, one at a time, by each of `values`.
fn spoilt(document: &Value, values: &[Value]) -> Vec<Value> {
    let mut found = values.to_vec();
    match document {
        Value::Object(members) => {
            for (name, member) in members {
                for spoilt in spoilt(member, values) {
                    let mut copy = document.clone();
                    copy[name] = spoilt;
                    found.push(copy);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for spoilt in spoilt(item, values) {
                    let mut copy = document.clone();
                    copy[index] = spoilt;
                    found.push(copy);
                }
            }
        }
        _ => {}
    }
    found
}

fn whole() -> Value {
    json!({
        "auth": {
            "id": null,
            "token": {"token": "t0ken"},
            "basic": {"username": "u", "password": "p"},
            "oauth": {"access_token": "a"},
            "key_pair": {"key_identifier": "k", "private_key": "p"},
        },
        "credentials": null,
        "request": {"email": "a@example.com", "entitlements": [], "how": "fail", "custom_attributes": ["a"]},
        "include_raw_data": true,
        "page": {"token": "91", "size": 1},
        "settings": {"api_url": "nowhere", "path": "/users"},
        "rate_limit": {"max_execution_time": 5, "caller_override_mode": "enforce", "last_known_state": {}},
    })
}

#[test]
fn no_error_repeats_what_was_sent() {
    let harness = Harness::new(integration()).unwrap();
    let marked = [
        json!(MARKER),
        json!([MARKER]),
        json!({"token": MARKER}),
        json!([{"id": MARKER}]),
        json!({"token": {"token": [MARKER]}}),
    ];
    let documents = spoilt(&whole(), &marked);
    assert!(documents.len() > 100);
    let mut errors = 0;
    for document in &documents {
        for capability in [
            "list_accounts",
            "create_account",
            "behave",
            "app_info",
            "probe_integration",
        ] {
            let answer = harness.call(capability, document.clone());
            if answer.get("is_error").is_some() {
                errors += 1;
                assert!(
                    !answer.to_string().contains(MARKER),
                    "{capability} {document}: {answer}"
                );
            }
        }
    }
    assert!(errors > 300, "{errors} errors");
    let logged: Vec<_> = harness
        .log_lines()
        .into_iter()
        .filter(|(_, line)| line.contains(MARKER) && !is_of_plain_settings(line))
        .collect();
    assert!(logged.is_empty(), "{logged:?}");
}

/// Settings are not secret unless they say so; here a marker stands in all of them, one after the other.
fn is_of_plain_settings(line: &str) -> bool {
    line.contains(": settings were {")
}

#[test]
fn text_that_is_no_json_is_not_repeated() {
    let harness = Harness::new(integration()).unwrap();
    let whole = whole().to_string().replace("t0ken", MARKER);
    let ends = (0..whole.len()).filter(|end| whole.is_char_boundary(*end));
    for end in ends {
        let answer = harness.call_bytes("list_accounts", &whole.as_bytes()[..end]);
        assert_eq!(answer["error"]["error_code"], "bad_request");
        assert!(!answer.to_string().contains(MARKER), "{answer}");
    }
}

#[test]
fn an_app_that_repeats_the_credential_is_not_quoted() {
    #[derive(Deserialize, JsonSchema)]
    struct Ask {
        text: String,
    }
    async fn ask(ctx: Context<TokenCredential, TestSettings>, input: Ask) -> Result<Vec<FoundAccountData>> {
        let api = ctx.http(&ctx.settings.api_url)?.token(&ctx.auth);
        let answer = json!({"status": 401, "text": input.text});
        api.post("/api/users").json(&answer).fetch().await
    }
    let upstream = Upstream::start();
    let integration = Integration::new("x", "1.0.0")
        .auth::<TokenCredential>()
        .settings::<TestSettings>()
        .register_custom("ask", CapabilityLevel::Read, ask);
    let harness = Harness::new(integration).unwrap();
    let answer = harness.call(
        "ask",
        json!({
            "auth": {"token": {"token": MARKER}},
            "settings": {"api_url": upstream.url},
            "request": {"text": format!("the token {MARKER} is not known")},
        }),
    );
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.ends_with("the token [REDACTED] is not known"),
        "{message}"
    );
    let lines = harness.log_lines();
    assert!(lines.iter().all(|(_, line)| !line.contains(MARKER)), "{lines:?}");
}

#[test]
fn the_settings_of_a_failed_call_are_logged_without_their_secrets() {
    #[derive(Clone, Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Keyed {
        domain: String,
        pin: Secret,
        scim_token: String,
    }
    async fn list(_: Context<TokenCredential, Keyed>, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
        Err(ConnectorError::conflict("why"))
    }
    let integration = Integration::new("x", "1.0.0")
        .auth::<TokenCredential>()
        .settings::<Keyed>()
        .register(capability::LIST_ACCOUNTS, list);
    let harness = Harness::new(integration).unwrap();
    harness.call(
        "list_accounts",
        json!({
            "auth": {"token": {"token": "t0ken"}},
            "settings": {"domain": "example", "pin": MARKER, "scim_token": MARKER, "unknown": MARKER},
            "request": {},
        }),
    );
    let lines = harness.log_lines();
    assert!(
        lines.iter().any(|(_, line)| line.contains("example")),
        "{lines:?}"
    );
    assert!(lines.iter().all(|(_, line)| !line.contains(MARKER)), "{lines:?}");
}
