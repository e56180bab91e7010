//! What caller and connector tell each other about rate limits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the caller knows about rate limits, and how long it waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimitRequestInfo {
    /// How often the caller has already tried this request.
    pub caller_retry_attempt: Option<i64>,
    /// The state that the previous response reported, by limit.
    pub last_known_state: Option<BTreeMap<String, RateLimitStateSnapshot>>,
    /// How the connector is to treat limits in this call.
    pub caller_override_mode: Option<RateLimitMode>,
    /// Longest time, in seconds, that the caller waits for the answer.
    pub max_execution_time: Option<i64>,
}

/// The state of rate limits after a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimitResponseInfo {
    /// The state by limit; to be sent back with the next request.
    pub current_state: Option<BTreeMap<String, RateLimitStateSnapshot>>,
}

/// One limit as it was last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimitStateSnapshot {
    /// Calls left in the window.
    pub remaining: Option<i64>,
    /// Calls allowed in a window.
    pub limit: Option<i64>,
    /// When the window ends, in seconds since 1970.
    pub reset: Option<i64>,
    /// Length of the window in seconds.
    pub window_seconds: Option<i64>,
    /// Pause before each call, in seconds, rounded: so the reference writes it.
    pub current_delay: Option<i64>,
    /// How the state was learnt.
    pub source: Option<RateLimitStateSnapshotSource>,
}

/// How the state of a limit was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RateLimitStateSnapshotSource {
    ApiHeaders,
    SdkCounter,
}

/// How a connector treats limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RateLimitMode {
    Enforce,
    RetryOnly,
    Bypass,
    EnforceNoRetry,
}
