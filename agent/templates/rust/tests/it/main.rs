//! Tests of the {{title}} connector, one file for each capability.

mod app;
mod assign_entitlement;
mod create_account;
mod deactivate_account;
mod errors;
mod find_entitlement_associations;
mod info;
mod list_accounts;
mod list_entitlements;
mod list_resources;
mod unassign_entitlement;
mod validate_credentials;
