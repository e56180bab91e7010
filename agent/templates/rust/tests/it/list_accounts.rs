use serde_json::json;

use crate::app::App;

#[test]
fn a_user_becomes_an_account() {
    let user = json!({"id": "1", "email": "ada@example.com", "name": "Ada", "active": true});
    let app = App::start([("GET /users", 200, json!({"items": [user], "has_more": false}))]);
    let answer = app.call("list_accounts", json!({}));
    let account = &answer["response"][0];
    assert_eq!(account["integration_specific_id"], "1", "{answer}");
    assert_eq!(account["user_status"], "ACTIVE");
    assert!(answer["page"]["token"].is_null(), "{answer}");
}

#[test]
fn the_next_page_begins_behind_the_last_user() {
    let user = json!({"id": "1", "email": null, "name": null, "active": false});
    let app = App::start([("GET /users", 200, json!({"items": [user], "has_more": true}))]);
    let first = app.call_with("list_accounts", json!({"request": {}, "page": {"size": 1}}));
    let token = &first["page"]["token"];
    assert!(token.is_string(), "{first}");
    app.call_with("list_accounts", json!({"request": {}, "page": {"size": 1, "token": token}}));
    assert_eq!(app.asked(), ["GET /users?limit=1&offset=0", "GET /users?limit=1&offset=1"]);
}
