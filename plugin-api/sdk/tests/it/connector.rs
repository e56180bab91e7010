//! The connector that the tests load.

use lumos_connector_sdk::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Settings of the test connector.
#[derive(Clone, Deserialize, JsonSchema)]
pub(crate) struct TestSettings {
    /// Where the API is.
    pub(crate) api_url: String,
    /// What `list_accounts` asks for.
    #[serde(default = "users")]
    pub(crate) path: String,
}

fn users() -> String {
    "/users".to_owned()
}

type Ctx = Context<TokenCredential, TestSettings>;

#[derive(Deserialize)]
struct User {
    id: String,
    email: String,
}

/// The standard input, and what the app wants besides.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CreateUser {
    #[serde(default)]
    #[allow(dead_code)]
    entitlements: Vec<CreateAccountEntitlement>,
    /// The new user's address.
    email: String,
}

/// A capability without a standard.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Behave {
    how: String,
}

/// What it answers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Behaved {
    done: bool,
}

/// Writes that have come to their end.
pub(crate) static WRITES: AtomicUsize = AtomicUsize::new(0);

async fn list_accounts(ctx: Ctx, _: ListAccounts) -> Result<Response<Vec<FoundAccountData>>> {
    let offset: i64 = ctx.position()?.unwrap_or(0);
    let size = ctx.page_size(10);
    let api = ctx
        .http(&ctx.settings.api_url)?
        .token(&ctx.auth)
        .max_response_bytes(4096);
    let users: Vec<User> = api
        .get(&ctx.settings.path)
        .query("offset", offset)
        .fetch()
        .await?;
    log::info!("read {} users", users.len());
    let account = |user: User| FoundAccountData {
        integration_specific_id: user.id,
        email: Some(user.email),
        ..Default::default()
    };
    let accounts: Vec<_> = users.into_iter().map(account).collect();
    let next = (offset == 0).then_some(offset + size);
    Ok(Response::new(accounts).with_page(ctx.next_page(next, size)))
}

async fn create_account(_: Ctx, input: CreateUser) -> Result<CreatedAccount> {
    Ok(CreatedAccount {
        id: Some(input.email),
        status: AccountStatus::Active,
        created: true,
    })
}

async fn behave(ctx: Ctx, input: Behave) -> Result<Behaved> {
    match input.how.as_str() {
        "panic" => panic!("{}", ctx.auth.token.expose()),
        "hang" => std::future::pending().await,
        "fail" => Err(ConnectorError::conflict("taken").with_hint("choose another")),
        _ => Ok(Behaved { done: true }),
    }
}

async fn slow_write(_: Ctx, _: Behave) -> Result<Behaved> {
    tokio::task::yield_now().await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    WRITES.fetch_add(1, Ordering::SeqCst);
    Ok(Behaved { done: true })
}

pub(crate) fn integration() -> Integration<TokenCredential, TestSettings> {
    Integration::new("test", "1.2.3")
        .name("Test")
        .entitlement_types([EntitlementType::new("role", "Role", "team")])
        .resource_types([ResourceType::new("team", "Team")])
        .auth::<TokenCredential>()
        .settings::<TestSettings>()
        .register(capability::LIST_ACCOUNTS, list_accounts)
        .register_with_input(capability::CREATE_ACCOUNT, create_account)
        .idempotent("create_account")
        .register_custom(Custom::read("behave"), behave)
        .register_custom(Custom::write("slow_write"), slow_write)
}

export_connector!(integration);

/// A request to the test connector.
pub(crate) fn request(url: &str, path: &str, payload: serde_json::Value) -> serde_json::Value {
    json!({
        "auth": {"token": {"token": "t0ken"}},
        "settings": {"api_url": url, "path": path},
        "request": payload,
    })
}
