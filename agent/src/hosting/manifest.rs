//! The manifest: how a library describes itself without running.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::{AppId, CapabilityName, Level};

/// `manifest_json` of the connector table. Unknown members are ignored: a later minor version may add some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The connector's name.
    pub app_id: AppId,
    /// Of two libraries of one app_id the higher is served.
    #[serde(deserialize_with = "version")]
    pub version: semver::Version,
    /// `major.minor` of the ABI it was compiled for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abi: Option<String>,
    /// Host extensions without which it cannot run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// The most calls at the same time.
    #[serde(default = "default_concurrency")]
    pub max_concurrency: u32,
    /// What it was made for; a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// Writes that may be repeated without harm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idempotent: Vec<CapabilityName>,
    /// Levels of custom capabilities.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<CapabilityName, Level>,
}

fn default_concurrency() -> u32 {
    32
}

/// A version; what is none is told with its name and text, which the version's own error lacks.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<semver::Version, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| {
        D::Error::custom(format_args!(
            "version `{text}` is not of the form MAJOR.MINOR.PATCH: {error}"
        ))
    })
}

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Over 64 KiB.
    #[error("the manifest has {0} bytes; at most 65536 are allowed")]
    TooLarge(usize),
    /// Not the JSON object that the header describes.
    #[error("the manifest is not valid: {0}")]
    Invalid(String),
}

impl Manifest {
    /// Parses and checks `json`.
    ///
    /// # Errors
    /// If it is too large, not JSON, or a member does not have the form that the header describes.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() > 64 * 1024 {
            return Err(ManifestError::TooLarge(json.len()));
        }
        let manifest: Manifest =
            serde_json::from_slice(json).map_err(|error| ManifestError::Invalid(error.to_string()))?;
        if manifest.max_concurrency == 0 {
            return Err(ManifestError::Invalid(
                "max_concurrency is 0; leave it out or give at least 1".into(),
            ));
        }
        Ok(manifest)
    }
}
