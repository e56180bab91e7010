use serde_json::json;

use crate::app::App;

#[test]
fn one_can_be_a_member_of_each_group() {
    let app = App::start([("GET /groups", 200, json!([{"id": "g1", "name": "Staff"}]))]);
    let request = json!({"resource_type": "group", "resource_integration_specific_id": "g1"});
    let answer = app.call("list_entitlements", request);
    assert_eq!(answer["response"][0]["integration_specific_resource_id"], "g1", "{answer}");
    assert_eq!(answer["response"][0]["label"], "Member of Staff");
}
