//! The wire form of an error: `ErrorResponse` of the Lumos Connector API, members in its order. What stands in it is decided
//! by [`crate::http`] for errors of the agent, and in a host for connectors that end a call with a status.
#![forbid(unsafe_code)]

use serde::Serialize;

/// What the agent or a host has to say.
pub(crate) struct Error<'a> {
    pub(crate) message: &'a str,
    pub(crate) error_code: &'a str,
    pub(crate) app_id: Option<&'a str>,
    pub(crate) raised_by: Option<&'a str>,
    pub(crate) raised_in: Option<&'a str>,
    pub(crate) metadata: &'a Metadata,
}

/// What the error means to a caller.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Metadata {
    pub(crate) fault: &'static str,
    pub(crate) category: &'static str,
    pub(crate) hint: Option<&'static str>,
    pub(crate) retryable: bool,
    pub(crate) throttled: bool,
    /// Never: neither knows credentials that it could refresh.
    refreshable: bool,
    pub(crate) retry_after_seconds: Option<u64>,
}

impl Metadata {
    /// Nothing can be done about it.
    pub(crate) fn new(fault: &'static str, category: &'static str) -> Self {
        Metadata {
            fault,
            category,
            hint: None,
            retryable: false,
            throttled: false,
            refreshable: false,
            retry_after_seconds: None,
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    is_error: bool,
    error: Members<'a>,
    raw_data: Option<()>,
    page: Option<()>,
}

#[derive(Serialize)]
struct Members<'a> {
    message: &'a str,
    status_code: Option<u16>,
    app_error_code: Option<&'a str>,
    error_code: &'a str,
    app_id: Option<&'a str>,
    raised_by: Option<&'a str>,
    raised_in: Option<&'a str>,
    error_metadata: &'a Metadata,
}

/// The envelope as JSON.
pub(crate) fn to_json(error: &Error<'_>) -> Vec<u8> {
    let envelope = Envelope {
        is_error: true,
        error: Members {
            message: error.message,
            status_code: None,
            app_error_code: None,
            error_code: error.error_code,
            app_id: error.app_id,
            raised_by: error.raised_by,
            raised_in: error.raised_in,
            error_metadata: error.metadata,
        },
        raw_data: None,
        page: None,
    };
    serde_json::to_vec(&envelope).expect("an envelope of texts and numbers is always JSON")
}
