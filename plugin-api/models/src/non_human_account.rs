//! Accounts of programs: service accounts, roles, installed apps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AccountStatus, ActivityEventType, JsonObject};

/// Parameters of `list_non_human_accounts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListNonHumanAccounts {
    /// Names of the custom attributes that the accounts are to carry.
    pub custom_attributes: Option<Vec<String>>,
}

/// An account that a program uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["resource_id"]))]
pub struct NonHumanAccount {
    /// The id of the account as a resource of the access graph.
    #[schemars(extend("x-semantic" = "resource-id"))]
    pub resource_id: String,
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "non-human-account-id"))]
    pub id: String,
    /// The account's name for people.
    pub label: String,
    /// Name of the program that runs with this account; `label` again where the account is its own program.
    pub workload_name: String,
    /// The program's id in the app; `id` again where the account is its own program.
    pub workload_id: String,
    /// What the app calls this sort of account, such as `iam_role`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where the account stands in its life.
    pub status: AccountStatus,
    /// When it was made, as an ISO 8601 time.
    pub created_at: Option<String>,
    /// When it was last changed, as an ISO 8601 time.
    pub updated_at: Option<String>,
    /// When it last signed in, as an ISO 8601 time. Saves callers asking for its last activity.
    pub last_login: Option<String>,
    /// When it last did anything, as an ISO 8601 time.
    pub last_activity: Option<String>,
    /// Values of custom attributes by name, each of the type that its schema declares.
    pub custom_attributes: Option<JsonObject>,
    /// Anything else that is known of it.
    pub extra_data: Option<JsonObject>,
}

/// Parameters of `get_non_human_account_last_activity`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct GetNonHumanAccountLastActivity {}

/// The last thing that an account of a program did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NonHumanAccountLastActivity {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "non-human-account-id"))]
    pub non_human_account_id: String,
    /// What it did.
    pub event_type: ActivityEventType,
    /// When, as an ISO 8601 time.
    pub happened_at: String,
}
