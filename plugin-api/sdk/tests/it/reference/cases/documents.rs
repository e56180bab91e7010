//! What is not a request at all, or not one of the capability.

use lumos_connector_sdk::prelude::*;
use serde_json::Value;

use super::{Case, case};

pub(super) fn documents() -> Vec<Case> {
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
