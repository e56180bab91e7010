//! What a declaration makes of a connector.

use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::prelude::*;
use lumos_connector_sdk::{Integration, IntegrationError};
use serde_json::Value;

fn token() -> Value {
    json!({"token": {"token": "t0ken"}})
}

fn error<A: lumos_connector_sdk::auth::Auth, S: Settings>(
    integration: Integration<A, S>,
) -> IntegrationError {
    integration.build().err().unwrap()
}

#[test]
fn app_ids_are_trimmed_and_checked() {
    for good in ["a", "A-1_b", " okta ", &"a".repeat(64)] {
        assert_eq!(
            Integration::new(good, "1.0.0").build().unwrap().app_id(),
            good.trim()
        );
    }
    for bad in ["", "  ", "_a", "a__b", "a b", "\u{e4}", &"a".repeat(65)] {
        assert_eq!(
            error(Integration::new(bad, "1.0.0")),
            IntegrationError::AppId(bad.trim().to_owned())
        );
    }
}

#[test]
fn connected_info_changes_what_the_tenant_makes_different() {
    async fn connected(ctx: Context<TokenCredential>, mut info: Info) -> Result<Info> {
        if ctx.auth.token.expose() != "admin" {
            info.capabilities.retain(|name| !name.starts_with("list"));
        }
        Ok(info)
    }
    async fn list(_: Context<TokenCredential>, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
        Ok(Vec::new())
    }
    let integration = Integration::new("x", "1.0.0")
        .auth::<TokenCredential>()
        .register(capability::LIST_ACCOUNTS, list)
        .connected_info(connected);
    let harness = Harness::new(integration).unwrap();
    let names = |answer: Value| answer["response"]["capabilities"].clone();
    let call = |token: &str| {
        let request = json!({"request": {}, "auth": {"token": {"token": token}}});
        harness.call("connected_info", request)
    };
    let all = json!(["app_info", "connected_info", "list_accounts", "probe_integration"]);
    assert_eq!(names(harness.call("info", json!({}))), all);
    assert_eq!(names(call("admin")), all);
    assert_eq!(
        names(call("other")),
        json!(["app_info", "connected_info", "probe_integration"])
    );
    let answer = harness.call("connected_info", json!({"request": {}}));
    assert_eq!(answer["error"]["message"], "Missing auth/credentials in request");
}

#[test]
fn a_sealed_token_is_good_for_its_own_listing_only() {
    async fn list(ctx: Context<TokenCredential>, _: ListAccounts) -> Result<Response<Vec<FoundAccountData>>> {
        let offset: i64 = ctx.position()?.unwrap_or(0);
        Ok(Response::new(Vec::new()).with_page(ctx.next_page([offset + 1], 1)))
    }
    async fn resources(
        ctx: Context<TokenCredential>,
        _: ListResources,
    ) -> Result<Response<Vec<FoundResourceData>>> {
        let offset: i64 = ctx.position()?.unwrap_or(0);
        Ok(Response::new(Vec::new()).with_page(ctx.next_page([offset + 1], 1)))
    }
    let integration = Integration::new("x", "1.0.0")
        .auth::<TokenCredential>()
        .sealed_page_tokens()
        .register(capability::LIST_ACCOUNTS, list)
        .register(capability::LIST_RESOURCES, resources);
    let harness = Harness::new(integration).unwrap();
    let call = |capability: &str, tenant: &str, page: Value| {
        let auth = json!({"token": {"token": tenant}});
        harness.call(capability, json!({"request": {}, "auth": auth, "page": page}))
    };
    let first = call("list_accounts", "one", Value::Null);
    let page = first["page"].clone();
    let second = call("list_accounts", "one", page.clone());
    assert_ne!(second["page"], page, "the listing goes on");

    let mut changed = page["token"].as_str().unwrap().to_owned();
    let last = if changed.ends_with('1') { "2" } else { "1" };
    changed.replace_range(changed.len() - 1.., last);
    for answer in [
        call("list_accounts", "other", page.clone()),
        call("list_resources", "one", page.clone()),
        call("list_accounts", "one", json!({"token": changed})),
        call("list_accounts", "one", json!({"token": "9101"})),
        call("list_accounts", "one", json!({"token": ""})),
    ] {
        assert_eq!(answer["error"]["error_code"], "invalid_page_token", "{answer}");
        assert_eq!(answer["error"]["error_metadata"]["retryable"], false);
    }
}

