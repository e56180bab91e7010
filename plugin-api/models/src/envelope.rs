//! The two envelopes in which every capability's payloads travel.

use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::auth::AuthCredential;
use crate::execution::ExecutionSummary;
use crate::rate_limit::{RateLimitRequestInfo, RateLimitResponseInfo};

/// Where a listing stands.
///
/// In a request: the page that is wanted. In a response: the page that follows, or nothing after the last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// Opaque position, as an earlier response gave it; absent for the first page.
    pub token: Option<String>,
    /// How many items a page is to hold.
    pub size: Option<i64>,
}

/// What a caller sends to a capability whose payload is `T`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
#[schemars(rename = "{T}Request")]
pub struct Request<T> {
    /// The credential, for connectors with one.
    pub auth: Option<AuthCredential>,
    /// The credentials by their ids, for connectors with several.
    pub credentials: Option<Vec<AuthCredential>>,
    /// The capability's own parameters.
    #[serde(deserialize_with = "object")]
    pub request: T,
    /// Whether the app's raw answers are wanted as well.
    pub include_raw_data: Option<bool>,
    /// The page that is wanted.
    pub page: Option<Page>,
    /// The tenant's settings, in the shape of the connector's settings model.
    pub settings: Option<crate::JsonObject>,
    /// What the caller knows about rate limits, and how long it waits.
    pub rate_limit: Option<RateLimitRequestInfo>,
}

/// What a caller sends to a capability that comes before there is a credential, and whose payload is `T`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
#[schemars(rename = "{T}Request")]
pub struct UnauthenticatedRequest<T> {
    /// The capability's own parameters.
    #[serde(deserialize_with = "object")]
    pub request: T,
    /// Whether the app's raw answers are wanted as well.
    pub include_raw_data: Option<bool>,
    /// The page that is wanted.
    pub page: Option<Page>,
    /// The tenant's settings, in the shape of the connector's settings model.
    pub settings: Option<crate::JsonObject>,
    /// What the caller knows about rate limits, and how long it waits.
    pub rate_limit: Option<RateLimitRequestInfo>,
}

/// What a capability answers when it succeeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Response")]
pub struct Response<T> {
    /// The capability's own result.
    pub response: T,
    /// The app's raw answers, if they were asked for.
    pub raw_data: Option<Value>,
    /// The page that follows; absent after the last.
    pub page: Option<Page>,
    /// The state of rate limits after this call.
    pub rate_limit: Option<RateLimitResponseInfo>,
    /// What a write did.
    pub execution_summary: Option<ExecutionSummary>,
}

impl<T> Response<T> {
    /// A response with nothing but the result.
    pub const fn new(response: T) -> Self {
        Self {
            response,
            raw_data: None,
            page: None,
            rate_limit: None,
            execution_summary: None,
        }
    }

    /// Adds the page that follows; `None` after the last.
    #[must_use]
    pub fn with_page(mut self, page: impl Into<Option<Page>>) -> Self {
        self.page = page.into();
        self
    }

    /// Adds the app's raw answers.
    #[must_use]
    pub fn with_raw_data(mut self, raw_data: impl Into<Option<Value>>) -> Self {
        self.raw_data = raw_data.into();
        self
    }

    /// Adds what a write did.
    #[must_use]
    pub fn with_execution_summary(mut self, summary: ExecutionSummary) -> Self {
        self.execution_summary = Some(summary);
        self
    }
}

impl<T> From<T> for Response<T> {
    fn from(response: T) -> Self {
        Self::new(response)
    }
}

/// Reads an object and nothing else. serde also takes a list of a type's members for the type, hence `[]` for `{}`.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(Object(PhantomData))
}

/// The same, or null.
pub(crate) fn object_or_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_option(OrNull(Object(PhantomData)))
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

struct OrNull<T>(Object<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OrNull<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_map(self.0).map(Some)
    }
}
