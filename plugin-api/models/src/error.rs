//! The error envelope, the error codes and what each of them means to a caller.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::JsonObject;
use crate::envelope::Page;

/// What a capability answers when it fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorResponse {
    /// Always true.
    #[serde(default = "always")]
    pub is_error: bool,
    /// What went wrong.
    pub error: Error,
    /// The app's raw answers, if they were asked for.
    pub raw_data: Option<JsonObject>,
    /// Unused in errors.
    pub page: Option<Page>,
}

const fn always() -> bool {
    true
}

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        Self {
            is_error: true,
            error,
            raw_data: None,
            page: None,
        }
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    /// The error in words.
    pub message: String,
    /// The HTTP status that the app answered, where that is the error.
    pub status_code: Option<i64>,
    /// The app's own code for the error.
    pub app_error_code: Option<String>,
    /// The API's code for the error.
    #[schemars(with = "AnyErrorCode")]
    pub error_code: ErrorCode,
    /// The connector in which it happened.
    pub app_id: String,
    /// The kind of failure, by its name in the connector.
    pub raised_by: Option<String>,
    /// The function that failed, as `module:function`.
    pub raised_in: Option<String>,
    /// What the error means to a caller.
    pub error_metadata: Option<ErrorMetadata>,
}

impl Error {
    /// An error with the metadata that its code implies.
    pub fn new(app_id: impl Into<String>, error_code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status_code: None,
            app_error_code: None,
            error_metadata: Some(ErrorMetadata::of(&error_code)),
            error_code,
            app_id: app_id.into(),
            raised_by: None,
            raised_in: None,
        }
    }
}

/// What an error means to a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ConnectorErrorMetadata")]
pub struct ErrorMetadata {
    /// Who has to act.
    pub fault: ErrorFault,
    /// What sort of error it is.
    pub category: ErrorCategory,
    /// What an operator can do about it.
    pub hint: Option<String>,
    /// Whether another try may succeed.
    pub retryable: bool,
    /// Whether another try has to wait.
    pub throttled: bool,
    /// Whether fresh credentials may help.
    pub refreshable: bool,
    /// Seconds to wait before another try.
    pub retry_after_seconds: Option<i64>,
}

impl ErrorMetadata {
    /// What `code` implies.
    #[must_use]
    pub fn of(code: &ErrorCode) -> Self {
        let throttled = code.is_throttled();
        Self {
            fault: code.fault(),
            category: code.category(),
            hint: None,
            retryable: throttled || code.is_retryable(),
            throttled,
            refreshable: code.is_refreshable(),
            retry_after_seconds: None,
        }
    }
}

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ConnectorErrorFault")]
#[allow(missing_docs)]
pub enum ErrorFault {
    Caller,
    Connector,
    Upstream,
    Infrastructure,
    Unknown,
}

/// What sort of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ConnectorErrorCategory")]
#[allow(missing_docs)]
pub enum ErrorCategory {
    Authentication,
    Authorization,
    Transient,
    Client,
    Internal,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $fault:ident, $category:ident;)*) => {
        /// The API's code for an error. Codes that are not known here are kept as they came.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
            /// A code of another version of the API.
            Other(Box<str>),
        }

        impl ErrorCode {
            /// Every code of this version of the API, in its order.
            pub const ALL: &'static [ErrorCode] = &[$(Self::$variant,)*];

            /// The name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name,
                }
            }

            /// Who has to act.
            #[must_use]
            pub fn fault(&self) -> ErrorFault {
                match self {
                    $(Self::$variant => ErrorFault::$fault,)*
                    Self::Other(_) => ErrorFault::Unknown,
                }
            }

            /// What sort of error it is.
            #[must_use]
            pub fn category(&self) -> ErrorCategory {
                match self {
                    $(Self::$variant => ErrorCategory::$category,)*
                    Self::Other(_) => ErrorCategory::Internal,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    other => Self::Other(other.into()),
                }
            }
        }
    };
}

error_codes! {
    /// The request is not acceptable.
    BadRequest = "bad_request", Caller, Client;
    /// A value is not acceptable.
    InvalidValue = "invalid_value", Caller, Client;
    /// A value is none of those that exist.
    UnknownValue = "unknown_value", Caller, Client;
    /// What the request names does not exist.
    NotFound = "not_found", Caller, Client;
    /// The page token is not one that the connector gave.
    InvalidPageToken = "invalid_page_token", Caller, Client;
    /// The tenant's configuration lacks something.
    IntegrationMissingParameter = "integration_missing_parameter", Caller, Client;
    /// The connector or the app cannot do that.
    UnsupportedOperation = "unsupported_operation", Connector, Internal;
    /// What the request asks for contradicts the present state.
    Conflict = "conflict", Caller, Client;
    /// The app refused the credentials.
    Unauthorized = "unauthorized", Upstream, Authentication;
    /// The credentials have expired.
    AuthenticationExpired = "authentication_expired", Upstream, Authentication;
    /// The credentials were revoked.
    CredsRevoked = "creds_revoked", Upstream, Authentication;
    /// The credentials are good but not for this.
    PermissionDenied = "permission_denied", Upstream, Authorization;
    /// Too many calls.
    RateLimit = "rate_limit", Upstream, Transient;
    /// The app failed.
    BadGateway = "bad_gateway", Upstream, Transient;
    /// The app cannot serve now.
    ServiceError = "service_error", Upstream, Transient;
    /// Waiting for a rate limit would take longer than the caller waits.
    BudgetExhausted = "budget_exhausted", Upstream, Transient;
    /// The app cannot be reached.
    ConnectionTimeout = "connection_timeout", Infrastructure, Transient;
    /// The app did not answer in time.
    RequestTimeout = "request_timeout", Upstream, Transient;
    /// The app refused the connection.
    ConnectionRejected = "connection_rejected", Infrastructure, Transient;
    /// The connection broke during the call.
    ConnectionClosed = "connection_closed", Infrastructure, Transient;
    /// The connector failed.
    InternalError = "internal_error", Connector, Internal;
    /// The app's answer cannot be understood.
    InvalidResponse = "invalid_response", Connector, Internal;
}

