//! Calls of a connector under test, and an app that never answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::call::Call;
use crate::domain::{AppId, Level};
use crate::hosting::{Host, HostCall};

/// Far more than any answer here needs.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A connector in its host.
pub(super) struct Probe<'host> {
    host: &'host Host,
    app_id: &'host AppId,
}

impl<'host> Probe<'host> {
    pub(super) fn new(host: &'host Host, app_id: &'host AppId) -> Self {
        Probe { host, app_id }
    }

    pub(super) fn app_id(&self) -> &str {
        self.app_id.as_str()
    }

    /// Sends a call.
    ///
    /// # Errors
    /// If the host is gone, or the capability's name is none.
    pub(super) fn begin(&self, capability: &str, document: &Value) -> Result<HostCall, String> {
        let call = Call {
            request_id: Arc::from("validate"),
            caller: Arc::from("local"),
            app_id: self.app_id.clone(),
            capability: capability
                .parse()
                .map_err(|error| format!("`{capability}`: {error}"))?,
            level: Level::Read,
            body: document.to_string().into(),
            deadline: Instant::now() + TIMEOUT,
            traceparent: None,
            observability: Arc::from([]),
            secrets: Arc::from([]),
        };
        self.host.begin(&call, TIMEOUT).map_err(|error| error.to_string())
    }

    /// Its answer.
    ///
    /// # Errors
    /// If there is none in time, or it is not JSON.
    pub(super) async fn call(&self, capability: &str, document: &Value) -> Result<Bytes, String> {
        answer(self.begin(capability, document)?).await
    }

    /// The answers of several calls at the same time.
    pub(super) async fn together(
        &self,
        capability: &str,
        document: &Value,
        calls: u32,
    ) -> Vec<Result<Bytes, String>> {
        let begun: Vec<_> = (0..calls).map(|_| self.begin(capability, document)).collect();
        let answers = begun.into_iter().map(async |call| answer(call?).await);
        futures_util::future::join_all(answers).await
    }
}

async fn answer(mut call: HostCall) -> Result<Bytes, String> {
    match tokio::time::timeout(TIMEOUT, call.answer()).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

/// An app that takes connections and says nothing.
pub(super) struct Silent {
    pub(super) url: String,
    listener: TcpListener,
}

impl Silent {
    pub(super) async fn listen() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Silent { url, listener })
    }

    /// Waits until somebody has connected; the connection stays open for as long as it is kept.
    pub(super) async fn reached(&self) -> Option<TcpStream> {
        self.listener.accept().await.ok().map(|(stream, _)| stream)
    }
}

/// A request that leads the connector to `url`, as far as its schemas tell how.
pub(super) fn leading_to(url: &str, info: &Value) -> Value {
    let schema = &info["authentication_schema"];
    let mut document = json!({
        "request": {},
        "settings": filled(&info["request_settings_schema"], url),
    });
    if let Some(kind) = schema["x-credential-type"].as_str() {
        document["auth"] = json!({kind: filled(schema, url)});
    }
    document
}

/// An object of the schema's properties: addresses are `url`, what has a default has it.
fn filled(schema: &Value, url: &str) -> Value {
    let mut object = Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let lower = name.to_ascii_lowercase();
        let address = ["url", "uri", "host", "domain", "endpoint"]
            .iter()
            .any(|word| lower.contains(word));
        let value = match (property.get("default"), property["type"].as_str()) {
            (_, Some("string")) if address => json!(url),
            (Some(default), _) => default.clone(),
            (None, Some("integer" | "number")) => json!(1),
            (None, Some("boolean")) => json!(false),
            (None, Some("array")) => json!([]),
            (None, Some("object")) => filled(property, url),
            (None, _) => property["enum"]
                .get(0)
                .cloned()
                .unwrap_or_else(|| json!("conformance")),
        };
        object.insert(name.clone(), value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_made_from_the_schemas() {
        let info = json!({
            "authentication_schema": {"x-credential-type": "token", "properties": {"token": {"type": "string"}}},
            "request_settings_schema": {"properties": {
                "api_url": {"type": "string", "default": "https://api.example.com"},
                "region": {"enum": ["eu", "us"]},
                "size": {"type": "integer", "default": 5},
            }},
        });
        assert_eq!(
            leading_to("http://127.0.0.1:1", &info),
            json!({
                "auth": {"token": {"token": "conformance"}},
                "request": {},
                "settings": {"api_url": "http://127.0.0.1:1", "region": "eu", "size": 5},
            })
        );
    }
}
