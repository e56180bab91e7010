//! The credentials that a request can carry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{JsonObject, Secret};

/// The place in a request that holds a credential: one member for each kind, of which one is filled.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuthCredential {
    /// Which of the connector's credentials this is, where it has several.
    pub id: Option<String>,
    /// An OAuth access token obtained with a user's consent.
    pub oauth: Option<OAuthCredential>,
    /// An OAuth access token obtained with client credentials.
    pub oauth_client_credentials: Option<OAuthClientCredential>,
    /// OAuth 1.0a keys.
    pub oauth1: Option<OAuth1Credential>,
    /// User name and password.
    pub basic: Option<BasicCredential>,
    /// A fixed token, such as an API key.
    pub token: Option<TokenCredential>,
    /// What is needed to sign a JSON Web Token.
    pub jwt: Option<JwtCredential>,
    /// A cloud provider's service account.
    pub service_account: Option<ServiceAccountCredential>,
    /// A key pair.
    #[schemars(extend("x-semantic" = "key-pair"))]
    pub key_pair: Option<KeyPairCredential>,
    /// No credential at all.
    #[serde(default, deserialize_with = "crate::envelope::object_or_null")]
    pub empty: Option<EmptyCredential>,
}

impl AuthCredential {
    /// The kinds that are filled, by the names of their members.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        [
            ("oauth", self.oauth.is_some()),
            (
                "oauth_client_credentials",
                self.oauth_client_credentials.is_some(),
            ),
            ("oauth1", self.oauth1.is_some()),
            ("basic", self.basic.is_some()),
            ("token", self.token.is_some()),
            ("jwt", self.jwt.is_some()),
            ("service_account", self.service_account.is_some()),
            ("key_pair", self.key_pair.is_some()),
            ("empty", self.empty.is_some()),
        ]
        .into_iter()
        .filter_map(|(kind, filled)| filled.then_some(kind))
    }

    /// Whether it is filled with that kind.
    #[must_use]
    pub fn holds(&self, kind: &str) -> bool {
        self.kinds().any(|filled| filled == kind)
    }
}

/// An OAuth access token obtained with a user's consent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "oauth"))]
pub struct OAuthCredential {
    /// The access token.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-secret" = true, "x-hidden" = true))]
    pub access_token: Secret,
}

/// An OAuth access token obtained with client credentials, and those.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OAuthClientCredential", extend("x-credential-type" = "oauth_client_credentials"))]
pub struct OAuthClientCredential {
    /// The access token.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-secret" = true, "x-hidden" = true))]
    pub access_token: Secret,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
}

/// OAuth 1.0a keys.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "oauth1"))]
pub struct OAuth1Credential {
    /// The consumer's key.
    pub consumer_key: String,
    /// The consumer's secret.
    pub consumer_secret: Secret,
    /// The token's id.
    pub token_id: String,
    /// The token's secret.
    pub token_secret: Secret,
}

/// User name and password.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "basic"))]
pub struct BasicCredential {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A fixed token, such as an API key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "token"))]
pub struct TokenCredential {
    /// The token.
    pub token: Secret,
}

/// What is needed to sign a JSON Web Token (RFC 7519).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JWTCredential", extend("x-credential-type" = "jwt"))]
pub struct JwtCredential {
    /// The token's header.
    pub headers: JwtHeaders,
    /// The token's claims.
    pub claims: JwtClaims,
    /// The key to sign with.
    #[schemars(with = "String")]
    pub secret: Secret,
}

/// The header of a JSON Web Token; names as in RFC 7515, section 4.1.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JWTHeaders")]
pub struct JwtHeaders {
    /// The algorithm of the signature.
    pub alg: String,
    /// Where the set of keys is.
    pub jku: String,
    /// The key.
    pub jwk: String,
    /// The type of the token.
    pub typ: String,
    /// Which key it is.
    pub kid: String,
    /// Where the key's certificate is.
    pub x5u: String,
    /// The chain of certificates.
    pub x5c: String,
    /// SHA-1 of the certificate.
    pub x5t: String,
    /// SHA-256 of the certificate.
    #[serde(rename = "x5t#S256", alias = "x5t_s256")]
    pub x5t_s256: String,
    /// The type of the content.
    pub cty: String,
    /// Extensions that have to be understood.
    pub crit: Vec<String>,
}

/// The claims of a JSON Web Token; names as in RFC 7519, section 4.1, and RFC 8693, section 4.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JWTClaims")]
pub struct JwtClaims {
    /// Who issued the token.
    pub iss: String,
    /// Whom it is about.
    pub sub: String,
    /// Whom it is for.
    pub aud: String,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
    /// When it begins to hold, in seconds since 1970.
    pub nbf: i64,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// The token's id.
    pub jti: String,
    /// Who acts.
    pub act: String,
    /// What it allows.
    pub scope: Vec<String>,
    /// The client that asked for it.
    pub client_id: String,
    /// Who may act.
    pub may_act: String,
}

/// A cloud provider's service account.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "service_account"))]
pub struct ServiceAccountCredential {
    /// Whose service account it is.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-hidden" = true))]
    pub service_type: Option<ServiceAccountType>,
    /// The key file's content.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-secret" = true, "x-hidden" = true))]
    pub key: JsonObject,
    /// The user to act as.
    pub impersonation_email: String,
    /// The tenant's id at the provider.
    pub tenant_id: String,
    /// The scopes to ask for.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-hidden" = true))]
    pub scopes: Vec<String>,
}

impl std::fmt::Debug for ServiceAccountCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceAccountCredential")
            .field("service_type", &self.service_type)
            .field("impersonation_email", &self.impersonation_email)
            .field("tenant_id", &self.tenant_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// Whose service account a [`ServiceAccountCredential`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ServiceAccountType {
    GoogleCloud,
    GoogleDrive,
    Aws,
    AwsRole,
}

/// A key pair.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-keygen-type" = "SSH", "x-semantic" = "key-pair", "x-credential-type" = "key_pair"))]
pub struct KeyPairCredential {
    /// Names the key.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-hidden" = true))]
    pub key_identifier: String,
    /// The private key.
    #[schemars(extend("x-field_type" = "HIDDEN", "x-secret" = true, "x-hidden" = true))]
    pub private_key: Secret,
}

/// No credential at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-credential-type" = "empty"))]
pub struct EmptyCredential {}
