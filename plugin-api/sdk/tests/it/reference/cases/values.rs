//! Settings, inputs of a connector's own, and what is told besides the result.

use lumos_connector_sdk::prelude::*;
use serde_json::Value;

use super::{Case, case};

pub(super) fn settings() -> Vec<Case> {
    let auth = json!({"token": {"token": "t"}});
    let good = json!({"domain": "d", "api_key": "k", "region": "eu", "limits": {"per_minute": 1}});
    let of = |name: &str, settings: Value| {
        let body = json!({"request": {}, "auth": auth, "settings": settings});
        case("full", "list_accounts", name, body)
    };
    let with = |name: &str, value: Value| {
        let mut settings = good.clone();
        settings[name] = value;
        settings
    };
    vec![
        case("full", "list_accounts", "neither", json!({"request": {}})),
        case(
            "full",
            "list_accounts",
            "no settings",
            json!({"request": {}, "auth": auth}),
        ),
        of("settings null", Value::Null),
        of("settings empty", json!({})),
        of("settings good", good.clone()),
        of("settings unknown", with("more", json!(1))),
        of("settings domain number", with("domain", json!(1))),
        of("settings key number", with("api_key", json!(1))),
        of("settings size text", with("page_size", json!("8"))),
        of("settings size word", with("page_size", json!("eight"))),
        of("settings size whole", with("page_size", json!(8.0))),
        of("settings size broken", with("page_size", json!(8.5))),
        of("settings verify word", with("verify", json!("no"))),
        of("settings verify other word", with("verify", json!("nope"))),
        of("settings verify number", with("verify", json!(1))),
        of("settings ratio text", with("ratio", json!("1.5"))),
        of("settings ratio null", with("ratio", Value::Null)),
        of("settings region unknown", with("region", json!("moon"))),
        of("settings tags text", with("tags", json!("a"))),
        of("settings labels number", with("labels", json!({"a": 1}))),
        of("settings limits empty", with("limits", json!({}))),
        of("settings limits text", with("limits", json!({"per_minute": "5"}))),
    ]
}

pub(super) fn own_inputs() -> Vec<Case> {
    let auth = json!({"token": {"token": "t"}});
    let settings = json!({"domain": "d", "api_key": "k", "region": "eu", "limits": {"per_minute": 1}});
    let whole = |request: Value| json!({"request": request, "auth": auth, "settings": settings});
    let wake = |name: &str, body: Value| case("full", "wake_device", name, body);
    let create = |name: &str, body: Value| case("full", "create_account", name, body);
    vec![
        wake("good", whole(json!({"device": "d"}))),
        wake("text for a number", whole(json!({"device": "d", "times": "0"}))),
        wake(
            "word for a number",
            whole(json!({"device": "d", "times": "s3cret"})),
        ),
        wake("number for a text", whole(json!({"device": 7}))),
        wake("empty", whole(json!({}))),
        wake("nothing", json!({})),
        wake("no settings", json!({"request": {"device": "d"}, "auth": auth})),
        wake("no settings and no auth", json!({"request": {"device": "d"}})),
        wake(
            "settings null",
            json!({"request": {"device": "d"}, "auth": auth, "settings": null}),
        ),
        wake(
            "settings text",
            json!({"request": {"device": "d"}, "auth": auth, "settings": "x"}),
        ),
        create(
            "good",
            whole(json!({"email": "a@example.com", "entitlements": []})),
        ),
        create("no address", whole(json!({"entitlements": []}))),
        create("no entitlements", whole(json!({"email": "a@example.com"}))),
        create(
            "standard field wrong",
            whole(json!({"email": "a", "entitlements": [], "given_name": 3})),
        ),
        create(
            "entitlement incomplete",
            whole(json!({"email": "a", "entitlements": [{"integration_specific_id": "x"}]})),
        ),
    ]
}

