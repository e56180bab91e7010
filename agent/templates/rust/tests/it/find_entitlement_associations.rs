use serde_json::json;

use crate::app::App;

#[test]
fn tells_who_is_in_which_group() {
    let app = App::start([("GET /memberships", 200, json!([{"user_id": "1", "group_id": "g1"}]))]);
    let answer = app.call("find_entitlement_associations", json!({}));
    assert_eq!(answer["response"][0]["account_id"], "1", "{answer}");
    assert_eq!(answer["response"][0]["integration_specific_resource_id"], "g1");
}
