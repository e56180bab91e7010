//! What the app has: kinds of resources, and what one can have of them.

use lumos_connector_sdk::prelude::*;

pub(crate) const GROUP: &str = "group";
pub(crate) const MEMBER: &str = "member";

pub(crate) fn resource_types() -> [ResourceType; 1] {
    [ResourceType::new(GROUP, "Group")]
}

pub(crate) fn entitlement_types() -> [EntitlementType; 1] {
    [EntitlementType::new(MEMBER, "Member", GROUP)]
}
