//! The calls that are compared.
#![allow(
    clippy::needless_pass_by_value,
    reason = "a table of calls reads better without references"
)]

use mockapp_server::VALID_TOKEN;
use serde_json::{Value, json};

use crate::support::{calls, document};

/// One call.
pub(super) struct Case {
    /// Unique among the calls of a capability.
    pub(super) name: String,
    pub(super) capability: &'static str,
    /// The document as text, which need not be JSON.
    pub(super) body: String,
    /// Whether the capability changes the app.
    pub(super) writes: bool,
}

/// All of them, for an app at `url`.
pub(super) fn all(url: &str) -> Vec<Case> {
    let cases = Cases { url };
    let mut all = cases.of_every_capability();
    all.extend(cases.descriptions());
    all.extend(cases.envelopes());
    all.extend(cases.credentials());
    all.extend(cases.addresses());
    all.extend(cases.pages());
    all.extend(cases.payloads());
    all
}

/// Tokens with which the app gives something else than what it was asked for.
const FAILURES: [&str; 21] = [
    "wrong",
    "status-400",
    "status-401",
    "status-403",
    "status-404",
    "status-405",
    "status-408",
    "status-409",
    "status-413",
    "status-415",
    "status-418",
    "status-422",
    "status-429",
    "status-500",
    "status-501",
    "status-502",
    "status-503",
    "status-504",
    "html-502",
    "garbage",
    "empty-500",
];

struct Cases<'a> {
    url: &'a str,
}

fn case(capability: &'static str, name: impl Into<String>, body: impl ToString) -> Case {
    let writes = [
        "create_",
        "activate_",
        "deactivate_",
        "delete_",
        "assign_",
        "unassign_",
    ];
    Case {
        name: name.into(),
        capability,
        body: body.to_string(),
        writes: writes.iter().any(|word| capability.starts_with(word)),
    }
}

/// The document with one of its members replaced.
fn with(mut document: Value, member: &str, value: Value) -> Value {
    document[member] = value;
    document
}

fn without(mut document: Value, member: &str) -> Value {
    document.as_object_mut().expect("an object").remove(member);
    document
}

