//! Custom attributes: what a tenant has added to the records of the app.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Parameters of `list_custom_attributes_schema`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListCustomAttributesSchema {}

/// A custom attribute that the tenant has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomAttributeSchema {
    /// What it belongs to.
    pub customized_type: CustomAttributeCustomizedType,
    /// The attribute's name; other requests ask for it by this.
    pub name: String,
    /// The type of its values.
    pub attribute_type: CustomAttributeType,
    /// What it means, where the name does not say it.
    pub description: Option<String>,
}

/// What a custom attribute belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum CustomAttributeCustomizedType {
    Account,
    Entitlement,
    Resource,
    Credential,
    NonHumanAccount,
}

/// The type of a custom attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum CustomAttributeType {
    String,
    User,
    Boolean,
    Integer,
    Datetime,
}

/// A custom attribute that a request of the access graph asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomAttributeParameter {
    /// The attribute's name.
    pub label: String,
    /// What it belongs to.
    #[serde(rename = "type")]
    pub kind: CustomAttributeCustomizedType,
}

/// The value of a custom attribute in an answer of the access graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomAttribute {
    /// The record that has the value.
    pub record_id: String,
    /// The attribute's name, as it was asked for.
    pub label: String,
    /// The value; null for none. It has to be present.
    #[schemars(extend("anyOf" = [{}, {"type": "null"}]))]
    pub value: Value,
    /// Among which records `record_id` is to be looked for.
    #[serde(rename = "type")]
    pub kind: CustomAttributeCustomizedType,
}
