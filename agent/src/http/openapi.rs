//! `GET /openapi.json`: this agent, with the connectors now loaded, as far as the caller's token covers them.
//!
//! A connector describes its capabilities in `info` with JSON schemas that refer to their own `$defs`. Each becomes a
//! component with an `$id` of its own, so that those references stay inside it (JSON Schema 2020-12, section 8.2.1).

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::dispatch::Dispatch;
use crate::auth::Principal;
use crate::config::model::{ClientAuth, Tls};
use crate::domain::{AppId, CapabilityName};

/// The document for `caller`.
pub(super) fn document(dispatch: &Dispatch, caller: &Principal) -> Value {
    let mut paths = agent_paths();
    let mut schemas = Map::new();
    schemas.insert("ErrorResponse".into(), error_schema());
    schemas.insert("Connector".into(), connector_schema());
    for app_id in dispatch.backend.ready() {
        if !caller.scopes.cover(&app_id) {
            continue;
        }
        let info = dispatch.backend.info(&app_id).unwrap_or_default();
        for described in capabilities(&info) {
            let level = dispatch.backend.level(&app_id, &described.name);
            if !caller.scopes.allow(&app_id, level) {
                continue;
            }
            let path = format!("/connectors/{app_id}/{}", described.name);
            let operation = described.operation(&app_id, &level.to_string(), &mut schemas);
            paths.insert(path, json!({ "post": operation }));
        }
    }
    let (security, schemes) = security(&dispatch.config().dispatch.tls);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "lumos-agent",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The Lumos Connector API, served by the connectors of this agent.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": "/" }],
        "security": security,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": error_responses(),
            "securitySchemes": schemes,
        },
    })
}

/// What a call needs, and what that is.
fn security(tls: &Tls) -> (Value, Value) {
    let token = json!({ "type": "http", "scheme": "bearer", "description": "`lumos_…`, made by `lumos-agent token create`" });
    if tls.client_ca.is_none() {
        return (json!([{ "token": [] }]), json!({ "token": token }));
    }
    let ways = match tls.client_auth {
        ClientAuth::Optional => json!([{ "token": [] }, { "certificate": [] }]),
        ClientAuth::Required => json!([{ "certificate": [], "token": [] }, { "certificate": [] }]),
    };
    let certificate = json!({ "type": "mutualTLS", "description": "made by `lumos-agent cert client`" });
    (ways, json!({ "token": token, "certificate": certificate }))
}

/// One capability as `info` describes it.
struct Described {
    name: CapabilityName,
    schema: Value,
}

