//! The MockApp connector of the step-by-step tutorial: twelve capabilities on a small user directory.
//!
//! It is what a connector to a real app looks like, in the files of the tutorial: [`settings`] is what a tenant configures,
//! [`types`] what the app has, [`client`] talks to the app's API, and the capabilities translate between the two. Their
//! registration is here. `server/` is the app.
//!
//! Where it does otherwise than the tutorial's Python text:
//! * ids go into URLs percent-encoded, and no placeholder stands in their stead;
//! * no error of the app is swallowed: each becomes the API's code for its HTTP status, also in `validate_credentials`;
//! * a listing that does not advance ends, or is an error, instead of going round for ever;
//! * the entitlements of a request to create an account are assigned.
#![forbid(unsafe_code)]

mod capabilities_read;
mod capabilities_write;
mod client;
mod settings;
mod types;

use lumos_connector_sdk::prelude::*;

use crate::settings::MockappConnectorSettings;

/// What every capability here is given: the tenant's token and settings.
type Ctx = Context<TokenCredential, MockappConnectorSettings>;

/// The connector's declaration.
pub fn integration() -> Integration<TokenCredential, MockappConnectorSettings> {
    let integration = Integration::new("mockapp", env!("CARGO_PKG_VERSION"))
        .name("MockApp")
        .description("MockApp is a test application for demonstrating Lumos connectors")
        .logo_url("https://logo.clearbit.com/example.com")
        .categories([AppCategory::Developers, AppCategory::ItAndSecurity])
        .auth::<TokenCredential>()
        .settings::<MockappConnectorSettings>()
        .resource_types(types::resource_types())
        .entitlement_types(types::entitlement_types());
    register_writes(register_reads(integration))
}

type Declaration = Integration<TokenCredential, MockappConnectorSettings>;

fn register_reads(integration: Declaration) -> Declaration {
    use capabilities_read as read;
    integration
        .register(capability::VALIDATE_CREDENTIALS, read::validate_credentials)
        .register(capability::LIST_ACCOUNTS, read::list_accounts)
        .register(capability::LIST_RESOURCES, read::list_resources)
        .register(capability::LIST_ENTITLEMENTS, read::list_entitlements)
        .register(
            capability::FIND_ENTITLEMENT_ASSOCIATIONS,
            read::find_entitlement_associations,
        )
        .register(capability::GET_LAST_ACTIVITY, read::get_last_activity)
}

/// Setting a status, or giving an entitlement, twice is the same as once.
fn register_writes(integration: Declaration) -> Declaration {
    use capabilities_write as write;
    integration
        .register_with_input(capability::CREATE_ACCOUNT, write::create_account)
        .register(capability::ACTIVATE_ACCOUNT, write::activate_account)
        .register(capability::DEACTIVATE_ACCOUNT, write::deactivate_account)
        .register(capability::DELETE_ACCOUNT, write::delete_account)
        .register(capability::ASSIGN_ENTITLEMENT, write::assign_entitlement)
        .register(capability::UNASSIGN_ENTITLEMENT, write::unassign_entitlement)
        .idempotent("activate_account")
        .idempotent("deactivate_account")
        .idempotent("assign_entitlement")
}

export_connector!(integration);
