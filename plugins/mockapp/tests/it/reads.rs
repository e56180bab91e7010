//! The capabilities that change nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Tenant, code};

#[test]
fn all_accounts_come_in_pages_each_once() {
    let tenant = Tenant::new();
    let mut seen = BTreeSet::new();
    let mut page = json!({"size": 300});
    let mut sizes = Vec::new();
    loop {
        let answer = tenant.page(&page);
        let accounts = answer["response"].as_array().expect("accounts");
        sizes.push(accounts.len());
        for account in accounts {
            assert!(
                seen.insert(account["integration_specific_id"].as_str().map(str::to_owned)),
                "{account} twice"
            );
        }
        if answer["page"].is_null() {
            break;
        }
        assert_eq!(answer["page"]["size"], 300);
        page = answer["page"].clone();
    }
    assert_eq!((sizes, seen.len()), (vec![300, 300, 300, 100], 1000));
}

#[test]
fn a_last_page_that_is_full_is_the_last() {
    let tenant = Tenant::new();
    let first = tenant.page(&json!({"size": 500}));
    let second = tenant.page(&first["page"]);
    assert_eq!(second["response"].as_array().map(Vec::len), Some(500));
    assert_eq!(second["page"], Value::Null);
}

#[test]
fn statuses_of_the_app_become_those_of_the_api() {
    let tenant = Tenant::new();
    let answer = tenant.page(&json!({"size": 10}));
    let status = |index: usize| answer["response"][index]["user_status"].as_str();
    assert_eq!(
        (status(0), status(6), status(9)),
        (Some("ACTIVE"), Some("SUSPENDED"), Some("INACTIVE"))
    );
}

#[test]
fn a_token_of_another_listing_or_from_before_the_beginning_is_refused() {
    let tenant = Tenant::new();
    // msgpack of [{"endpoint": "/api/other", "offset": 3}] and of [{"endpoint": "/api/users", "offset": -1}]
    for token in [
        "9182a8656e64706f696e74aa2f6170692f6f74686572a66f666673657403",
        "9182a8656e64706f696e74aa2f6170692f7573657273a66f6666736574ff",
    ] {
        let answer = tenant.page(&json!({ "token": token }));
        assert_eq!(code(&answer), "invalid_page_token");
        assert_eq!(answer["error"]["error_metadata"]["retryable"], false);
    }
}

#[test]
fn an_offset_beyond_all_accounts_is_an_empty_last_page() {
    let tenant = Tenant::new();
    // offset 2^64 - 1
    let token = "9182a8656e64706f696e74aa2f6170692f7573657273a66f6666736574cfffffffffffffffff";
    let answer = tenant.page(&json!({ "token": token }));
    assert_eq!((&answer["response"], &answer["page"]), (&json!([]), &Value::Null));
}

#[test]
fn resources_and_entitlements_have_declared_types() {
    let tenant = Tenant::new();
    let info = tenant.harness.call("info", json!({}));
    let declared = |list: &str| -> BTreeSet<String> {
        let types = info["response"][list].as_array().expect("types");
        types
            .iter()
            .filter_map(|kind| kind["type_id"].as_str().map(str::to_owned))
            .collect()
    };
    for (capability, member, list, count) in [
        ("list_resources", "resource_type", "resource_types", 9),
        ("list_entitlements", "entitlement_type", "entitlement_types", 14),
    ] {
        let answer = tenant.call(capability, &json!({}));
        let found = answer["response"].as_array().expect("a list");
        assert_eq!(found.len(), count);
        let declared = declared(list);
        assert!(
            found
                .iter()
                .all(|item| item[member].as_str().is_some_and(|kind| declared.contains(kind)))
        );
    }
}

#[test]
fn last_activity_leaves_out_whoever_is_not_there_or_never_came() {
    let tenant = Tenant::new();
    let ids = json!([
        "user-000001",
        "user-000005",
        "nope",
        "",
        ".",
        "..",
        "../resources",
        "a?b#c",
        "user-000002"
    ]);
    let answer = tenant.call("get_last_activity", &json!({ "account_ids": ids }));
    let who: Vec<_> = answer["response"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| &row["account_id"])
        .collect();
    assert_eq!(who, ["user-000001", "user-000002"]);
}

#[test]
fn last_activity_does_not_swallow_a_bad_token() {
    let tenant = Tenant::new();
    let answer = tenant.call_with(
        "wrong",
        "get_last_activity",
        &json!({"account_ids": ["user-000001"]}),
    );
    assert_eq!(code(&answer), "unauthorized");
    let nobody = tenant.call_with("wrong", "get_last_activity", &json!({"account_ids": []}));
    assert_eq!(nobody["response"], json!([]));
}

#[test]
fn settings_need_not_name_an_account() {
    let tenant = Tenant::new();
    let mut document = tenant.document("valid-token", &json!({}));
    document["settings"] = json!({"api_url": format!("{}/", tenant.app.url())});
    let answer = tenant.harness.call("validate_credentials", document);
    assert_eq!(
        answer["response"],
        json!({"valid": true, "unique_tenant_id": "mockapp-tenant-id"})
    );
}
