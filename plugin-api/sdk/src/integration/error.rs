//! Mistakes in a declaration.
#![forbid(unsafe_code)]

/// Why a declaration is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntegrationError {
    /// The app id is not one.
    #[error("app id {0:?} is not acceptable: it must match [A-Za-z0-9][A-Za-z0-9_-]{{0,63}} without \"__\"")]
    AppId(String),
    /// The version is not a semantic one.
    #[error(
        "version {0:?} is not acceptable: it must be MAJOR.MINOR.PATCH, such as env!(\"CARGO_PKG_VERSION\")"
    )]
    Version(String),
    /// A capability was registered twice.
    #[error("capability {0} is registered twice")]
    Duplicate(String),
    /// A custom capability has a standard one's name.
    #[error("{0} is a standard capability: register it with `register`, or choose another name")]
    Reserved(String),
    /// A custom capability's name is not one.
    #[error("capability name {0:?} is not acceptable: it must be lower-case letters and underscores")]
    Name(String),
    /// An input model of a connector's own was given to a capability whose input is fixed.
    #[error("the input of {0} is fixed: only create_account and update_account can have fields of your own")]
    FixedInput(String),
    /// An input model of a connector's own lacks what the standard one has.
    #[error(
        "the input of {capability} must keep the standard field {field} with its type, and required if it was"
    )]
    Model {
        /// The capability.
        capability: String,
        /// The missing or changed field.
        field: String,
    },
    /// Something was said about a capability that is not there.
    #[error(
        "capability {0} is not registered, so nothing can be said about it: correct its name, or register it before"
    )]
    Unregistered(String),
    /// Two credentials have the same id, or one has none.
    #[error("credential id {0:?} is not acceptable: each credential needs one of its own")]
    CredentialId(String),
    /// A combination of credentials, a check or a declaration of OAuth names one that is not declared, or is of another kind.
    #[error("credential {0:?} is not declared so")]
    UnknownCredential(String),
}
