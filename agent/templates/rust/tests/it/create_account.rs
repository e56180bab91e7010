use serde_json::json;

use crate::app::App;

#[test]
fn the_account_is_created_and_put_into_its_groups() {
    let user = json!({"id": "7", "email": "eve@example.com", "name": null, "active": true});
    let app = App::start([
        ("POST /users", 201, user),
        ("PUT /groups/g1/members/7", 200, json!({})),
    ]);
    let group = json!({
        "integration_specific_id": "member",
        "integration_specific_resource_id": "g1",
        "entitlement_type": "member",
    });
    let request = json!({"email": "eve@example.com", "entitlements": [group]});
    let answer = app.call("create_account", request);
    assert_eq!(answer["response"]["id"], "7", "{answer}");
    assert_eq!(app.asked()[1], "PUT /groups/g1/members/7");
}

#[test]
fn without_an_address_nothing_is_asked_of_the_app() {
    let app = App::start([]);
    let answer = app.call("create_account", json!({"entitlements": []}));
    assert_eq!(answer["error"]["error_code"], "bad_request", "{answer}");
    assert!(app.asked().is_empty());
}