fn capabilities(info: &Bytes) -> Vec<Described> {
    let info: Value = serde_json::from_slice(info).unwrap_or_default();
    let response = &info["response"];
    let names = response["capabilities"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let listed = names
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|name| name.parse().ok());
    let mut all: Vec<Described> = listed
        .map(|name: CapabilityName| Described {
            schema: response["capability_schema"][name.as_str()].clone(),
            name,
        })
        .collect();
    let info_name: CapabilityName = "info".parse().expect("a capability's name");
    if all.iter().all(|described| described.name != info_name) {
        all.push(Described {
            name: info_name,
            schema: Value::Null,
        });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.dedup_by(|a, b| a.name == b.name);
    all
}

impl Described {
    fn operation(&self, app_id: &AppId, level: &str, schemas: &mut Map<String, Value>) -> Value {
        let mut part = |part: &str| self.component(app_id, part, schemas);
        let (argument, output) = (part("argument"), part("output"));
        let mut operation = json!({
            "operationId": format!("{app_id}.{}", self.name),
            "tags": [app_id.as_str()],
            "x-capability-level": level,
            "requestBody": {
                "required": self.name.as_str() != "info",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "properties": {
                        "request": argument,
                        "auth": { "type": ["object", "null"] },
                        "credentials": { "type": ["array", "null"] },
                        "settings": { "type": ["object", "null"] },
                        "page": { "type": ["object", "null"] },
                        "include_raw_data": { "type": ["boolean", "null"] },
                        "rate_limit": { "type": ["object", "null"] },
                    },
                } } },
            },
            "responses": {
                "200": {
                    "description": "The connector's answer: a response, or its own error envelope.",
                    "content": { "application/json": { "schema": { "anyOf": [
                        { "type": "object", "required": ["response"], "properties": { "response": output } },
                        { "$ref": "#/components/schemas/ErrorResponse" },
                    ] } } },
                },
            },
        });
        for status in [
            "400", "401", "403", "404", "413", "415", "429", "502", "503", "504",
        ] {
            operation["responses"][status] = json!({ "$ref": format!("#/components/responses/{status}") });
        }
        for (member, key) in [("summary", "display_name"), ("description", "description")] {
            if let Some(text) = self.schema[key].as_str() {
                operation[member] = text.into();
            }
        }
        operation
    }

    /// Puts the schema of one `part` among the components and returns a reference to it.
    fn component(&self, app_id: &AppId, part: &str, schemas: &mut Map<String, Value>) -> Value {
        let Value::Object(schema) = &self.schema[part] else {
            return json!({});
        };
        let name = format!("{app_id}.{}.{part}", self.name);
        let mut component = Map::new();
        component.insert(
            "$id".into(),
            format!("urn:lumos-agent:{app_id}:{}:{part}", self.name).into(),
        );
        component.extend(schema.clone().into_iter().filter(|(key, _)| key != "$id"));
        schemas.insert(name.clone(), component.into());
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

fn agent_paths() -> Map<String, Value> {
    let ok = |schema: Value| {
        json!({
            "200": { "description": "As far as the token covers.", "content": { "application/json": { "schema": schema } } },
            "401": { "$ref": "#/components/responses/401" },
            "503": { "$ref": "#/components/responses/503" },
        })
    };
    let ids = json!({
        "type": "object",
        "required": ["response"],
        "properties": { "response": { "type": "array", "items": { "type": "string" } } },
    });
    let listings = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Connector" } });
    let mut paths = Map::new();
    paths.insert(
        "/connectors".into(),
        json!({ "get": { "operationId": "connectors", "summary": "Connectors and their states", "responses": ok(listings) } }),
    );
    paths.insert(
        "/connectors/list-connector-app-ids".into(),
        json!({ "post": { "operationId": "list_connector_app_ids", "summary": "Connectors that serve", "responses": ok(ids) } }),
    );
    paths.insert(
        "/openapi.json".into(),
        json!({ "get": { "operationId": "openapi", "summary": "This document", "responses": ok(json!({ "type": "object" })) } }),
    );
    paths
}

fn connector_schema() -> Value {
    json!({
        "type": "object",
        "description": "A credential with the scope `admin` is told more, on how this machine runs the connector.",
        "required": ["app_id", "version", "kind", "state", "generation", "sha256", "since", "last_error", "in_flight", "capabilities"],
        "properties": {
            "app_id": { "type": "string" },
            "version": { "type": ["string", "null"] },
            "kind": { "type": "string" },
            "state": { "type": "string", "enum": [
                "discovered", "verifying", "starting", "ready", "draining", "stopped",
                "backing-off", "quarantined", "refused", "shadowed",
            ] },
            "generation": { "type": ["integer", "null"] },
            "sha256": { "type": ["string", "null"] },
            "since": { "type": "string", "format": "date-time" },
            "last_error": { "type": ["string", "null"] },
            "in_flight": { "type": "integer" },
            "capabilities": { "type": "array", "items": { "type": "string" } },
        },
    })
}

fn error_schema() -> Value {
    let text = || json!({ "type": ["string", "null"] });
    let number = || json!({ "type": ["integer", "null"] });
    let flag = || json!({ "type": "boolean" });
    json!({
        "type": "object",
        "required": ["is_error", "error"],
        "properties": {
            "is_error": { "const": true },
            "error": {
                "type": "object",
                "required": ["message", "error_code"],
                "properties": {
                    "message": { "type": "string" },
                    "status_code": number(),
                    "app_error_code": text(),
                    "error_code": { "type": "string" },
                    "app_id": text(),
                    "raised_by": text(),
                    "raised_in": text(),
                    "error_metadata": { "type": ["object", "null"], "properties": {
                        "fault": text(),
                        "category": text(),
                        "hint": text(),
                        "retryable": flag(),
                        "throttled": flag(),
                        "refreshable": flag(),
                        "retry_after_seconds": number(),
                    } },
                },
            },
            "raw_data": {},
            "page": {},
        },
    })
}

/// DESIGN §5's table.
fn error_responses() -> Value {
    const TABLE: [(&str, &str, Option<&str>); 12] = [
        ("400", "bad_request: the request or its body is malformed", None),
        (
            "401",
            "unauthorized: no credential, or one that is not valid",
            Some("WWW-Authenticate"),
        ),
        ("403", "permission_denied: the credential lacks the scope", None),
        ("404", "not_found: no such connector or path", None),
        (
            "405",
            "unsupported_operation: the path takes another method",
            Some("Allow"),
        ),
        ("408", "request_timeout: the body did not arrive in time", None),
        ("413", "bad_request: the body is over the limit", None),
        ("415", "bad_request: the body is not application/json", None),
        (
            "429",
            "rate_limit: too many calls at one time",
            Some("Retry-After"),
        ),
        (
            "502",
            "connection_closed or invalid_response: the connector failed during the call",
            None,
        ),
        (
            "503",
            "service_error: the connector or the agent cannot serve just now",
            Some("Retry-After"),
        ),
        ("504", "request_timeout: the deadline of the call passed", None),
    ];
    let mut responses = Map::new();
    for (status, description, header) in TABLE {
        let mut response = json!({
            "description": description,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ErrorResponse" } } },
        });
        if let Some(header) = header {
            response["headers"][header] = json!({ "schema": { "type": "string" } });
        }
        responses.insert(status.into(), response);
    }
    responses.into()
}
