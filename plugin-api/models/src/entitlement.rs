//! Entitlements: what accounts may hold on resources.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::JsonObject;

/// A kind of entitlement that a connector declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntitlementType {
    /// The kind's id.
    pub type_id: String,
    /// The kind's name for people.
    pub type_label: String,
    /// The kind of resource that it applies to.
    pub resource_type_id: String,
    /// How many of them an account must hold at least.
    pub min: i64,
    /// How many of them an account can hold at most; absent for no limit.
    pub max: Option<i64>,
    /// Bounds that hold for an account that has this kind, by the other kind's id.
    pub requirements: Option<BTreeMap<String, EntitlementRequirement>>,
}

impl EntitlementType {
    /// A kind of entitlement on a kind of resource, of which an account can hold any number.
    pub fn new(
        type_id: impl Into<String>,
        type_label: impl Into<String>,
        resource_type_id: impl Into<String>,
    ) -> Self {
        Self {
            type_id: type_id.into(),
            type_label: type_label.into(),
            resource_type_id: resource_type_id.into(),
            ..Self::default()
        }
    }

    /// How many an account must hold at least.
    #[must_use]
    pub fn with_min(mut self, min: i64) -> Self {
        self.min = min;
        self
    }

    /// How many an account can hold at most.
    #[must_use]
    pub fn with_max(mut self, max: i64) -> Self {
        self.max = Some(max);
        self
    }
}

/// Bounds on the number of entitlements of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntitlementRequirement {
    /// At least so many.
    pub min: Option<i64>,
    /// At most so many.
    pub max: Option<i64>,
}

/// Parameters of `list_entitlements`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListEntitlements {
    /// Names of the custom attributes that the entitlements are to carry.
    pub custom_attributes: Option<Vec<String>>,
}

/// An entitlement of the app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["integration_specific_id", "integration_specific_resource_id"]))]
pub struct FoundEntitlementData {
    /// One of the entitlement types that `info` declares.
    #[schemars(extend("x-entitlement-type" = true))]
    pub entitlement_type: String,
    /// Anything else that is known of the entitlement.
    pub extra_data: Option<JsonObject>,
    /// The entitlement's id in the app.
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

/// Parameters of `find_entitlement_associations`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct FindEntitlementAssociations {}

/// Parameters of `get_account_entitlement_associations`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct GetAccountEntitlementAssociations {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// An account that holds an entitlement on a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = [
    "account_id", "integration_specific_entitlement_id", "integration_specific_resource_id"
]))]
pub struct FoundEntitlementAssociation {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
    /// The entitlement's id in the app.
    pub integration_specific_entitlement_id: String,
    /// The resource's id in the app; empty for a global one.
    pub integration_specific_resource_id: String,
}

/// Parameters of `assign_entitlement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct AssignEntitlement {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_integration_specific_id: String,
    /// The resource's id in the app.
    pub resource_integration_specific_id: String,
    /// One of the resource types that `info` declares.
    #[schemars(extend("x-resource-type" = true))]
    pub resource_type: String,
    /// One of the entitlement types that `info` declares.
    #[schemars(extend("x-entitlement-type" = true))]
    pub entitlement_type: String,
    /// The entitlement's id in the app.
    pub entitlement_integration_specific_id: String,
}

/// Result of `assign_entitlement`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssignedEntitlement {
    /// Always true; what cannot be assigned is an error.
    pub assigned: bool,
}

/// Parameters of `unassign_entitlement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "write"))]
pub struct UnassignEntitlement {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_integration_specific_id: String,
    /// One of the resource types that `info` declares.
    #[schemars(extend("x-resource-type" = true))]
    pub resource_type: String,
    /// The resource's id in the app.
    pub resource_integration_specific_id: String,
    /// One of the entitlement types that `info` declares.
    #[schemars(extend("x-entitlement-type" = true))]
    pub entitlement_type: String,
    /// The entitlement's id in the app.
    pub entitlement_integration_specific_id: String,
}

/// Result of `unassign_entitlement`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnassignedEntitlement {
    /// Whether the entitlement was taken away.
    pub unassigned: bool,
}
