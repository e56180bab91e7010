//! What is the same for all capabilities.

use serde_json::json;

use crate::app::{App, harness};

#[test]
fn a_call_without_a_credential_is_refused() {
    let answer = harness().call("list_accounts", json!({"request": {}, "settings": {}}));
    assert_eq!(answer["is_error"], true, "{answer}");
}

#[test]
fn a_failure_of_the_app_becomes_an_error_of_the_connector() {
    let app = App::start([("GET /groups", 500, json!({"error": "out of order"}))]);
    let answer = app.call("list_resources", json!({"resource_type": "group"}));
    assert_eq!(answer["is_error"], true, "{answer}");
    assert_eq!(answer["error"]["app_id"], "{{app_id}}");
}
