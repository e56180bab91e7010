//! From JSON schemas to those of OpenAPI 3.0, which know no null type and keep their models under `components`.
#![forbid(unsafe_code)]

use lumos_connector_models::JsonObject;
use serde_json::{Value, json};

/// Converts a schema with its `$defs`, which stay where they are.
pub(crate) fn convert(schema: JsonObject) -> JsonObject {
    convert_object(schema)
}

/// The model that a reference points to.
pub(crate) fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

fn convert_object(mut schema: JsonObject) -> JsonObject {
    if let Some(constant) = schema.shift_remove("const") {
        schema.insert("enum".to_owned(), json!([constant]));
    }
    if let Some(Value::String(reference)) = schema.get_mut("$ref")
        && let Some(name) = reference.strip_prefix("#/$defs/")
    {
        *reference = format!("#/components/schemas/{name}");
    }
    nullable(&mut schema);
    schema
        .into_iter()
        .map(|(key, value)| (key, convert_value(value)))
        .collect()
}

fn convert_value(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(convert_object(object)),
        Value::Array(items) => Value::Array(items.into_iter().map(convert_value).collect()),
        plain => plain,
    }
}

/// `{"anyOf": [X, {"type": "null"}]}` as `{X, "nullable": true}`.
fn nullable(schema: &mut JsonObject) {
    let Some(Value::Array(variants)) = schema.get_mut("anyOf") else {
        return;
    };
    let before = variants.len();
    variants.retain(|variant| variant.get("type").is_none_or(|kind| kind != "null"));
    if variants.len() == before {
        return;
    }
    let only = match variants.as_mut_slice() {
        [Value::Object(only)] => Some(std::mem::take(only)),
        _ => None,
    };
    if let Some(only) = only {
        schema.shift_remove("anyOf");
        schema.extend(convert_object(only));
    }
    schema.insert("nullable".to_owned(), true.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_becomes_nullable_and_references_move() {
        let schema = json!({"properties": {
            "a": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
            "b": {"anyOf": [{"$ref": "#/$defs/B"}, {"type": "null"}]},
            "c": {"const": "x"},
        }});
        let Value::Object(schema) = schema else {
            unreachable!()
        };
        assert_eq!(
            Value::Object(convert(schema)),
            json!({"properties": {
                "a": {"type": "string", "nullable": true, "default": null},
                "b": {"$ref": "#/components/schemas/B", "nullable": true},
                "c": {"enum": ["x"]},
            }})
        );
    }
}