#[test]
fn the_mode_for_rate_limits_is_the_declared_one_then_the_callers() {
    #[derive(Serialize, JsonSchema)]
    struct Mode {
        mode: RateLimitMode,
    }
    async fn mode(ctx: Context, _: ListAccounts) -> Result<Mode> {
        Ok(Mode {
            mode: ctx.rate_limit_mode(),
        })
    }
    let integration = Integration::new("x", "1.0.0")
        .register_custom("declared", CapabilityLevel::Read, mode)
        .rate_limit_mode("declared", RateLimitMode::EnforceNoRetry)
        .register_custom("reading", CapabilityLevel::Read, mode)
        .register_custom("writing", CapabilityLevel::Write, mode);
    let harness = Harness::new(integration).unwrap();
    let call = |capability: &str, asked: Value| {
        let request = json!({"request": {}, "settings": {}, "rate_limit": {"caller_override_mode": asked}});
        harness.call(capability, request)["response"]["mode"].clone()
    };
    assert_eq!(call("declared", json!("bypass")), "enforce_no_retry");
    assert_eq!(call("reading", json!("bypass")), "bypass");
    assert_eq!(call("reading", Value::Null), "enforce");
    assert_eq!(call("writing", Value::Null), "retry_only");
}

#[test]
fn mistakes_with_credentials_are_found() {
    let one = || CredentialConfig::<TokenCredential>::new("one", "");
    let new = || Integration::new("x", "1.0.0");
    assert_eq!(
        error(new().credential(one()).credential(one())),
        IntegrationError::CredentialId("one".into())
    );
    assert_eq!(
        error(new().credential(CredentialConfig::<TokenCredential>::new("", ""))),
        IntegrationError::CredentialId(String::new())
    );
    assert_eq!(
        error(new().credential(one()).allowed_credentials([&["one", "two"][..]])),
        IntegrationError::UnknownCredential("two".into())
    );
}

#[test]
fn only_two_inputs_can_be_extended_and_neither_info_replaced() {
    async fn nothing<I>(_: Context, _: I) -> Result<Vec<FoundResourceData>> {
        Ok(Vec::new())
    }
    let fixed = Integration::new("x", "1.0.0")
        .register_with_input::<ListResources, ListResources, _, _, _, _>(capability::LIST_RESOURCES, nothing);
    assert_eq!(
        error(fixed),
        IntegrationError::FixedInput("list_resources".into())
    );

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Relaxed {
        entitlements: Option<Vec<CreateAccountEntitlement>>,
    }
    let relaxed = Integration::new("x", "1.0.0")
        .register_with_input(capability::CREATE_ACCOUNT, |_: Context, _: Relaxed| async {
            Err::<CreatedAccount, _>(ConnectorError::internal(""))
        });
    assert!(matches!(error(relaxed), IntegrationError::Model { .. }));

    let info = Integration::new("x", "1.0.0").register(capability::APP_INFO, |_: Context, _| async {
        Err::<AppInfo, _>(ConnectorError::internal(""))
    });
    assert_eq!(error(info), IntegrationError::Duplicate("app_info".into()));
}

#[test]
fn an_answer_that_is_no_json_is_an_invalid_response() {
    #[derive(JsonSchema)]
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("s3cret"))
        }
    }
    async fn broken(_: Context<TokenCredential>, _: ListAccounts) -> Result<Broken> {
        Ok(Broken)
    }
    let integration = Integration::new("x", "1.0.0")
        .auth::<TokenCredential>()
        .register_custom("broken", CapabilityLevel::Read, broken);
    let request = json!({"request": {}, "settings": {}, "auth": token()});
    let error = Harness::new(integration).unwrap().call("broken", request)["error"].take();
    assert_eq!(error["error_code"], "invalid_response");
    assert_eq!(error["message"], "Unexpected response from executed capability.");
    assert_eq!(
        (&error["raised_by"], &error["raised_in"]),
        (&Value::Null, &Value::Null)
    );
}
