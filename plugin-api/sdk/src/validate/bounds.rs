//! Bounds that a model sets: how long a text or list may be, how large a number.
#![forbid(unsafe_code)]

use lumos_connector_models::JsonObject;
use serde_json::Value;

/// A bound that a value breaks.
pub(super) struct Broken {
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// The bound by its name in reports, and what belongs to it.
    pub(super) context: Vec<(&'static str, Value)>,
}

/// The first bound of `schema` that `value` breaks.
pub(super) fn check(schema: &JsonObject, value: &Value) -> Option<Broken> {
    match value {
        Value::String(text) => text_length(schema, text.chars().count() as u64),
        Value::Array(items) => list_length(schema, items.len() as u64),
        Value::Number(_) => size(schema, value.as_f64()?),
        _ => None,
    }
}

fn text_length(schema: &JsonObject, length: u64) -> Option<Broken> {
    let characters = |bound: &Value| if bound == 1 { "character" } else { "characters" };
    if let Some(bound) = above(schema, "minLength", length) {
        let message = format!("String should have at least {bound} {}", characters(bound));
        return Some(broken("string_too_short", message, "min_length", bound));
    }
    let bound = below(schema, "maxLength", length)?;
    let message = format!("String should have at most {bound} {}", characters(bound));
    Some(broken("string_too_long", message, "max_length", bound))
}

fn list_length(schema: &JsonObject, length: u64) -> Option<Broken> {
    let (kind, words, name, bound) = if let Some(bound) = above(schema, "minItems", length) {
        ("too_short", "at least", "min_length", bound)
    } else {
        (
            "too_long",
            "at most",
            "max_length",
            below(schema, "maxItems", length)?,
        )
    };
    let items = if bound == 1 { "item" } else { "items" };
    Some(Broken {
        kind,
        message: format!("List should have {words} {bound} {items} after validation, not {length}"),
        context: vec![
            ("field_type", "List".into()),
            (name, bound.clone()),
            ("actual_length", length.into()),
        ],
    })
}

fn above<'a>(schema: &'a JsonObject, name: &str, length: u64) -> Option<&'a Value> {
    schema
        .get(name)
        .filter(|bound| bound.as_u64().is_some_and(|bound| length < bound))
}

fn below<'a>(schema: &'a JsonObject, name: &str, length: u64) -> Option<&'a Value> {
    schema
        .get(name)
        .filter(|bound| bound.as_u64().is_some_and(|bound| length > bound))
}

/// Keyword, kind of mistake, name of the bound, and words for it.
const SIZES: [(&str, &str, &str, &str); 4] = [
    ("minimum", "greater_than_equal", "ge", "greater than or equal to"),
    ("exclusiveMinimum", "greater_than", "gt", "greater than"),
    ("maximum", "less_than_equal", "le", "less than or equal to"),
    ("exclusiveMaximum", "less_than", "lt", "less than"),
];

fn size(schema: &JsonObject, value: f64) -> Option<Broken> {
    SIZES.iter().find_map(|(keyword, kind, name, words)| {
        let bound = schema.get(*keyword)?;
        let limit = bound.as_f64()?;
        let is_kept = match *name {
            "ge" => value >= limit,
            "gt" => value > limit,
            "le" => value <= limit,
            _ => value < limit,
        };
        let told = match schema.get("type").and_then(Value::as_str) {
            Some("number") => Value::from(limit),
            _ => bound.clone(),
        };
        (!is_kept).then(|| broken(kind, format!("Input should be {words} {bound}"), name, &told))
    })
}

fn broken(kind: &'static str, message: String, name: &'static str, bound: &Value) -> Broken {
    Broken {
        kind,
        message,
        context: vec![(name, bound.clone())],
    }
}
