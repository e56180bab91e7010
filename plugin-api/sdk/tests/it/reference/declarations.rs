//! What `tests/reference/declarations.py` declares, in our words.

mod everything;
mod oauth;
mod odd;
mod recording;

use std::collections::BTreeMap;

use lumos_connector_sdk::field::Semantic;
use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::prelude::*;

use super::failures::{self, Fail};

fn harness<A: lumos_connector_sdk::auth::Auth, S: Settings>(integration: Integration<A, S>) -> Harness {
    Harness::new(integration).unwrap()
}

/// The connectors by the names that the reference's side has for them.
pub(super) fn all() -> BTreeMap<&'static str, Harness> {
    BTreeMap::from([
        ("everything", harness(everything::everything())),
        ("full", harness(full())),
        ("odd", harness(odd::odd())),
        ("oauth", single::<OAuthCredential>("oauth")),
        (
            "oauth_client_credentials",
            single::<OAuthClientCredential>("oauth_client_credentials"),
        ),
        ("oauth1", single::<OAuth1Credential>("oauth1")),
        ("basic", single::<BasicCredential>("basic")),
        ("token", single::<TokenCredential>("token")),
        ("jwt", single::<JwtCredential>("jwt")),
        (
            "service_account",
            single::<ServiceAccountCredential>("service_account"),
        ),
        ("key_pair", single::<KeyPairCredential>("key_pair")),
        ("empty", single::<EmptyCredential>("empty")),
        ("open_network", harness(open_network())),
        ("two", harness(two())),
        ("both", harness(both())),
        ("either", harness(either())),
        ("combined", harness(combined())),
        ("own_models", harness(own_models())),
        ("every_kind", harness(every_kind())),
        ("failing", harness(failing())),
        ("recording", harness(recording::recording())),
        ("oauth_code", harness(oauth::code())),
        ("oauth_plain", harness(oauth::plain())),
        ("oauth_machine", harness(oauth::machine())),
        ("oauth_machine_as_user", harness(oauth::machine_as_user())),
        ("oauth_user_as_machine", harness(oauth::user_as_machine())),
        ("oauth_token", harness(oauth::token())),
        ("oauth_own", harness(oauth::own())),
        ("oauth_tenant", harness(oauth::tenant())),
        ("oauth_several", harness(oauth::several())),
    ])
}

fn new(app_id: &str) -> Integration {
    Integration::new(app_id, "1.2.3").name("Fixture")
}

fn account() -> Vec<FoundAccountData> {
    vec![FoundAccountData {
        integration_specific_id: "1".to_owned(),
        email: Some("a@example.com".to_owned()),
        ..Default::default()
    }]
}

async fn list_accounts<A, S>(_: Context<A, S>, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
    Ok(account())
}

fn single<A: lumos_connector_sdk::auth::CredentialKind>(app_id: &str) -> Harness {
    harness(
        new(app_id)
            .auth::<A>()
            .register(capability::LIST_ACCOUNTS, list_accounts),
    )
}

fn open_network() -> Integration {
    new("open_network").register(capability::LIST_ACCOUNTS, list_accounts)
}

// ------------------------------------------------------------------------------------ everything one can declare

/// Fixture regions.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Region {
    Eu,
    Us,
}

/// Fixture limits.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Limits {
    /// Fixture calls in a minute.
    per_minute: u32,
}

