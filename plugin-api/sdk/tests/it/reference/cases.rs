//! The calls that are compared.

use lumos_connector_sdk::ErrorKind;
use lumos_connector_sdk::prelude::*;
use serde_json::Value;

/// One call.
pub(super) struct Case {
    /// Unique among the calls of a capability.
    pub(super) name: String,
    pub(super) integration: String,
    pub(super) capability: &'static str,
    /// The document as text, which need not be JSON.
    pub(super) body: String,
}

fn case(integration: &str, capability: &'static str, name: &str, body: impl ToString) -> Case {
    Case {
        name: format!("{integration}: {name}"),
        integration: integration.to_owned(),
        capability,
        body: body.to_string(),
    }
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = descriptions();
    cases.extend(documents());
    cases.extend(single_credentials());
    cases.extend(several_credentials());
    cases.extend(credential_configs());
    cases.extend(settings());
    cases.extend(own_inputs());
    cases.extend(errors());
    cases.extend(records());
    cases
}

const INTEGRATIONS: [&str; 20] = [
    "everything",
    "full",
    "oauth",
    "oauth_client_credentials",
    "oauth1",
    "basic",
    "token",
    "jwt",
    "service_account",
    "key_pair",
    "empty",
    "open_network",
    "two",
    "both",
    "either",
    "combined",
    "own_models",
    "every_kind",
    "failing",
    "recording",
];

fn descriptions() -> Vec<Case> {
    INTEGRATIONS
        .iter()
        .flat_map(|name| {
            [
                case(name, "info", "plain", json!({})),
                case(name, "app_info", "plain", json!({"request": {}})),
            ]
        })
        .collect()
}

/// What is not a request at all, or not one of the capability.
fn documents() -> Vec<Case> {
    let auth = json!({"token": {"token": "t"}});
    let of = |name: &str, body: Value| case("token", "list_accounts", name, body);
    let mut cases = vec![
        case("token", "list_accounts", "empty text", ""),
        case("token", "list_accounts", "cut", "{\"request\": "),
        case("token", "list_accounts", "trailing", "{\"request\": {}} x"),
        case(
            "token",
            "list_accounts",
            "not a number",
            "{\"request\": {\"x\": NaN}}",
        ),
        case(
            "token",
            "list_accounts",
            "infinite",
            "{\"request\": {\"x\": Infinity}}",
        ),
        case(
            "token",
            "list_accounts",
            "half a character",
            "{\"request\": \"\\ud800\"}",
        ),
        case(
            "token",
            "list_accounts",
            "control character",
            "{\"request\": \"\u{1}\"}",
        ),
        case(
            "token",
            "list_accounts",
            "byte order mark",
            "\u{feff}{\"request\": {}}",
        ),
        case("token", "list_accounts", "single quotes", "{'request': 's3cret'}"),
        case("token", "list_accounts", "comma at the end", "{\"request\": {},}"),
        case(
            "token",
            "list_accounts",
            "no comma",
            "{\"request\": {} \"auth\": 1}",
        ),
        case("token", "list_accounts", "word", "s3cret"),
        case(
            "token",
            "list_accounts",
            "huge number",
            "{\"request\": {}, \"page\": {\"size\": 1e400}}",
        ),
        case(
            "token",
            "list_accounts",
            "large size",
            "{\"request\": {}, \"auth\": {\"token\": {\"token\": \"t\"}}, \"page\": {\"size\": 99999999999999999999}}",
        ),
        case(
            "token",
            "list_accounts",
            "member twice",
            "{\"request\": {}, \"auth\": 3, \"auth\": {\"token\": {\"token\": \"t\"}}}",
        ),
        of("null", Value::Null),
        of("list", json!([])),
        of("text", json!("s3cret")),
        of("no request", json!({})),
        of("request null", json!({"request": null, "auth": auth})),
        of("request list", json!({"request": [], "auth": auth})),
        of(
            "unknown members",
            json!({"request": {"x": 1}, "auth": auth, "y": 2}),
        ),
        of("no auth", json!({"request": {}})),
        of(
            "auth null",
            json!({"request": {}, "auth": null, "credentials": null}),
        ),
        of("auth text", json!({"request": {}, "auth": "s3cret"})),
        of("token text", json!({"request": {}, "auth": {"token": "s3cret"}})),
        of(
            "token number",
            json!({"request": {}, "auth": {"token": {"token": 7}}}),
        ),
        of(
            "sibling incomplete",
            json!({"request": {}, "auth": {"token": {"token": "t"}, "basic": {}}}),
        ),
        of(
            "id number",
            json!({"request": {}, "auth": {"id": 1, "token": {"token": "t"}}}),
        ),
        of("page text", json!({"request": {}, "auth": auth, "page": "x"})),
        of(
            "page size text",
            json!({"request": {}, "auth": auth, "page": {"size": "3"}}),
        ),
        of(
            "raw text",
            json!({"request": {}, "auth": auth, "include_raw_data": "true"}),
        ),
        of(
            "settings list",
            json!({"request": {}, "auth": auth, "settings": []}),
        ),
        of(
            "settings any",
            json!({"request": {}, "auth": auth, "settings": {"a": 1}}),
        ),
        of(
            "rate limit mode",
            json!({"request": {}, "auth": auth, "rate_limit": {"caller_override_mode": "never"}}),
        ),
        of(
            "rate limit",
            json!({"request": {}, "auth": auth, "rate_limit": {"caller_override_mode": "bypass", "max_execution_time": 60,
                "last_known_state": {"a": {"remaining": 1, "source": "api_headers"}}}}),
        ),
        of(
            "attributes",
            json!({"request": {"custom_attributes": ["a", 1, null]}, "auth": auth}),
        ),
        case("token", "make_coffee", "unknown", json!({})),
        case("token", "make_coffee", "unknown and not JSON", "{"),
        case("token", "get_account", "standard", json!({})),
        case("token", "connected_info", "standard", json!({"request": {}})),
        case("token", "app_info", "no request", json!({})),
        case(
            "token",
            "app_info",
            "auth incomplete",
            json!({"request": {}, "auth": {"token": {}}}),
        ),
    ];
    cases.push(of("deep", deep(json!({"request": {}, "auth": auth}))));
    cases
}

