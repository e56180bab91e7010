//! The steps of OAuth 2.0 (RFC 6749): consent, tokens, fresh tokens.
//!
//! These requests come before there is a credential, so they carry none: they travel in
//! [`UnauthenticatedRequest`](crate::UnauthenticatedRequest). Their schemas call no text a secret, because no form asks for
//! one of them; ours keep what is secret out of logs all the same.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Secret;

/// Parameters of `get_authorization_url`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-category" = "authorization"))]
pub struct GetAuthorizationUrl {
    /// Which of the connector's credentials this is about, where it has several.
    pub credential_id: Option<String>,
    /// The client's id.
    pub client_id: String,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// Where the user is sent after the consent.
    pub redirect_uri: String,
    /// Comes back with the user, so that the answer can be matched to this request.
    pub state: String,
    /// Further parameters of the address.
    pub form_data: Option<BTreeMap<String, String>>,
}

/// Result of `get_authorization_url`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationUrl {
    /// Where the user gives consent.
    pub authorization_url: String,
    /// The secret half of the code challenge (RFC 7636), to be kept until the user comes back.
    #[schemars(with = "Option<String>")]
    pub code_verifier: Option<Secret>,
}

/// Parameters of `handle_authorization_callback`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-category" = "authorization"))]
pub struct HandleAuthorizationCallback {
    /// Which of the connector's credentials this is about, where it has several.
    pub credential_id: Option<String>,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    #[schemars(with = "String")]
    pub client_secret: Secret,
    /// The address at which the user came back, with the code in it.
    #[schemars(with = "String")]
    pub redirect_uri_with_code: Secret,
    /// The state that the address was made with.
    pub state: Option<String>,
    /// What `get_authorization_url` gave.
    #[schemars(with = "Option<String>")]
    pub code_verifier: Option<Secret>,
}

/// Parameters of `handle_client_credentials_request`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-category" = "authorization"))]
pub struct HandleClientCredentials {
    /// Which of the connector's credentials this is about, where it has several.
    pub credential_id: Option<String>,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    #[schemars(with = "String")]
    pub client_secret: Secret,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
}

/// Parameters of `refresh_access_token`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-category" = "authorization"))]
pub struct RefreshAccessToken {
    /// Which of the connector's credentials this is about, where it has several.
    pub credential_id: Option<String>,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    #[schemars(with = "String")]
    pub client_secret: Secret,
    /// The token to trade for a new one.
    #[schemars(with = "String")]
    pub refresh_token: Secret,
    /// Handed back as it came.
    pub state: Option<String>,
}

/// The tokens that an authorization server gave.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OauthCredentials {
    /// The token for calls.
    #[schemars(with = "String")]
    pub access_token: Secret,
    /// The token for new tokens.
    #[schemars(with = "Option<String>")]
    pub refresh_token: Option<Secret>,
    /// How the access token is sent.
    pub token_type: TokenType,
    /// The state of the request.
    pub state: Option<String>,
}

/// How an access token is sent (RFC 6750).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TokenType {
    Bearer,
}

/// The OAuth scopes that capabilities need, as one text each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OAuthScopes {
    /// For `activate_account`.
    pub activate_account: Option<String>,
    /// For `assign_entitlement`.
    pub assign_entitlement: Option<String>,
    /// For `create_account`.
    pub create_account: Option<String>,
    /// For `deactivate_account`.
    pub deactivate_account: Option<String>,
    /// For `delete_account`.
    pub delete_account: Option<String>,
    /// For `find_entitlement_associations`.
    pub find_entitlement_associations: Option<String>,
    /// For `get_last_activity`.
    pub get_last_activity: Option<String>,
    /// For `list_accounts`.
    pub list_accounts: Option<String>,
    /// For `list_custom_attributes_schema`.
    pub list_custom_attributes_schema: Option<String>,
    /// For `list_entitlements`.
    pub list_entitlements: Option<String>,
    /// For `list_resources`.
    pub list_resources: Option<String>,
    /// For `unassign_entitlement`.
    pub unassign_entitlement: Option<String>,
    /// For `validate_credentials`.
    pub validate_credentials: Option<String>,
}