impl Cases<'_> {
    fn sound(&self, request: &Value) -> Value {
        document(self.url, VALID_TOKEN, request)
    }

    /// A sound request to list accounts, with another value for one of its members.
    fn listing(&self, name: &str, member: &str, value: Value) -> Case {
        case("list_accounts", name, with(self.sound(&json!({})), member, value))
    }

    fn of_every_capability(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (capability, request) in calls() {
            let sound = self.sound(&request);
            cases.push(case(capability, "sound", &sound));
            for token in FAILURES {
                cases.push(case(capability, token, document(self.url, token, &request)));
            }
            cases.push(case(capability, "no request", without(sound.clone(), "request")));
            cases.push(case(capability, "no auth", without(sound.clone(), "auth")));
            cases.push(case(
                capability,
                "no settings",
                without(sound.clone(), "settings"),
            ));
            cases.push(case(
                capability,
                "list for request",
                with(sound, "request", json!([])),
            ));
        }
        cases
    }

    fn descriptions(&self) -> Vec<Case> {
        vec![
            case("info", "sound", ""),
            case("app_info", "sound", json!({"request": {}})),
            case("app_info", "with all", self.sound(&json!({}))),
            case("app_info", "no request", json!({})),
            case("probe_integration", "sound", self.sound(&json!({}))),
            case(
                "probe_integration",
                "wrong token",
                document(self.url, "wrong", &json!({})),
            ),
            case("make_coffee", "unknown capability", self.sound(&json!({}))),
            case("make_coffee", "unknown capability, not JSON", "{"),
            case(
                "get_account",
                "capability of others",
                self.sound(&json!({"account_id": "user-000001"})),
            ),
        ]
    }

    fn envelopes(&self) -> Vec<Case> {
        let sound = self.sound(&json!({})).to_string();
        let of = |name: &str, body: &str| case("list_accounts", name, body);
        vec![
            of("nothing", ""),
            of("cut", r#"{"auth": "#),
            of("trailing", &format!("{sound} x")),
            of("twice", &format!("{sound}{sound}")),
            of("a list", "[]"),
            of("null", "null"),
            of("a text", r#""request""#),
            of("an empty object", "{}"),
            of("single quotes", "{'request': {}}"),
            self.listing("request null", "request", json!(null)),
            self.listing("unknown member", "unheard_of", json!({"a": 1})),
            self.listing("unknown member of request", "request", json!({"unheard_of": 1})),
            self.listing("raw data", "include_raw_data", json!(true)),
            self.listing("raw data as text", "include_raw_data", json!("true")),
            self.listing("raw data as words", "include_raw_data", json!("perhaps")),
            self.listing(
                "custom attributes",
                "request",
                json!({"custom_attributes": ["a"]}),
            ),
            self.listing(
                "custom attributes of numbers",
                "request",
                json!({"custom_attributes": [1]}),
            ),
            self.listing(
                "rate limit mode",
                "rate_limit",
                json!({"caller_override_mode": "sometimes"}),
            ),
            self.listing("settings null", "settings", json!(null)),
            self.listing("settings a text", "settings", json!("x")),
            self.listing("settings a list", "settings", json!([])),
            self.listing("api_url a number", "settings", json!({"api_url": 8000})),
            self.listing(
                "account_id null",
                "settings",
                json!({"api_url": self.url, "account_id": null}),
            ),
            self.listing(
                "unknown setting",
                "settings",
                json!({"api_url": self.url, "unheard_of": 1}),
            ),
        ]
    }

    fn credentials(&self) -> Vec<Case> {
        let token = json!({"token": VALID_TOKEN});
        let of = |name: &str, auth: Value| self.listing(name, "auth", auth);
        let several = |name: &str, credentials: Value| {
            let document = without(self.sound(&json!({})), "auth");
            case("list_accounts", name, with(document, "credentials", credentials))
        };
        vec![
            of("auth null", json!(null)),
            of("auth a text", json!("x")),
            of("auth empty", json!({})),
            of(
                "auth with siblings null",
                json!({"token": token, "basic": null, "oauth": null, "jwt": null}),
            ),
            of(
                "auth of another kind",
                json!({"basic": {"username": "u", "password": "p"}}),
            ),
            of(
                "auth of two kinds",
                json!({"token": token, "basic": {"username": "u", "password": "p"}}),
            ),
            of("token empty", json!({"token": {}})),
            of("token null", json!({"token": null})),
            of("token a text", json!({"token": "x"})),
            of("token a number", json!({"token": {"token": 7}})),
            of("token beyond ASCII", json!({"token": {"token": "t\u{f6}ken"}})),
            of("token of two lines", json!({"token": {"token": "a\nb"}})),
            self.listing(
                "auth and credentials",
                "credentials",
                json!([{"id": "t", "token": token}]),
            ),
            several("credentials empty", json!([])),
            several("credentials without id", json!([{"token": token}])),
            several("credentials for auth", json!([{"id": "t", "token": token}])),
            several("credentials no list", json!({"id": "t", "token": token})),
        ]
    }

    fn addresses(&self) -> Vec<Case> {
        let of = |name: &str, url: &str| self.listing(name, "settings", json!({"api_url": url}));
        vec![
            of("nobody there", "http://127.0.0.1:9"),
            of("not a URL", "not a url"),
            of("no scheme", "127.0.0.1:8000/x"),
            of("TLS to plain", &self.url.replace("http:", "https:")),
            of("slash at the end", &format!("{}/", self.url)),
            of("no such path", &format!("{}/elsewhere", self.url)),
        ]
    }

    fn pages(&self) -> Vec<Case> {
        let of = |name: &str, page: Value| self.listing(name, "page", page);
        // Hexadecimal MessagePack, as both SDKs write it: the first is {"endpoint": "/api/users", "offset": …}.
        let at = |offset: &str| format!("9182a8656e64706f696e74aa2f6170692f7573657273a66f6666736574{offset}");
        vec![
            of("of three", json!({"size": 3})),
            of("second of three", json!({"size": 3, "token": at("03")})),
            of("last", json!({"token": at("6e")})),
            of("behind the last", json!({"token": at("cd2710")})),
            of("of none", json!({"size": 0})),
            of("of null", json!({"size": null, "token": null})),
            of("of minus one", json!({"size": -1})),
            of("of too many", json!({"size": 10_001})),
            of("size a text", json!({"size": "3"})),
            of("size a word", json!({"size": "three"})),
            of("size whole", json!({"size": 3.0})),
            of("size broken", json!({"size": 3.5})),
            of("page a text", json!("x")),
            of("page token a number", json!({"token": 7})),
            of("page token empty", json!({"token": ""})),
            of("page token not hexadecimal", json!({"token": "zz"})),
            of("page token odd", json!({"token": "918"})),
            of("page token cut", json!({"token": "93"})),
            of("page token no list", json!({"token": "05"})),
            of("page token of an empty list", json!({"token": "90"})),
            of(
                "page token without offset",
                json!({"token": "9181a8656e64706f696e74aa2f6170692f7573657273"}),
            ),
        ]
    }

    fn payloads(&self) -> Vec<Case> {
        let mut cases = self.accounts();
        cases.extend(self.entitlements());
        let of = |name: &str, request: Value| case("create_account", name, self.sound(&request));
        cases.extend([
            of("no email", json!({"display_name": "Ada"})),
            of("no name", json!({"email": "ada@example.com"})),
            of("taken", json!({"email": "user1@example.com", "display_name": "Ada"})),
            of("email a number", json!({"email": 7})),
            of("email null", json!({"email": null})),
            of("entitlements null", json!({"email": "ada@example.com", "entitlements": null})),
            of("entitlements a text", json!({"email": "ada@example.com", "entitlements": "x"})),
            of("entitlement incomplete", json!({"email": "ada@example.com", "entitlements": [{}]})),
            of("with more", json!({"email": "ada@example.com", "unheard_of": 1})),
            of(
                "with an entitlement",
                json!({"email": "ada@example.com", "display_name": "Ada", "entitlements": [{
                    "integration_specific_id": "project-2-editor", "integration_specific_resource_id": "project-2",
                    "entitlement_type": "project_role",
                }]}),
            ),
        ]);
        cases
    }

    fn accounts(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for capability in ["activate_account", "deactivate_account", "delete_account"] {
            for (name, id) in [
                ("nobody", json!("nope")),
                ("id a number", json!(12)),
                ("id null", json!(null)),
                ("another", json!("user-000005")),
                ("id of two words", json!("user 000005")),
            ] {
                cases.push(case(capability, name, self.sound(&json!({"account_id": id}))));
            }
            cases.push(case(capability, "no id", self.sound(&json!({}))));
        }
        for (name, ids) in [
            ("two and nobody", json!(["user-000001", "user-000005", "nope"])),
            ("none", json!([])),
            ("ids a text", json!("user-000001")),
            ("ids of numbers", json!([1])),
            ("ids null", json!(null)),
        ] {
            cases.push(case(
                "get_last_activity",
                name,
                self.sound(&json!({"account_ids": ids})),
            ));
        }
        cases
    }

    fn entitlements(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (capability, sound) in calls()
            .into_iter()
            .filter(|(name, _)| name.ends_with("assign_entitlement"))
        {
            for (member, value) in [
                ("account_integration_specific_id", json!("nope")),
                ("entitlement_integration_specific_id", json!("nope")),
                ("resource_integration_specific_id", json!("nope")),
                ("resource_type", json!(7)),
                ("entitlement_type", json!(null)),
            ] {
                let request = with(sound.clone(), member, value.clone());
                cases.push(case(
                    capability,
                    format!("{member} {value}"),
                    self.sound(&request),
                ));
                let request = without(sound.clone(), member);
                cases.push(case(capability, format!("{member} absent"), self.sound(&request)));
            }
            let absent = with(
                with(
                    sound.clone(),
                    "entitlement_integration_specific_id",
                    json!("team-1-member"),
                ),
                "resource_integration_specific_id",
                json!("team-1"),
            );
            cases.push(case(capability, "another", self.sound(&absent)));
        }
        cases
    }
}
