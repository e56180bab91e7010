//! The connector as the agent has it: through its C table.

use lumos_connector_sdk::harness::LoadedConnector;
use mockapp_server::{Options, Server};
use serde_json::json;

use crate::support::document;

#[test]
fn the_library_says_who_it_is_and_serves() {
    let connector = LoadedConnector::load(mockapp::lumos_connector_entry_v1).expect("a connector");
    let manifest = connector.manifest();
    assert_eq!(
        (&manifest["app_id"], &manifest["version"]),
        (&json!("mockapp"), &json!("0.1.0"))
    );
    assert_eq!(
        manifest["idempotent"],
        json!(["activate_account", "assign_entitlement", "deactivate_account"])
    );
    assert_eq!(connector.call("info", json!({}))["response"]["app_id"], "mockapp");

    let app = Server::spawn(Options::default()).expect("a mock app");
    let answer = connector.call(
        "validate_credentials",
        document(&app.url(), "valid-token", &json!({})),
    );
    assert_eq!(answer["response"]["valid"], true);
}

#[test]
fn info_names_every_capability() {
    let connector = LoadedConnector::load(mockapp::lumos_connector_entry_v1).expect("a connector");
    let info = connector.call("info", json!({}));
    let names: Vec<&str> = info["response"]["capabilities"]
        .as_array()
        .expect("names")
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "activate_account",
            "app_info",
            "assign_entitlement",
            "create_account",
            "deactivate_account",
            "delete_account",
            "find_entitlement_associations",
            "get_last_activity",
            "list_accounts",
            "list_entitlements",
            "list_resources",
            "probe_integration",
            "unassign_entitlement",
            "validate_credentials",
        ]
    );
}
