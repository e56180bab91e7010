//! The error of a capability: a code, a message, and what a caller can do about it.
#![forbid(unsafe_code)]

mod kind;

use std::fmt;

use lumos_connector_models::{Error, ErrorCode, ErrorMetadata};

use crate::redact::Secrets;

pub use kind::ErrorKind;

/// The error of a capability.
///
/// Its code decides what the caller is told (who has to act, whether to try again); the `with_` functions change single
/// points of that. The message reaches the caller as it is: put no credential into it.
#[derive(Clone)]
pub struct ConnectorError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: String,
    status: Option<u16>,
    app_error_code: Option<String>,
    raised_by: &'static str,
    /// Made by the SDK before a capability ran: names neither who raised it nor where.
    framework: bool,
    hint: Option<String>,
    retryable: Option<bool>,
    throttled: Option<bool>,
    refreshable: Option<bool>,
    retry_after_seconds: Option<i64>,
}

/// In `raised_by` of errors that are of no kind.
const BASE: &str = "ConnectorError";

macro_rules! shorthands {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(message: impl Into<String>) -> Self {
                Self::of(ErrorKind::$kind).with_message(message)
            }
        )*
    };
}

impl ConnectorError {
    /// An error of that code, and of no [kind](ErrorKind). A code that the API has given up is replaced by its successor.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            status: None,
            app_error_code: None,
            raised_by: BASE,
            framework: false,
            hint: None,
            retryable: None,
            throttled: None,
            refreshable: None,
            retry_after_seconds: None,
        }))
    }

    /// An error of that kind, with the kind's own message and hint.
    #[must_use]
    pub fn of(kind: ErrorKind) -> Self {
        let mut error = Self::new(kind.code(), kind.message()).with_raised_by(kind.name());
        error.0.hint = kind.hint().map(str::to_owned);
        error
    }

    shorthands! {
        /// The app refused the credentials.
        unauthorized => Authentication;
        /// The credentials have expired.
        authentication_expired => AuthenticationExpired;
        /// The credentials were revoked.
        credentials_revoked => CredentialsRevoked;
        /// The credentials are good, but not for this.
        permission_denied => Authorization;
        /// The app wants fewer calls; say with [`with_retry_after`](Self::with_retry_after) how long to wait.
        rate_limit => RateLimit;
        /// The app failed.
        upstream => Upstream;
        /// The app cannot serve now.
        service_error => Transient;
        /// The request asks for something unacceptable.
        bad_request => Client;
        /// What the request names does not exist.
        not_found => NotFound;
        /// A value in the request is unacceptable.
        invalid_value => InvalidValue;
        /// A value in the request is none of those that exist.
        unknown_value => UnknownValue;
        /// The page token is not one that this connector gave.
        invalid_page_token => InvalidPageToken;
        /// The tenant's configuration lacks something.
        missing_parameter => MissingParameter;
        /// The tenant's configuration holds something unacceptable.
        invalid_configuration => InvalidConfiguration;
        /// What the request asks for contradicts the present state.
        conflict => Conflict;
        /// The connector failed.
        internal => Internal;
        /// The app's answer cannot be understood.
        invalid_response => InvalidResponse;
        /// The app or the connector cannot do that.
        unsupported_operation => UnsupportedOperation;
    }

    /// An error made before a capability ran.
    pub(crate) fn framework(code: ErrorCode, message: impl Into<String>) -> Self {
        let mut error = Self::new(code, message);
        error.0.framework = true;
        error
    }

    /// Adds the HTTP status that the app answered.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds the app's own code for the error.
    #[must_use]
    pub fn with_app_error_code(mut self, code: impl Into<String>) -> Self {
        self.0.app_error_code = Some(code.into());
        self
    }

    /// Adds what an operator can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says whether another try may succeed, in place of what the code implies.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// Says whether another try has to wait, in place of what the code implies.
    #[must_use]
    pub fn with_throttled(mut self, throttled: bool) -> Self {
        self.0.throttled = Some(throttled);
        self
    }

    /// Says whether fresh credentials may help, in place of what the code implies.
    #[must_use]
    pub fn with_refreshable(mut self, refreshable: bool) -> Self {
        self.0.refreshable = Some(refreshable);
        self
    }

    /// Says how many seconds to wait before another try.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: i64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Names the kind of failure, as it appears in `raised_by`.
    #[must_use]
    pub fn with_raised_by(mut self, kind: &'static str) -> Self {
        self.0.raised_by = kind;
        self
    }

    /// Replaces the message and keeps everything else.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.0.code
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The HTTP status that the app answered, if that is the error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What a caller is told: the code's implications, with the changes made to this error.
    #[must_use]
    pub fn metadata(&self) -> ErrorMetadata {
        let implied = ErrorMetadata::of(&self.0.code);
        ErrorMetadata {
            hint: self.0.hint.clone(),
            retryable: self.0.retryable.unwrap_or(implied.retryable),
            throttled: self.0.throttled.unwrap_or(implied.throttled),
            refreshable: self.0.refreshable.unwrap_or(implied.refreshable),
            retry_after_seconds: self.0.retry_after_seconds,
            ..implied
        }
    }

    /// The same, as what it is to the caller if the app meant its rate limit.
    pub(crate) fn into_rate_limit(mut self) -> Self {
        self.0.code = ErrorCode::RateLimit;
        self
    }

    /// The same without `secrets`.
    pub(crate) fn masked(mut self, secrets: &Secrets) -> Self {
        if self.0.framework {
            // It repeats nothing, and a short secret could be a word of it.
            return self;
        }
        self.0.message = secrets.mask(&self.0.message);
        for text in [&mut self.0.hint, &mut self.0.app_error_code]
            .into_iter()
            .flatten()
        {
            *text = secrets.mask(text);
        }
        self
    }

    /// The error as it goes over the wire; `raised_in` is the function that failed.
    pub(crate) fn into_wire(mut self, app_id: &str, raised_in: &str) -> Error {
        self.0.code = self.0.code.current();
        let error_metadata = Some(self.metadata());
        let mut inner = *self.0;
        inner.message = match inner.message.trim() {
            "" => format!("{}: (no message)", inner.raised_by),
            message => message.to_owned(),
        };
        let (raised_by, raised_in) = if inner.framework {
            (None, None)
        } else {
            (Some(inner.raised_by.to_owned()), Some(raised_in.to_owned()))
        };
        Error {
            message: inner.message,
            status_code: inner.status.map(i64::from),
            app_error_code: inner.app_error_code,
            error_code: inner.code,
            app_id: app_id.to_owned(),
            raised_by,
            raised_in,
            error_metadata,
        }
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorError")
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("status", &self.0.status)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ConnectorError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_beats_what_the_code_implies() {
        let error = ConnectorError::internal("x").with_retryable(false);
        assert!(!error.metadata().retryable);
        assert!(ConnectorError::internal("x").metadata().retryable);
    }

    #[test]
    fn a_kind_brings_its_code_name_and_hint() {
        let wire = ConnectorError::of(ErrorKind::RateLimit).into_wire("app", "m:f");
        assert_eq!(wire.error_code, ErrorCode::RateLimit);
        assert_eq!(wire.raised_by.as_deref(), Some("RateLimitError"));
        assert!(
            wire.error_metadata
                .is_some_and(|metadata| metadata.hint.is_some())
        );
    }

    #[test]
    fn no_error_is_without_a_message() {
        let wire = ConnectorError::conflict(" \n").into_wire("app", "m:f");
        assert_eq!(wire.message, "ConflictError: (no message)");
    }

    #[test]
    fn an_error_of_the_framework_names_no_place() {
        let wire = ConnectorError::framework(ErrorCode::BadRequest, "x").into_wire("app", "m:f");
        assert_eq!((wire.raised_by, wire.raised_in), (None, None));
    }
}
