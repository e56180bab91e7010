//! What the app has: kinds of resources, and the roles on them.

use lumos_connector_sdk::prelude::*;

const PROJECT: &str = "project";
const TEAM: &str = "team";
const GLOBAL: &str = "global";

/// Id of the one resource that stands for the app as a whole.
pub(crate) const GLOBAL_RESOURCE: &str = "global";

pub(crate) fn resource_types() -> [ResourceType; 3] {
    [
        ResourceType::new(PROJECT, "Project"),
        ResourceType::new(TEAM, "Team"),
        ResourceType::new(GLOBAL, "Global Resource"),
    ]
}

pub(crate) fn entitlement_types() -> [EntitlementType; 3] {
    [
        EntitlementType::new("project_role", "Project Role", PROJECT),
        EntitlementType::new("team_member", "Team Member", TEAM),
        // Nobody can be administrator twice.
        EntitlementType::new("admin_role", "Admin Role", GLOBAL).with_max(1),
    ]
}
