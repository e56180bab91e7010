//! What becomes of a leaver's belongings: data handed to somebody else, resources given up, a smaller license.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `transfer_data`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct TransferData {
    /// The id of the account whose data is handed over.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub source_account_id: String,
    /// The id of the account that gets it.
    #[schemars(extend("x-semantic" = "auxiliary-account-id"))]
    pub target_account_id: String,
}

/// Result of `transfer_data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransferDataStatus {
    /// Whether the data was handed over.
    pub success: bool,
    /// More about the outcome; says why where it failed.
    pub reason: Option<String>,
}

/// Parameters of `release_resources`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct ReleaseResources {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// Result of `release_resources`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseResourcesStatus {
    /// Whether the resources were given up.
    pub success: bool,
    /// More about the outcome; says why where it failed.
    pub reason: Option<String>,
}

/// Parameters of `downgrade_license`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct DowngradeLicense {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// Result of `downgrade_license`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DowngradedLicense {
    /// Whether the account has the smaller license.
    pub success: bool,
    /// More about the outcome; says why where it failed.
    pub reason: Option<String>,
}
