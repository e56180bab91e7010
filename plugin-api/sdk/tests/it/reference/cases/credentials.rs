//! Credentials: of every kind, of several at once, and before they are saved.

use lumos_connector_sdk::prelude::*;
use serde_json::Value;

use super::{Case, case};

/// Each kind with what it holds.
fn filled() -> Vec<(&'static str, Value)> {
    let text = |names: &[&str]| -> Value {
        names
            .iter()
            .map(|name| ((*name).to_owned(), json!("v")))
            .collect()
    };
    let mut headers = text(&[
        "alg", "jku", "jwk", "typ", "kid", "x5u", "x5c", "x5t", "x5t#S256", "cty",
    ]);
    headers["crit"] = json!(["a"]);
    let mut claims = text(&["iss", "sub", "aud", "jti", "act", "client_id", "may_act"]);
    for name in ["exp", "nbf", "iat"] {
        claims[name] = json!(1);
    }
    claims["scope"] = json!(["s"]);
    let mut client = text(&["access_token", "client_id", "client_secret"]);
    client["scopes"] = json!([]);
    let mut account = text(&["impersonation_email", "tenant_id"]);
    account["key"] = json!({"a": {"b": 1}});
    account["scopes"] = json!(["s"]);
    vec![
        ("oauth", text(&["access_token"])),
        ("oauth_client_credentials", client),
        (
            "oauth1",
            text(&["consumer_key", "consumer_secret", "token_id", "token_secret"]),
        ),
        ("basic", text(&["username", "password"])),
        ("token", text(&["token"])),
        (
            "jwt",
            json!({"headers": headers, "claims": claims, "secret": "v"}),
        ),
        ("service_account", account),
        ("key_pair", text(&["key_identifier", "private_key"])),
        ("empty", json!({})),
    ]
}

/// Every kind as the only one, with its siblings null, and with another kind in its place.
pub(super) fn single_credentials() -> Vec<Case> {
    let kinds = filled();
    let mut cases = Vec::new();
    for (kind, value) in &kinds {
        let mut auth: Value = kinds
            .iter()
            .map(|(kind, _)| ((*kind).to_owned(), Value::Null))
            .collect();
        auth[*kind] = value.clone();
        let of = |name: &str, body: Value| case(kind, "list_accounts", name, body);
        cases.push(of("its kind", json!({"request": {}, "auth": auth})));
        cases.push(of("kind alone", json!({"request": {}, "auth": {*kind: value}})));
        cases.push(of("nothing in it", json!({"request": {}, "auth": {}})));
        for (other, value) in kinds.iter().filter(|(other, _)| other != kind) {
            cases.push(of(
                &format!("{other} instead"),
                json!({"request": {}, "auth": {*other: value}}),
            ));
        }
        for member in value.as_object().into_iter().flat_map(|members| members.keys()) {
            let mut lacking = value.clone();
            lacking.as_object_mut().unwrap().remove(member);
            cases.push(of(
                &format!("without {member}"),
                json!({"request": {}, "auth": {*kind: lacking}}),
            ));
            let mut wrong = value.clone();
            wrong[member] = json!(12.5);
            cases.push(of(
                &format!("{member} a number"),
                json!({"request": {}, "auth": {*kind: wrong}}),
            ));
        }
    }
    cases.push(case(
        "service_account",
        "list_accounts",
        "unknown service",
        json!({"request": {}, "auth": {"service_account": {"service_type": "moon", "key": {}, "impersonation_email": "",
            "tenant_id": "", "scopes": []}}}),
    ));
    cases.push(case(
        "open_network",
        "list_accounts",
        "nothing",
        json!({"request": {}}),
    ));
    cases.push(case(
        "open_network",
        "list_accounts",
        "something",
        json!({"request": {}, "auth": {"token": {"token": "t"}}, "credentials": []}),
    ));
    cases
}

