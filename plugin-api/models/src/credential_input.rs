//! What a customer types in for each kind of credential, where that is not the credential that a request then carries.
//!
//! With OAuth, a form asks for the client and its scopes, and the token comes later.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Secret;

/// User name and password, as typed in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "basic"))]
pub struct BasicAuthentication {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A fixed token, as typed in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "token"))]
pub struct TokenAuthentication {
    /// The token.
    pub token: Secret,
}

/// The token of a user who gave consent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "oauth"))]
pub struct OAuthAuthentication {
    /// The access token.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-secret" = true, "x-hidden" = true))]
    pub access_token: Secret,
}

/// The client that asks users for consent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "oauth"))]
pub struct OAuthAuthorization {
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    #[schemars(with = "String")]
    pub client_secret: Secret,
    /// Comes back with the user.
    pub state: Option<String>,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
}

/// The token of a client that acts for itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "oauth_client_credentials"))]
pub struct OAuthClientCredentialAuthentication {
    /// The access token.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-secret" = true, "x-hidden" = true))]
    pub access_token: Secret,
}

/// The client that acts for itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "oauth_client_credentials"))]
pub struct OAuthClientCredentialAuthorization {
    /// The client's id.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-hidden" = true))]
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
}

/// The forms in which a pair of keys can be made for a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum KeyGenType {
    Ssh,
    SshPem,
    PemPk8,
    Pgp,
    JwkRsa,
}
