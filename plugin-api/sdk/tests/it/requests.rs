//! What becomes of callers' requests before a capability runs.

use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::prelude::*;
use lumos_connector_sdk::{CallOptions, IntegrationError};
use serde_json::Value;

use crate::connector::integration;

fn message(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap()
}

#[test]
fn checks_come_in_their_order() {
    let harness = Harness::new(integration()).unwrap();
    let auth = json!({"token": {"token": "t"}});
    let cases = [
        (
            json!({}),
            "Invalid request - [{'type': 'missing', 'loc': ('request',), 'msg': 'Field required'}]",
        ),
        (json!({"request": {}}), "Missing auth/credentials in request"),
        (
            json!({"request": {}, "auth": {"basic": {"username": "u", "password": "p"}}}),
            "Missing 'token' auth in request",
        ),
        (
            json!({"request": {}, "credentials": []}),
            "Missing credentials in request",
        ),
        (
            json!({"request": {}, "credentials": [{}]}),
            "Missing ID in credential at index 0",
        ),
        (
            json!({"request": {}, "auth": auth}),
            "No settings passed on request: test requires TestSettings",
        ),
        (
            json!({"request": {}, "auth": auth, "settings": {}}),
            "Invalid settings passed on request. Missing required settings: api_url",
        ),
        (
            json!({"request": {}, "auth": auth, "settings": {"api_url": 1}}),
            "Invalid settings passed on request. - [{'type': 'string_type', 'loc': ('settings', 'api_url'), 'msg': \
             'Input should be a valid string'}]",
        ),
        (
            json!({"request": {}, "auth": auth, "settings": {"path": 1}}),
            "Invalid settings passed on request. Missing required settings: api_url - [{'type': 'string_type', 'loc': \
             ('settings', 'path'), 'msg': 'Input should be a valid string'}]",
        ),
        (
            json!({"request": {}, "auth": auth, "settings": {"api_url": "nowhere"}}),
            "Request URL is missing an 'http://' or 'https://' protocol.",
        ),
    ];
    for (document, expected) in cases {
        assert_eq!(message(&harness.call("list_accounts", document)), expected);
    }
}

/// One that has a default would otherwise be misspelt without a trace.
#[test]
fn settings_that_nobody_knows_are_told_in_the_log() {
    let harness = Harness::new(integration()).unwrap();
    let settings = json!({"api_url": "nowhere", "pathh": "/s3cret"});
    harness.call(
        "list_accounts",
        json!({"request": {}, "auth": {"token": {"token": "t"}}, "settings": settings}),
    );
    let lines = harness.log_lines();
    let line = (
        30,
        "the settings have what this connector does not know: pathh".to_owned(),
    );
    assert!(lines.contains(&line), "{lines:?}");
}

#[test]
fn an_unknown_capability_is_not_implemented() {
    let answer = Harness::new(integration())
        .unwrap()
        .call("delete_account", json!({}));
    assert_eq!(
        message(&answer),
        "Capability 'delete_account' is not implemented."
    );
    assert_eq!(answer["error"]["error_code"], "unsupported_operation");
    assert_eq!(answer["error"]["raised_by"], Value::Null);
}

#[test]
fn an_input_of_the_connectors_own_is_checked_too() {
    let harness = Harness::new(integration()).unwrap();
    let base = json!({"auth": {"token": {"token": "t"}}, "settings": {"api_url": "http://x"}, "request": {}});
    let answer = harness.call("create_account", base.clone());
    assert_eq!(
        message(&answer),
        "Invalid request - [{'type': 'missing', 'loc': ('request', 'email'), 'msg': 'Field required'}]"
    );
    let mut good = base;
    good["request"] = json!({"email": "a@example.com"});
    assert_eq!(
        harness.call("create_account", good)["response"]["id"],
        "a@example.com"
    );
}

