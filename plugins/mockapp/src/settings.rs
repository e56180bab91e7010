//! What a tenant configures.

use lumos_connector_sdk::prelude::*;

/// Settings for MockApp connector.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct MockappConnectorSettings {
    /// The base URL of the MockApp API
    #[serde(default = "default_api_url")]
    pub api_url: String,
    /// The account ID for the MockApp API
    #[serde(default)]
    pub account_id: String,
}

fn default_api_url() -> String {
    "http://localhost:8000".to_owned()
}