pub(super) fn several_credentials() -> Vec<Case> {
    let token = |id: &str| json!({"id": id, "token": {"token": "tok"}});
    let basic = |id: &str| json!({"id": id, "basic": {"username": "u", "password": "p"}});
    let pair = |id: &str| json!({"id": id, "key_pair": {"key_identifier": "k", "private_key": "p"}});
    let sets = [
        ("none", json!([])),
        ("no id", json!([{"token": {"token": "t"}}])),
        ("empty id", json!([{"id": "", "token": {"token": "t"}}])),
        ("unknown id", json!([token("nobody")])),
        ("not a list", json!({})),
        ("not an object", json!(["s3cret"])),
        ("incomplete", json!([{"id": "main", "token": {}}])),
        ("main", json!([token("main")])),
        ("main empty", json!([{"id": "main"}])),
        ("main as basic", json!([basic("main")])),
        ("main and side", json!([token("main"), basic("side")])),
        ("side", json!([basic("side")])),
        ("main twice, empty first", json!([{"id": "main"}, token("main")])),
        ("main twice, empty last", json!([token("main"), {"id": "main"}])),
        ("one", json!([token("one")])),
        ("one empty", json!([{"id": "one"}])),
        ("other", json!([basic("other")])),
        ("one and other", json!([token("one"), basic("other")])),
        ("third", json!([pair("third")])),
        ("one and third", json!([token("one"), pair("third")])),
        ("other empty", json!([{"id": "other"}])),
        ("one and other empty", json!([token("one"), {"id": "other"}])),
    ];
    let mut cases = Vec::new();
    for integration in ["two", "both", "either", "combined", "own_models", "token"] {
        for (name, set) in &sets {
            let body = json!({"request": {}, "credentials": set});
            cases.push(case(
                integration,
                "list_accounts",
                &format!("credentials {name}"),
                body,
            ));
        }
        let auth = json!({"token": {"token": "t"}});
        let body = json!({"request": {}, "credentials": [token("main")], "auth": auth});
        cases.push(case(integration, "list_accounts", "both members", body));
        if integration != "token" {
            cases.push(case(
                integration,
                "list_accounts",
                "auth",
                json!({"request": {}, "auth": auth}),
            ));
        }
    }
    let every: Vec<Value> = filled()
        .into_iter()
        .map(|(kind, value)| json!({"id": format!("c_{kind}"), kind: value}))
        .collect();
    let mut ambient = every.clone();
    ambient[8] = json!({"id": "c_empty"});
    let mut lacking = every.clone();
    lacking.remove(8);
    let mut two_lacking = every.clone();
    two_lacking.drain(3..5);
    for (name, set) in [
        ("all", every),
        ("empty by its id", ambient),
        ("without empty", lacking),
        ("without two", two_lacking),
    ] {
        let body = json!({"request": {}, "credentials": set});
        cases.push(case("every_kind", "list_accounts", name, body));
    }
    cases
}

pub(super) fn credential_configs() -> Vec<Case> {
    let of = |integration: &str, name: &str, credential: Value| {
        let body = json!({"request": {"credential": credential}});
        case(integration, "validate_credential_config", name, body)
    };
    let token = |token: &str| json!({"id": "main", "token": {"token": token}});
    let mut cases = vec![
        case("token", "validate_credential_config", "single", json!({})),
        case("two", "validate_credential_config", "no request", json!({})),
        case(
            "two",
            "validate_credential_config",
            "no credential",
            json!({"request": {}}),
        ),
        case(
            "two",
            "validate_credential_config",
            "auth of another form",
            json!({"request": {"credential": token("good")}, "auth": "x", "credentials": 3}),
        ),
        of("two", "good", token("good one")),
        of("two", "bad", token("bad one")),
        of("two", "blank", token("")),
        of("two", "spaces", token(" good")),
        of("two", "no id", json!({"token": {"token": "good"}})),
        of(
            "two",
            "unknown id",
            json!({"id": "nobody", "token": {"token": "good"}}),
        ),
        of("two", "empty", json!({"id": "main"})),
        of(
            "two",
            "another kind",
            json!({"id": "main", "basic": {"username": "u", "password": "p"}}),
        ),
        of(
            "two",
            "side",
            json!({"id": "side", "basic": {"username": "u", "password": "p"}}),
        ),
        of(
            "own_models",
            "too short",
            json!({"id": "pasted", "token": {"token": ""}}),
        ),
        of(
            "own_models",
            "pasted",
            json!({"id": "pasted", "token": {"token": "x"}}),
        ),
        of("own_models", "pair empty", json!({"id": "pair"})),
        of(
            "own_models",
            "pair",
            json!({"id": "pair", "basic": {"username": "u", "password": "p"}}),
        ),
    ];
    for (kind, value) in filled() {
        let id = format!("c_{kind}");
        cases.push(of("every_kind", kind, json!({"id": id, kind: value})));
        cases.push(of("every_kind", &format!("{kind} empty"), json!({"id": id})));
    }
    cases
}
