//! JSON schemas in the dialect of the Lumos Connector API.
//!
//! `schemars` derives schemas from Rust types; the API's schemas come from pydantic models. [`dialect`] turns the one into
//! the other: titles in words, `anyOf` with null, explicit defaults, one `$defs` table, keys sorted.
#![forbid(unsafe_code)]

mod dialect;
pub(crate) mod openapi;

use lumos_connector_models::JsonObject;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

pub(crate) use dialect::words;

/// The schema of what a connector reads: a request's payload, settings, a credential.
pub(crate) fn input_of<T: JsonSchema>() -> JsonObject {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    dialect::convert(settings.into_generator().into_root_schema_for::<T>())
}

/// The schema of what a connector writes. Absent values are written as null, so a reader may leave out the same fields as
/// in an input.
pub(crate) fn output_of<T: JsonSchema>() -> JsonObject {
    input_of::<T>()
}

/// The fields of `Standard` that `Own` lacks, has with another type, or no longer requires.
pub(crate) fn changed_fields<Standard: JsonSchema, Own: JsonSchema>() -> Vec<String> {
    let standard = input_of::<Standard>();
    let own = input_of::<Own>();
    let of = |schema: &JsonObject, name: &str| {
        let property = schema.get("properties")?.get(name)?;
        Some(property.get("type").cloned())
    };
    let requires = |schema: &JsonObject, name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|required| required == name))
    };
    properties(&standard)
        .filter(|name| {
            of(&own, name) != of(&standard, name) || (requires(&standard, name) && !requires(&own, name))
        })
        .cloned()
        .collect()
}

/// The names of a model's fields in their order, which is that of a form.
pub(crate) fn field_names(schema: &JsonObject) -> Value {
    properties(schema).cloned().map(Value::from).collect()
}

/// The schema that says what a value is: behind references, and without null.
pub(crate) fn target<'a>(root: &'a JsonObject, schema: &'a JsonObject) -> &'a JsonObject {
    let mut schema = schema;
    // Longer chains are circles.
    for _ in 0..16 {
        match behind(root, schema).or_else(|| only_variant(schema)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

/// The schema that a `$ref` points to.
pub(crate) fn behind<'a>(root: &'a JsonObject, schema: &JsonObject) -> Option<&'a JsonObject> {
    let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
    root.get("$defs")?.get(name)?.as_object()
}

/// The variant that is not null, if there is but one.
fn only_variant(schema: &JsonObject) -> Option<&JsonObject> {
    let mut others = schema
        .get("anyOf")?
        .as_array()?
        .iter()
        .filter(|variant| variant.get("type").is_none_or(|kind| kind != "null"));
    let only = others.next()?.as_object()?;
    others.next().is_none().then_some(only)
}

fn properties(schema: &JsonObject) -> impl Iterator<Item = &String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(JsonObject::keys)
}

/// `list_accounts` as `ListAccounts`.
pub(crate) fn pascal_case(name: &str) -> String {
    words(name).replace(' ', "")
}
