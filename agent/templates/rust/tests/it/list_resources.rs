use serde_json::json;

use crate::app::App;

#[test]
fn a_group_is_a_resource() {
    let app = App::start([("GET /groups", 200, json!([{"id": "g1", "name": "Staff"}]))]);
    let answer = app.call("list_resources", json!({"resource_type": "group"}));
    assert_eq!(answer["response"][0]["integration_specific_id"], "g1", "{answer}");
    assert_eq!(answer["response"][0]["resource_type"], "group");
}