/// Fixture settings.
#[derive(Clone, Deserialize, JsonSchema)]
#[allow(dead_code)]
struct FullSettings {
    /// Fixture domain of the tenant.
    #[schemars(title = "Fixture Domain")]
    domain: String,
    /// Fixture key.
    api_key: Secret,
    /// Fixture certificate.
    #[schemars(transform = field::multiline)]
    certificate: Option<String>,
    /// Fixture page size.
    #[serde(default = "hundred")]
    page_size: u32,
    #[serde(default = "yes")]
    verify: bool,
    ratio: Option<f64>,
    /// Fixture region.
    region: Region,
    /// Fixture owner.
    #[serde(default)]
    #[schemars(transform = field::group("Fixture Advanced"), transform = field::semantic(Semantic::AccountId))]
    owner: String,
    /// Fixture hidden.
    #[serde(default = "x")]
    #[schemars(transform = field::hidden)]
    hidden: String,
    /// Fixture second.
    #[serde(default)]
    #[schemars(transform = field::secondary, transform = field::unique)]
    second: String,
    /// Fixture proxy.
    #[serde(default)]
    #[schemars(transform = field::only_if("verify", [true]))]
    proxy: String,
    /// Fixture tags.
    #[serde(default)]
    tags: Vec<String>,
    labels: Option<BTreeMap<String, String>>,
    /// Fixture mapping.
    #[serde(default)]
    #[schemars(transform = field::enum_mapping(["eu", "us"]))]
    mapping: String,
    /// Fixture limits of it.
    limits: Limits,
}

fn hundred() -> u32 {
    100
}

fn yes() -> bool {
    true
}

fn x() -> String {
    "x".to_owned()
}

/// Fixture account.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct NewAccount {
    #[serde(flatten)]
    standard: CreatableAccount,
    /// Fixture address.
    email: String,
    /// Fixture nickname.
    nickname: Option<String>,
}

/// Fixture call.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Wake {
    /// Fixture device.
    device: String,
    /// Fixture times.
    #[serde(default = "one")]
    times: i64,
}

fn one() -> i64 {
    1
}

/// Fixture answer.
#[derive(Serialize, JsonSchema)]
pub(super) struct Woken {
    /// Fixture outcome.
    pub(super) woken: bool,
}

type Full = Context<TokenCredential, FullSettings>;

async fn create_account(_: Full, input: NewAccount) -> Result<CreatedAccount> {
    Ok(CreatedAccount {
        id: Some(input.email),
        status: AccountStatus::Active,
        created: true,
    })
}

async fn wake(_: Full, input: Wake) -> Result<Woken> {
    Ok(Woken {
        woken: input.times > 0,
    })
}

fn full() -> Integration<TokenCredential, FullSettings> {
    Integration::new(" full ", "4.5.6")
        .name("Fixture Full")
        .description("Fixture of everything.")
        .logo_url("https://example.com/logo.png")
        .vendor_domain("example.com")
        .categories([AppCategory::Developers, AppCategory::ItAndSecurity])
        .resource_types([ResourceType::new("team", "Team")])
        .entitlement_types([EntitlementType::new("role", "Role", "team").with_max(1)])
        .access_graph_entitlement_types([AccessGraphEntitlementType {
            type_id: "member".to_owned(),
            type_label: "Member".to_owned(),
            resource_type_id: "team".to_owned(),
        }])
        .entitlement_rules([AccessGraphEntitlementRule {
            entitlement_type: "member".to_owned(),
            entitlement_id: "reader".to_owned(),
            resource_type: "team".to_owned(),
            is_assignable: Some(true),
            denies_access: false,
            label: "Reader".to_owned(),
            description: None,
        }])
        .implied_access_rules([AccessGraphImpliedAccessRule {
            from_entitlement_type: "member".to_owned(),
            from_entitlement_id: "reader".to_owned(),
            from_resource_type: "team".to_owned(),
            relationship_label: Some("contains".to_owned()),
            to_entitlement_type: "member".to_owned(),
            to_entitlement_id: "reader".to_owned(),
            to_resource_type: "team".to_owned(),
        }])
        .auth::<TokenCredential>()
        .settings::<FullSettings>()
        .register(capability::LIST_ACCOUNTS, list_accounts)
        .display_name("list_accounts", "Fixture People")
        .capability_description("list_accounts", "Fixture of a listing.")
        .rate_limit_mode("list_accounts", RateLimitMode::RetryOnly)
        .register_with_input(capability::CREATE_ACCOUNT, create_account)
        .register_custom(Custom::write("wake_device"), wake)
        .register_custom(Custom::read("peek_device"), wake)
}

