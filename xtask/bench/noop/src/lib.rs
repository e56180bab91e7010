//! A connector that does nothing: one short answer (about 200 bytes) and one long one (about 500 KB).
#![forbid(unsafe_code)]

use lumos_connector_sdk::prelude::*;

/// Accounts in the long answer.
const ACCOUNTS: usize = 1_670;

type Ctx = Context<TokenCredential>;

async fn validate_credentials(_: Ctx, _: ValidateCredentials) -> Result<ValidatedCredentials> {
    Ok(ValidatedCredentials {
        valid: true,
        unique_tenant_id: "a-tenant-with-a-name-that-makes-this-answer-two-hundred-bytes-long-0123456789"
            .into(),
    })
}

async fn list_accounts(_: Ctx, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
    let account = |n: usize| FoundAccountData {
        integration_specific_id: format!("00u{n:017}"),
        email: Some(format!("given-name.family-name.{n}@example.com")),
        given_name: Some("Given name".into()),
        family_name: Some("Family name".into()),
        username: Some(format!("given-name.family-name.{n}")),
        user_status: Some(AccountStatus::Active),
        ..Default::default()
    };
    Ok((0..ACCOUNTS).map(account).collect())
}

fn integration() -> Integration<TokenCredential> {
    Integration::new("noop-rust", env!("CARGO_PKG_VERSION"))
        .name("Nothing")
        .description("Does nothing.")
        .categories([AppCategory::Other])
        .auth::<TokenCredential>()
        .register(capability::VALIDATE_CREDENTIALS, validate_credentials)
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

export_connector!(integration);
