//! A mock app with a connector to it.

use lumos_connector_sdk::harness::Harness;
use mockapp_server::{Options, Server, VALID_TOKEN};
use serde_json::{Value, json};

/// A mock app of its own for each test, and the connector.
pub(crate) struct Tenant {
    pub(crate) harness: Harness,
    pub(crate) app: Server,
}

impl Tenant {
    pub(crate) fn new() -> Self {
        Self::of_app(Options::default())
    }

    pub(crate) fn of_app(options: Options) -> Self {
        let app = Server::spawn(options).expect("a mock app");
        let harness = Harness::new(mockapp::integration()).expect("a sound declaration");
        Self { harness, app }
    }

    /// The request document around `request`, with a token.
    pub(crate) fn document(&self, token: &str, request: &Value) -> Value {
        document(&self.app.url(), token, request)
    }

    /// Calls with the valid token.
    pub(crate) fn call(&self, capability: &str, request: &Value) -> Value {
        self.harness.call(capability, self.document(VALID_TOKEN, request))
    }

    /// Calls with another token.
    pub(crate) fn call_with(&self, token: &str, capability: &str, request: &Value) -> Value {
        self.harness.call(capability, self.document(token, request))
    }

    /// A page of accounts.
    pub(crate) fn page(&self, page: &Value) -> Value {
        let mut document = self.document(VALID_TOKEN, &json!({}));
        document["page"] = page.clone();
        self.harness.call("list_accounts", document)
    }

    /// What the app says when asked without the connector.
    pub(crate) fn look(&self, path: &str) -> Value {
        let answer = get(&self.app, path);
        let body = answer.split_once("\r\n\r\n").expect("a head and a body").1;
        serde_json::from_str(body).expect("a JSON answer")
    }

    /// The status of the same.
    pub(crate) fn look_for_status(&self, path: &str) -> u16 {
        let answer = get(&self.app, path);
        answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status")
    }
}

/// A request document for an app at `url`.
pub(crate) fn document(url: &str, token: &str, request: &Value) -> Value {
    json!({
        "auth": {"token": {"token": token}},
        "request": request,
        "settings": {"api_url": url, "account_id": ""},
    })
}

/// The error code of an answer that must be an error.
#[track_caller]
pub(crate) fn code(answer: &Value) -> &str {
    assert_eq!(answer["is_error"], true, "not an error: {answer}");
    answer["error"]["error_code"].as_str().expect("an error code")
}

fn get(app: &Server, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(app.address()).expect("a connection");
    let head = format!("GET {path} HTTP/1.0\r\nAuthorization: Bearer {VALID_TOKEN}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Every capability with a request that would succeed.
pub(crate) fn calls() -> Vec<(&'static str, Value)> {
    let role = json!({
        "account_integration_specific_id": "user-000001",
        "resource_integration_specific_id": "project-2",
        "resource_type": "project",
        "entitlement_type": "project_role",
        "entitlement_integration_specific_id": "project-2-editor",
    });
    let account = json!({"account_id": "user-000001"});
    vec![
        ("validate_credentials", json!({})),
        ("list_accounts", json!({})),
        ("list_resources", json!({})),
        ("list_entitlements", json!({})),
        ("find_entitlement_associations", json!({})),
        ("get_last_activity", json!({"account_ids": ["user-000001"]})),
        (
            "create_account",
            json!({"email": "ada@example.com", "display_name": "Ada"}),
        ),
        ("activate_account", account.clone()),
        ("deactivate_account", account.clone()),
        ("assign_entitlement", role.clone()),
        ("unassign_entitlement", role),
        ("delete_account", account),
    ]
}
