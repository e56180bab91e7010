//! What `tests/reference/failures.py` does.

use lumos_connector_sdk::prelude::*;

/// How to fail.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Fail {
    how: String,
    text: Option<String>,
    #[serde(default)]
    #[allow(dead_code)]
    status: u16,
    #[allow(dead_code)]
    content_type: Option<String>,
}

pub(super) async fn fail(_: &Context<TokenCredential>, wanted: Fail) -> ConnectorError {
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
