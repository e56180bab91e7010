//! OAuth in every way in which it can be declared.

use lumos_connector_sdk::auth::CredentialKind;
use lumos_connector_sdk::oauth::OAuth;
use lumos_connector_sdk::prelude::*;

use super::{credential, list_accounts, new};

/// Fixture tenant.
#[derive(Clone, Deserialize, JsonSchema)]
pub(super) struct TenantSettings {
    /// Fixture host.
    host: String,
    /// Fixture audit.
    #[serde(default)]
    audit: bool,
}

const SCOPES: [(&str, &str); 4] = [
    ("list_accounts", "users.read"),
    ("create_account", "users.read users.write"),
    ("app_info", ""),
    ("get_account", "users.read"),
];

fn with_code<S: Settings>() -> OAuth<S> {
    OAuth::code("https://a.example/ask", "https://a.example/token")
}

fn with_machine<S: Settings>() -> OAuth<S> {
    OAuth::client_credentials("https://m.example/token")
}

fn of_tenant() -> OAuth<TenantSettings> {
    OAuth::code_with(
        |tenant: &TenantSettings| format!("https://{}/ask", tenant.host),
        |tenant: &TenantSettings| format!("https://{}/token", tenant.host),
    )
    .scopes_with(|tenant| {
        let scope = if tenant.audit { "audit.read" } else { "users.read" };
        vec![("list_accounts", scope.to_owned())]
    })
}

fn without_two<S: Settings>(oauth: OAuth<S>) -> OAuth<S> {
    oauth
        .without("refresh_access_token")
        .without("handle_authorization_callback")
}

fn single<A: CredentialKind>(app_id: &str, oauth: OAuth) -> Integration<A> {
    new(app_id)
        .auth::<A>()
        .oauth(oauth)
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

pub(super) fn code() -> Integration<OAuthCredential> {
    single("oauth_code", with_code().scopes(SCOPES).pkce())
}

pub(super) fn plain() -> Integration<OAuthCredential> {
    single("oauth_plain", with_code())
}

pub(super) fn machine() -> Integration<OAuthClientCredential> {
    single(
        "oauth_machine",
        with_machine().scopes([("list_accounts", "users.read")]),
    )
}

pub(super) fn machine_as_user() -> Integration<OAuthCredential> {
    single("oauth_machine_as_user", with_machine())
}

pub(super) fn user_as_machine() -> Integration<OAuthClientCredential> {
    single("oauth_user_as_machine", with_code())
}

pub(super) fn token() -> Integration<TokenCredential> {
    single("oauth_token", with_code())
}

pub(super) fn own() -> Integration<OAuthCredential> {
    single("oauth_own", without_two(with_code())).register(capability::REFRESH_ACCESS_TOKEN, refresh)
}

async fn refresh(_: Context, _: RefreshAccessToken) -> Result<OauthCredentials> {
    Err(ConnectorError::internal("Fixture."))
}

pub(super) fn tenant() -> Integration<OAuthCredential, TenantSettings> {
    new("oauth_tenant")
        .settings::<TenantSettings>()
        .auth::<OAuthCredential>()
        .oauth(of_tenant())
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

pub(super) fn several() -> Integration<Credentials, TenantSettings> {
    new("oauth_several")
        .settings::<TenantSettings>()
        .credential(credential::<OAuthCredential>("user"))
        .credential(credential::<OAuthClientCredential>("machine"))
        .credential(credential::<OAuthCredential>("tenant"))
        .credential(credential::<TokenCredential>("pasted").optional())
        .oauth_credentials([
            ("user", with_code().scopes(SCOPES).pkce()),
            ("machine", with_machine()),
            ("tenant", without_two(of_tenant())),
        ])
        .register(capability::LIST_ACCOUNTS, list_accounts)
}
