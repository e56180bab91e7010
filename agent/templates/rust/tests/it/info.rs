use serde_json::json;

use crate::app::harness;

#[test]
fn tells_who_it_is_and_what_it_can_do() {
    let info = harness().call("info", json!({}));
    assert_eq!(info["response"]["app_id"], "{{app_id}}");
    let capabilities = info["response"]["capabilities"].as_array().expect("a list");
    assert!(capabilities.contains(&json!("list_accounts")), "{capabilities:?}");
}
