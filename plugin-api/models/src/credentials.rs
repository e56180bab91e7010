//! Whether credentials work, and whose they are; and the credentials that exist in the app.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ActivityEventType, AuthCredential, JsonObject};

/// Parameters of `validate_credentials`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ValidateCredentials {}

/// Result of `validate_credentials`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidatedCredentials {
    /// Whether the credentials work.
    pub valid: bool,
    /// Names the customer's tenant in the app, and never changes: an account id, a domain, a subdomain.
    pub unique_tenant_id: String,
}

/// Parameters of `validate_credential_config`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "validation"))]
pub struct ValidateCredentialConfig {
    /// The credential as it was typed in.
    pub credential: AuthCredential,
}

/// Result of `validate_credential_config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidatedCredentialConfig {
    /// Whether the credential can be used.
    pub valid: bool,
    /// What is wrong, fit to be shown to customers.
    pub validation_errors: Option<Vec<String>>,
}

/// Parameters of `list_credentials`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListCredentials {
    /// Names of the custom attributes that the credentials are to carry.
    pub custom_attributes: Option<Vec<String>>,
}

/// A credential that exists in the app: an API key, a grant, a certificate. Never its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["resource_id"]))]
pub struct Credential {
    /// The id of the credential as a resource of the access graph.
    #[schemars(extend("x-semantic" = "resource-id"))]
    pub resource_id: String,
    /// The credential's id in the app.
    #[schemars(extend("x-semantic" = "credential-id"))]
    pub external_id: String,
    /// The credential's name for people.
    pub label: String,
    /// What sort it is: `api_key`, `oauth_grant`, `certificate`, `oidc_trust_policy`, `unspecified`, or a word of
    /// the connector's own.
    pub credential_type: String,
    /// Where the credential stands in its life.
    pub status: Option<CredentialStatus>,
    /// The id of the account that its holder acts as; absent if that is none, or one of a program.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub grants_access_to_account_id: Option<String>,
    /// The id of the program's account that its holder acts as.
    #[schemars(extend("x-semantic" = "non-human-account-id"))]
    pub grants_access_to_non_human_account_id: Option<String>,
    /// When it was made, as an ISO 8601 time.
    pub created_at: Option<String>,
    /// When it was last changed, as an ISO 8601 time.
    pub updated_at: Option<String>,
    /// When it was last used, as an ISO 8601 time.
    pub last_used_at: Option<String>,
    /// When it expires, as an ISO 8601 time.
    pub expires_at: Option<String>,
    /// When it was last replaced by a new one, as an ISO 8601 time.
    pub last_rotated_at: Option<String>,
    /// When anything was last done with it, as an ISO 8601 time. Saves callers asking for its last activity.
    pub last_activity: Option<String>,
    /// Values of custom attributes by name, each of the type that its schema declares.
    pub custom_attributes: Option<JsonObject>,
    /// Anything else that is known of it.
    pub extra_data: Option<JsonObject>,
}

/// Where a credential stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum CredentialStatus {
    Active,
    Inactive,
    Stale,
    Expired,
    Revoked,
}

/// Parameters of `get_credential_last_activity`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct GetCredentialLastActivity {}

/// The last thing that was done with a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialLastActivity {
    /// The credential's id in the app.
    #[schemars(extend("x-semantic" = "credential-id"))]
    pub credential_id: String,
    /// What it was.
    pub event_type: ActivityEventType,
    /// When, as an ISO 8601 time.
    pub happened_at: String,
}
