use serde_json::json;

use crate::app::App;

#[test]
fn the_account_is_deactivated() {
    let app = App::start([("POST /users/1/deactivate", 200, json!({}))]);
    let answer = app.call("deactivate_account", json!({"account_id": "1"}));
    assert_eq!(answer["response"]["deactivated"], true, "{answer}");
}

#[test]
fn an_id_stays_in_its_place_in_the_path() {
    let app = App::start([]);
    let answer = app.call("deactivate_account", json!({"account_id": "a/b?c"}));
    assert_eq!(answer["error"]["error_code"], "not_found", "{answer}");
    assert_eq!(app.asked(), ["POST /users/a%2Fb%3Fc/deactivate"]);
}
