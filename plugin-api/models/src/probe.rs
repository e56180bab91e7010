//! `probe_integration`: whether a first sync would find what it needs.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use crate::JsonObject;
use crate::account::AccountStatus;
use crate::custom_attribute::{CustomAttributeCustomizedType, CustomAttributeType};
use crate::error::Error;

/// Parameters of `probe_integration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ProbeIntegration {
    /// Narrows the probe to these custom attributes.
    pub custom_attributes: Option<Vec<String>>,
    /// Narrows the probe to these checks; the others are reported as skipped.
    pub checks: Option<Vec<ProbeCheckName>>,
}

/// What a probe can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProbeCheckName {
    Accounts,
    Entitlements,
    EntitlementAssociations,
    CapabilityConfig,
}

/// Result of `probe_integration`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeResults {
    /// The outcome of the whole probe.
    pub status: ProbeStatus,
    /// One entry for each check, those skipped or unsupported included.
    pub checks: Vec<ProbeCheck>,
    /// How long the probe took, in milliseconds.
    pub duration_ms: Option<i64>,
}

/// The outcome of a whole probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProbeStatus {
    Passed,
    Partial,
    Failed,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeCheck {
    /// Which check it is.
    pub check: ProbeCheckName,
    /// Its outcome.
    pub status: ProbeCheckStatus,
    /// Who made it.
    pub source: ProbeCheckSource,
    /// The capability that it called.
    pub capability: Option<String>,
    /// How many items it saw.
    pub observed_count: i64,
    /// The outcome in words.
    pub message: Option<String>,
    /// The error of a check that failed.
    pub error: Option<Error>,
    /// Some of the items that it saw.
    pub samples: Vec<ProbeSample>,
    /// Whether each declared entitlement type was seen.
    pub entitlement_types: Option<Vec<ProbeEntitlementTypeResult>>,
    /// Whether each custom attribute had a value.
    pub custom_attributes: Option<Vec<ProbeCustomAttributeResult>>,
    /// How long the check took, in milliseconds.
    pub duration_ms: Option<i64>,
}

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProbeCheckStatus {
    Passed,
    Failed,
    Unsupported,
    Skipped,
}

/// Who made a check: the connector itself, or the SDK by calling its capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProbeCheckSource {
    Native,
    Default,
}

/// An item that a check saw.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum ProbeSample {
    Account(ProbeSampleAccount),
    Entitlement(ProbeSampleEntitlement),
    Association(ProbeSampleAssociation),
    CapabilityConfig(ProbeSampleCapabilityConfig),
}

/// The kind may be left out. Then the sample is the first of which it has the members, those with more of them first.
impl<'de> Deserialize<'de> for ProbeSample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Value::Object(JsonObject::deserialize(deserializer)?);
        let account = || ProbeSampleAccount::deserialize(&members).map(Self::Account);
        let entitlement = || ProbeSampleEntitlement::deserialize(&members).map(Self::Entitlement);
        let association = || ProbeSampleAssociation::deserialize(&members).map(Self::Association);
        let capability_config =
            || ProbeSampleCapabilityConfig::deserialize(&members).map(Self::CapabilityConfig);
        let sample = match members.get("kind").and_then(Value::as_str) {
            Some("entitlement") => entitlement(),
            Some("association") => association(),
            Some("capability_config") => capability_config(),
            Some(_) => account(),
            None => capability_config()
                .or_else(|_| association())
                .or_else(|_| entitlement())
                .or_else(|_| account()),
        };
        sample.map_err(de::Error::custom)
    }
}

/// An account that a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeSampleAccount {
    /// Always `account`.
    #[serde(default = "kind::account::default", deserialize_with = "kind::account::read")]
    pub kind: String,
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub integration_specific_id: String,
    /// E-mail address.
    pub email: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Where the account stands in its life.
    pub user_status: Option<AccountStatus>,
    /// The custom attributes that were looked at.
    pub custom_attributes: Option<Vec<ProbeSampleCustomAttribute>>,
}

