//! What callers are told about requests that do not fit.

use lumos_connector_models::{DeleteAccount, ListAccounts};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const ENVELOPE: Envelope = Envelope::Standard { open: false };

fn list_accounts() -> Model {
    Model::request(
        ENVELOPE,
        "ListAccountsRequest",
        schema::input_of::<ListAccounts>(),
    )
}

fn told(model: &Model, document: &Value) -> String {
    model
        .check(&mut document.clone())
        .unwrap_err()
        .message()
        .to_owned()
}

#[test]
fn mistakes_are_told_as_callers_know_them() {
    let model = list_accounts();
    let cases = [
        (
            json!({}),
            "[{'type': 'missing', 'loc': ('request',), 'msg': 'Field required'}]",
        ),
        (
            json!([]),
            "[{'type': 'model_type', 'loc': (), 'msg': 'Input should be an object', 'ctx': {'class_name': 'ListAccountsRequest'}}]",
        ),
        (
            json!({"request": null}),
            "[{'type': 'model_type', 'loc': ('request',), 'msg': 'Input should be an object', 'ctx': {'class_name': 'ListAccounts'}}]",
        ),
        (
            json!({"request": {}, "page": {"size": "3"}}),
            "[{'type': 'int_type', 'loc': ('page', 'size'), 'msg': 'Input should be a valid integer'}]",
        ),
        (
            json!({"request": {}, "page": {"size": 3.0}}),
            "[{'type': 'int_type', 'loc': ('page', 'size'), 'msg': 'Input should be a valid integer'}]",
        ),
        (
            json!({"request": {}, "auth": {"token": {}}}),
            "[{'type': 'missing', 'loc': ('auth', 'token', 'token'), 'msg': 'Field required'}]",
        ),
        (
            json!({"request": {"custom_attributes": ["a", 1]}, "settings": 3}),
            "[{'type': 'string_type', 'loc': ('request', 'custom_attributes', 1), 'msg': 'Input should be a valid string'}, \
             {'type': 'dict_type', 'loc': ('settings',), 'msg': 'Input should be an object'}]",
        ),
    ];
    for (document, expected) in cases {
        assert_eq!(told(&model, &document), format!("Invalid request - {expected}"));
    }
}

#[test]
fn a_secret_of_the_wrong_type_is_not_repeated() {
    let message = told(
        &list_accounts(),
        &json!({"request": {}, "auth": {"token": {"token": ["s3cret"]}}}),
    );
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn a_field_of_the_wrong_type() {
    let model = Model::request(
        ENVELOPE,
        "DeleteAccountRequest",
        schema::input_of::<DeleteAccount>(),
    );
    assert_eq!(
        told(&model, &json!({"request": {"account_id": 12}})),
        "Invalid request - [{'type': 'string_type', 'loc': ('request', 'account_id'), 'msg': 'Input should be a valid string'}]"
    );
}

#[test]
fn what_is_not_json_is_told_with_its_place() {
    assert_eq!(
        parse(br#"{"auth": "#).unwrap_err().message(),
        "Invalid request - [{'type': 'json_invalid', 'loc': (), 'msg': 'Invalid JSON: EOF while parsing a value at \
         line 1 column 9', 'ctx': {'error': 'EOF while parsing a value at line 1 column 9'}}]"
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("request".to_owned()),
        Just("auth".to_owned()),
        Just("token".to_owned()),
        Just("page".to_owned()),
        Just("settings".to_owned()),
        ".{0,4}",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_it_panic_and_what_passes_can_be_read(document in any_json()) {
        let model = list_accounts();
        if model.check(&mut document.clone()).is_ok() {
            let read = serde_json::from_value::<lumos_connector_models::Request<ListAccounts>>(document);
            prop_assert!(read.is_ok(), "{:?}", read.err().map(|error| error.to_string()));
        }
    }
}
