//! Applications behind an app: an identity provider or a device manager lists those that it gives access to.
//!
//! Each has accounts, resources and entitlements of its own, hence a second set of the ordinary capabilities with the id of
//! the application in every record.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AccountStatus, ActivityRecordActivityType, ActivityRecordActor, ActivityRecordTarget, JsonObject,
};

/// Parameters of `list_applications`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListApplications {}

/// Parameters of `get_application`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct GetApplication {
    /// The application's id.
    #[schemars(extend("x-semantic" = "application-instance-id"))]
    pub application_instance_id: String,
}

/// An application behind the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["id"]))]
pub struct Application {
    /// The application's id in the app: of this tenant's instance, not of the product.
    #[schemars(extend("x-semantic" = "application-instance-id"))]
    pub id: String,
    /// The application's name in the app.
    pub name: String,
    /// The application's name for people.
    pub display_name: Option<String>,
    /// What the application is for.
    pub description: Option<String>,
    /// Whether it is in use.
    pub status: ApplicationStatus,
    /// Address of its logo.
    pub logo: Option<String>,
    /// How users sign in to it.
    pub sign_on_mode: SignOnMode,
    /// Where users sign in to it.
    pub sso_login_url: Option<String>,
    /// What can be given to an account.
    pub assignment_modes: Vec<AssignmentMode>,
}

/// Whether an application is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum ApplicationStatus {
    Active,
    Inactive,
}

/// How users sign in to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum SignOnMode {
    Saml,
    Oidc,
    Bookmark,
    Unknown,
}

/// What of an application can be given to an account: an account of its own, or entitlements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum AssignmentMode {
    Account,
    Entitlement,
}

/// Parameters of `list_applications_accounts`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListApplicationsAccounts {}

/// Parameters of `get_application_account`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct GetApplicationAccount {
    /// The application's id.
    #[schemars(extend("x-semantic" = "application-instance-id"))]
    pub application_instance_id: String,
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// An account of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["account_id", "application_instance_id"]))]
pub struct ApplicationAccount {
    /// The account's id.
    pub account_id: String,
    /// The application's id.
    pub application_instance_id: String,
    /// Where the account stands in its life.
    pub status: AccountStatus,
}

/// Parameters of `assign_application`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct AssignApplication {
    /// The application's id.
    #[schemars(extend("x-semantic" = "application-instance-id"))]
    pub application_instance_id: String,
    /// The id of the account that gets access.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// Result of `assign_application`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssignedApplication {
    /// Whether the app now gives the account access.
    pub assigned: bool,
    /// Whether an account was made in the application.
    pub provisioned: bool,
}

/// Parameters of `unassign_application`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct UnassignApplication {
    /// The application's id.
    #[schemars(extend("x-semantic" = "application-instance-id"))]
    pub application_instance_id: String,
    /// The id of the account that loses access.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// Result of `unassign_application`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnassignedApplication {
    /// Whether the app gives the account no access any more.
    pub unassigned: bool,
    /// Whether the account in the application was removed.
    pub deprovisioned: bool,
    /// Where the account stands in its life now.
    pub status: AccountStatus,
}

/// Parameters of `list_applications_resources`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListApplicationsResources {}

/// A resource of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["integration_specific_id", "application_instance_id"]))]
pub struct ApplicationResourceData {
    /// The application's id.
    pub application_instance_id: String,
    /// The resource's id in the application.
    pub integration_specific_id: String,
    /// The resource's name for people.
    pub label: String,
    /// What the resource is.
    pub description: Option<String>,
    /// One of the resource types that `info` declares.
    pub resource_type: String,
    /// Anything else that is known of it.
    pub extra_data: Option<BTreeMap<String, String>>,
}

/// Parameters of `list_applications_entitlements`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListApplicationsEntitlements {
    /// Names of the custom attributes that the entitlements are to carry.
    pub custom_attributes: Option<Vec<String>>,
}

