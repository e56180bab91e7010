//! What a capability may do, and whether it may be repeated: the API says it, else the manifest, else it is a write.

use lumos_connector_models::{CapabilityLevel, capability_level};

use crate::domain::{CapabilityName, Level};
use crate::hosting::Manifest;

/// The level of `capability` in a connector with `manifest`, if there is one.
pub(super) fn level(capability: &CapabilityName, manifest: Option<&Manifest>) -> Level {
    match capability_level(capability.as_str()) {
        Some(CapabilityLevel::Read) => Level::Read,
        Some(CapabilityLevel::Write) => Level::Write,
        None => manifest
            .and_then(|manifest| manifest.levels.get(capability))
            .copied()
            .unwrap_or(Level::Write),
    }
}

/// Whether repeating a failed call does no harm.
pub(super) fn repeatable(capability: &CapabilityName, manifest: Option<&Manifest>) -> bool {
    level(capability, manifest) == Level::Read
        || manifest.is_some_and(|manifest| manifest.idempotent.contains(capability))
}
