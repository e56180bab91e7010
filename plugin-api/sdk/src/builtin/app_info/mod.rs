//! `app_info`: the connector as an OpenAPI 3.0 document.
//!
//! Its paths are the capabilities; the extensions (`x-…`) carry what OpenAPI has no word for.
#![forbid(unsafe_code)]

mod credentials;
mod oauth;

use lumos_connector_models::{AppInfo, AppInfoRequestPayload, JsonObject, Response};
use serde_json::{Value, json};

use self::oauth::OAuth;
use super::info::{display_name, level_name};
use super::{Shape, capability_names, probe};
use crate::connector::Connector;
use crate::error::ConnectorError;
use crate::handler::{self, Outcome};
use crate::schema::{self, openapi};
use crate::validate::{self, Envelope};

/// Answers `app_info`. It needs neither credential nor settings: a form asks for both with its help. Where the app gives out
/// tokens may depend on the settings, so that is told to whoever sends them.
pub(crate) fn app_info(connector: &Connector, body: &[u8]) -> Outcome {
    let request = checked(body)?;
    let settings = connector.check_settings(request.get("settings")).ok();
    handler::serialize(&Response::new(AppInfo {
        app_id: connector.declaration.app_id.clone(),
        app_schema: document(connector, settings.as_ref()),
    }))
}

fn checked(body: &[u8]) -> Result<Value, ConnectorError> {
    let payload = schema::exact_of::<AppInfoRequestPayload>();
    let envelope = Envelope::Standard { open: false };
    let mut request = validate::parse(body)?;
    validate::Model::request(envelope, "AppInfoRequest", payload).check(&mut request)?;
    Ok(request)
}

/// The parts of the document that capabilities add to.
struct Document<'a> {
    connector: &'a Connector,
    oauth: &'a OAuth,
    schemas: JsonObject,
    paths: JsonObject,
}