/// An entitlement of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["integration_specific_id", "integration_specific_resource_id", "application_instance_id"]))]
pub struct ApplicationEntitlementData {
    /// The application's id.
    pub application_instance_id: String,
    /// One of the entitlement types that `info` declares.
    pub entitlement_type: String,
    /// Anything else that is known of it.
    pub extra_data: Option<BTreeMap<String, JsonObject>>,
    /// The entitlement's id in the application.
    pub integration_specific_id: String,
    /// The id of the resource that it applies to; empty for a global one.
    pub integration_specific_resource_id: String,
    /// Whether it can be assigned through the connector.
    pub is_assignable: Option<bool>,
    /// The entitlement's name for people.
    pub label: String,
    /// What it allows.
    pub description: Option<String>,
    /// Values of custom attributes by name.
    pub custom_attributes: Option<BTreeMap<String, String>>,
}

/// Parameters of `list_applications_entitlement_associations`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListApplicationsEntitlementAssociations {}

/// An account that holds an entitlement of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["account_id", "integration_specific_entitlement_id", "integration_specific_resource_id", "application_instance_id"]))]
pub struct ApplicationEntitlementAssociation {
    /// The application's id.
    pub application_instance_id: String,
    /// The account's id.
    pub account_id: String,
    /// The entitlement's id in the application.
    pub integration_specific_entitlement_id: String,
    /// The resource's id in the application; empty for a global one.
    pub integration_specific_resource_id: String,
}

/// Parameters of `assign_application_entitlement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct AssignApplicationEntitlement {
    /// The application's id.
    #[schemars(extend("x-semantic" = "application-instance-id"))]
    pub application_instance_id: String,
    /// The account's id.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_integration_specific_id: String,
    /// The resource's id in the application.
    pub resource_integration_specific_id: String,
    /// One of the resource types that `info` declares.
    #[schemars(extend("x-resource-type" = true))]
    pub resource_type: String,
    /// One of the entitlement types that `info` declares.
    #[schemars(extend("x-entitlement-type" = true))]
    pub entitlement_type: String,
    /// The entitlement's id in the application.
    pub entitlement_integration_specific_id: String,
}

/// Result of `assign_application_entitlement`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssignedApplicationEntitlement {
    /// Always true; what cannot be assigned is an error.
    pub assigned: bool,
}

/// Parameters of `unassign_application_entitlement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct UnassignApplicationEntitlement {
    /// The application's id.
    #[schemars(extend("x-semantic" = "application-instance-id"))]
    pub application_instance_id: String,
    /// The account's id.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_integration_specific_id: String,
    /// One of the resource types that `info` declares.
    #[schemars(extend("x-resource-type" = true))]
    pub resource_type: String,
    /// The resource's id in the application.
    pub resource_integration_specific_id: String,
    /// One of the entitlement types that `info` declares.
    #[schemars(extend("x-entitlement-type" = true))]
    pub entitlement_type: String,
    /// The entitlement's id in the application.
    pub entitlement_integration_specific_id: String,
}

/// Result of `unassign_application_entitlement`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnassignedApplicationEntitlement {
    /// Whether the entitlement was taken away.
    pub unassigned: bool,
}

/// Parameters of `list_applications_activity_records`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListApplicationsActivityRecords {
    /// The earliest record that is wanted, as an ISO 8601 time.
    pub since_date: String,
    /// Whose records are wanted.
    pub actors: Vec<ActivityRecordActor>,
}

/// Something that was done in an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["id"]))]
pub struct ApplicationActivityRecord {
    /// The application's id.
    pub application_instance_id: String,
    /// The record's id, never used for another.
    pub id: String,
    /// What was done.
    pub activity_type: ActivityRecordActivityType,
    /// When, as an ISO 8601 time.
    pub timestamp: String,
    /// Who did it.
    pub actor: ActivityRecordActor,
    /// Whom or what it was done to.
    pub targets: Vec<ActivityRecordTarget>,
    /// Anything else that is known, such as the address it was done from.
    pub metadata: Option<BTreeMap<String, String>>,
}