/// An entitlement that a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeSampleEntitlement {
    /// Always `entitlement`.
    #[serde(
        default = "kind::entitlement::default",
        deserialize_with = "kind::entitlement::read"
    )]
    pub kind: String,
    /// The entitlement's id in the app.
    pub integration_specific_id: String,
    /// The resource's id in the app.
    pub integration_specific_resource_id: String,
    /// The entitlement's type.
    pub entitlement_type: String,
    /// The entitlement's name for people.
    pub label: String,
}

/// An association that a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeSampleAssociation {
    /// Always `association`.
    #[serde(
        default = "kind::association::default",
        deserialize_with = "kind::association::read"
    )]
    pub kind: String,
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
    /// The entitlement's id in the app.
    pub integration_specific_entitlement_id: String,
    /// The resource's id in the app.
    pub integration_specific_resource_id: String,
    /// Whether the account is one that the probe saw. `false` proves nothing: the probe reads few pages.
    pub linked_to_sampled_account: bool,
}

/// A capability's configuration, checked without changing the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeSampleCapabilityConfig {
    /// Always `capability_config`.
    #[serde(
        default = "kind::capability_config::default",
        deserialize_with = "kind::capability_config::read"
    )]
    pub kind: String,
    /// The capability that the configuration drives.
    pub capability: String,
    /// Whether the capability reads or writes.
    pub capability_type: ProbeCapabilityType,
    /// The settings field that holds the configuration.
    pub setting: Option<String>,
    /// The verdict.
    pub status: ProbeCapabilityConfigStatus,
    /// What was found, the worst first.
    pub findings: Vec<ProbeConfigFinding>,
    /// What the connector would send, without credentials.
    pub preview: Option<String>,
}

/// Whether a capability reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProbeCapabilityType {
    Read,
    Write,
}

/// The verdict on a capability's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProbeCapabilityConfigStatus {
    Valid,
    Warning,
    Invalid,
    NotConfigured,
}

/// Something found in a capability's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeConfigFinding {
    /// How bad it is.
    pub severity: ProbeConfigFindingSeverity,
    /// The same for all findings of the kind, for programs.
    pub code: String,
    /// What it is, for people.
    pub message: String,
    /// How to put it right.
    pub suggestion: Option<String>,
    /// The settings field to change, where it is not the sample's.
    pub setting: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProbeConfigFindingSeverity {
    Error,
    Warning,
    Info,
}

/// A custom attribute of an account that a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeSampleCustomAttribute {
    /// The attribute's name.
    pub name: String,
    /// The account's value, if it has one.
    pub value: Option<String>,
    /// What the attribute belongs to.
    pub customized_type: Option<CustomAttributeCustomizedType>,
    /// The attribute's type.
    pub attribute_type: Option<CustomAttributeType>,
}

/// Whether a declared entitlement type was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeEntitlementTypeResult {
    /// The type's id.
    pub entitlement_type: String,
    /// Whether it was seen.
    pub status: ProbeCoverageStatus,
}

/// Whether a custom attribute had a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeCustomAttributeResult {
    /// The attribute's name.
    pub name: String,
    /// Whether any account had a value for it.
    pub status: ProbeCoverageStatus,
}

/// Whether something declared was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ProbeCoverageStatus {
    Found,
    NotFound,
    NotChecked,
}

/// The discriminators of the samples: each may be left out, and has only one value.
mod kind {
    use serde::{Deserialize, Deserializer, de};

    macro_rules! kinds {
        ($($name:ident)*) => {
            $(
                pub(super) mod $name {
                    use super::*;

                    pub(in super::super) fn default() -> String {
                        stringify!($name).to_owned()
                    }

                    pub(in super::super) fn read<'de, D: Deserializer<'de>>(
                        deserializer: D,
                    ) -> Result<String, D::Error> {
                        Some(String::deserialize(deserializer)?)
                            .filter(|kind| kind == stringify!($name))
                            .ok_or_else(|| de::Error::custom(concat!("the kind is not ", stringify!($name))))
                    }
                }
            )*
        };
    }

    kinds! { account entitlement association capability_config }
}
