//! What the agent itself wants to know from a connector's `info` answer.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

/// Taken from `info` once, when a generation starts to serve. A member that is missing or has another form is empty: the
/// answer is the connector's, and what it does not say does not stop it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct About {
    pub(super) capabilities: Vec<String>,
    /// Settings whose schema says `x-secret`, at any depth.
    pub(super) secret_settings: Arc<[String]>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Info {
    response: Response,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Response {
    capabilities: Value,
    request_settings_schema: Value,
}

impl About {
    /// Reads `info`.
    pub(super) fn parse(info: &[u8]) -> Self {
        let info: Info = serde_json::from_slice(info).unwrap_or_default();
        let names = info.response.capabilities.as_array().into_iter().flatten();
        let mut secret = Vec::new();
        collect_secrets(&info.response.request_settings_schema, 0, &mut secret);
        secret.sort();
        secret.dedup();
        About {
            capabilities: names.filter_map(Value::as_str).map(str::to_owned).collect(),
            secret_settings: secret.into(),
        }
    }
}

fn collect_secrets(schema: &Value, depth: u32, found: &mut Vec<String>) {
    if depth > 32 {
        return;
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let secret = |schema: &Value| schema.get("x-secret").and_then(Value::as_bool) == Some(true);
        found.extend(
            properties
                .iter()
                .filter(|(_, schema)| secret(schema))
                .map(|(name, _)| name.clone()),
        );
    }
    match schema {
        Value::Object(members) => members
            .values()
            .for_each(|member| collect_secrets(member, depth + 1, found)),
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_secrets(item, depth + 1, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_capabilities_and_secret_settings() {
        let info = br#"{"response":{"capabilities":["info","list_accounts"],"request_settings_schema":{
            "properties":{"url":{"type":"string"},"key":{"type":"string","x-secret":true},
            "inner":{"$ref":"x"}},"$defs":{"x":{"properties":{"pin":{"x-secret":true}}}}}}}"#;
        let about = About::parse(info);
        assert_eq!(about.capabilities, ["info", "list_accounts"]);
        assert_eq!(*about.secret_settings, ["key".to_owned(), "pin".to_owned()]);
    }

    #[test]
    fn an_odd_answer_is_empty() {
        for odd in [&b"[]"[..], b"{}", b"{\"response\":{\"capabilities\":3}}", b"no"] {
            assert_eq!(About::parse(odd), About::default());
        }
    }
}