fn deep(mut document: Value) -> Value {
    let mut value = json!(1);
    for _ in 0..60 {
        value = json!({"a": value});
    }
    document["settings"] = value;
    document
}

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
fn single_credentials() -> Vec<Case> {
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

fn several_credentials() -> Vec<Case> {
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

fn credential_configs() -> Vec<Case> {
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

fn settings() -> Vec<Case> {
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

fn own_inputs() -> Vec<Case> {
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

fn errors() -> Vec<Case> {
    let fail = |name: &str, request: Value| {
        let body = json!({"request": request, "auth": {"token": {"token": "t"}}, "settings": {}});
        case("failing", "fail", name, body)
    };
    let mut cases = vec![
        fail("dressed", json!({"how": "dressed"})),
        fail("blank", json!({"how": "ConflictError", "text": "  "})),
    ];
    for how in ["connect", "read_timeout", "closed", "not_json"] {
        cases.push(fail(how, json!({"how": how})));
    }
    let status = |status: u16, text: &str, kind: Option<&str>| {
        let name = format!(
            "{status} {} {}",
            kind.unwrap_or("untyped"),
            text.chars().take(12).collect::<String>().escape_debug()
        );
        fail(
            &name,
            json!({"how": "status", "status": status, "text": text, "content_type": kind}),
        )
    };
    for code in (400..=431).chain([451]).chain(500..=511).chain([599]) {
        cases.push(status(
            code,
            r#"{"detail": "it's \"so\""}"#,
            Some("application/json"),
        ));
    }
    for text in [
        "",
        "[1e22, 1.5e-7, 0.0001, 1e16, 1e15, -0.0, 12345678901234567890]",
        "{}",
        "[]",
        "0",
        "null",
        "\"word\"",
        r#"[1, 2.5, true, null, {"a": "b\nc"}]"#,
        "some\n  lines \tof text",
        "<!DOCTYPE html><p>s3cret",
        "  <html>s3cret",
        "  \n ",
    ] {
        cases.push(status(500, text, None));
    }
    cases.push(status(502, "no markup", Some("text/html; charset=utf-8")));
    cases.push(status(500, &"long ".repeat(200), Some("text/plain")));
    cases.push(status(
        500,
        &format!("\"{}\"", "x".repeat(9000)),
        Some("application/json"),
    ));
    for kind in ErrorKind::ALL {
        cases.push(fail(kind.name(), json!({"how": kind.name()})));
        cases.push(fail(
            &format!("{} said", kind.name()),
            json!({"how": kind.name(), "text": " why "}),
        ));
    }
    for code in ErrorCode::ALL {
        let how = format!("code:{code}");
        cases.push(fail(&how, json!({"how": how, "text": "why"})));
    }
    for code in [
        "api_error",
        "not_implemented",
        "unexpected_error",
        "unauthenticated",
        "client_call_error",
        "not_found",
        "rate_limit",
    ] {
        let how = format!("old_code:{code}");
        cases.push(fail(&how, json!({"how": how, "text": "why"})));
    }
    cases
}

/// What is told besides the result.
fn records() -> Vec<Case> {
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
