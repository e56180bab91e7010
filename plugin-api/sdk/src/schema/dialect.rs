//! From the schemas that `schemars` makes to those that pydantic makes.
#![forbid(unsafe_code)]

use lumos_connector_models::JsonObject;
use schemars::Schema;
use serde_json::{Value, json};

/// Formats that `schemars` adds to plain numbers and pydantic does not.
const NUMBER_FORMATS: [&str; 12] = [
    "int8", "int16", "int32", "int64", "int128", "uint8", "uint16", "uint32", "uint64", "uint128", "uint",
    "int",
];

/// Converts a root schema.
pub(super) fn convert(schema: Schema) -> JsonObject {
    let mut root = exact(schema);
    plain_numbers_within(&mut root);
    root
}

/// Converts a root schema, and keeps what it says of the range of Rust's numbers.
pub(super) fn exact(schema: Schema) -> JsonObject {
    let Value::Object(mut root) = schema.to_value() else {
        return JsonObject::new();
    };
    root.remove("$schema");
    let definitions = root.remove("$defs");
    let mut root = model(root, None);
    if let Some(Value::Object(definitions)) = definitions {
        let converted: JsonObject = definitions
            .into_iter()
            .map(|(name, schema)| {
                let schema = as_object(schema);
                let converted = Value::Object(model(schema, Some(&name)));
                (name, converted)
            })
            .collect();
        root.insert("$defs".to_owned(), Value::Object(sorted(converted)));
    }
    sorted(root)
}

/// A schema that stands on its own: it has its name as title.
fn model(schema: JsonObject, name: Option<&str>) -> JsonObject {
    let mut schema = convert_schema(schema);
    if let Some(name) = name {
        schema.entry("title").or_insert_with(|| name.into());
    }
    if schema.get("type").is_some_and(|kind| kind == "object") && !schema.contains_key("additionalProperties")
    {
        schema.entry("properties").or_insert_with(|| json!({}));
    }
    sorted(schema)
}

fn convert_schema(mut schema: JsonObject) -> JsonObject {
    enum_of_constants(&mut schema);
    one_line_description(&mut schema);
    nullable_type(&mut schema);
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(variants)) = schema.get_mut(key) {
            for variant in variants {
                *variant = Value::Object(sorted(convert_schema(as_object(variant.take()))));
            }
        }
    }
    if let Some(items) = schema.get_mut("items") {
        *items = Value::Object(sorted(convert_schema(as_object(items.take()))));
    }
    if let Some(Value::Object(additional)) = schema.get_mut("additionalProperties") {
        *additional = sorted(convert_schema(std::mem::take(additional)));
    }
    properties(&mut schema);
    schema
}

