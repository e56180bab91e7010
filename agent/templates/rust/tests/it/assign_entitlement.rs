use serde_json::json;

use crate::app::App;

#[test]
fn the_membership_is_changed() {
    let app = App::start([("PUT /groups/g1/members/1", 200, json!({}))]);
    let request = json!({
        "account_integration_specific_id": "1",
        "resource_integration_specific_id": "g1",
        "resource_type": "group",
        "entitlement_integration_specific_id": "member",
        "entitlement_type": "member",
    });
    let answer = app.call("assign_entitlement", request);
    assert_eq!(answer["response"]["assigned"], true, "{answer}");
}
