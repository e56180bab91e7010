//! `info`: who the connector is, what it needs and what it can do.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use lumos_connector_models::{
    AppInfo, AppInfoRequestPayload, CapabilityLevel, CapabilitySchema, Info, JsonObject, ProbeIntegration,
    ProbeResults, Response, capability,
};
use serde_json::{Value, json};

use crate::connector::Connector;
use crate::handler::{self, Outcome};
use crate::schema;

/// Answers `info`.
pub(crate) fn info(connector: &Connector) -> Outcome {
    handler::serialize(&Response::new(describe(connector)))
}

/// Names of the connector's capabilities, sorted, with those that it has without writing them.
pub(super) fn capability_names(connector: &Connector) -> Vec<String> {
    let mut names: Vec<String> = connector.declaration.capabilities.keys().cloned().collect();
    for name in ["app_info", "probe_integration"] {
        if !connector.declaration.capabilities.contains_key(name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names
}

/// The input and output schemas of a capability.
fn schemas(connector: &Connector, name: &str) -> (JsonObject, JsonObject) {
    match connector.declaration.capabilities.get(name) {
        Some(entry) => (
            level_extension(name, (entry.input_schema)()),
            (entry.output_schema)(),
        ),
        None if name == "app_info" => (
            schema::input_of::<AppInfoRequestPayload>(),
            schema::output_of::<AppInfo>(),
        ),
        None => (
            schema::input_of::<ProbeIntegration>(),
            schema::output_of::<ProbeResults>(),
        ),
    }
}

/// A model of the connector's own takes the level of the standard capability that it extends.
pub(super) fn level_extension(name: &str, mut input: JsonObject) -> JsonObject {
    if input.contains_key("x-capability-category") {
        return input;
    }
    if let Some(info) = capability(name) {
        let level = match info.level {
            CapabilityLevel::Read => "read",
            CapabilityLevel::Write => "write",
        };
        input.entry("x-capability-level").or_insert_with(|| level.into());
    }
    input
}

/// A capability's name for people.
pub(super) fn display_name(connector: &Connector, name: &str) -> String {
    connector
        .declaration
        .capabilities
        .get(name)
        .and_then(|entry| entry.display_name.clone())
        .unwrap_or_else(|| schema::words(name))
}

fn describe(connector: &Connector) -> Info {
    let names = capability_names(connector);
    let capability_schema: BTreeMap<String, CapabilitySchema> = names
        .iter()
        .map(|name| (name.clone(), capability_schema(connector, name)))
        .collect();
    let description = &connector.declaration.description;
    Info {
        app_id: connector.declaration.app_id.clone(),
        app_vendor_domain: description.vendor_domain.clone(),
        version: connector.declaration.version.clone(),
        capabilities: names,
        capability_schema,
        oauth_scopes: None,
        authentication_schema: match connector.auth.kind {
            "" => JsonObject::new(),
            _ => with_field_order((connector.auth.schema)()),
        },
        credentials_schema: Vec::new(),
        logo_url: description.logo_url.clone(),
        user_friendly_name: description.name.clone(),
        description: description.text.clone(),
        categories: Some(description.categories.clone()),
        entitlement_types: connector.declaration.entitlement_types.clone(),
        access_graph_entitlement_types: Some(Vec::new()),
        access_graph_entitlement_rules: Some(Vec::new()),
        implied_access_rules: Some(Vec::new()),
        resource_types: connector.declaration.resource_types.clone(),
        request_settings_schema: with_field_order((connector.settings.schema)()),
    }
}

fn capability_schema(connector: &Connector, name: &str) -> CapabilitySchema {
    let (argument, output) = schemas(connector, name);
    CapabilitySchema {
        argument: list_as_empty(argument),
        output: list_as_empty(output),
        display_name: Some(display_name(connector, name)),
        description: connector
            .declaration
            .capabilities
            .get(name)
            .and_then(|entry| entry.description.clone()),
    }
}

/// The API describes a list in `info` as an empty model.
fn list_as_empty(schema: JsonObject) -> JsonObject {
    if schema.get("type").is_none_or(|kind| kind != "array") {
        return schema;
    }
    match json!({"properties": {}, "title": "Empty", "type": "object"}) {
        Value::Object(empty) => empty,
        _ => JsonObject::new(),
    }
}

/// Adds the order in which a form shows the fields.
fn with_field_order(mut schema: JsonObject) -> JsonObject {
    let names: Vec<Value> = match schema.get("properties") {
        Some(Value::Object(properties)) => properties.keys().cloned().map(Value::from).collect(),
        _ => Vec::new(),
    };
    schema.insert("field_order".to_owned(), Value::Array(names));
    schema
}
