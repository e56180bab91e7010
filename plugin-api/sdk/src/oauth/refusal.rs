//! What a refused token request means. None is worth repeating as it is: somebody has to connect anew, or to wait.
#![forbid(unsafe_code)]

use serde_json::Value;

use crate::error::{ConnectorError, ErrorKind};
use crate::http::{HttpResponse, describe, without_query};

pub(super) fn of(answer: &HttpResponse) -> ConnectorError {
    let status = answer.status();
    let body: Option<Value> = answer.json().ok();
    let code = body
        .as_ref()
        .and_then(|body| body.get("error"))
        .and_then(Value::as_str);
    let kind = match (status, code) {
        (429, _) => ErrorKind::RateLimit,
        (500.., _) => ErrorKind::Upstream,
        (403, _) | (_, Some("access_denied" | "unauthorized_client")) => ErrorKind::Authorization,
        (_, Some("invalid_grant")) => ErrorKind::AuthenticationExpired,
        _ => ErrorKind::Authentication,
    };
    let text = describe(answer).unwrap_or_default();
    let place = without_query(answer.url());
    let error = ConnectorError::of(kind)
        .with_message(format!("[{status}][{place}] OAuth request failed: {text}"))
        .with_retryable(false);
    match kind {
        ErrorKind::RateLimit => error.with_throttled(false),
        ErrorKind::Authentication | ErrorKind::AuthenticationExpired => error.with_refreshable(false),
        _ => error,
    }
}
