//! The connector under test needs no agent: a harness calls it in this process.

use lumos_connector_sdk::harness::{Harness, LoadedConnector};

use super::*;

fn request(token: &str) -> Json {
    json!({"auth": {"token": {"token": token}}, "request": {}})
}

#[test]
fn lists_the_accounts() {
    let harness = Harness::new(integration()).unwrap();
    let answer = harness.call("list_accounts", request("valid-token"));
    assert_eq!(answer["response"].as_array().map(Vec::len), Some(STAFF.len()));
    assert_eq!(answer["response"][2]["user_status"], "INACTIVE");
    assert_eq!(harness.log_lines(), [(20, "listing 3 accounts".to_owned())]);
}

#[test]
fn refuses_another_token() {
    let harness = Harness::new(integration()).unwrap();
    let answer = harness.call("validate_credentials", request("wrong"));
    assert_eq!(answer["error"]["error_code"], "unauthorized");
}

#[test]
fn serves_through_its_c_interface() {
    let connector = LoadedConnector::load(lumos_connector_entry_v1).unwrap();
    assert_eq!(connector.manifest()["app_id"], "example-minimal");
    let answer = connector.call("validate_credentials", request("valid-token"));
    assert_eq!(answer["response"]["valid"], true);
}
