//! The access graph: which resources an app has, how they hang together, what can be held on them, and who holds it.
//!
//! It says more than accounts, resources and entitlements do: a resource can hold entitlements itself, and one
//! entitlement can bring others with it. What is the same for all tenants is declared once in `info`; what differs is found
//! by the capabilities `find_resource_graph`, `find_entitlement_graph` and `find_entitlement_assignments`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CustomAttribute, CustomAttributeParameter};

/// Parameters of `find_resource_graph`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct FindResourceGraph {
    /// The custom attributes that are wanted, all of type `resource`.
    pub custom_attributes: Option<Vec<CustomAttributeParameter>>,
}

/// Result of `find_resource_graph`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceGraph {
    /// The resources.
    pub resources: Vec<AccessGraphResource>,
    /// How they hang together.
    pub resource_relationships: Vec<AccessGraphResourceRelationship>,
    /// Values of the custom attributes that were asked for.
    pub custom_attributes: Vec<CustomAttribute>,
}

/// A resource of the access graph.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["id", "resource_type"]))]
pub struct AccessGraphResource {
    /// The resource's id in the app, unique among the resources of all types of the tenant.
    #[schemars(extend("x-semantic" = "resource-id"))]
    pub id: String,
    /// One of the resource types that `info` declares.
    #[schemars(extend("x-semantic" = "resource-type"))]
    pub resource_type: String,
    /// The account that this resource stands for, where it stands for one.
    pub reference: Option<Reference>,
    /// The resource's name for people.
    pub label: String,
    /// What the resource is.
    pub description: Option<String>,
    /// Whether access ends here: nothing lies behind this resource.
    pub is_terminal: Option<bool>,
    /// Whether the resource holds a secret that leads on to others. This weighs more than `is_terminal`.
    pub is_credential_bearing: Option<bool>,
    /// Ids of the credentials that the resource holds.
    #[schemars(extend("x-semantic" = "credential-id"))]
    pub linked_credential_ids: Option<Vec<String>>,
}

/// What a resource of the access graph stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// The record's id.
    pub id: String,
    /// What sort of record it is.
    #[serde(rename = "type")]
    pub kind: ReferenceType,
}

/// What sort of record a [`Reference`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ReferenceType {
    Account,
}

/// A resource that leads to others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessGraphResourceRelationship {
    /// The resource from which it leads.
    pub from_id: String,
    /// The resources to which it leads.
    pub to_ids: Vec<String>,
    /// The name of this relationship.
    pub label: String,
}

/// Parameters of `find_entitlement_graph`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct FindEntitlementGraph {
    /// The custom attributes that are wanted, all of type `entitlement`.
    pub custom_attributes: Option<Vec<CustomAttributeParameter>>,
}

/// Result of `find_entitlement_graph`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntitlementGraph {
    /// The entitlements.
    pub nodes: Vec<AccessGraphEntitlement>,
    /// Which of them bring others with them.
    pub entitlement_implications: Vec<AccessGraphImpliedAccess>,
    /// Values of the custom attributes that were asked for.
    pub custom_attributes: Vec<CustomAttribute>,
    /// Entitlements that every resource of a type has in this tenant. Those of all tenants belong into `info`.
    #[serde(default)]
    pub access_graph_entitlement_rules: Vec<AccessGraphEntitlementRule>,
    /// Implications by type that hold in this tenant. Those of all tenants belong into `info`.
    #[serde(default)]
    pub access_graph_implied_access_rules: Vec<AccessGraphImpliedAccessRule>,
}

/// An entitlement of the access graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["id", "resource_id"]))]
pub struct AccessGraphEntitlement {
    /// The entitlement's id in the app, unique among those of all types of the tenant.
    #[schemars(extend("x-semantic" = "entitlement-id"))]
    pub id: String,
    /// One of the entitlement types that `info` declares.
    #[schemars(extend("x-semantic" = "entitlement-type"))]
    pub entitlement_type: String,
    /// The resource on which it can be held.
    #[schemars(extend("x-semantic" = "resource-id"))]
    pub resource_id: String,
    /// Whether it can be assigned through the connector.
    pub is_assignable: Option<bool>,
    /// Whether it takes access away. Then it wins over every entitlement that gives access.
    pub denies_access: bool,
    /// The entitlement's name for people.
    pub label: String,
    /// What it allows.
    pub description: Option<String>,
}

/// Names one entitlement on one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessGraphEntitlementIdentifier {
    /// The entitlement's id in the app.
    pub entitlement_id: String,
    /// The resource's id in the app.
    pub resource_id: String,
}

/// An entitlement that brings others with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessGraphImpliedAccess {
    /// Who holds this one …
    pub from_entitlement: AccessGraphEntitlementIdentifier,
    /// … holds these, too.
    pub to_entitlements: Vec<AccessGraphEntitlementIdentifier>,
}

/// A kind of entitlement of the access graph that a connector declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessGraphEntitlementType {
    /// The kind's id.
    pub type_id: String,
    /// The kind's name for people.
    pub type_label: String,
    /// The kind of resource that it applies to.
    pub resource_type_id: String,
}

/// An entitlement that every resource of a type has, so that it need not be listed for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessGraphEntitlementRule {
    /// The entitlement's type.
    pub entitlement_type: String,
    /// The entitlement's id in the app.
    pub entitlement_id: String,
    /// The type of the resources that have it.
    pub resource_type: String,
    /// Whether it can be assigned through the connector.
    pub is_assignable: Option<bool>,
    /// Whether it takes access away.
    pub denies_access: bool,
    /// The entitlement's name for people.
    pub label: String,
    /// What it allows.
    pub description: Option<String>,
}

/// An implication that holds for every resource of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessGraphImpliedAccessRule {
    /// The type of the entitlement that brings another with it.
    pub from_entitlement_type: String,
    /// The id of that entitlement.
    pub from_entitlement_id: String,
    /// The type of the resources on which it is held.
    pub from_resource_type: String,
    /// The relationship along which the implication reaches other resources; absent if it stays on the same
    /// resource.
    pub relationship_label: Option<String>,
    /// The type of the entitlement that it brings.
    pub to_entitlement_type: String,
    /// The id of that entitlement.
    pub to_entitlement_id: String,
    /// The type of the resources on which that one is then held.
    pub to_resource_type: String,
}

/// Parameters of `find_entitlement_assignments`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct FindEntitlementAssignments {}

/// A resource, such as an account, that holds an entitlement on another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["resource_id", "entitlement_id", "entitlement_resource_id"]))]
pub struct AccessGraphEntitlementAssignment {
    /// The resource that holds it.
    #[schemars(extend("x-semantic" = "resource-id"))]
    pub resource_id: String,
    /// The entitlement's id in the app.
    #[schemars(extend("x-semantic" = "entitlement-id"))]
    pub entitlement_id: String,
    /// The resource on which it is held.
    #[schemars(extend("x-semantic" = "resource-id"))]
    pub entitlement_resource_id: String,
}
