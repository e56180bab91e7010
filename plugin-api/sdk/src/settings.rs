//! The settings that a tenant gives to a connector.
#![forbid(unsafe_code)]

use std::any::TypeId;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A connector's settings model: any struct that derives `Clone`, `Deserialize` and `JsonSchema`.
///
/// Fields with `#[serde(default)]` and `Option` fields need not be given. The doc comments become the descriptions that
/// people see in the form.
pub trait Settings: DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static {}

impl<T: DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static> Settings for T {}

/// A connector without settings.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[schemars(rename = "EmptySettings", description = "")]
pub struct NoSettings {}

/// Whether requests must carry settings at all.
pub(crate) fn needed<S: Settings>() -> bool {
    TypeId::of::<S>() != TypeId::of::<NoSettings>()
}
