//! Accounts: listing, creating, activating, deactivating and deleting them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::JsonObject;

/// Where an account stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum AccountStatus {
    Active,
    Inactive,
    Suspended,
    Deprovisioned,
    Pending,
    Deleted,
}

/// Whether a person or a program uses an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum AccountType {
    Service,
    User,
}

/// Parameters of `list_accounts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListAccounts {
    /// Names of the custom attributes that the accounts are to carry.
    pub custom_attributes: Option<Vec<String>>,
}

/// An account of the app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["integration_specific_id"]))]
pub struct FoundAccountData {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub integration_specific_id: String,
    /// The resource that the account belongs to.
    #[schemars(extend("x-semantic" = "resource-id"))]
    pub resource_id: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Where the account stands in its life.
    pub user_status: Option<AccountStatus>,
    /// Anything else that is known of the account.
    pub extra_data: Option<JsonObject>,
    /// Values of custom attributes by name.
    pub custom_attributes: Option<std::collections::BTreeMap<String, String>>,
    /// Whether a person or a program uses the account.
    pub account_type: Option<AccountType>,
}

/// The least that a request of `create_account` holds. A connector's own model repeats the field and adds to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct CreatableAccount {
    /// Entitlements that the account must have from the start: those of all types whose `min` is above 0.
    #[serde(default)]
    pub entitlements: Vec<CreateAccountEntitlement>,
}

/// An entitlement that a new account gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreateAccountEntitlement {
    /// The resource's id in the app; empty or absent for a global one.
    pub integration_specific_resource_id: Option<String>,
    /// One of the entitlement types that `info` declares.
    #[schemars(extend("x-entitlement-type" = true))]
    pub entitlement_type: String,
    /// The entitlement's id in the app.
    pub integration_specific_id: String,
}

/// Result of `create_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatedAccount {
    /// The new account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub id: Option<String>,
    /// Where the new account stands in its life.
    pub status: AccountStatus,
    /// Whether the account was created.
    pub created: bool,
}

/// Parameters of `activate_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct ActivateAccount {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// Result of `activate_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivatedAccount {
    /// Where the account stands in its life now.
    pub status: AccountStatus,
    /// Whether the account was activated.
    pub activated: bool,
}

/// Parameters of `deactivate_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct DeactivateAccount {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// Result of `deactivate_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeactivatedAccount {
    /// Where the account stands in its life now.
    pub status: AccountStatus,
    /// Whether the account was deactivated.
    pub deactivated: bool,
}

/// Parameters of `delete_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct DeleteAccount {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// Result of `delete_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeletedAccount {
    /// Where the account stands in its life now.
    pub status: AccountStatus,
    /// Whether the account was deleted.
    pub deleted: bool,
}
