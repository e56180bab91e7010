//! Checks requests against schemas and collects every mistake, not only the first.
//!
//! The messages are those that callers know, with one difference: they never repeat what was sent. A credential in the
//! wrong place or of the wrong type must not come back in an error that ends up in logs.
#![forbid(unsafe_code)]

mod auth;
mod bounds;
mod coerce;
mod report;
mod walk;

use lumos_connector_models::{ErrorCode, JsonObject};
use serde_json::{Value, json};

use crate::error::ConnectorError;
use crate::schema;
use report::Mistake;

pub(crate) use auth::check_auth;

/// A schema to check documents against.
pub(crate) struct Model {
    schema: JsonObject,
    /// The member whose values may come in another form; see [`coerce`].
    lenient: Option<&'static str>,
}

/// What a payload travels in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// A standard capability's; an open one's carries no credentials.
    Standard {
        /// Whether it carries none.
        open: bool,
    },
    /// That of an input of the connector's own: it has another order, and needs settings.
    Custom,
}

fn bad_request(message: impl Into<String>) -> ConnectorError {
    ConnectorError::framework(ErrorCode::BadRequest, message)
}

fn invalid(mistakes: &[Mistake]) -> ConnectorError {
    bad_request(format!("Invalid request - {}", report::render(mistakes)))
}

/// The document in `body`.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ConnectorError> {
    serde_json::from_slice(body).map_err(|error| {
        // Only syntax can be wrong here, and serde's words for that hold nothing of the document.
        invalid(&[Mistake::json(&error.to_string())])
    })
}

impl Model {
    /// The model of a whole request whose payload has the schema `payload`.
    pub(crate) fn request(envelope: Envelope, class_name: &str, payload: JsonObject) -> Self {
        let mut schema = schema::exact_of::<lumos_connector_models::Request<Hole>>();
        envelope.shape(&mut schema);
        schema.insert("title".to_owned(), class_name.into());
        let mut payload = payload;
        let own = payload.remove("$defs");
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.insert("request".to_owned(), Value::Object(payload));
        }
        if let (Some(Value::Object(own)), Some(Value::Object(all))) = (own, schema.get_mut("$defs")) {
            all.extend(own);
        }
        Self {
            schema,
            lenient: (envelope == Envelope::Custom).then_some("request"),
        }
    }

    /// The model of settings, or of what is typed into a form.
    pub(crate) fn form(schema: JsonObject) -> Self {
        Self {
            schema,
            lenient: None,
        }
    }

    pub(crate) fn schema(&self) -> &JsonObject {
        &self.schema
    }

    /// The model's name.
    pub(crate) fn name(&self) -> &str {
        self.schema
            .get("title")
            .and_then(Value::as_str)
            .unwrap_or("settings")
    }

    /// The members of a document that the model does not name, and does not take in either.
    pub(crate) fn unknown<'a>(&self, document: &'a Value) -> Vec<&'a str> {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        let (Some(properties), Some(members)) = (properties, document.as_object()) else {
            return Vec::new();
        };
        if self.schema.contains_key("additionalProperties") {
            return Vec::new();
        }
        let names = members.keys().map(String::as_str);
        names.filter(|name| !properties.contains_key(*name)).collect()
    }

    /// Checks a request. Values of the connector's own input take their type, where they came in another form.
    pub(crate) fn check(&self, document: &mut Value) -> Result<(), ConnectorError> {
        if let Some(member) = self.lenient {
            coerce::member(&self.schema, document, member);
        }
        let mistakes = walk::check(&self.schema, document, self.lenient);
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(invalid(&mistakes))
        }
    }

    /// Whether a document fits.
    pub(crate) fn fits(&self, document: &mut Value) -> bool {
        coerce::document(&self.schema, document);
        walk::check(&self.schema, document, None).is_empty()
    }

    /// Checks settings; what is missing is told by its title, anything else like a mistake in a request. Values take their
    /// type, where they came in another form.
    pub(crate) fn check_settings(&self, document: &mut Value) -> Result<(), ConnectorError> {
        coerce::document(&self.schema, document);
        let mistakes = walk::check(&self.schema, document, None);
        if mistakes.is_empty() {
            return Ok(());
        }
        let missing: Vec<&str> = mistakes.iter().filter_map(Mistake::missing_field).collect();
        let wrong: Vec<Mistake> = mistakes
            .iter()
            .filter(|mistake| mistake.missing_field().is_none())
            .map(|mistake| mistake.below("settings"))
            .collect();
        let mut message = "Invalid settings passed on request.".to_owned();
        if !missing.is_empty() {
            message.push_str(" Missing required settings: ");
            message.push_str(&missing.join(", "));
        }
        if !wrong.is_empty() {
            message.push_str(" - ");
            message.push_str(&report::render(&wrong));
        }
        Err(bad_request(message))
    }
}

impl Envelope {
    /// Makes this one's model of the usual one.
    fn shape(self, schema: &mut JsonObject) {
        let Some(Value::Object(properties)) = schema.get_mut("properties") else {
            return;
        };
        match self {
            Self::Standard { open: false } => {}
            Self::Standard { open: true } => {
                properties.shift_remove("auth");
                properties.shift_remove("credentials");
            }
            Self::Custom => {
                properties.insert("settings".to_owned(), json!({}));
                let order = ["page", "include_raw_data", "settings", "rate_limit", "request"];
                for name in order {
                    if let Some(property) = properties.shift_remove(name) {
                        properties.insert(name.to_owned(), property);
                    }
                }
                schema.insert("required".to_owned(), json!(["settings", "request"]));
            }
        }
    }
}

/// Stands for the payload until its own schema takes the place.
#[derive(schemars::JsonSchema, serde::Deserialize)]
struct Hole {}

#[cfg(test)]
mod tests;
