//! What the app answers instead of a success, and what becomes of it.

use serde_json::json;

use crate::support::{Tenant, calls, code};

#[test]
fn there_are_twelve_capabilities_and_all_succeed() {
    let tenant = Tenant::new();
    assert_eq!(calls().len(), 12);
    for (capability, request) in calls() {
        let answer = tenant.call(capability, &request);
        assert!(answer.get("is_error").is_none(), "{capability}: {answer}");
    }
}

#[test]
fn each_status_becomes_its_code_in_every_capability() {
    let tenant = Tenant::new();
    for (status, expected) in [
        (400, "bad_request"),
        (401, "unauthorized"),
        (403, "permission_denied"),
        (405, "unsupported_operation"),
        (408, "request_timeout"),
        (409, "conflict"),
        (413, "bad_request"),
        (415, "bad_request"),
        (418, "invalid_response"),
        (422, "bad_request"),
        (429, "rate_limit"),
        (500, "bad_gateway"),
        (501, "unsupported_operation"),
        (502, "bad_gateway"),
        (503, "service_error"),
        (504, "bad_gateway"),
    ] {
        for (capability, request) in calls() {
            let answer = tenant.call_with(&format!("status-{status}"), capability, &request);
            assert_eq!(code(&answer), expected, "{capability} {status}");
            assert_eq!(answer["error"]["status_code"], status);
            let seconds = (status == 429).then_some(7);
            assert_eq!(
                answer["error"]["error_metadata"]["retry_after_seconds"],
                json!(seconds)
            );
        }
    }
}

#[test]
fn not_found_is_an_error_but_where_absence_is_an_answer() {
    let tenant = Tenant::new();
    for (capability, request) in calls() {
        let answer = tenant.call_with("status-404", capability, &request);
        if capability == "get_last_activity" {
            assert_eq!(answer["response"], json!([]));
        } else {
            assert_eq!(code(&answer), "not_found", "{capability}");
        }
    }
}

#[test]
fn a_wrong_token_is_unauthorized_and_changes_nothing() {
    let tenant = Tenant::new();
    for token in ["wrong", "", "Valid-token", "valid-token2"] {
        for (capability, request) in calls() {
            let answer = tenant.call_with(token, capability, &request);
            assert_eq!(code(&answer), "unauthorized", "{capability} with {token:?}");
        }
    }
    assert_eq!(tenant.look("/api/users?limit=1")["total"], 1000);
    assert_eq!(tenant.look("/api/users/user-000001")["status"], "active");
}

#[test]
fn answers_that_are_not_json_are_invalid_responses_where_one_is_needed() {
    let tenant = Tenant::new();
    for (capability, request) in calls() {
        let answer = tenant.call_with("garbage", capability, &request);
        // These ask for a change and read no more than the status.
        let status_is_enough = capability.contains("activate")
            || capability.contains("assign")
            || capability == "delete_account";
        if status_is_enough {
            assert!(answer.get("is_error").is_none(), "{capability}: {answer}");
        } else {
            assert_eq!(code(&answer), "invalid_response", "{capability}");
        }
    }
}

#[test]
fn messages_and_logs_hold_no_token() {
    let tenant = Tenant::new();
    let canary = "canary-7f3a9c\u{1}";
    for token in [canary, "canary-7f3a9c"] {
        for (capability, request) in calls() {
            let answer = tenant.call_with(token, capability, &request).to_string();
            assert!(!answer.contains("canary-7f3a9c"), "{capability}: {answer}");
        }
    }
    let lines = tenant.harness.log_lines();
    assert!(
        lines.iter().all(|(_, line)| !line.contains("canary-7f3a9c")),
        "{lines:?}"
    );
}

#[test]
fn an_app_that_is_not_there_is_told_apart() {
    let tenant = Tenant::new();
    let mut document = tenant.document("valid-token", &json!({}));
    document["settings"]["api_url"] = "http://127.0.0.1:1".into();
    assert_eq!(
        code(&tenant.harness.call("validate_credentials", document.clone())),
        "connection_timeout"
    );
    document["settings"]["api_url"] = "localhost:8000".into();
    assert_eq!(
        code(&tenant.harness.call("validate_credentials", document)),
        "internal_error"
    );
}
