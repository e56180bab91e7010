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

/// The fields of `Standard` that `Own` lacks or has with another type.
pub(crate) fn changed_fields<Standard: JsonSchema, Own: JsonSchema>() -> Vec<String> {
    let standard = input_of::<Standard>();
    let own = input_of::<Own>();
    let properties = |schema: &JsonObject| match schema.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => JsonObject::new(),
    };
    let own = properties(&own);
    properties(&standard)
        .into_iter()
        .filter(|(name, schema)| own.get(name).and_then(|own| own.get("type")) != schema.get("type"))
        .map(|(name, _)| name)
        .collect()
}

/// `list_accounts` as `ListAccounts`.
pub(crate) fn pascal_case(name: &str) -> String {
    words(name).replace(' ', "")
}
