//! What `tests/reference/failures.py` does.

use std::sync::LazyLock;
use std::time::Duration;

use lumos_connector_sdk::prelude::*;

use crate::upstream::Upstream;

/// What the reference's side calls it; messages name it.
const ORIGIN: &str = "https://app.example";
static APP: LazyLock<Upstream> = LazyLock::new(Upstream::start);

/// How to fail.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Fail {
    how: String,
    text: Option<String>,
    #[serde(default)]
    status: u16,
    content_type: Option<String>,
}

/// Asks the app, which answers as wanted.
async fn answered(ctx: &Context<TokenCredential>, wanted: &Fail) -> Result<Json> {
    let api = ctx.http(&APP.url)?;
    let answer = json!({"status": wanted.status, "text": wanted.text, "content_type": wanted.content_type});
    api.post("/api/users?key=s3cret").json(&answer).fetch().await
}

/// Fails on the way to the app, or on the way back.
async fn broken(ctx: &Context<TokenCredential>, how: &str) -> Result<Json> {
    let nobody = "http://127.0.0.1:1";
    let api = match how {
        "connect" => ctx.http(nobody)?,
        "read_timeout" => ctx.http(&APP.url)?.timeout(Duration::from_millis(50)),
        _ => ctx.http(&APP.url)?,
    };
    let path = match how {
        "read_timeout" => "/hang",
        "closed" => "/broken",
        _ => "/garbage",
    };
    api.get(path).fetch().await
}

pub(super) async fn fail(ctx: &Context<TokenCredential>, wanted: Fail) -> ConnectorError {
    let happened = match wanted.how.as_str() {
        "status" => Some(answered(ctx, &wanted).await),
        how @ ("connect" | "read_timeout" | "closed" | "not_json") => Some(broken(ctx, how).await),
        _ => None,
    };
    if let Some(happened) = happened {
        let error = happened.unwrap_err();
        let message = error.message().replace(&APP.url, ORIGIN);
        return error.with_message(message);
    }
    let said = |error: ConnectorError| match &wanted.text {
        Some(text) => error.with_message(text),
        None => error,
    };
    if wanted.how == "dressed" {
        return ConnectorError::rate_limit("slow")
            .with_app_error_code("E7")
            .with_hint("wait")
            .with_retryable(false)
            .with_throttled(false)
            .with_refreshable(true)
            .with_retry_after(7);
    }
    if let Some(code) = wanted
        .how
        .strip_prefix("code:")
        .or(wanted.how.strip_prefix("old_code:"))
    {
        return said(ConnectorError::new(
            ErrorCode::from(code),
            "The connector failed.",
        ));
    }
    let kind = ErrorKind::ALL.iter().find(|kind| kind.name() == wanted.how);
    said(ConnectorError::of(*kind.expect("the case names a kind")))
}