fn document(connector: &Connector, settings: Option<&Value>) -> JsonObject {
    let oauth = OAuth::of(&connector.declaration, settings);
    let mut document = Document {
        connector,
        oauth: &oauth,
        schemas: JsonObject::new(),
        paths: JsonObject::new(),
    };
    document.add_settings();
    document.add_credential();
    for name in capability_names(connector) {
        document.add_capability(&name);
    }
    let schemes = credentials::security_schemes(&connector.declaration, &oauth);
    object(json!({
        "openapi": "3.0.0",
        "info": info(connector, &oauth),
        "servers": [],
        "paths": document.paths,
        "components": {"securitySchemes": schemes, "schemas": document.schemas},
        "tags": tags(),
    }))
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

fn info(connector: &Connector, oauth: &OAuth) -> Value {
    let description = &connector.declaration.description;
    let graph = &connector.declaration.access_graph;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    json!({
        "title": text(&description.name),
        "description": text(&description.text),
        "version": connector.declaration.version,
        "x-app-id": connector.declaration.app_id,
        "x-app-logo-url": text(&description.logo_url),
        "x-app-vendor-domain": text(&description.vendor_domain),
        "x-entitlement-types": connector.declaration.entitlement_types,
        "x-access-graph-entitlement-types": graph.entitlement_types,
        "x-access-graph-entitlement-rules": graph.entitlement_rules,
        "x-implied-access-rules": graph.implied_access_rules,
        "x-resource-types": connector.declaration.resource_types,
        "x-categories": {"type": "enum", "enum": description.categories},
        "x-oauth-settings": oauth.settings(),
        "x-capabilities": capability_names(connector),
        "x-multi-credential": connector.declaration.auth.several().is_some(),
        "x-probe-checks": probe::possible_checks(connector),
        "x-allowed-credentials": credentials::allowed(&connector.declaration),
    })
}

fn tags() -> Value {
    json!([
        {"name": "Read Capabilities", "description": "They change nothing in the app."},
        {"name": "Write Capabilities", "description": "They change something in the app."},
        {"name": "Authorization", "description": "They obtain OAuth 2.0 tokens."},
        {"name": "Specification", "description": "They describe the connector."},
        {"name": "Validation", "description": "They check credentials."},
    ])
}

/// A model's schema with the order in which a form shows its fields.
fn form(schema: JsonObject) -> JsonObject {
    let names = schema::field_names(&schema);
    let mut schema = openapi::convert(schema);
    schema.insert("x-field_order".to_owned(), names);
    schema
}

impl Document<'_> {
    fn add_settings(&mut self) {
        let mut schema = form((self.connector.settings.schema)());
        self.take_definitions(&mut schema);
        self.schemas.insert("Settings".to_owned(), Value::Object(schema));
    }

    /// `Auth` holds the one credential; `Credentials` is the list of several, or of none.
    fn add_credential(&mut self) {
        let (name, mut component) = credentials::component(&self.connector.declaration);
        for definitions in credentials::definitions(&mut component) {
            self.add_definitions(definitions);
        }
        self.schemas.insert(name.to_owned(), component);
    }

    fn add_capability(&mut self, name: &str) {
        let entry = self.connector.declaration.capabilities.get(name);
        let shape = Shape::of(name, entry);
        let level = entry.filter(|entry| entry.envelope == Envelope::Custom);
        let request = self.payload((shape.full_request)(), "request", |mut model| {
            if let Some(entry) = level {
                model.insert("x-capability-level".to_owned(), level_name(entry.level).into());
            }
            model
        });
        let response = self.payload((shape.full_response)(), "response", |model| model);
        let operation = json!({
            "operationId": name,
            "tags": [tag(&request)],
            "summary": display_name(self.connector, name),
            "description": entry.and_then(|entry| entry.description.clone()),
            "requestBody": {"content": {"application/json": {"schema": self.body(&request, shape.envelope)}}},
            "responses": {"200": {
                "description": "The capability's result.",
                "content": {"application/json": {"schema": response}},
            }},
            "security": credentials::security(&self.connector.declaration, self.oauth, name),
        });
        self.paths.insert(format!("/{name}"), json!({"post": operation}));
    }

    fn body(&self, request: &JsonObject, envelope: Envelope) -> Value {
        let mut body = json!({
            "type": "object",
            "properties": {
                "request": request,
                "settings": {"$ref": "#/components/schemas/Settings"},
            },
            "required": ["request", "settings"],
        });
        if envelope != (Envelope::Standard { open: true }) {
            let (component, _) = credentials::component(&self.connector.declaration);
            let reference = json!({"$ref": format!("#/components/schemas/{component}")});
            body["properties"][component.to_lowercase()] = reference;
            body["required"] = json!(["request", "settings", "auth", "credentials"]);
        }
        body
    }

    /// The payload of an envelope, written out; the models that it refers to join the document's schemas.
    fn payload(
        &mut self,
        envelope: JsonObject,
        member: &str,
        complete: impl FnOnce(JsonObject) -> JsonObject,
    ) -> JsonObject {
        let mut envelope = openapi::convert(envelope);
        self.take_definitions(&mut envelope);
        let payload = envelope
            .remove("properties")
            .and_then(|mut properties| properties.get_mut(member).map(Value::take))
            .map(object)
            .unwrap_or_default();
        let target = payload.get("$ref").and_then(Value::as_str);
        match target.and_then(|target| self.schemas.get_mut(openapi::name_of(target))) {
            Some(Value::Object(model)) => {
                *model = complete(std::mem::take(model));
                model.clone()
            }
            _ => payload,
        }
    }

    /// Moves a schema's `$defs` to the document. The first of a name stays.
    fn take_definitions(&mut self, schema: &mut JsonObject) {
        if let Some(Value::Object(definitions)) = schema.shift_remove("$defs") {
            self.add_definitions(definitions);
        }
    }

    fn add_definitions(&mut self, definitions: JsonObject) {
        for (name, mut definition) in definitions {
            if self.schemas.contains_key(&name) {
                continue;
            }
            self.declare_types(&mut definition);
            self.schemas.insert(name, definition);
        }
    }

    /// Fields that name a type accept those that the connector declares.
    fn declare_types(&self, definition: &mut Value) {
        let connector = self.connector;
        let entitlements = connector
            .declaration
            .entitlement_types
            .iter()
            .map(|kind| &kind.type_id);
        let resources = connector
            .declaration
            .resource_types
            .iter()
            .map(|kind| &kind.type_id);
        declare(definition, "entitlement_type", "x-entitlement-type", entitlements);
        declare(definition, "resource_type", "x-resource-type", resources);
    }
}

fn declare<'a>(definition: &mut Value, field: &str, marker: &str, types: impl Iterator<Item = &'a String>) {
    let Some(Value::Object(property)) = definition.pointer_mut(&format!("/properties/{field}")) else {
        return;
    };
    if property.shift_remove(marker).is_none() {
        return;
    }
    let types: Vec<Value> = types.cloned().map(Value::from).collect();
    if !types.is_empty() {
        property.insert("enum".to_owned(), Value::Array(types));
    }
}

/// The part of the API that a capability belongs to.
fn tag(request: &JsonObject) -> String {
    let text = |key: &str| request.get(key).and_then(Value::as_str).map(schema::words);
    match (text("x-capability-level"), text("x-capability-category")) {
        (Some(level), _) => format!("{level} Capabilities"),
        (None, Some(category)) => category,
        (None, None) => "Capabilities".to_owned(),
    }
}
