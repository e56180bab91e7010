//! What a write did, for the record.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use crate::JsonObject;
use crate::error::Error;

/// What a write did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExecutionSummary {
    /// The change.
    pub effect: Effect,
    /// The same for two requests that ask for the same.
    pub request_fingerprint: String,
    /// Whether the request can be repeated without harm.
    pub is_idempotent: bool,
    /// The change in words.
    pub description: Option<String>,
    /// Errors that were met and overcome.
    pub caught_errors: Option<Vec<Error>>,
}

impl ExecutionSummary {
    /// Says the change in words.
    #[must_use]
    pub fn with_description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Adds an error that was met and overcome.
    #[must_use]
    pub fn with_caught(mut self, error: Error) -> Self {
        self.caught_errors.get_or_insert_default().push(error);
        self
    }
}

/// Why a write changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NoopEffectReason {
    StateAlreadyMatches,
}

/// The change that a write made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Effect {
    Created,
    Updated,
    Deleted,
    Noop { reason: NoopEffectReason },
}

/// The kind may be left out. Then a reason makes it a noop, and everything else is a creation.
impl<'de> Deserialize<'de> for Effect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = JsonObject::deserialize(deserializer)?;
        let reason = members
            .get("reason")
            .and_then(|reason| NoopEffectReason::deserialize(reason).ok());
        match (members.get("kind").map(Value::as_str), reason) {
            (None, Some(reason)) | (Some(Some("noop")), Some(reason)) => Ok(Self::Noop { reason }),
            (None, None) | (Some(Some("created")), _) => Ok(Self::Created),
            (Some(Some("updated")), _) => Ok(Self::Updated),
            (Some(Some("deleted")), _) => Ok(Self::Deleted),
            _ => Err(de::Error::custom(
                "an effect is created, updated, deleted, or noop with a reason",
            )),
        }
    }
}

impl JsonSchema for Effect {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Effect".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let variants = [
            generator.subschema_for::<CreatedEffect>(),
            generator.subschema_for::<UpdatedEffect>(),
            generator.subschema_for::<DeletedEffect>(),
            generator.subschema_for::<NoopEffect>(),
        ];
        schemars::json_schema!({ "anyOf": variants })
    }
}

/// The API describes each variant of [`Effect`] as a model of its own; these exist for their schemas only.
macro_rules! effects {
    ($($(#[$doc:meta])* $name:ident = $kind:literal { $($field:tt)* })*) => {
        $(
            $(#[$doc])*
            #[derive(JsonSchema)]
            #[allow(dead_code)]
            struct $name {
                #[schemars(default, extend("default" = $kind))]
                kind: String,
                $($field)*
            }
        )*
    };
}

effects! {
    /// Something was created.
    CreatedEffect = "created" {}
    /// Something was changed.
    UpdatedEffect = "updated" {}
    /// Something was removed.
    DeletedEffect = "deleted" {}
    /// Nothing had to be done.
    NoopEffect = "noop" {
        /// Why.
        reason: NoopEffectReason,
    }
}