/// Values at their bounds and beyond, and in models within models.
pub(super) fn odd_values() -> Vec<Case> {
    let auth = json!({"token": {"token": "t"}});
    let good = json!({"port": 1, "hosts": ["a"]});
    let with = |name: &str, value: &Value| {
        let mut values = good.clone();
        values[name] = value.clone();
        values
    };
    let values = [
        ("port", json!(1)),
        ("port", json!(0)),
        ("port", json!(65000)),
        ("port", json!(65001)),
        ("port", json!("65001")),
        ("port", json!(-1)),
        ("port", json!(true)),
        ("port", json!(1.5)),
        ("port", json!(" 7 ")),
        ("port", json!("1_000")),
        ("port", json!("+5")),
        ("port", json!("7.0")),
        ("port", json!([1])),
        ("share", json!(true)),
        ("share", json!(" .5")),
        ("share", json!("inf")),
        ("on", json!("maybe")),
        ("on", json!("TRUE")),
        ("on", json!(2)),
        ("on", json!(1.0)),
        ("on", json!([])),
        ("share", json!(0)),
        ("share", json!(0.25)),
        ("share", json!(1)),
        ("share", json!("0.25")),
        ("share", json!("half")),
        ("hosts", json!([])),
        ("hosts", json!(["a", "b", "c"])),
        ("hosts", json!(["a", 2])),
        ("hosts", json!({})),
        ("rule", Value::Null),
        ("rule", json!({})),
        ("rule", json!({"pattern": "p"})),
        ("rule", json!({"pattern": "patte"})),
        ("rule", json!({"pattern": "pat", "region": "moon"})),
        ("rule", json!({"pattern": "pat", "region": "eu"})),
        (
            "by_name",
            json!({"one": {"pattern": "pat"}, "two": {"pattern": 3}}),
        ),
        ("by_name", json!([])),
    ];
    let mut cases = Vec::new();
    for (index, (name, value)) in values.iter().enumerate() {
        let title = format!("{index} {name} {value}");
        let settings = json!({"request": {}, "auth": auth, "settings": with(name, value)});
        cases.push(case("odd", "list_accounts", &title, settings));
        let request = json!({"request": with(name, value), "auth": auth, "settings": good});
        cases.push(case("odd", "take_odd", &title, request));
    }
    for (name, value) in [
        ("label", json!("")),
        ("label", json!("\u{e9}\u{e9}\u{e9}")),
        ("label", json!("abcd")),
        ("regions", json!(["eu", "moon"])),
        ("rules", json!([{"pattern": "pat"}, {}])),
        ("anything", json!([1, {"a": null}])),
        ("table", json!({"a": null})),
        ("table", json!([1])),
        ("other_region", json!("us")),
    ] {
        let title = format!("{name} {value}");
        let settings = json!({"request": {}, "auth": auth, "settings": with(name, &value)});
        cases.push(case("odd", "list_accounts", &title, settings));
    }
    cases
}

/// What is told besides the result.
pub(super) fn records() -> Vec<Case> {
    let of = |capability: &'static str, name: &str, request: Value| {
        let body = json!({"request": request, "auth": {"token": {"token": "t"}}, "settings": {}});
        case("recording", capability, name, body)
    };
    let raw = |raw: Value| {
        let change = json!({"effect": {"kind": "created"}});
        let auth = json!({"token": {"token": "t"}});
        let name = format!("raw data {raw}");
        let body = json!({"request": change, "auth": auth, "settings": {}, "include_raw_data": raw});
        case("recording", "change", &name, body)
    };
    vec![
        of("fingerprint", "little", json!({"name": "n"})),
        of("fingerprint", "nulls", json!({"name": "n", "count": null})),
        of(
            "fingerprint_nested",
            "nulls",
            json!({"labels": {"b": null, "a": {"d": null, "c": [null]}}, "parts": [{"note": null}, {"note": "x"}]}),
        ),
        of(
            "fingerprint",
            "much",
            json!({"name": "é \" \\ \u{7f} \u{1F600} \n", "count": -5, "ratio": 0.1, "parts": [{"per_minute": 2}]}),
        ),
        of("fingerprint", "whole ratio", json!({"name": "n", "ratio": 2})),
        of("fingerprint", "large ratio", json!({"name": "n", "ratio": 1e22})),
        of(
            "fingerprint",
            "small ratio",
            json!({"name": "n", "ratio": 1.5e-7}),
        ),
        of("fingerprint_unique", "one", json!({"name": "n", "note": "x"})),
        of("fingerprint_unique", "another", json!({"name": "n", "note": "y"})),
        of(
            "fingerprint_create",
            "account",
            json!({"email": "a@example.com", "given_name": null, "entitlements": [
                {"integration_specific_entitlement_id": "e", "integration_specific_resource_id": "r", "entitlement_type": "role"}]}),
        ),
        of("change", "created", json!({"effect": {"kind": "created"}})),
        of("change", "updated", json!({"effect": {"kind": "updated"}})),
        of("change", "deleted", json!({"effect": {"kind": "deleted"}})),
        of(
            "change",
            "noop",
            json!({"effect": {"kind": "noop", "reason": "state_already_matches"}}),
        ),
        of(
            "change",
            "caught",
            json!({"effect": {"kind": "updated"}, "caught": true}),
        ),
        raw(json!(true)),
        raw(json!(false)),
        raw(Value::Null),
        case(
            "recording",
            "list_custom_attributes_schema",
            "declared",
            json!({"request": {}, "auth": {"token": {"token": "t"}}}),
        ),
        case(
            "recording",
            "list_custom_attributes_schema",
            "no auth",
            json!({"request": {}}),
        ),
    ]
}