#[test]
fn errors_of_a_capability_carry_what_it_said() {
    let harness = Harness::new(integration()).unwrap();
    let answer = harness.call(
        "behave",
        json!({"auth": {"token": {"token": "t"}}, "settings": {"api_url": ""}, "request": {"how": "fail"}}),
    );
    assert_eq!(answer["error"]["error_code"], "conflict");
    assert_eq!(answer["error"]["error_metadata"]["hint"], "choose another");
}

#[test]
fn info_tells_what_the_connector_takes_and_gives() {
    let answer = Harness::new(integration()).unwrap().call("info", Value::Null);
    let info = &answer["response"];
    assert_eq!(
        info["capabilities"],
        json!([
            "app_info",
            "behave",
            "create_account",
            "list_accounts",
            "probe_integration",
            "slow_write"
        ])
    );
    assert_eq!(
        info["request_settings_schema"]["field_order"],
        json!(["api_url", "path"])
    );
    assert_eq!(
        info["request_settings_schema"]["properties"]["path"],
        json!({"default": "/users", "description": "What `list_accounts` asks for.", "title": "Path", "type": "string"})
    );
    assert_eq!(
        info["authentication_schema"]["properties"]["token"]["x-secret"],
        true
    );
    assert_eq!(
        info["capability_schema"]["list_accounts"]["output"],
        json!({"properties": {}, "title": "Empty", "type": "object"})
    );
    assert_eq!(
        info["capability_schema"]["create_account"]["argument"]["x-capability-level"],
        "write"
    );
}

#[test]
fn app_info_needs_neither_credential_nor_settings() {
    let answer = Harness::new(integration())
        .unwrap()
        .call("app_info", json!({"request": {}}));
    let document = &answer["response"]["app_schema"];
    assert_eq!(
        document["paths"]["/list_accounts"]["post"]["tags"],
        json!(["Read Capabilities"])
    );
    assert_eq!(document["info"]["x-probe-checks"], json!(["accounts"]));
    let text = document.to_string();
    assert!(
        !text.contains("#/$defs/"),
        "every reference points into the components"
    );
}

#[test]
fn mistakes_in_a_declaration_are_found() {
    async fn nothing(_: Context, _: ListResources) -> Result<Vec<FoundResourceData>> {
        Ok(Vec::new())
    }
    let new = || Integration::new("x", "1.0.0");
    let error = |integration: Integration| integration.build().err().unwrap();
    assert_eq!(
        error(Integration::new("a__b", "1.0.0")),
        IntegrationError::AppId("a__b".into())
    );
    for version in ["1.0", "", "v1.0.0", "1.0.0-"] {
        assert_eq!(
            error(Integration::new("x", version)),
            IntegrationError::Version(version.into())
        );
    }
    let misspelt = new().idempotent("deactivate_acount");
    assert_eq!(
        error(misspelt),
        IntegrationError::Unregistered("deactivate_acount".into())
    );
    let twice = new()
        .register(capability::LIST_RESOURCES, nothing)
        .register(capability::LIST_RESOURCES, nothing);
    assert_eq!(error(twice), IntegrationError::Duplicate("list_resources".into()));
    let reserved = new().register_custom(Custom::read("get_account"), nothing);
    assert_eq!(error(reserved), IntegrationError::Reserved("get_account".into()));
    let named = new().register_custom(Custom::read("Sync2"), nothing);
    assert_eq!(error(named), IntegrationError::Name("Sync2".into()));
    let model = new().register_with_input(capability::CREATE_ACCOUNT, |_: Context, _: ListResources| async {
        Err::<CreatedAccount, _>(ConnectorError::internal(""))
    });
    let missing = IntegrationError::Model {
        capability: "create_account".into(),
        field: "entitlements".into(),
    };
    assert_eq!(error(model), missing);
}

#[test]
fn a_connector_can_be_called_without_a_harness() {
    let connector = integration().build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(connector.call("info", b"", CallOptions::default()));
    assert!(answer.starts_with(br#"{"response":{"app_id":"test""#));
}
