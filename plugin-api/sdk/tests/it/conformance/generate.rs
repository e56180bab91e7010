//! Documents from schemas: any that a type reads, as far as its schema says it.

use lumos_connector_sdk::models::ErrorCode;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Documents of the schema.
pub(super) fn document(root: &Value) -> BoxedStrategy<Value> {
    of(root, root)
}

fn of(schema: &Value, root: &Value) -> BoxedStrategy<Value> {
    let Some(object) = schema.as_object() else {
        return anything();
    };
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#'));
        return of(target.expect("a reference has a target"), root);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(variants)) = object.get(key) {
            return any_of(variants.iter().map(|variant| of(variant, root)));
        }
    }
    if let Some(constant) = object.get("const") {
        return Just(constant.clone()).boxed();
    }
    if let Some(Value::Array(values)) = object.get("enum") {
        return proptest::sample::select(values.clone()).boxed();
    }
    match object.get("type") {
        Some(Value::Array(types)) => any_of(types.iter().map(|one| simple(one, object, root))),
        Some(one) => simple(one, object, root),
        None => anything(),
    }
}

fn any_of(variants: impl Iterator<Item = BoxedStrategy<Value>>) -> BoxedStrategy<Value> {
    proptest::strategy::Union::new(variants).boxed()
}

fn simple(kind: &Value, schema: &Map<String, Value>, root: &Value) -> BoxedStrategy<Value> {
    match kind.as_str().unwrap_or_default() {
        "null" => Just(Value::Null).boxed(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => any::<i64>().prop_map(Value::from).boxed(),
        "number" => prop_oneof![any::<i64>().prop_map(Value::from), number()].boxed(),
        "string" if schema.contains_key("format") => time(),
        // Only discriminators have one, and those have no other value.
        "string" if schema.contains_key("default") => Just(schema["default"].clone()).boxed(),
        "string" => text().prop_map(Value::from).boxed(),
        "array" => {
            let items = schema.get("items").map_or_else(anything, |items| of(items, root));
            vec(items, 0..3).prop_map(Value::from).boxed()
        }
        _ => object(schema, root),
    }
}

fn object(schema: &Map<String, Value>, root: &Value) -> BoxedStrategy<Value> {
    let required = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut names = Vec::new();
    let mut values = Vec::new();
    for (name, member) in properties.into_iter().flatten() {
        let value = match name.as_str() {
            // Said to be anything, and read only as a text or null.
            "actual_instance" => proptest::option::of(text()).prop_map(Value::from).boxed(),
            // No error of ours has a code that was given up, or lacks what its code means.
            "error_code" => proptest::sample::select(ErrorCode::ALL)
                .prop_map(|code| json!(code))
                .boxed(),
            "error_metadata" => of(&member["anyOf"][0], root),
            _ => of(member, root),
        };
        names.push(name.clone());
        values.push(
            if name == "error_metadata"
                || required.is_some_and(|required| required.iter().any(|one| one == name))
            {
                value.prop_map(Some).boxed()
            } else {
                proptest::option::of(value).boxed()
            },
        );
    }
    let members = values.prop_map(move |values| {
        let members = names.iter().cloned().zip(values);
        members.filter_map(|(name, value)| Some((name, value?))).collect()
    });
    let others = match schema.get("additionalProperties") {
        Some(values) => of(values, root),
        None => return members.prop_map(Value::Object).boxed(),
    };
    (members, btree_map(text(), others, 0..3))
        .prop_map(|(mut members, others): (Map<String, Value>, _)| {
            for (name, value) in others {
                members.entry(name).or_insert(value);
            }
            Value::Object(members)
        })
        .boxed()
}

/// Texts with what is awkward in JSON, in logs and in file names.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        any::<String>(),
        "[a-z_]{0,12}",
        "[ \"\\\\\u{0}\u{7f}\u{2028}é漢🦀/<>{}]{0,6}"
    ]
    .boxed()
}

fn number() -> BoxedStrategy<Value> {
    any::<f64>()
        .prop_filter_map("JSON has no infinity", |number| {
            serde_json::Number::from_f64(number).map(Value::Number)
        })
        .boxed()
}

fn time() -> BoxedStrategy<Value> {
    (1..=9999, 1..=12, 1..=28, 0..24, 0..60, 0..60, 0..1_000_000, -1439..=1439)
        .prop_map(|(year, month, day, hour, minute, second, micro, offset): (i32, i32, i32, i32, i32, i32, i32, i32)| {
            let sign = if offset < 0 { '-' } else { '+' };
            let offset = offset.abs();
            json!(format!(
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}{sign}{:02}:{:02}",
                offset / 60,
                offset % 60
            ))
        })
        .boxed()
}

/// Any JSON.
pub(super) fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        number(),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(text(), inner, 0..3).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}
