//! Accounts: listing, creating, activating, deactivating and deleting them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DateTime, JsonObject};

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Parameters of `get_account`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct GetAccount {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
    /// Names of the custom attributes that the account is to carry.
    pub custom_attributes: Option<Vec<String>>,
}

/// The fields that most apps want for a new account. A connector whose `create_account` takes these needs no model
/// of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct CreateAccount {
    /// E-mail address.
    pub email: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
    /// Where the account is to stand in its life, in the app's words.
    pub user_status: Option<String>,
    /// Entitlements that the account must have from the start: those of all types whose `min` is above 0.
    pub entitlements: Vec<CreateAccountEntitlement>,
}

/// The least that a request of `update_account` holds, and its result. A connector's own model repeats the field
/// and adds to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct UpdateableAccount {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub id: String,
}

/// Parameters of `list_updated_accounts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListUpdatedAccounts {
    /// The earliest change that is wanted.
    pub since: Option<DateTime>,
    /// Where the listing before this one ended; instead of `since`.
    pub cursor: Option<String>,
    /// Names of the custom attributes that the accounts are to carry.
    pub custom_attributes: Option<Vec<String>>,
}

/// Result of `list_updated_accounts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdatedAccounts {
    /// The accounts that changed.
    pub accounts: Vec<FoundAccountData>,
    /// Where this listing ends; the next one starts there.
    pub cursor: Option<String>,
}

/// A place in a sequence of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delta {
    /// Opaque; absent for the beginning.
    pub cursor: Option<String>,
}