fn properties(schema: &mut JsonObject) {
    let required: Vec<String> = match schema.get("required") {
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    for (name, property) in properties.iter_mut() {
        let mut converted = convert_schema(as_object(property.take()));
        if !required.contains(name) {
            converted.entry("default").or_insert(Value::Null);
        }
        if takes_title(&converted) {
            converted.entry("title").or_insert_with(|| words(name).into());
        }
        *property = Value::Object(sorted(converted));
    }
}

/// pydantic titles a field unless it is a model, or a model or null.
fn takes_title(schema: &JsonObject) -> bool {
    if schema.contains_key("$ref") {
        return false;
    }
    match schema.get("anyOf") {
        Some(Value::Array(variants)) if is_optional(variants) => {
            variants.iter().all(|variant| variant.get("$ref").is_none())
        }
        _ => true,
    }
}

fn is_optional(variants: &[Value]) -> bool {
    variants.len() == 2 && variants[1] == json!({"type": "null"})
}

/// `{"oneOf": [{"const": "a"}, …]}` and `{"const": "a"}`, which documented enums become, as `{"enum": ["a", …]}`.
fn enum_of_constants(schema: &mut JsonObject) {
    let Some(Value::Array(variants)) = schema.get("oneOf") else {
        return;
    };
    let constants: Option<Vec<Value>> = variants
        .iter()
        .map(|variant| match (variant.get("const"), variant.get("enum")) {
            (Some(constant), _) => Some(vec![constant.clone()]),
            (None, Some(Value::Array(constants))) => Some(constants.clone()),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()
        .map(|groups| groups.into_iter().flatten().collect());
    if let Some(constants) = constants {
        schema.shift_remove("oneOf");
        schema.insert("enum".to_owned(), Value::Array(constants));
        schema.insert("type".to_owned(), "string".into());
    }
}

fn plain_numbers_within(schema: &mut JsonObject) {
    plain_numbers(schema);
    for value in schema.values_mut() {
        match value {
            Value::Object(member) => plain_numbers_within(member),
            Value::Array(items) => {
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    plain_numbers_within(item);
                }
            }
            _ => {}
        }
    }
}

/// The bounds that a Rust integer type has by nature say nothing to a caller.
fn plain_numbers(schema: &mut JsonObject) {
    let Some(format) = schema.get("format").and_then(Value::as_str) else {
        return;
    };
    if NUMBER_FORMATS.contains(&format) {
        schema.shift_remove("format");
        if schema.get("minimum").is_some_and(|minimum| minimum == 0) {
            schema.shift_remove("minimum");
        }
        for bound in ["minimum", "maximum"] {
            let natural = [127, 255, -128, 32767, 65535, -32768];
            if schema
                .get(bound)
                .and_then(Value::as_i64)
                .is_some_and(|value| natural.contains(&value))
            {
                schema.shift_remove(bound);
            }
        }
    } else if matches!(format, "double" | "float") {
        schema.shift_remove("format");
    }
}

fn one_line_description(schema: &mut JsonObject) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
}

/// `{"type": ["string", "null"], …}` as `{"anyOf": [{"type": "string", …}, {"type": "null"}]}`.
fn nullable_type(schema: &mut JsonObject) {
    /// What belongs to the field and not to its value.
    fn of_field(key: &str) -> bool {
        matches!(
            key,
            "description" | "title" | "default" | "examples" | "deprecated"
        ) || key.starts_with("x-")
    }
    let Some(Value::Array(types)) = schema.get("type") else {
        return;
    };
    if types.len() != 2 || types[1] != "null" {
        return;
    }
    let kind = types[0].clone();
    let mut value = JsonObject::new();
    value.insert("type".to_owned(), kind);
    let keys: Vec<String> = schema
        .keys()
        .filter(|key| *key != "type" && !of_field(key))
        .cloned()
        .collect();
    for key in keys {
        if let Some(member) = schema.shift_remove(&key) {
            value.insert(key, member);
        }
    }
    if let Some(Value::Array(constants)) = value.get_mut("enum") {
        constants.retain(|constant| !constant.is_null());
    }
    schema.shift_remove("type");
    schema.insert(
        "anyOf".to_owned(),
        Value::Array(vec![Value::Object(value), json!({"type": "null"})]),
    );
}

/// `account_id` as `Account Id`, the way Python's `str.title` does it: a letter after anything that is none is upper case.
pub(crate) fn words(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut after_letter = false;
    for c in name.chars() {
        let c = if c == '_' { ' ' } else { c };
        if after_letter {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        after_letter = c.is_alphabetic();
    }
    out.trim().to_owned()
}

/// The members in the order of their names, as pydantic writes a schema. Properties keep the model's order.
fn sorted(object: JsonObject) -> JsonObject {
    let mut members: Vec<(String, Value)> = object.into_iter().collect();
    members.sort_by(|a, b| a.0.cmp(&b.0));
    members.into_iter().collect()
}

/// `true`, the schema of anything, is an empty object to pydantic.
fn as_object(schema: Value) -> JsonObject {
    match schema {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::schema::input_of;

    /// A model with
    /// one of everything.
    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Everything {
        /// Plain.
        user_id: String,
        nickname: Option<String>,
        #[serde(default)]
        count: u32,
        ratio: Option<f64>,
        kind: Kind,
        other_kind: Option<Kind>,
        parts: Vec<Part>,
        anything: Option<Value>,
        labels: Option<BTreeMap<String, i64>>,
        #[schemars(title = "Chosen", extend("x-secret" = true))]
        key: String,
    }

    /// A kind.
    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        /// The first.
        One,
        /// The second.
        Two,
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Part {}

    #[test]
    fn a_model_has_the_shape_that_pydantic_gives_it() {
        let expected = json!({
            "$defs": {
                "Kind": {"description": "A kind.", "enum": ["one", "two"], "title": "Kind", "type": "string"},
                "Part": {"properties": {}, "title": "Part", "type": "object"},
            },
            "description": "A model with one of everything.",
            "properties": {
                "user_id": {"description": "Plain.", "title": "User Id", "type": "string"},
                "nickname": {
                    "anyOf": [{"type": "string"}, {"type": "null"}], "default": null, "title": "Nickname"
                },
                "count": {"default": 0, "title": "Count", "type": "integer"},
                "ratio": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": null, "title": "Ratio"},
                "kind": {"$ref": "#/$defs/Kind"},
                "other_kind": {"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}], "default": null},
                "parts": {"items": {"$ref": "#/$defs/Part"}, "title": "Parts", "type": "array"},
                "anything": {"default": null, "title": "Anything"},
                "labels": {
                    "anyOf": [
                        {"additionalProperties": {"type": "integer"}, "type": "object"},
                        {"type": "null"},
                    ],
                    "default": null,
                    "title": "Labels",
                },
                "key": {"title": "Chosen", "type": "string", "x-secret": true},
            },
            "required": ["user_id", "kind", "parts", "key"],
            "title": "Everything",
            "type": "object",
        });
        assert_eq!(Value::Object(input_of::<Everything>()), expected);
        let written = serde_json::to_string(&input_of::<Everything>()).unwrap();
        assert_eq!(written, expected.to_string(), "in this order, too");
    }

    #[test]
    fn names_become_words_as_in_python() {
        for (name, expected) in [
            ("account_id", "Account Id"),
            ("x5t_s256", "X5T S256"),
            ("apiURL", "Apiurl"),
            ("_private", "Private"),
        ] {
            assert_eq!(words(name), expected);
        }
    }
}
