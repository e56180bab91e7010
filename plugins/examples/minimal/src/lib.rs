//! The smallest useful connector: an app without an API of its own, whose accounts stand in a list.
//!
//! Build it with `cargo build -p example-minimal`, then drop `libexample_minimal.so` into the connectors directory.
#![forbid(unsafe_code)]

use lumos_connector_sdk::prelude::*;

/// What is known at every call: the tenant's token. This connector has no settings.
type Ctx = Context<TokenCredential>;

const STAFF: [(&str, &str, AccountStatus); 3] = [
    ("1", "ada@example.com", AccountStatus::Active),
    ("2", "grace@example.com", AccountStatus::Active),
    ("3", "charles@example.com", AccountStatus::Inactive),
];

async fn validate_credentials(ctx: Ctx, _: ValidateCredentials) -> Result<ValidatedCredentials> {
    if ctx.auth.token.expose() != "valid-token" {
        return Err(ConnectorError::unauthorized("The token is not the right one."));
    }
    Ok(ValidatedCredentials {
        valid: true,
        unique_tenant_id: "example".into(),
    })
}

async fn list_accounts(_: Ctx, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
    let account = |(id, email, status): (&str, &str, AccountStatus)| FoundAccountData {
        integration_specific_id: id.into(),
        email: Some(email.into()),
        user_status: Some(status),
        ..Default::default()
    };
    log::info!("listing {} accounts", STAFF.len());
    Ok(STAFF.into_iter().map(account).collect())
}

fn integration() -> Integration<TokenCredential> {
    Integration::new("example-minimal", env!("CARGO_PKG_VERSION"))
        .name("Minimal example")
        .description("Lists the accounts of a list.")
        .categories([AppCategory::Other])
        .auth::<TokenCredential>()
        .register(capability::VALIDATE_CREDENTIALS, validate_credentials)
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

export_connector!(integration);

#[cfg(test)]
mod tests;
