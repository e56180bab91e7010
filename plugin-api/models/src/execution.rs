//! What a write did, for the record.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

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

/// Why a write changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NoopEffectReason {
    StateAlreadyMatches,
}

/// The change that a write made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Effect {
    Created,
    Updated,
    Deleted,
    Noop { reason: NoopEffectReason },
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