/// Codes that the API has given up; callers may still send or declare them.
const DEPRECATED: [&str; 5] = [
    "api_error",
    "not_implemented",
    "unexpected_error",
    "unauthenticated",
    "client_call_error",
];

impl ErrorCode {
    /// The code for an answer of the app with this HTTP status.
    #[must_use]
    pub fn of_http_status(status: u16) -> Self {
        match status {
            400 | 413 | 415 | 422 => Self::BadRequest,
            401 => Self::Unauthorized,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            405 | 406 | 501 => Self::UnsupportedOperation,
            408 => Self::RequestTimeout,
            409 => Self::Conflict,
            429 => Self::RateLimit,
            503 => Self::ServiceError,
            500 | 502 | 504 => Self::BadGateway,
            _ => Self::InvalidResponse,
        }
    }

    /// The code that has taken this one's place, if the API has given it up; otherwise the same.
    #[must_use]
    pub fn current(self) -> Self {
        let Self::Other(name) = &self else {
            return self;
        };
        match &**name {
            "unexpected_error" => Self::InternalError,
            "not_implemented" => Self::UnsupportedOperation,
            "client_call_error" | "api_error" => Self::InvalidResponse,
            "unauthenticated" => Self::Unauthorized,
            _ => self,
        }
    }

    /// Whether another try may succeed at once.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::InternalError
                | Self::BadGateway
                | Self::ServiceError
                | Self::RequestTimeout
                | Self::ConnectionTimeout
                | Self::ConnectionRejected
                | Self::ConnectionClosed
        )
    }

    /// Whether another try may succeed after a pause.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(self, Self::RateLimit | Self::BudgetExhausted)
    }

    /// Whether fresh credentials may help.
    #[must_use]
    pub fn is_refreshable(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized | Self::AuthenticationExpired | Self::CredsRevoked
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer).map(|name| Self::from(&*name))
    }
}

impl JsonSchema for ErrorCode {
    fn schema_name() -> Cow<'static, str> {
        "ConnectorErrorCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Self::ALL.iter().map(Self::as_str).collect();
        schemars::json_schema!({
            "description": "The code that tells callers how to respond to an error.",
            "enum": names,
            "type": "string",
        })
    }
}

/// Schema only: the codes of the API's earlier versions.
struct LegacyErrorCode;

impl JsonSchema for LegacyErrorCode {
    fn schema_name() -> Cow<'static, str> {
        "ErrorCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // The API's own order, which is not that of the present codes.
        let names = [
            "not_found",
            "internal_error",
            DEPRECATED[0],
            "unauthorized",
            "bad_request",
            "permission_denied",
            DEPRECATED[1],
            DEPRECATED[2],
            "unsupported_operation",
            "unknown_value",
            "invalid_value",
            "bad_gateway",
            DEPRECATED[3],
            "request_timeout",
            "connection_timeout",
            "connection_rejected",
            "rate_limit",
            "authentication_expired",
            "service_error",
            "invalid_response",
            DEPRECATED[4],
            "connection_closed",
            "creds_revoked",
            "invalid_page_token",
            "integration_missing_parameter",
        ];
        schemars::json_schema!({
            "description": "Error codes of earlier versions of the API.",
            "enum": names,
            "type": "string",
        })
    }
}

/// Schema only: what the API declares for `error_code`.
struct AnyErrorCode;

impl JsonSchema for AnyErrorCode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AnyErrorCode".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let now = generator.subschema_for::<ErrorCode>();
        let before = generator.subschema_for::<LegacyErrorCode>();
        schemars::json_schema!({ "anyOf": [now, before] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_is_kept() {
        let code: ErrorCode = serde_json::from_str(r#""from_the_future""#).unwrap();
        assert_eq!(code, ErrorCode::Other("from_the_future".into()));
        assert_eq!(serde_json::to_string(&code).unwrap(), r#""from_the_future""#);
        assert_eq!(code.fault(), ErrorFault::Unknown);
    }

    #[test]
    fn every_code_that_was_given_up_has_a_successor() {
        for name in DEPRECATED {
            let code = ErrorCode::from(name).current();
            assert!(ErrorCode::ALL.contains(&code), "{name} became {code}");
        }
        assert_eq!(ErrorCode::Conflict.current(), ErrorCode::Conflict);
    }

    #[test]
    fn every_code_survives_the_wire() {
        for code in ErrorCode::ALL {
            assert_eq!(&ErrorCode::from(code.as_str()), code);
        }
    }

    #[test]
    fn the_envelope_has_the_order_and_the_nulls_of_the_wire() {
        let error = Error::new("app", ErrorCode::Unauthorized, "no");
        let json = serde_json::to_string(&ErrorResponse::from(error)).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"is_error":true,"error":{"message":"no","status_code":null,"app_error_code":null,"#,
                r#""error_code":"unauthorized","app_id":"app","raised_by":null,"raised_in":null,"error_metadata":"#,
                r#"{"fault":"upstream","category":"authentication","hint":null,"retryable":false,"throttled":false,"#,
                r#""refreshable":true,"retry_after_seconds":null}},"raw_data":null,"page":null}"#
            )
        );
    }
}
