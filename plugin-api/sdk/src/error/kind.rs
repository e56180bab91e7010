//! The kinds of errors, by family. Each stands for a code, and for what is usually said with it.
#![forbid(unsafe_code)]

use lumos_connector_models::ErrorCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $code:ident, $message:literal $(, hint $hint:literal)?;)*) => {
        /// A kind of error. Its [code](Self::code) decides what a caller is told; the [name](Self::name) goes along as
        /// `raised_by`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [ErrorKind] = &[$(Self::$kind,)*];

            /// The code that callers get.
            #[must_use]
            pub fn code(self) -> ErrorCode {
                match self {
                    $(Self::$kind => ErrorCode::$code,)*
                }
            }

            /// The kind's name, as it stands in `raised_by`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!(stringify!($kind), "Error"),)*
                }
            }

            /// What is said where the connector says nothing.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$kind => $message,)*
                }
            }

            /// What an operator is told to do, if there is something.
            #[must_use]
            pub const fn hint(self) -> Option<&'static str> {
                match self {
                    $(Self::$kind => kinds!(@hint $($hint)?),)*
                }
            }
        }
    };
    (@hint) => { None };
    (@hint $hint:literal) => { Some($hint) };
}

kinds! {
    /// Authentication: the app refuses the credentials.
    Authentication: Unauthorized, "The app refused the credentials.", hint "If this goes on, contact support.";
    /// Authentication: the credentials have expired; fresh ones may do.
    AuthenticationExpired: AuthenticationExpired, "The credentials have expired.";
    /// Authentication: somebody withdrew the credentials.
    CredentialsRevoked: CredsRevoked, "The credentials were revoked.", hint "See in the app whether the credentials were revoked.";

    /// Authorization: the credentials are good, but not for this.
    Authorization: PermissionDenied, "The credentials do not allow this.", hint "See in the app whether the account has the scopes that this needs.";

    /// Transient: something that another try may get past.
    Transient: ServiceError, "The app cannot serve now.", hint "Try again.";
    /// Transient: the app wants fewer calls.
    RateLimit: RateLimit, "The app's rate limit is exceeded.", hint "Try again.";
    /// Transient: waiting for the rate limit would take longer than the caller waits.
    BudgetExhausted: BudgetExhausted, "The rate limit asks for a longer wait than the caller grants.", hint "Try again.";
    /// Transient: the app failed.
    Upstream: BadGateway, "The app failed.", hint "Try again.";
    /// Transient: the app cannot be reached.
    Network: ConnectionTimeout, "The app cannot be reached.", hint "Try again.";
    /// Transient: the app refused the connection.
    ConnectionRejected: ConnectionRejected, "The app refused the connection.", hint "Try again.";
    /// Transient: the connection broke.
    ConnectionClosed: ConnectionClosed, "The app closed the connection.", hint "Try again.";
    /// Transient: the app did not answer in time.
    RequestTimeout: RequestTimeout, "The app did not answer in time.", hint "Try again.";

    /// Client: the request is not acceptable.
    Client: BadRequest, "The request is not acceptable.";
    /// Client: what the request names does not exist.
    NotFound: NotFound, "What the request names does not exist.";
    /// Client: a value is not acceptable.
    InvalidValue: InvalidValue, "A value is not acceptable.";
    /// Client: a value is none of those that exist.
    UnknownValue: UnknownValue, "A value is unknown.";
    /// Client: the page token is not one that the connector gave.
    InvalidPageToken: InvalidPageToken, "The page token is not one of this connector's, or no longer valid.";
    /// Client: the tenant's configuration lacks something.
    MissingParameter: IntegrationMissingParameter, "The configuration lacks something that is needed.";
    /// Client: the request contradicts the present state.
    Conflict: Conflict, "The request contradicts the present state.";
    /// Client: the tenant's configuration holds something unacceptable.
    InvalidConfiguration: InvalidValue, "The configuration holds a value that is not acceptable.", hint "Correct the settings that the message names.";

    /// Internal: the connector failed.
    Internal: InternalError, "The connector failed.";
    /// Internal: the app's answer cannot be understood.
    InvalidResponse: InvalidResponse, "The app's answer cannot be understood.";
    /// Internal: the connector or the app cannot do that.
    UnsupportedOperation: UnsupportedOperation, "The connector cannot do this.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_kind() {
        for code in ErrorCode::ALL {
            assert!(
                ErrorKind::ALL.iter().any(|kind| kind.code() == *code),
                "{code} has no kind"
            );
        }
    }

    #[test]
    fn names_end_alike() {
        assert_eq!(ErrorKind::RateLimit.name(), "RateLimitError");
    }
}
