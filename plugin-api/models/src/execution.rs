//! What a write did, for the record.

use schemars::JsonSchema;
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Effect {
    Created,
    Updated,
    Deleted,
    Noop { reason: NoopEffectReason },
}
