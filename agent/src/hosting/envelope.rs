//! The error envelope that a host makes when a connector ends a call with a status below 0 (Lumos Connector API,
//! `ErrorResponse`).
#![forbid(unsafe_code)]

use lumos_connector_abi::Status;

use crate::envelope::{Error, Metadata, to_json};

/// Longest message in characters; the rest is cut.
const MAX_MESSAGE: usize = 4096;

/// How one status is told.
struct Kind {
    error_code: &'static str,
    fault: &'static str,
    category: &'static str,
    /// Whether a call that may have changed nothing can simply be repeated.
    retryable: bool,
    /// Whether the call was refused before it did anything, so that this holds for a write too.
    refused: bool,
    message: &'static str,
}

fn kind(status: Status) -> Kind {
    let kind = |error_code, fault, category, retryable, refused, message| Kind {
        error_code,
        fault,
        category,
        retryable,
        refused,
        message,
    };
    match status {
        Status::BAD_REQUEST => {
            let message = "The connector does not accept the request";
            kind("bad_request", "caller", "client", false, true, message)
        }
        Status::UNSUPPORTED => {
            let message = "The connector does not have this capability";
            kind("not_implemented", "connector", "internal", false, true, message)
        }
        Status::CANCELLED => {
            let message = "The connector stopped the call because it was cancelled";
            kind("request_timeout", "upstream", "transient", true, false, message)
        }
        Status::UNAVAILABLE => {
            let message = "The connector cannot serve now; try again later";
            kind("service_error", "upstream", "transient", true, true, message)
        }
        _ => {
            let message = "The connector failed without saying why; see its log";
            kind("internal_error", "connector", "internal", true, false, message)
        }
    }
}

/// The envelope for a call that ended with `status` (below 0) and `message`, which is text whatever it looks like. A call
/// that may have changed something is never called retryable, unless the status says that it was refused.
pub(super) fn envelope(app_id: &str, status: Status, message: &[u8], write: bool) -> Vec<u8> {
    let kind = kind(status);
    let text = String::from_utf8_lossy(message);
    let text = match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.into_owned(),
    };
    let mut metadata = Metadata::new(kind.fault, kind.category);
    metadata.retryable = kind.retryable && (kind.refused || !write);
    to_json(&Error {
        message: if text.is_empty() { kind.message } else { &text },
        error_code: kind.error_code,
        app_id: Some(app_id),
        raised_by: None,
        raised_in: None,
        metadata: &metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(status: Status, message: &[u8], write: bool) -> serde_json::Value {
        serde_json::from_slice(&envelope("mockapp", status, message, write)).unwrap()
    }

    #[test]
    fn it_has_the_members_of_the_api_in_their_order() {
        let text = String::from_utf8(envelope("mockapp", Status::BAD_REQUEST, b"no \"id\"", false)).unwrap();
        assert_eq!(
            text,
            r#"{"is_error":true,"error":{"message":"no \"id\"","status_code":null,"app_error_code":null,"error_code":"bad_request","app_id":"mockapp","raised_by":null,"raised_in":null,"error_metadata":{"fault":"caller","category":"client","hint":null,"retryable":false,"throttled":false,"refreshable":false,"retry_after_seconds":null}},"raw_data":null,"page":null}"#
        );
    }

    #[test]
    fn a_write_that_may_have_happened_is_not_retryable() {
        let retryable =
            |status, write| value(status, b"", write)["error"]["error_metadata"]["retryable"] == true;
        assert!(retryable(Status::INTERNAL, false));
        assert!(!retryable(Status::INTERNAL, true));
        assert!(!retryable(Status::CANCELLED, true));
        assert!(retryable(Status::UNAVAILABLE, true));
    }

    #[test]
    fn an_unknown_status_is_an_internal_error_and_any_bytes_are_text() {
        let value = value(Status(-77), b"\xff\x00{}", false);
        assert_eq!(value["error"]["error_code"], "internal_error");
        assert_eq!(value["error"]["message"], "\u{fffd}\0{}");
    }

    #[test]
    fn a_long_message_is_cut() {
        let value = value(Status::INTERNAL, "ä".repeat(10_000).as_bytes(), false);
        assert_eq!(
            value["error"]["message"].as_str().unwrap().chars().count(),
            MAX_MESSAGE + 2
        );
    }
}
