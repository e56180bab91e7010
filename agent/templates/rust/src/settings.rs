//! What a tenant configures.

use lumos_connector_sdk::prelude::*;

/// Settings of the {{title}} connector.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Settings {
    /// The base URL of the API
    #[serde(default = "default_api_url")]
    pub api_url: String,
}

fn default_api_url() -> String {
    "https://api.example.com".to_owned()
}
