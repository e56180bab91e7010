//! How a form shows a field, and what the field means.
//!
//! Lumos draws the forms for settings, credentials and inputs from their JSON schemas. The doc comment of a field becomes
//! its description, `#[schemars(title = "…")]` its title, and a [`Secret`](crate::models::Secret) is hidden while it is
//! typed in. The functions here say the rest:
//!
//! ```
//! use lumos_connector_sdk::prelude::*;
//!
//! #[derive(Clone, Deserialize, JsonSchema)]
//! struct Settings {
//!     /// The key that the app's administrator made.
//!     api_key: Secret,
//!     /// The certificate in PEM.
//!     #[serde(default)]
//!     #[schemars(transform = field::multiline)]
//!     certificate: Option<String>,
//!     /// Where the proxy is.
//!     #[serde(default)]
//!     #[schemars(transform = field::group("Network"))]
//!     proxy: Option<String>,
//! }
//! ```
#![forbid(unsafe_code)]

use schemars::Schema;
use schemars::transform::Transform;
use serde::Serialize;
use serde_json::{Value, json};

/// What a field means, so that a form can offer what there is to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Semantic {
    /// The account that the call is about.
    AccountId,
    /// Another account that has to be chosen.
    AuxiliaryAccountId,
    NonHumanAccountId,
    CredentialId,
    ApplicationId,
    ApplicationInstanceId,
    AwsExternalId,
    AwsRoleArn,
    EntitlementId,
    EntitlementType,
    ResourceId,
    ResourceType,
    Password,
    KeyPair,
    CustomAttributes,
    ServiceAccountClientId,
    /// Of settings: what the tenant's id is made of.
    TenantId,
}

/// A text of several lines.
pub fn multiline(schema: &mut Schema) {
    schema.insert("x-field_type".to_owned(), "MULTI_LINES".into());
    schema.insert("x-multiline".to_owned(), true.into());
}

/// Something that nobody is to read over one's shoulder. [`Secret`](crate::models::Secret) says so by itself.
pub fn secret(schema: &mut Schema) {
    schema.insert("x-field_type".to_owned(), "SECRET".into());
    schema.insert("x-secret".to_owned(), true.into());
}

/// Not shown.
pub fn hidden(schema: &mut Schema) {
    schema.insert("x-field_type".to_owned(), "HIDDEN".into());
    schema.insert("x-hidden".to_owned(), true.into());
}

/// Not what the form is mainly about.
pub fn secondary(schema: &mut Schema) {
    schema.insert("x-primary".to_owned(), false.into());
}

/// Part of what makes two requests the same; see [`request_fingerprint`](crate::request_fingerprint).
pub fn unique(schema: &mut Schema) {
    schema.insert("x-unique".to_owned(), true.into());
}

/// Shown under that heading.
pub fn group(heading: &'static str) -> impl Transform {
    extension("x-field_group", heading.into())
}

/// Means that.
pub fn semantic(semantic: Semantic) -> impl Transform {
    extension("x-semantic", json!(semantic))
}

/// Not shown: says which values of the app stand for these options of the connector.
pub fn enum_mapping(options: impl IntoIterator<Item = impl Into<Value>>) -> impl Transform {
    let options: Vec<Value> = options.into_iter().map(Into::into).collect();
    move |schema: &mut Schema| {
        schema.insert("x-enum_mapping_options".to_owned(), options.clone().into());
        schema.insert("x-semantic".to_owned(), "enum-mapping".into());
        schema.insert("x-hidden".to_owned(), true.into());
    }
}

/// Shown only if the other field `field` has one of these values.
pub fn only_if(field: &'static str, values: impl IntoIterator<Item = impl Into<Value>>) -> impl Transform {
    let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
    let (one, any) = match values.len() {
        1 => (values.pop(), None),
        _ => (None, Some(values)),
    };
    let discriminator = json!({"field": field, "expected_value": one, "one_of_expected_values": any});
    extension("x-discriminator", discriminator)
}

fn extension(name: &'static str, value: Value) -> impl Transform {
    move |schema: &mut Schema| {
        schema.insert(name.to_owned(), value.clone());
    }
}
