//! `fulfill_arbitrary_endpoint`: one request to the app, as the caller words it and as far as the connector allows it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Number;

/// Parameters of `fulfill_arbitrary_endpoint`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct FulfillArbitraryEndpoint {
    /// A path below the tenant's base address, or a whole address on the same host: a link that the app gave.
    pub url: String,
    /// GET, unless it says otherwise. A connector allows POST for few paths.
    pub method: Option<ArbitraryRequestMethod>,
    /// What is sent with POST. The connector knows the content type.
    pub body: Option<String>,
    /// Query parameters by name, each with its values. Not used where `url` is a whole address.
    pub query: Option<BTreeMap<String, Vec<String>>>,
    /// Further headers, of those that the connector allows.
    pub headers: Option<BTreeMap<String, String>>,
}

/// The HTTP method of an arbitrary request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum ArbitraryRequestMethod {
    Get,
    Post,
}

/// Result of `fulfill_arbitrary_endpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArbitraryResponse {
    /// Whether the app answered with a status of 200 to 299.
    pub ok: bool,
    /// The app's HTTP status; absent if the app did not answer.
    pub status_code: Option<i64>,
    /// The app's headers. One that came several times is joined with `, `.
    pub headers: BTreeMap<String, String>,
    /// The app's answer as text.
    pub body: Option<String>,
    /// The answer's content type.
    pub content_type: Option<String>,
    /// Why there is no answer of the app, fit to be shown to users; absent if there is one.
    pub error: Option<String>,
    /// Seconds until another try is worth while; absent if that is not known. Whole or not, as it came.
    #[serde(default)]
    #[schemars(with = "Seconds")]
    pub retry_after_seconds: Option<Number>,
    /// The address that was called.
    pub resolved_url: String,
}

/// Schema only: the API says that the number may be a whole one.
struct Seconds;

impl JsonSchema for Seconds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "number"}, {"type": "integer"}, {"type": "null"}]})
    }
}
