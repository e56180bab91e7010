//! Checks requests against schemas and collects every mistake, not only the first.
//!
//! The messages are those that callers know, with one difference: they never repeat what was sent. A credential in the
//! wrong place or of the wrong type must not come back in an error that ends up in logs.
#![forbid(unsafe_code)]

mod report;
mod walk;

use lumos_connector_models::{ErrorCode, JsonObject};
use serde_json::Value;

use crate::error::ConnectorError;
use crate::schema;
use report::Mistake;

/// A schema to check documents against.
pub(crate) struct Model {
    schema: JsonObject,
}

fn bad_request(message: impl Into<String>) -> ConnectorError {
    ConnectorError::framework(ErrorCode::BadRequest, message)
}

fn invalid(mistakes: &[Mistake]) -> ConnectorError {
    bad_request(format!("Invalid request - {}", report::render(mistakes)))
}

/// The document in `body`; an empty body is an empty object.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ConnectorError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        // Only syntax can be wrong here, and serde's words for that hold nothing of the document.
        invalid(&[Mistake::json(&error.to_string())])
    })
}

impl Model {
    /// The model of a whole request whose payload has the schema `payload`.
    pub(crate) fn request(class_name: &str, payload: JsonObject) -> Self {
        let mut schema = schema::input_of::<lumos_connector_models::Request<Hole>>();
        schema.insert("title".to_owned(), class_name.into());
        let mut payload = payload;
        let own = payload.remove("$defs");
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.insert("request".to_owned(), Value::Object(payload));
        }
        if let (Some(Value::Object(own)), Some(Value::Object(all))) = (own, schema.get_mut("$defs")) {
            all.extend(own);
        }
        Self { schema }
    }

    /// The model of settings.
    pub(crate) fn settings(schema: JsonObject) -> Self {
        Self { schema }
    }

    /// The model's name.
    pub(crate) fn name(&self) -> &str {
        self.schema
            .get("title")
            .and_then(Value::as_str)
            .unwrap_or("settings")
    }

    /// Checks a request.
    pub(crate) fn check(&self, document: &Value) -> Result<(), ConnectorError> {
        let mistakes = walk::check(&self.schema, document);
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(invalid(&mistakes))
        }
    }

    /// Checks settings; what is missing is told by its title.
    pub(crate) fn check_settings(&self, document: &Value) -> Result<(), ConnectorError> {
        let mistakes = walk::check(&self.schema, document);
        if mistakes.is_empty() {
            return Ok(());
        }
        let missing: Vec<&str> = mistakes.iter().filter_map(Mistake::missing_field).collect();
        let mut message = "Invalid settings passed on request.".to_owned();
        if !missing.is_empty() {
            message.push_str(" Missing required settings: ");
            message.push_str(&missing.join(", "));
        }
        Err(bad_request(message))
    }
}

/// Stands for the payload until its own schema takes the place.
#[derive(schemars::JsonSchema, serde::Deserialize)]
struct Hole {}

/// Checks the credential of a request to a connector that asks for one of `kind`.
pub(crate) fn check_single_auth(document: &Value, kind: &str) -> Result<(), ConnectorError> {
    let part = |name: &str| document.get(name).filter(|value| !value.is_null());
    match (part("auth"), part("credentials")) {
        (Some(_), Some(_)) => Err(bad_request(
            "Cannot pass credentials and auth in the same request, if you've meant to make this connector \
             multi-auth compatible, please remove the auth field.",
        )),
        (None, None) => Err(bad_request("Missing auth/credentials in request")),
        (None, Some(credentials)) => Err(unexpected_credentials(credentials)),
        (Some(auth), None) => match auth.get(kind) {
            Some(credential) if !credential.is_null() => Ok(()),
            _ => Err(bad_request(format!("Missing '{kind}' auth in request"))),
        },
    }
}

/// A connector with a single credential knows no credential ids, so no list of credentials suits it.
fn unexpected_credentials(credentials: &Value) -> ConnectorError {
    let Some(first) = credentials.as_array().and_then(|list| list.first()) else {
        return bad_request("Missing credentials in request");
    };
    match first.get("id").and_then(Value::as_str) {
        Some(id) if !id.is_empty() => bad_request(format!("Credential with id '{id}' not expected")),
        _ => bad_request("Missing ID in credential at index 0"),
    }
}

#[cfg(test)]
mod tests;
