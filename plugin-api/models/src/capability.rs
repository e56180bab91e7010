//! The API's 52 capabilities: names, levels, and words for people.

/// Whether a capability changes something in the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CapabilityLevel {
    /// Changes nothing: may be cancelled and repeated.
    Read,
    /// May change something: is never cancelled, and not repeated by itself.
    Write,
}

/// Where the API's documentation puts a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum CapabilityCategory {
    Read,
    Write,
    Authorization,
    Specification,
    Validation,
}

/// A standard capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapabilityInfo {
    /// The name on the wire, and the last segment of its path.
    pub name: &'static str,
    /// Whether it changes something in the app.
    pub level: CapabilityLevel,
    /// Where the API's documentation puts it.
    pub category: CapabilityCategory,
    /// Whether its request carries credentials.
    pub authenticated: bool,
    /// Name for people.
    pub display_name: &'static str,
    /// What it does.
    pub description: &'static str,
}

const fn read(name: &'static str, display_name: &'static str, description: &'static str) -> CapabilityInfo {
    CapabilityInfo {
        name,
        level: CapabilityLevel::Read,
        category: CapabilityCategory::Read,
        authenticated: true,
        display_name,
        description,
    }
}

const fn write(name: &'static str, display_name: &'static str, description: &'static str) -> CapabilityInfo {
    CapabilityInfo {
        level: CapabilityLevel::Write,
        category: CapabilityCategory::Write,
        ..read(name, display_name, description)
    }
}

/// `info` of a capability of another category than its level's.
const fn of_category(
    info: CapabilityInfo,
    category: CapabilityCategory,
    authenticated: bool,
) -> CapabilityInfo {
    CapabilityInfo {
        category,
        authenticated,
        ..info
    }
}

use CapabilityCategory::{Authorization, Specification, Validation};

