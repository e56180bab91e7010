//! The {{title}} connector.
#![forbid(unsafe_code)]

mod capabilities_read;
mod capabilities_write;
mod client;
mod settings;
mod types;

use lumos_connector_sdk::prelude::*;

use crate::settings::Settings;

/// What every capability is given: the tenant's credential and settings.
type Ctx = Context<TokenCredential, Settings>;

/// The connector's declaration.
pub fn integration() -> Integration<TokenCredential, Settings> {
    use capabilities_read as read;
    use capabilities_write as write;
    Integration::new("{{app_id}}", env!("CARGO_PKG_VERSION"))
        .name("{{title}}")
        .description("Accounts and groups of {{title}}")
        .categories([AppCategory::Other])
        .auth::<TokenCredential>()
        .settings::<Settings>()
        .resource_types(types::resource_types())
        .entitlement_types(types::entitlement_types())
        .register(capability::VALIDATE_CREDENTIALS, read::validate_credentials)
        .register(capability::LIST_ACCOUNTS, read::list_accounts)
        .register(capability::LIST_RESOURCES, read::list_resources)
        .register(capability::LIST_ENTITLEMENTS, read::list_entitlements)
        .register(capability::FIND_ENTITLEMENT_ASSOCIATIONS, read::find_entitlement_associations)
        .register_with_input(capability::CREATE_ACCOUNT, write::create_account)
        .register(capability::DEACTIVATE_ACCOUNT, write::deactivate_account)
        .register(capability::ASSIGN_ENTITLEMENT, write::assign_entitlement)
        .register(capability::UNASSIGN_ENTITLEMENT, write::unassign_entitlement)
        .idempotent("deactivate_account")
}

export_connector!(integration);
