//! Resources: the things in an app that entitlements apply to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of resource that a connector declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceType {
    /// The kind's id.
    pub type_id: String,
    /// The kind's name for people.
    pub type_label: String,
}

impl ResourceType {
    /// A kind of resource by its id and its name for people.
    pub fn new(type_id: impl Into<String>, type_label: impl Into<String>) -> Self {
        Self {
            type_id: type_id.into(),
            type_label: type_label.into(),
        }
    }
}

/// Parameters of `list_resources`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListResources {}

/// A resource of the app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["integration_specific_id"]))]
pub struct FoundResourceData {
    /// The resource's id in the app.
    pub integration_specific_id: String,
    /// The resource's name for people.
    pub label: String,
    /// What the resource is.
    pub description: Option<String>,
    /// One of the resource types that `info` declares.
    #[schemars(extend("x-resource-type" = true))]
    pub resource_type: String,
    /// Anything else that is known of the resource.
    pub extra_data: Option<BTreeMap<String, String>>,
}
