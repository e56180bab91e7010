//! Bounds that a model sets: how long a text or list may be, how large a number.
#![forbid(unsafe_code)]

use lumos_connector_models::JsonObject;
use serde_json::Value;

/// A bound that a value breaks.
pub(super) struct Broken {
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// The bound by its name in reports.
    pub(super) name: &'static str,
    pub(super) bound: Value,
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
    let items = |bound: &Value| if bound == 1 { "item" } else { "items" };
    if let Some(bound) = above(schema, "minItems", length) {
        let message = format!(
            "List should have at least {bound} {} after validation",
            items(bound)
        );
        return Some(broken("too_short", message, "min_length", bound));
    }
    let bound = below(schema, "maxItems", length)?;
    let message = format!(
        "List should have at most {bound} {} after validation",
        items(bound)
    );
    Some(broken("too_long", message, "max_length", bound))
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

type Rule = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    fn(f64, f64) -> bool,
);

/// Keyword, kind of mistake, name of the bound, words, and when it is kept.
const SIZES: [Rule; 4] = [
    (
        "minimum",
        "greater_than_equal",
        "ge",
        "greater than or equal to",
        |value, bound| value >= bound,
    ),
    (
        "exclusiveMinimum",
        "greater_than",
        "gt",
        "greater than",
        |value, bound| value > bound,
    ),
    (
        "maximum",
        "less_than_equal",
        "le",
        "less than or equal to",
        |value, bound| value <= bound,
    ),
    (
        "exclusiveMaximum",
        "less_than",
        "lt",
        "less than",
        |value, bound| value < bound,
    ),
];

fn size(schema: &JsonObject, value: f64) -> Option<Broken> {
    SIZES.iter().find_map(|(keyword, kind, name, words, is_kept)| {
        let bound = schema.get(*keyword)?;
        let is_kept = is_kept(value, bound.as_f64()?);
        (!is_kept).then(|| broken(kind, format!("Input should be {words} {bound}"), name, bound))
    })
}

fn broken(kind: &'static str, message: String, name: &'static str, bound: &Value) -> Broken {
    Broken {
        kind,
        message,
        name,
        bound: bound.clone(),
    }
}
