use serde_json::json;

use crate::app::App;

#[test]
fn a_token_that_the_app_takes_is_valid() {
    let app = App::start([("GET /users", 200, json!({"items": [], "has_more": false}))]);
    let answer = app.call("validate_credentials", json!({}));
    assert_eq!(answer["response"]["valid"], true, "{answer}");
    assert_eq!(app.asked(), ["GET /users?limit=1&offset=0"]);
}

#[test]
fn a_token_that_the_app_refuses_is_an_error() {
    let app = App::start([("GET /users", 401, json!({"error": "who are you"}))]);
    let answer = app.call("validate_credentials", json!({}));
    assert_eq!(answer["error"]["error_code"], "unauthorized", "{answer}");
}
