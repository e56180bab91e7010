//! `app_info`: the connector as an OpenAPI 3.0 document.
//!
//! Its paths are the capabilities; the extensions (`x-…`) carry what OpenAPI has no word for.
#![forbid(unsafe_code)]

use lumos_connector_models::{
    AppInfo, AppInfoRequestPayload, JsonObject, ProbeIntegration, ProbeResults, Request, Response,
};
use serde_json::{Value, json};

use super::info::{capability_names, display_name, level_extension};
use super::probe;
use crate::connector::Connector;
use crate::error::ConnectorError;
use crate::handler::{self, Outcome};
use crate::schema::{self, openapi};
use crate::validate;

/// Answers `app_info`. It needs neither credential nor settings: a form asks for both with its help.
pub(crate) fn app_info(connector: &Connector, body: &[u8]) -> Outcome {
    check(body)?;
    handler::serialize(&Response::new(AppInfo {
        app_id: connector.declaration.app_id.clone(),
        app_schema: document(connector),
    }))
}

fn check(body: &[u8]) -> Result<(), ConnectorError> {
    let payload = schema::input_of::<AppInfoRequestPayload>();
    validate::Model::request("AppInfoRequest", payload).check(&validate::parse(body)?)
}

/// The parts of the document that capabilities add to.
struct Document<'a> {
    connector: &'a Connector,
    schemas: JsonObject,
    paths: JsonObject,
}

fn document(connector: &Connector) -> JsonObject {
    let mut document = Document {
        connector,
        schemas: JsonObject::new(),
        paths: JsonObject::new(),
    };
    document.add_settings();
    document.add_credential();
    for name in capability_names(connector) {
        document.add_capability(&name);
    }
    object(json!({
        "openapi": "3.0.0",
        "info": info(connector),
        "servers": [],
        "paths": document.paths,
        "components": {"securitySchemes": security_schemes(connector), "schemas": document.schemas},
        "tags": tags(),
    }))
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

fn info(connector: &Connector) -> Value {
    let description = &connector.declaration.description;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    json!({
        "title": text(&description.name),
        "description": text(&description.text),
        "version": connector.declaration.version,
        "x-app-id": connector.declaration.app_id,
        "x-app-logo-url": text(&description.logo_url),
        "x-app-vendor-domain": text(&description.vendor_domain),
        "x-entitlement-types": connector.declaration.entitlement_types,
        "x-access-graph-entitlement-types": [],
        "x-access-graph-entitlement-rules": [],
        "x-implied-access-rules": [],
        "x-resource-types": connector.declaration.resource_types,
        "x-categories": {"type": "enum", "enum": description.categories},
        "x-oauth-settings": {},
        "x-capabilities": capability_names(connector),
        "x-multi-credential": false,
        "x-probe-checks": probe::possible_checks(connector),
        "x-allowed-credentials": [],
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

fn security_schemes(connector: &Connector) -> JsonObject {
    let header = |description: &str| json!({"type": "apiKey", "in": "header", "name": "Authorization", "description": description});
    let bearer = |description: &str| json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description});
    let scheme = match connector.auth.kind {
        "oauth" => json!({"type": "oauth2", "flows": {
            "authorizationCode": {"authorizationUrl": "", "tokenUrl": "", "scopes": {}}
        }}),
        "oauth_client_credentials" => json!({"type": "oauth2", "flows": {
            "clientCredentials": {"tokenUrl": "", "scopes": {}}
        }}),
        "oauth1" => header("A token signed as OAuth 1.0a asks for."),
        "token" => header("A fixed token or API key."),
        "basic" => json!({"type": "http"}),
        "jwt" => bearer("A signed JSON Web Token."),
        "service_account" => header("A token of a service account."),
        "key_pair" => bearer("A token signed with a private key."),
        _ => return JsonObject::new(),
    };
    JsonObject::from_iter([(connector.declaration.app_id.clone(), scheme)])
}

/// A model's schema with the order in which a form shows its fields.
fn form(schema: JsonObject) -> JsonObject {
    let names: Vec<Value> = match schema.get("properties") {
        Some(Value::Object(properties)) => properties.keys().cloned().map(Value::from).collect(),
        _ => Vec::new(),
    };
    let mut schema = openapi::convert(schema);
    schema.insert("x-field_order".to_owned(), Value::Array(names));
    schema
}

impl Document<'_> {
    fn add_settings(&mut self) {
        let mut schema = form((self.connector.settings.schema)());
        self.take_definitions(&mut schema);
        self.schemas.insert("Settings".to_owned(), Value::Object(schema));
    }

    fn add_credential(&mut self) {
        let kind = self.connector.auth.kind;
        if kind.is_empty() {
            let none = json!({"type": "array", "items": {"allOf": []}});
            self.schemas.insert("Credentials".to_owned(), none);
            return;
        }
        let mut schema = form((self.connector.auth.schema)());
        self.take_definitions(&mut schema);
        let auth = json!({"properties": {kind: schema}, "required": [kind]});
        self.schemas.insert("Auth".to_owned(), auth);
    }

    fn add_capability(&mut self, name: &str) {
        let (request, response) = self.envelopes(name);
        let request = self.payload(request, "request", |schema| level_extension(name, schema));
        let response = self.payload(response, "response", |schema| schema);
        let tag = tag(&request);
        let entry = self.connector.declaration.capabilities.get(name);
        let credential = match self.connector.auth.kind {
            "" => "credentials",
            _ => "auth",
        };
        let reference = match credential {
            "auth" => "#/components/schemas/Auth",
            _ => "#/components/schemas/Credentials",
        };
        let body = json!({
            "type": "object",
            "properties": {
                "request": request,
                "settings": {"$ref": "#/components/schemas/Settings"},
                credential: {"$ref": reference},
            },
            "required": ["request", "settings", "auth", "credentials"],
        });
        let answer = json!({
            "description": "The capability's result.",
            "content": {"application/json": {"schema": response}},
        });
        let operation = json!({
            "operationId": name,
            "tags": [tag],
            "summary": display_name(self.connector, name),
            "description": entry.and_then(|entry| entry.description.clone()),
            "requestBody": {"content": {"application/json": {"schema": body}}},
            "responses": {"200": answer},
            "security": self.security(),
        });
        self.paths.insert(format!("/{name}"), json!({"post": operation}));
    }

    fn security(&self) -> Value {
        match self.connector.auth.kind {
            "" => json!([]),
            _ => json!([{self.connector.declaration.app_id.as_str(): []}]),
        }
    }

    /// The schemas of a capability's whole request and response.
    fn envelopes(&self, name: &str) -> (JsonObject, JsonObject) {
        match self.connector.declaration.capabilities.get(name) {
            Some(entry) => ((entry.full_request)(), (entry.full_response)()),
            None if name == "app_info" => (
                schema::input_of::<Request<AppInfoRequestPayload>>(),
                schema::output_of::<Response<AppInfo>>(),
            ),
            None => (
                schema::input_of::<Request<ProbeIntegration>>(),
                schema::output_of::<Response<ProbeResults>>(),
            ),
        }
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
        let Some(Value::Object(definitions)) = schema.shift_remove("$defs") else {
            return;
        };
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
