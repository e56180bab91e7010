//! What a connector tells about itself: `info` and `app_info`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::JsonObject;
use crate::access_graph::{
    AccessGraphEntitlementRule, AccessGraphEntitlementType, AccessGraphImpliedAccessRule,
};
use crate::entitlement::EntitlementType;
use crate::resource::ResourceType;

/// What a connector tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// Names the connector.
    pub app_id: String,
    /// Domain of the company that makes the app.
    pub app_vendor_domain: Option<String>,
    /// The connector's version.
    pub version: String,
    /// Names of its capabilities, sorted.
    pub capabilities: Vec<String>,
    /// What each capability takes and gives.
    pub capability_schema: BTreeMap<String, CapabilitySchema>,
    /// The OAuth scopes that each capability needs.
    pub oauth_scopes: Option<BTreeMap<String, String>>,
    /// JSON schema of the credential, for connectors with one.
    pub authentication_schema: JsonObject,
    /// JSON schemas of the credentials, for connectors with several.
    pub credentials_schema: Vec<JsonObject>,
    /// Address of the app's logo.
    pub logo_url: Option<String>,
    /// The app's name for people.
    pub user_friendly_name: Option<String>,
    /// What the connector does.
    pub description: Option<String>,
    /// What the app is for.
    pub categories: Option<Vec<AppCategory>>,
    /// The kinds of entitlements.
    pub entitlement_types: Vec<EntitlementType>,
    /// The kinds of entitlements in the access graph.
    pub access_graph_entitlement_types: Option<Vec<AccessGraphEntitlementType>>,
    /// The access graph's rules, where they are the same for every tenant.
    pub access_graph_entitlement_rules: Option<Vec<AccessGraphEntitlementRule>>,
    /// What access implies, where it is the same for every tenant.
    pub implied_access_rules: Option<Vec<AccessGraphImpliedAccessRule>>,
    /// The kinds of resources.
    pub resource_types: Vec<ResourceType>,
    /// JSON schema of the settings.
    pub request_settings_schema: JsonObject,
}

/// What a capability takes and gives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapabilitySchema {
    /// JSON schema of the request's payload.
    pub argument: JsonObject,
    /// JSON schema of the response's payload.
    pub output: JsonObject,
    /// Name for people.
    pub display_name: Option<String>,
    /// What is special about it in this connector.
    pub description: Option<String>,
}

/// What an app is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum AppCategory {
    HrAndLearning,
    OfficeAndLegal,
    SalesAndSupport,
    CommerceAndMarketplaces,
    ItAndSecurity,
    Communication,
    DesignAndCreativity,
    Other,
    MarketingAndAnalytics,
    Developers,
    AccountingAndFinance,
    Collaboration,
    ContentAndSocialMedia,
    Internal,
    EarlyAccess,
}

/// Parameters of `app_info`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-category" = "specification"))]
pub struct AppInfoRequestPayload {}

/// Result of `app_info`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppInfo {
    /// Names the connector.
    pub app_id: String,
    /// The connector as an OpenAPI document.
    pub app_schema: JsonObject,
}