// ------------------------------------------------------------------------------------------ several credentials

/// Fixture token.
#[derive(JsonSchema)]
#[schemars(extend("x-credential-type" = "token"))]
#[allow(dead_code)]
struct PastedToken {
    /// Fixture token to paste.
    #[schemars(title = "Fixture Token", length(min = 1))]
    token: Secret,
}

/// Fixture pair.
#[derive(JsonSchema)]
#[schemars(extend("x-credential-type" = "basic"))]
#[allow(dead_code)]
struct Pair {
    /// Fixture name.
    username: Option<String>,
    /// Fixture password.
    password: Option<Secret>,
}

async fn which_credentials(ctx: Context<Credentials>, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
    let main: TokenCredential = ctx.auth.get("main")?;
    let side: Option<BasicCredential> = ctx.auth.find("side");
    Ok(vec![FoundAccountData {
        integration_specific_id: main.token.expose().len().to_string(),
        username: side.map(|side| side.username),
        ..Default::default()
    }])
}

fn credential<K: lumos_connector_sdk::auth::CredentialKind>(id: &str) -> CredentialConfig<K> {
    CredentialConfig::new(id, format!("Fixture {id}."))
}

fn two() -> Integration<Credentials> {
    let check = |_: Context, main: TokenCredential| async move {
        Ok(match main.token.expose().starts_with("good") {
            true => Vec::new(),
            false => vec!["Fixture: the token is not good.".to_owned()],
        })
    };
    new("two")
        .credential(credential::<TokenCredential>("main"))
        .credential(credential::<BasicCredential>("side").optional())
        .check_credential("main", check)
        .register(capability::LIST_ACCOUNTS, which_credentials)
}

fn both() -> Integration<Credentials> {
    new("both")
        .credential(credential::<TokenCredential>("one"))
        .credential(credential::<BasicCredential>("other"))
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

fn either() -> Integration<Credentials> {
    new("either")
        .credential(credential::<TokenCredential>("one").optional())
        .credential(credential::<BasicCredential>("other").optional())
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

fn combined() -> Integration<Credentials> {
    new("combined")
        .credential(credential::<TokenCredential>("one"))
        .credential(credential::<BasicCredential>("other"))
        .credential(credential::<KeyPairCredential>("third").optional())
        .allowed_credentials([&["one", "third"][..], &["other"]])
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

fn own_models() -> Integration<Credentials> {
    new("own_models")
        .credential(
            credential::<TokenCredential>("pasted")
                .name("Fixture Pasted")
                .form::<PastedToken>(),
        )
        .credential(credential::<BasicCredential>("pair").optional().form::<Pair>())
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

fn every_kind() -> Integration<Credentials> {
    new("every_kind")
        .credential(credential::<OAuthCredential>("c_oauth"))
        .credential(credential::<OAuthClientCredential>("c_oauth_client_credentials"))
        .credential(credential::<OAuth1Credential>("c_oauth1"))
        .credential(credential::<BasicCredential>("c_basic"))
        .credential(credential::<TokenCredential>("c_token"))
        .credential(credential::<JwtCredential>("c_jwt").name("Fixture jwt"))
        .credential(credential::<ServiceAccountCredential>("c_service_account"))
        .credential(credential::<KeyPairCredential>("c_key_pair"))
        .credential(credential::<EmptyCredential>("c_empty"))
        .register(capability::LIST_ACCOUNTS, list_accounts)
}

// ------------------------------------------------------------------------------------------------------ errors

async fn fail(ctx: Context<TokenCredential>, input: Fail) -> Result<Woken> {
    Err(failures::fail(&ctx, input).await)
}

fn failing() -> Integration<TokenCredential> {
    new("failing")
        .auth::<TokenCredential>()
        .register_custom(Custom::write("fail"), fail)
}