/// Every standard capability, sorted by name.
///
/// Levels are the API's `x-capability-level`. Where it has none: what only tells something is read; what may rotate a
/// token is write, because a rotated token is lost with its answer.
pub const CAPABILITIES: [CapabilityInfo; 52] = [
    write(
        "activate_account",
        "Activate Account",
        "Lets an account be used again.",
    ),
    of_category(
        read(
            "app_info",
            "App Info",
            "Describes the connector as an OpenAPI document.",
        ),
        Specification,
        true,
    ),
    write(
        "assign_application",
        "Assign Application",
        "Gives an account access to an application.",
    ),
    write(
        "assign_application_entitlement",
        "Assign Application Entitlement",
        "Gives an account an entitlement of an application.",
    ),
    write(
        "assign_entitlement",
        "Assign Entitlement",
        "Gives an account an entitlement.",
    ),
    of_category(
        read(
            "connected_info",
            "Connected Info",
            "Describes the connector for one connected tenant.",
        ),
        Specification,
        true,
    ),
    write("create_account", "Create Account", "Makes a new account."),
    write(
        "deactivate_account",
        "Deactivate Account",
        "Stops an account from being used, and keeps it.",
    ),
    write("delete_account", "Delete Account", "Removes an account."),
    write(
        "downgrade_license",
        "Downgrade License",
        "Moves an account to a smaller license.",
    ),
    read(
        "find_entitlement_assignments",
        "Find Entitlement Assignments",
        "Finds who holds which entitlement in the access graph.",
    ),
    read(
        "find_entitlement_associations",
        "Find Entitlement Associations",
        "Finds which accounts hold which entitlements.",
    ),
    read(
        "find_entitlement_graph",
        "Find Entitlement Graph",
        "Finds how entitlements contain each other.",
    ),
    read(
        "find_resource_graph",
        "Find Resource Graph",
        "Finds how resources contain each other.",
    ),
    read(
        "fulfill_arbitrary_endpoint",
        "Fulfill Arbitrary Endpoint",
        "Calls an endpoint of the app as given.",
    ),
    read("get_account", "Get Account", "Reads one account."),
    read(
        "get_account_entitlement_associations",
        "Get Account Entitlement Associations",
        "Finds which entitlements one account holds.",
    ),
    read("get_application", "Get Application", "Reads one application."),
    read(
        "get_application_account",
        "Get Application Account",
        "Reads one account of an application.",
    ),
    of_category(
        read(
            "get_authorization_url",
            "Get Authorization Url",
            "Gives the address at which a user gives consent.",
        ),
        Authorization,
        false,
    ),
    read(
        "get_credential_last_activity",
        "Get Credential Last Activity",
        "Tells when credentials were last used.",
    ),
    read(
        "get_data_recency",
        "Get Data Recency",
        "Tells how old the app's data is.",
    ),
    read(
        "get_last_activity",
        "Get Last Activity",
        "Tells what accounts did last.",
    ),
    read(
        "get_non_human_account_last_activity",
        "Get Non Human Account Last Activity",
        "Tells what accounts of programs did last.",
    ),
    of_category(
        write(
            "handle_authorization_callback",
            "Handle Authorization Callback",
            "Trades the code from a user's consent for tokens.",
        ),
        Authorization,
        false,
    ),
    of_category(
        write(
            "handle_client_credentials_request",
            "Handle Client Credentials Request",
            "Trades client credentials for a token.",
        ),
        Authorization,
        false,
    ),
    of_category(
        read("info", "Info", "Describes the connector."),
        Specification,
        false,
    ),
    read("list_accounts", "List Accounts", "Lists the app's accounts."),
    read(
        "list_activity_records",
        "List Activity Records",
        "Lists what was done in the app.",
    ),
    read(
        "list_applications",
        "List Applications",
        "Lists the applications behind this app.",
    ),
    read(
        "list_applications_accounts",
        "List Applications Accounts",
        "Lists the accounts of applications.",
    ),
    read(
        "list_applications_activity_records",
        "List Applications Activity Records",
        "Lists what was done in applications.",
    ),
    read(
        "list_applications_entitlement_associations",
        "List Applications Entitlement Associations",
        "Lists which accounts hold which entitlements of applications.",
    ),
    read(
        "list_applications_entitlements",
        "List Applications Entitlements",
        "Lists the entitlements of applications.",
    ),
    read(
        "list_applications_resources",
        "List Applications Resources",
        "Lists the resources of applications.",
    ),
    read(
        "list_credentials",
        "List Credentials",
        "Lists the app's credentials, without their secrets.",
    ),
    read(
        "list_custom_attributes_schema",
        "List Custom Attributes Schema",
        "Lists the custom attributes that the app has.",
    ),
    read(
        "list_entitlements",
        "List Entitlements",
        "Lists the app's entitlements.",
    ),
    read("list_expenses", "List Expenses", "Lists expenses."),
    read(
        "list_non_human_accounts",
        "List Non Human Accounts",
        "Lists the accounts of programs.",
    ),
    read("list_resources", "List Resources", "Lists the app's resources."),
    read(
        "list_updated_accounts",
        "List Updated Accounts",
        "Lists the accounts that changed since a time.",
    ),
    read(
        "probe_integration",
        "Probe Integration",
        "Checks whether a first sync would find what it needs.",
    ),
    of_category(
        write(
            "refresh_access_token",
            "Refresh Access Token",
            "Trades a refresh token for a new access token.",
        ),
        Authorization,
        false,
    ),
    write(
        "release_resources",
        "Release Resources",
        "Gives up the resources that an account holds.",
    ),
    write(
        "transfer_data",
        "Transfer Data",
        "Hands one account's data to another.",
    ),
    write(
        "unassign_application",
        "Unassign Application",
        "Takes an account's access to an application away.",
    ),
    write(
        "unassign_application_entitlement",
        "Unassign Application Entitlement",
        "Takes an entitlement of an application from an account.",
    ),
    write(
        "unassign_entitlement",
        "Unassign Entitlement",
        "Takes an entitlement from an account.",
    ),
    write("update_account", "Update Account", "Changes an account."),
    of_category(
        read(
            "validate_credential_config",
            "Validate Credential Config",
            "Checks a credential's configuration.",
        ),
        Validation,
        false,
    ),
    read(
        "validate_credentials",
        "Validate Credentials",
        "Checks whether the credentials work.",
    ),
];

/// The standard capability of that name.
#[must_use]
pub fn capability(name: &str) -> Option<&'static CapabilityInfo> {
    let index = CAPABILITIES.binary_search_by(|info| info.name.cmp(name)).ok()?;
    Some(&CAPABILITIES[index])
}

/// Whether the standard capability of that name changes something; nothing if there is no such capability.
#[must_use]
pub fn capability_level(name: &str) -> Option<CapabilityLevel> {
    capability(name).map(|info| info.level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(CAPABILITIES.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn levels() {
        assert_eq!(capability_level("list_accounts"), Some(CapabilityLevel::Read));
        assert_eq!(capability_level("delete_account"), Some(CapabilityLevel::Write));
        assert_eq!(
            capability_level("refresh_access_token"),
            Some(CapabilityLevel::Write)
        );
        assert_eq!(
            capability_level("validate_credential_config"),
            Some(CapabilityLevel::Read)
        );
        assert_eq!(capability_level("make_coffee"), None);
    }

    #[test]
    fn display_names_are_the_names_in_title_case() {
        for info in CAPABILITIES {
            assert_eq!(info.display_name.to_lowercase().replace(' ', "_"), info.name);
        }
    }
}
