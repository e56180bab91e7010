//! Values that came in another form than their type's.
//!
//! Settings and inputs of a connector's own come from forms, and from callers that were written for models which take
//! `"8080"` for a number and `"true"` for a truth value. So those are turned into what they stand for; whatever is left is
//! for the check to refuse. The API's own models take no such liberty.
#![forbid(unsafe_code)]

use lumos_connector_models::JsonObject;
use serde_json::{Number, Value};

use crate::schema;

const MAX_DEPTH: usize = 64;

/// Turns the values of a whole document.
pub(super) fn document(root: &JsonObject, value: &mut Value) {
    turn(root, root, value, 0);
}

/// Turns the values of one member of a document.
pub(super) fn member(root: &JsonObject, document: &mut Value, name: &str) {
    let schema = root.get("properties").and_then(|properties| properties.get(name));
    if let (Some(Value::Object(schema)), Some(value)) = (schema, document.get_mut(name)) {
        turn(root, schema, value, 0);
    }
}

fn turn(root: &JsonObject, schema: &JsonObject, value: &mut Value, depth: usize) {
    if depth > MAX_DEPTH || value.is_null() {
        return;
    }
    let schema = schema::target(root, schema);
    let turned = match schema.get("type").and_then(Value::as_str) {
        Some("integer") => integer(value),
        Some("number") => number(value),
        Some("boolean") => boolean(value),
        Some("array") => return items(root, schema, value, depth),
        Some("object") => return members(root, schema, value, depth),
        _ => None,
    };
    if let Some(turned) = turned {
        *value = turned;
    }
}

fn items(root: &JsonObject, schema: &JsonObject, value: &mut Value, depth: usize) {
    if let (Some(Value::Object(schema)), Value::Array(items)) = (schema.get("items"), value) {
        for item in items {
            turn(root, schema, item, depth + 1);
        }
    }
}

fn members(root: &JsonObject, schema: &JsonObject, value: &mut Value, depth: usize) {
    let Value::Object(members) = value else { return };
    let properties = schema.get("properties");
    let others = schema.get("additionalProperties");
    for (name, member) in members.iter_mut() {
        let property = properties.and_then(|properties| properties.get(name));
        if let Some(Value::Object(schema)) = property.or(others) {
            turn(root, schema, member, depth + 1);
        }
    }
}

fn integer(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => whole(text.trim()).map(Value::from),
        Value::Bool(truth) => Some(Value::from(i64::from(*truth))),
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64()?;
            // Beyond this, neighbouring numbers cannot be told apart.
            let exact = float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0;
            #[allow(clippy::cast_possible_truncation)] // it was just checked
            exact.then(|| Value::from(float as i64))
        }
        _ => None,
    }
}

/// `1_000` and `7.0` are whole numbers, too.
fn whole(text: &str) -> Option<i64> {
    let digits = match text.split_once('.') {
        Some((digits, decimals)) if decimals.chars().all(|c| c == '0') => digits,
        Some(_) => return None,
        None => text,
    };
    let groups = digits.trim_start_matches(['+', '-']).split('_');
    if groups.clone().any(str::is_empty) {
        return None;
    }
    digits.replace('_', "").parse().ok()
}

fn number(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => {
            let float: f64 = text.trim().parse().ok()?;
            Number::from_f64(float).map(Value::Number)
        }
        Value::Bool(truth) => Some(Value::from(f64::from(u8::from(*truth)))),
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<Value> {
    let truth = match value {
        Value::Number(number) if number.as_f64() == Some(0.0) => false,
        Value::Number(number) if number.as_f64() == Some(1.0) => true,
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "0" | "off" | "f" | "false" | "n" | "no" => false,
            "1" | "on" | "t" | "true" | "y" | "yes" => true,
            _ => return None,
        },
        _ => return None,
    };
    Some(Value::Bool(truth))
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde_json::json;

    use super::*;
    use crate::schema::input_of;

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Form {
        port: Option<u16>,
        ratio: f64,
        on: bool,
        name: String,
        ports: Vec<u16>,
        part: Part,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Part {
        times: i64,
    }

    #[test]
    fn what_stands_for_a_value_becomes_it() {
        let mut value = json!({
            "port": "8080", "ratio": "0.5", "on": "Yes", "name": 3, "ports": [1.0, "2", 2.5], "part": {"times": true}
        });
        document(&input_of::<Form>(), &mut value);
        assert_eq!(
            value,
            json!({
                "port": 8080, "ratio": 0.5, "on": true, "name": 3, "ports": [1, 2, 2.5], "part": {"times": 1}
            })
        );
    }
}
