//! `info`: who the connector is, what it needs and what it can do.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use lumos_connector_models::{CapabilityLevel, CapabilitySchema, Info, JsonObject, Response, capability};
use serde_json::{Value, json};

use super::{Shape, capability_names};
use crate::connector::{AuthSpec, Connector};
use crate::credentials::CredentialSpec;
use crate::handler::{self, Outcome};
use crate::integration::Declaration;
use crate::schema;
use crate::validate::Envelope;

/// Answers `info`.
pub(crate) fn info(connector: &Connector) -> Outcome {
    handler::serialize(&Response::new(describe(connector)))
}

/// The payload of `info`'s answer, which `connected_info` begins with.
pub(crate) fn info_value(connector: &Connector) -> Value {
    serde_json::to_value(describe(connector)).expect("a description is plain data")
}

/// A model of the connector's own takes the level of the standard capability that it extends.
fn with_level(name: &str, mut input: JsonObject) -> JsonObject {
    if let Some(info) = capability(name) {
        input
            .entry("x-capability-level")
            .or_insert_with(|| level_name(info.level).into());
    }
    input
}

pub(super) fn level_name(level: CapabilityLevel) -> &'static str {
    match level {
        CapabilityLevel::Read => "read",
        CapabilityLevel::Write => "write",
    }
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
    let declaration = &connector.declaration;
    let names = capability_names(connector);
    let capability_schema: BTreeMap<String, CapabilitySchema> = names
        .iter()
        .map(|name| (name.clone(), capability_schema(connector, name)))
        .collect();
    let description = &declaration.description;
    let graph = &declaration.access_graph;
    Info {
        app_id: declaration.app_id.clone(),
        app_vendor_domain: description.vendor_domain.clone(),
        version: declaration.version.clone(),
        capabilities: names,
        capability_schema,
        oauth_scopes: oauth_scopes(declaration),
        authentication_schema: match &declaration.auth {
            AuthSpec::Single { schema, .. } => with_field_order(schema()),
            AuthSpec::None | AuthSpec::Several(_) => JsonObject::new(),
        },
        credentials_schema: declaration
            .auth
            .several()
            .map(|set| set.list.iter().map(credential_schema).collect())
            .unwrap_or_default(),
        logo_url: description.logo_url.clone(),
        user_friendly_name: description.name.clone(),
        description: description.text.clone(),
        categories: Some(description.categories.clone()),
        entitlement_types: declaration.entitlement_types.clone(),
        access_graph_entitlement_types: Some(graph.entitlement_types.clone()),
        access_graph_entitlement_rules: Some(graph.entitlement_rules.clone()),
        implied_access_rules: Some(graph.implied_access_rules.clone()),
        resource_types: declaration.resource_types.clone(),
        request_settings_schema: with_field_order((connector.settings.schema)()),
    }
}

/// Those of the one credential; of several, `app_info` tells them.
fn oauth_scopes(declaration: &Declaration) -> Option<BTreeMap<String, String>> {
    let mut single = declaration.oauth.iter().filter(|tell| tell.id.is_none());
    single.next().and_then(|tell| tell.fixed_scopes.clone())
}

fn credential_schema(spec: &CredentialSpec) -> JsonObject {
    let mut schema = with_field_order((spec.schema)());
    schema.insert("id".to_owned(), spec.id.as_str().into());
    schema.insert("description".to_owned(), spec.description.as_str().into());
    schema.insert("x-optional".to_owned(), spec.optional.into());
    schema
}

fn capability_schema(connector: &Connector, name: &str) -> CapabilitySchema {
    let entry = connector.declaration.capabilities.get(name);
    let shape = Shape::of(name, entry);
    let argument = match shape.envelope {
        Envelope::Custom => with_level(name, (shape.input)()),
        Envelope::Standard { .. } => (shape.input)(),
    };
    CapabilitySchema {
        argument: list_as_empty(argument),
        output: list_as_empty((shape.output)()),
        display_name: Some(display_name(connector, name)),
        description: entry.and_then(|entry| entry.description.clone()),
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
    schema.insert("field_order".to_owned(), schema::field_names(&schema));
    schema
}
