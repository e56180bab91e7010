//! The connector as an OpenAPI 3.0 document, which is what `app_info` gives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AccessGraphEntitlementRule, AccessGraphEntitlementType, AccessGraphImpliedAccessRule, EntitlementType,
    JsonObject, ProbeCheckName, ResourceType,
};

/// A connector as an OpenAPI document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OpenAPISpecification")]
pub struct OpenApiSpecification {
    /// The version of OpenAPI.
    pub openapi: String,
    /// What the connector is.
    pub info: OpenApiSpecificationInfo,
    /// Where it is served.
    pub servers: Vec<JsonObject>,
    /// Its capabilities, by their paths.
    pub paths: JsonObject,
    /// The schemas that the paths refer to.
    pub components: JsonObject,
    /// The groups of capabilities.
    pub tags: Vec<JsonObject>,
}

/// What a connector is, in the words of an OpenAPI document and its extensions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OpenAPISpecificationInfo")]
pub struct OpenApiSpecificationInfo {
    /// The app's name for people.
    pub title: String,
    /// What the connector does.
    pub description: String,
    /// The connector's version.
    pub version: String,
    /// Names the connector.
    #[serde(rename = "x-app-id", alias = "x_app_id")]
    pub x_app_id: String,
    /// Address of the app's logo.
    #[serde(rename = "x-app-logo-url", alias = "x_app_logo_url")]
    pub x_app_logo_url: String,
    /// Domain of the company that makes the app.
    #[serde(rename = "x-app-vendor-domain", alias = "x_app_vendor_domain")]
    pub x_app_vendor_domain: String,
    /// The kinds of entitlements.
    #[serde(rename = "x-entitlement-types", alias = "x_entitlement_types")]
    pub x_entitlement_types: Vec<EntitlementType>,
    /// The kinds of entitlements in the access graph.
    #[serde(
        rename = "x-access-graph-entitlement-types",
        alias = "x_access_graph_entitlement_types"
    )]
    pub x_access_graph_entitlement_types: Option<Vec<AccessGraphEntitlementType>>,
    /// The access graph's rules.
    #[serde(
        rename = "x-access-graph-entitlement-rules",
        alias = "x_access_graph_entitlement_rules"
    )]
    pub x_access_graph_entitlement_rules: Option<Vec<AccessGraphEntitlementRule>>,
    /// The access graph's implications.
    #[serde(rename = "x-implied-access-rules", alias = "x_implied_access_rules")]
    pub x_implied_access_rules: Option<Vec<AccessGraphImpliedAccessRule>>,
    /// The kinds of resources.
    #[serde(rename = "x-resource-types", alias = "x_resource_types")]
    pub x_resource_types: Vec<ResourceType>,
    /// What the app is for.
    #[serde(rename = "x-categories", alias = "x_categories")]
    pub x_categories: JsonObject,
    /// How the connector obtains OAuth tokens.
    #[serde(rename = "x-oauth-settings", alias = "x_oauth_settings")]
    pub x_oauth_settings: Option<JsonObject>,
    /// Names of its capabilities.
    #[serde(rename = "x-capabilities", alias = "x_capabilities")]
    pub x_capabilities: Vec<String>,
    /// Whether it has several credentials.
    #[serde(rename = "x-multi-credential", alias = "x_multi_credential")]
    pub x_multi_credential: bool,
    /// What `probe_integration` checks, in that order; null where it does not say so.
    #[serde(rename = "x-probe-checks", alias = "x_probe_checks")]
    pub x_probe_checks: Option<Vec<ProbeCheckName>>,
    /// Which credentials suffice together, by their ids.
    #[serde(rename = "x-allowed-credentials", alias = "x_allowed_credentials")]
    pub x_allowed_credentials: Vec<Vec<String>>,
}

/// Parameters of `connected_info`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GetConnectedInfo {}
