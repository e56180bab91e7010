//! Bounds, lists of models, and whatever else a model can hold.

use std::collections::BTreeMap;

use lumos_connector_sdk::prelude::*;

use super::{Region, Woken, list_accounts};

/// Fixture rule.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Rule {
    /// Fixture pattern.
    #[schemars(length(min = 2, max = 4))]
    pattern: String,
    region: Option<Region>,
}

/// Fixture odd settings.
#[derive(Clone, Deserialize, JsonSchema)]
#[allow(dead_code)]
pub(super) struct OddSettings {
    /// Fixture port.
    #[schemars(range(min = 1, max = 65000))]
    port: u16,
    /// Fixture share.
    #[serde(default = "half")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    share: f64,
    /// Fixture label.
    #[serde(default = "label")]
    #[schemars(length(min = 2, max = 3))]
    label: String,
    /// Fixture hosts.
    #[schemars(length(min = 1, max = 2))]
    hosts: Vec<String>,
    /// Fixture region.
    #[serde(default = "us")]
    region: Region,
    /// Fixture other region.
    other_region: Option<Region>,
    /// Fixture regions of it.
    #[serde(default)]
    regions: Vec<Region>,
    /// Fixture rule of it.
    rule: Option<Rule>,
    /// Fixture rules of it.
    #[serde(default)]
    rules: Vec<Rule>,
    /// Fixture rules by name.
    #[serde(default)]
    by_name: BTreeMap<String, Rule>,
    anything: Option<Json>,
    table: Option<JsonObject>,
}

fn half() -> f64 {
    0.5
}

fn label() -> String {
    "ab".to_owned()
}

fn us() -> Region {
    Region::Us
}

/// Fixture odd input.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Odd {
    #[schemars(range(min = 1, max = 65000))]
    port: u16,
    #[serde(default = "half")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    share: f64,
    #[serde(default = "hosts")]
    #[schemars(length(min = 1, max = 2))]
    hosts: Vec<String>,
    rule: Option<Rule>,
    #[serde(default)]
    by_name: BTreeMap<String, Rule>,
    #[serde(default)]
    on: bool,
}

fn hosts() -> Vec<String> {
    vec!["a".to_owned()]
}

async fn take_odd(_: Context<TokenCredential, OddSettings>, _: Odd) -> Result<Woken> {
    Ok(Woken { woken: true })
}

pub(super) fn odd() -> Integration<TokenCredential, OddSettings> {
    super::new("odd")
        .auth::<TokenCredential>()
        .settings::<OddSettings>()
        .register(capability::LIST_ACCOUNTS, list_accounts)
        .register_custom("take_odd", CapabilityLevel::Write, take_odd)
}
