//! What a capability knows about the call besides its own parameters.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use lumos_connector_models::{
    CapabilityLevel, Effect, Error, ExecutionSummary, Page, RateLimitMode, RateLimitRequestInfo,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::NoAuth;
use crate::clock::Clock;
use crate::error::ConnectorError;
use crate::fingerprint::request_fingerprint;
use crate::http::{HttpClient, HttpPool};
use crate::pagination;
use crate::rate_limit::{CallLimits, RateLimit};
use crate::redact;
use crate::settings::NoSettings;

/// What a capability knows about the call besides its own parameters: credential, settings, page, and an HTTP client.
#[derive(Clone)]
#[non_exhaustive]
pub struct Context<A = NoAuth, S = NoSettings> {
    /// The tenant's credential.
    pub auth: A,
    /// The tenant's settings.
    pub settings: S,
    /// The page that is wanted; empty if the request has none.
    pub page: Page,
    /// Whether the app's raw answers are wanted as well.
    pub include_raw_data: bool,
    /// What the caller knows about rate limits, and how long it waits.
    pub rate_limit: Option<RateLimitRequestInfo>,
    pub(crate) call: CallInfo,
}

/// What all calls share, whatever their types.
#[derive(Clone)]
pub(crate) struct CallInfo {
    pub(crate) http: Arc<HttpPool>,
    /// Tells tenants apart; see [`HttpPool`].
    pub(crate) tenant: u64,
    pub(crate) clock: Clock,
    pub(crate) deadline: Option<Instant>,
    /// No wait for a rate limit, or for another attempt, lasts until here.
    pub(crate) latest_wait: Instant,
    pub(crate) limits: CallLimits,
    pub(crate) trace: Option<Arc<str>>,
    pub(crate) level: CapabilityLevel,
    /// What the connector declared for the capability.
    pub(crate) rate_limit_mode: Option<RateLimitMode>,
    /// Whether the connector says that the call may be repeated without harm.
    pub(crate) idempotent: bool,
    /// What page tokens are sealed with, if the connector wants that.
    pub(crate) seal: Option<pagination::Key>,
    pub(crate) app_id: Arc<str>,
    pub(crate) raised_in: Arc<str>,
}

impl CallInfo {
    /// How the app's limits are treated; a `limit` can say so itself.
    pub(crate) fn mode(&self, limit: Option<&RateLimit>) -> RateLimitMode {
        let usual = match self.level {
            CapabilityLevel::Read => RateLimitMode::Enforce,
            CapabilityLevel::Write => RateLimitMode::RetryOnly,
        };
        self.rate_limit_mode
            .or(limit.and_then(|limit| limit.mode))
            .or(self.limits.asked)
            .unwrap_or(usual)
    }
}

impl<A, S> Context<A, S> {
    /// An HTTP client for the app at `base_url`. Connections are kept and reused by later calls of the same tenant.
    ///
    /// # Errors
    /// If `base_url` is not an `http` or `https` URL.
    pub fn http(&self, base_url: &str) -> Result<HttpClient, ConnectorError> {
        HttpClient::new(&self.call, base_url)
    }

    /// The positions that the request's page token holds, as [`Context::next_page`] wrote them; none for the first page.
    ///
    /// # Errors
    /// `invalid_page_token` if the token is not one that `next_page` gave for the same type.
    pub fn positions<P: DeserializeOwned>(&self) -> Result<Vec<P>, ConnectorError> {
        match &self.page.token {
            Some(token) => pagination::decode(token, self.call.seal.as_ref()),
            None => Ok(Vec::new()),
        }
    }

    /// The one position that the request's page token holds, or `None` for the first page.
    ///
    /// # Errors
    /// `invalid_page_token` as for [`Context::positions`].
    pub fn position<P: DeserializeOwned>(&self) -> Result<Option<P>, ConnectorError> {
        Ok(self.positions()?.into_iter().next())
    }

    /// The size of page that is wanted, or `default`.
    #[must_use]
    pub fn page_size(&self, default: i64) -> i64 {
        match self.page.size {
            Some(0) | None => default,
            Some(size) => size,
        }
    }

    /// The page that follows, which begins at `positions`: one for each of the app's listings that has more to give.
    /// Without positions there is no further page.
    ///
    /// # Panics
    /// If `positions` cannot be written as JSON (a map whose keys are not strings).
    pub fn next_page<P: Serialize>(&self, positions: impl IntoIterator<Item = P>, size: i64) -> Option<Page> {
        let positions: Vec<P> = positions.into_iter().collect();
        let token = pagination::encode(&positions, self.call.seal.as_ref())?;
        Some(Page {
            token: Some(token),
            size: Some(size),
        })
    }

    /// The app's raw answers for the response, if the caller wants them:
    /// `Response::new(…).with_raw_data(ctx.raw_data(|| answer))`. Members with the [names of credentials](crate::redact)
    /// are masked.
    pub fn raw_data(&self, value: impl FnOnce() -> Value) -> Option<Value> {
        self.include_raw_data.then(|| redact::json(value()))
    }

    /// What this call did, for the record: `Response::new(…).with_execution_summary(ctx.summary(Effect::Created, &input))`.
    /// It may be repeated without harm if that was [declared](crate::Integration::idempotent), or if it is a read.
    ///
    /// # Panics
    /// As [`request_fingerprint`](crate::request_fingerprint).
    pub fn summary<I: Serialize + JsonSchema>(&self, effect: Effect, request: &I) -> ExecutionSummary {
        ExecutionSummary {
            effect,
            request_fingerprint: request_fingerprint(request),
            is_idempotent: self.call.idempotent || self.call.level == CapabilityLevel::Read,
            description: None,
            caught_errors: None,
        }
    }

    /// An error that this call met and overcame, for its [summary](Self::summary).
    #[must_use]
    pub fn caught(&self, error: ConnectorError) -> Error {
        error.into_wire(&self.call.app_id, &self.call.raised_in)
    }

    /// How this call is to treat the app's rate limits: as the connector declared for the capability, or else as the caller
    /// asks. Without either, reads keep within them and writes only try again.
    #[must_use]
    pub fn rate_limit_mode(&self) -> RateLimitMode {
        self.call.mode(None)
    }

    /// When the caller stops waiting, if it does.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.call.deadline
    }

    /// The W3C traceparent of the call, if it has one. The HTTP client sends it by itself.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.call.trace.as_deref()
    }
}

impl<A, S: std::fmt::Debug> std::fmt::Debug for Context<A, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Settings may hold secrets in fields of plain text, so neither they nor the credential are shown.
        f.debug_struct("Context")
            .field("page", &self.page)
            .field("include_raw_data", &self.include_raw_data)
            .finish_non_exhaustive()
    }
}
