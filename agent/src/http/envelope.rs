//! The error envelope: whatever the agent itself refuses or fails, the caller reads it with the parser that it needs for
//! connectors' errors anyway.
//!
//! `raised_by` is always `lumos-agent`, which no connector sets. DESIGN §5 pins the table of HTTP status and `error_code`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use crate::auth::Denied;
use crate::call::CallError;
use crate::domain::AppId;
use crate::envelope::{self, Metadata};

/// Said wherever a write may or may not have happened.
const OUTCOME_UNKNOWN: &str = "outcome unknown: the connector had the call and may have carried it out; look at the app before repeating it";

/// One answer that the agent makes in place of a connector.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    message: String,
    app_id: Option<AppId>,
    metadata: Box<Metadata>,
    header: Option<Header>,
}

/// What goes with 401 and 405.
#[derive(Debug, Clone, Copy)]
enum Header {
    Challenge(&'static str),
    Allow(&'static str),
}

/// Left in the response's extensions, for the request log and the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorCode(pub(crate) &'static str);

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        (fault, category): (&'static str, &'static str),
        message: impl Into<String>,
    ) -> Self {
        Problem {
            status,
            code,
            message: message.into(),
            app_id: None,
            metadata: Box::new(Metadata::new(fault, category)),
            header: None,
        }
    }

