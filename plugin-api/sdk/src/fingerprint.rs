//! Tells whether two requests ask for the same.
#![forbid(unsafe_code)]

use std::fmt::Write;

use lumos_connector_models::JsonObject;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{pyrepr, schema};

/// The same for two requests that ask for the same: SHA-256, in hexadecimal, of what is given in `request`, by name. If the
/// model has [unique](crate::field::unique) fields, those alone count.
///
/// It belongs into an [`ExecutionSummary`](crate::models::ExecutionSummary).
///
/// # Panics
/// If the request cannot be written as JSON (a map whose keys are not strings).
#[must_use]
pub fn request_fingerprint<T: Serialize + JsonSchema>(request: &T) -> String {
    let mut value = serde_json::to_value(request).expect("a request is plain data");
    let schema = schema::input_of::<T>();
    drop_nulls(&schema, &schema, &mut value);
    let is_unique = |name: &str| schema.get("properties")?.get(name)?.get("x-unique")?.as_bool();
    if let Value::Object(members) = &mut value
        && schema::field_names(&schema)
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|name| is_unique(name) == Some(true))
    {
        members.retain(|name, _| is_unique(name) == Some(true));
    }
    hex::encode(Sha256::digest(canonical(&value)))
}

/// The one text of a value, whatever the order of its members.
pub(crate) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

/// What is absent and what is null is the same in a model; in a dictionary it is not.
fn drop_nulls(root: &JsonObject, schema: &JsonObject, value: &mut Value) {
    let schema = schema::target(root, schema);
    match value {
        Value::Object(members) => {
            let Some(Value::Object(properties)) = schema.get("properties") else {
                return;
            };
            members.retain(|_, member| !member.is_null());
            for (name, member) in members {
                if let Some(Value::Object(schema)) = properties.get(name) {
                    drop_nulls(root, schema, member);
                }
            }
        }
        Value::Array(items) => {
            if let Some(Value::Object(schema)) = schema.get("items") {
                for item in items {
                    drop_nulls(root, schema, item);
                }
            }
        }
        _ => {}
    }
}

/// JSON in its one canonical form: members by name, no spaces, ASCII only.
fn write(out: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                separate(out, index);
                string(out, name);
                out.push(':');
                write(out, member);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                write(out, item);
            }
            out.push(']');
        }
        Value::String(text) => string(out, text),
        Value::Number(number) => out.push_str(&pyrepr::number(number)),
        plain => out.push_str(&plain.to_string()),
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("writing to a string cannot fail");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_form_is_canonical() {
        let value = json!({"b": [1, 2.5, true], "a": "é\"\u{1F600}\u{7f}"});
        assert_eq!(
            canonical(&value),
            r#"{"a":"\u00e9\"\ud83d\ude00\u007f","b":[1,2.5,true]}"#
        );
    }

    #[test]
    fn what_is_null_counts_as_absent_and_unique_fields_count_alone() {
        #[derive(Serialize, JsonSchema)]
        struct Plain {
            a: &'static str,
            b: Option<i64>,
        }
        #[derive(Serialize, JsonSchema)]
        struct Unique {
            #[schemars(transform = crate::field::unique)]
            a: &'static str,
            b: Option<i64>,
        }
        let expected = hex::encode(Sha256::digest(br#"{"a":"x"}"#));
        assert_eq!(request_fingerprint(&Plain { a: "x", b: None }), expected);
        assert_eq!(request_fingerprint(&Unique { a: "x", b: Some(1) }), expected);
    }
}
