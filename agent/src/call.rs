//! One call on its way through the agent: what the listener makes of a request, and what comes back for it.
//!
//! Bytes come in, become a [`Call`] once they are authenticated and checked, are routed to a generation's host and end
//! as an [`Answer`] or a [`CallError`]. Every error that the agent itself makes of a call is one variant here, so that the
//! HTTP status, the envelope and the metric are each decided in one place.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::domain::{AppId, CapabilityName, Level};

/// A request for a connector, authenticated, authorised and syntactically valid.
#[derive(Debug, Clone)]
pub struct Call {
    /// Returned to the caller, logged and passed on.
    pub request_id: Arc<str>,
    /// Name of the credential that asked, for fairness and the log.
    pub caller: Arc<str>,
    /// Which connector.
    pub app_id: AppId,
    /// What of it.
    pub capability: CapabilityName,
    /// Whether it may change something.
    pub level: Level,
    /// The JSON document, as it came.
    pub body: Bytes,
    /// When the caller stops waiting. Cancels a read; a write goes on.
    pub deadline: Instant,
    /// W3C traceparent, if the caller sent a valid one.
    pub traceparent: Option<Arc<str>>,
    /// `X-Lumos-Observability-*`: names without the prefix, and values; both match `[A-Za-z0-9._-]{1,128}`.
    pub observability: Arc<[(String, String)]>,
    /// Strings of the request that must not appear in any log.
    pub secrets: Arc<[SecretString]>,
}

/// What the connector answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its JSON, byte for byte.
    pub body: Bytes,
    /// Time spent waiting for a slot.
    pub queued: Duration,
    /// Time spent in the connector.
    pub served: Duration,
}

/// Why the agent answers in the connector's place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connector of that name is installed.
    #[error("no connector `{0}` is installed")]
    NotFound(AppId),
    /// It is installed but not ready: starting, backing off, quarantined, disabled.
    #[error("connector `{app_id}` is {state}: {reason}")]
    NotReady {
        /// Which.
        app_id: AppId,
        /// Its state, as in the listings.
        state: &'static str,
        /// Why, for people. Contains nothing a connector or a caller wrote.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The agent is draining.
    #[error("the agent is shutting down")]
    Draining,
    /// The queue is full.
    #[error("too many calls wait for connector `{app_id}`")]
    Busy {
        /// Which.
        app_id: AppId,
        /// When to try again.
        retry_after: Duration,
    },
    /// The deadline passed. `sent` says whether the connector had the call by then.
    #[error("the deadline of the call passed")]
    DeadlinePassed {
        /// Whether the connector had the call: a write's outcome is then unknown.
        sent: bool,
    },
    /// The host died while it had the call.
    #[error("the connector's host ended during the call: {0}")]
    HostDied(String),
    /// The answer is not JSON.
    #[error("the connector's answer is not valid: {0}")]
    InvalidAnswer(String),
    /// The answer is larger than `dispatch.max_response_bytes`, or the answers held at one time exceed their budget.
    #[error("the connector's answer is larger than {limit} bytes")]
    AnswerTooLarge {
        /// The limit in force.
        limit: u64,
    },
}