    /// No credential, or one that is not valid. The challenge says which of both, as RFC 6750 section 3 wants it.
    pub(crate) fn unauthorized(denied: Denied) -> Self {
        let challenge = match denied {
            Denied::Invalid => r#"Bearer realm="lumos-agent", error="invalid_token""#,
            _ => r#"Bearer realm="lumos-agent""#,
        };
        let message = match denied {
            Denied::Invalid => {
                "the token is not valid: unknown, expired or revoked; `lumos-agent token list` shows those in force"
            }
            Denied::Absent => {
                "a token is needed: send `Authorization: Bearer lumos_…`; `lumos-agent token create` makes one"
            }
            Denied::NoCertificate => {
                "a client certificate is needed; connect again with one, `lumos-agent cert client` makes it"
            }
            Denied::CertificateLapsed => {
                "the client certificate is not accepted any more: expired, revoked or of another authority; connect again with a new one"
            }
            Denied::CertificateUnknown => {
                "the client certificate is valid, but none of its names may do anything here; add one to dispatch.tls.client_names, or send a token"
            }
        };
        let mut problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            ("caller", "authentication"),
            message,
        );
        problem.header = Some(Header::Challenge(challenge));
        problem
    }

    /// The credential does not allow it.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "permission_denied",
            ("caller", "authorization"),
            message,
        )
    }

    /// No such path or connector.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", ("caller", "client"), message)
    }

    /// The path is right, the method is not.
    pub(crate) fn method(allow: &'static str) -> Self {
        let mut problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "unsupported_operation",
            ("caller", "client"),
            format!("this path takes only {allow}"),
        );
        problem.header = Some(Header::Allow(allow));
        problem
    }

    /// The request itself is wrong; `status` is 400, 413, 414, 415 or 431.
    pub(crate) fn bad_request(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, "bad_request", ("caller", "client"), message)
    }

    /// The body did not arrive in time.
    pub(crate) fn slow_body() -> Self {
        let mut problem = Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            ("caller", "transient"),
            "the request body did not arrive in time; nothing was sent to the connector",
        );
        problem.metadata.retryable = true;
        problem
    }

    /// Too much at the same time.
    pub(crate) fn too_many(message: impl Into<String>, retry_after: Duration) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit",
            ("infrastructure", "transient"),
            message,
        );
        problem.metadata.retryable = true;
        problem.metadata.throttled = true;
        problem.retry_after(retry_after)
    }

    /// The agent or the connector cannot serve just now.
    pub(crate) fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_error",
            ("infrastructure", "transient"),
            message,
        );
        problem.metadata.retryable = true;
        problem.retry_after(retry_after)
    }

    /// What became of a call. `repeatable` is false for a write that is not idempotent.
    pub(crate) fn of_call(error: &CallError, app_id: &AppId, repeatable: bool) -> Self {
        let message = error.to_string();
        let problem = match error {
            CallError::NotFound(_) => Self::not_found(message),
            CallError::NotReady { retry_after, .. } => Self::unavailable(message, *retry_after),
            CallError::Draining => Self::draining(),
            CallError::Busy { retry_after, .. } => Self::too_many(message, *retry_after),
            CallError::DeadlinePassed { sent } => Self::deadline(message, *sent, repeatable),
            CallError::HostDied(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "connection_closed",
                ("connector", "transient"),
                message,
            )
            .after_sending(repeatable, repeatable),
            CallError::InvalidAnswer(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "invalid_response",
                ("connector", "internal"),
                message,
            )
            .after_sending(false, repeatable),
            CallError::AnswerTooLarge { .. } => Self::too_large(message, repeatable),
        };
        problem.about(app_id)
    }

    /// The agent is on its way out.
    pub(crate) fn draining() -> Self {
        Self::unavailable("the agent is shutting down", Duration::from_secs(5))
    }

    fn deadline(message: String, sent: bool, repeatable: bool) -> Self {
        let problem = Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "request_timeout",
            ("infrastructure", "transient"),
            message,
        );
        problem.after_sending(!sent || repeatable, !sent || repeatable)
    }

    fn too_large(message: String, repeatable: bool) -> Self {
        let mut problem = Self::new(
            StatusCode::BAD_GATEWAY,
            "invalid_response",
            ("connector", "internal"),
            message,
        );
        problem.metadata.hint = Some("ask for smaller pages, or raise dispatch.max_response_bytes");
        problem.after_sending(false, repeatable)
    }

    /// For an error that came after the connector had the call: without `harmless`, nobody knows what it did.
    fn after_sending(mut self, retryable: bool, harmless: bool) -> Self {
        self.metadata.retryable = retryable;
        if !harmless {
            self.metadata.hint = Some(OUTCOME_UNKNOWN);
        }
        self
    }

    fn retry_after(mut self, after: Duration) -> Self {
        // Whole seconds, rounded up: 0 would invite a storm (RFC 9110 section 10.2.3).
        let seconds = after.as_millis().div_ceil(1000).clamp(1, 86_400) as u64;
        self.metadata.retry_after_seconds = Some(seconds);
        self
    }

    /// Names the connector concerned.
    pub(crate) fn about(mut self, app_id: &AppId) -> Self {
        self.app_id = Some(app_id.clone());
        self
    }

    /// The envelope as JSON.
    pub(crate) fn to_json(&self) -> Bytes {
        let error = envelope::Error {
            message: &self.message,
            error_code: self.code,
            app_id: self.app_id.as_ref().map(AppId::as_str),
            raised_by: Some("lumos-agent"),
            raised_in: Some("dispatch"),
            metadata: &self.metadata,
        };
        envelope::to_json(&error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (
            self.status,
            [(CONTENT_TYPE, "application/json")],
            axum::body::Body::from(self.to_json()),
        )
            .into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.metadata.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self.header {
            Some(Header::Challenge(text)) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(text));
            }
            Some(Header::Allow(text)) => {
                headers.insert(ALLOW, HeaderValue::from_static(text));
            }
            None => {}
        }
        response.extensions_mut().insert(ErrorCode(self.code));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_problem() -> Vec<(&'static str, Problem)> {
        let app: AppId = "mockapp".parse().unwrap();
        let second = Duration::from_millis(900);
        let call = |error: CallError, repeatable| Problem::of_call(&error, &app, repeatable);
        let not_ready = CallError::NotReady {
            app_id: app.clone(),
            state: "backing-off",
            reason: "its host ended 3 times".into(),
            retry_after: Duration::from_secs(8),
        };
        let busy = CallError::Busy {
            app_id: app.clone(),
            retry_after: second,
        };
        vec![
            ("no credential", Problem::unauthorized(Denied::Absent)),
            ("bad credential", Problem::unauthorized(Denied::Invalid)),
            ("no certificate", Problem::unauthorized(Denied::NoCertificate)),
            (
                "lapsed certificate",
                Problem::unauthorized(Denied::CertificateLapsed),
            ),
            (
                "unknown certificate",
                Problem::unauthorized(Denied::CertificateUnknown),
            ),
            (
                "scope",
                Problem::forbidden("the token does not cover `mockapp:write`").about(&app),
            ),
            ("path", Problem::not_found("no such path")),
            ("method", Problem::method("POST")),
            (
                "media type",
                Problem::bad_request(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json"),
            ),
            ("slow body", Problem::slow_body()),
            ("connector", call(CallError::NotFound(app.clone()), true)),
            ("not ready", call(not_ready, true)),
            ("draining", call(CallError::Draining, true)),
            ("busy", call(busy, true)),
            (
                "deadline before sending, write",
                call(CallError::DeadlinePassed { sent: false }, false),
            ),
            (
                "deadline, read",
                call(CallError::DeadlinePassed { sent: true }, true),
            ),
            (
                "deadline, write",
                call(CallError::DeadlinePassed { sent: true }, false),
            ),
            (
                "host died, read",
                call(CallError::HostDied("killed by signal 11".into()), true),
            ),
            (
                "host died, write",
                call(CallError::HostDied("killed by signal 11".into()), false),
            ),
            (
                "invalid answer, read",
                call(CallError::InvalidAnswer("not JSON".into()), true),
            ),
            (
                "invalid answer, write",
                call(CallError::InvalidAnswer("not JSON".into()), false),
            ),
            (
                "too large, read",
                call(CallError::AnswerTooLarge { limit: 1024 }, true),
            ),
            (
                "too large, write",
                call(CallError::AnswerTooLarge { limit: 1024 }, false),
            ),
        ]
    }

    #[test]
    fn envelopes() {
        let table: Vec<_> = every_problem()
            .into_iter()
            .map(|(name, problem)| {
                let body: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
                let response = problem.into_response();
                let header = |name: http::HeaderName| {
                    response
                        .headers()
                        .get(name)
                        .map(|v| v.to_str().unwrap().to_owned())
                };
                serde_json::json!({
                    "case": name,
                    "status": response.status().as_u16(),
                    "retry-after": header(RETRY_AFTER),
                    "www-authenticate": header(WWW_AUTHENTICATE),
                    "allow": header(ALLOW),
                    "body": body,
                })
            })
            .collect();
        insta::assert_json_snapshot!(table);
    }

    #[test]
    fn a_write_that_was_sent_is_never_retryable() {
        for (name, problem) in every_problem() {
            let sent_write = name.ends_with(", write") && !name.contains("before sending");
            if sent_write {
                assert!(!problem.metadata.retryable, "{name}");
                assert_eq!(problem.metadata.hint, Some(OUTCOME_UNKNOWN), "{name}");
            }
        }
    }
}
