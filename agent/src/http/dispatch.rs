//! The dispatch listener's routes. Calls of connectors are in [`super::invoke`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwapOption;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::body::Budget;
use super::callers::Callers;
use super::envelope::Problem;
use super::frame::{self, Exchange};
use super::peek::SecretKeys;
use super::{gzip, headers, invoke, openapi};
use crate::auth::{Authenticator, Principal, Throttle};
use crate::config::Config;
use crate::connectors::{Listing, Row};
use crate::telemetry::metrics::Metrics;

/// What the dispatch listener's requests share.
pub(crate) struct Dispatch {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) auth: Authenticator,
    pub(super) throttle: Throttle,
    pub(super) budget: Budget,
    pub(super) metrics: Metrics,
    /// Fires when no new call is taken any more.
    pub(super) draining: CancellationToken,
    config: watch::Receiver<Arc<Config>>,
    in_flight: AtomicU32,
    /// Calls at one time of each caller.
    pub(super) callers: Callers,
    keys: ArcSwapOption<KeysOf>,
}

/// The names of secrets under one configuration.
struct KeysOf {
    config: Arc<Config>,
    keys: Arc<SecretKeys>,
}

impl Dispatch {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        auth: Authenticator,
        config: watch::Receiver<Arc<Config>>,
        metrics: Metrics,
        draining: CancellationToken,
    ) -> Self {
        let budget = Budget::new(config.borrow().dispatch.max_buffered_bytes);
        Dispatch {
            backend,
            auth,
            throttle: Throttle::default(),
            budget,
            metrics,
            draining,
            config,
            in_flight: AtomicU32::new(0),
            callers: Callers::default(),
            keys: ArcSwapOption::empty(),
        }
    }

    /// The same connectors, limits and configuration for callers that are authenticated otherwise.
    pub(crate) fn for_callers(&self, auth: Authenticator) -> Self {
        Dispatch {
            backend: self.backend.clone(),
            auth,
            throttle: Throttle::default(),
            budget: self.budget.clone(),
            metrics: self.metrics.clone(),
            draining: self.draining.clone(),
            config: self.config.clone(),
            in_flight: AtomicU32::new(0),
            callers: Callers::default(),
            keys: ArcSwapOption::empty(),
        }
    }

    /// Failures of callers, for the listener that sees some of them first.
    pub(crate) fn throttle(&self) -> Throttle {
        self.throttle.clone()
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        self.config.borrow().clone()
    }

    /// The names of secrets under `config`; made anew only when the configuration changes.
    pub(super) fn secret_keys(&self, config: &Arc<Config>) -> Arc<SecretKeys> {
        let kept = self.keys.load();
        if let Some(kept) = kept.as_ref().filter(|kept| Arc::ptr_eq(&kept.config, config)) {
            return kept.keys.clone();
        }
        let keys = Arc::new(SecretKeys::new(
            config.log.redacted_keys.iter().map(String::as_str),
        ));
        self.keys.store(Some(Arc::new(KeysOf {
            config: config.clone(),
            keys: keys.clone(),
        })));
        keys
    }

    /// A place among the calls at one time; `None` if all are taken.
    pub(super) fn place(self: &Arc<Self>, max: u32) -> Option<Place> {
        let taken = self.in_flight.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.clone());
        (taken < max).then_some(place)
    }
}

/// One of `dispatch.max_in_flight`.
pub(super) struct Place(Arc<Dispatch>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The routes of DESIGN §5, each behind [`frame::frame`].
pub(crate) fn router(dispatch: Arc<Dispatch>) -> Router {
    let only_post = || async { Problem::method("POST") };
    let only_get = || async { Problem::method("GET, HEAD") };
    Router::new()
        .route("/connectors", get(list).fallback(only_get))
        .route(
            "/connectors/list-connector-app-ids",
            post(app_ids).fallback(only_post),
        )
        .route(
            "/connectors/{app_id}/{capability}",
            post(invoke::invoke).fallback(only_post),
        )
        .route("/openapi.json", get(describe).fallback(only_get))
        .fallback(async || {
            Problem::not_found(
                "no such path; calls are POST /connectors/APP_ID/CAPABILITY, see GET /openapi.json",
            )
        })
        .layer(middleware::from_fn_with_state(dispatch.clone(), frame::frame))
        .with_state(dispatch)
}

/// `GET /connectors`: what the token covers. How this machine runs a connector is for administrators.
async fn list(
    State(dispatch): State<Arc<Dispatch>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
) -> Response {
    let caller = exchange.caller();
    let listings = covered(&dispatch, caller);
    if caller.scopes.is_admin() {
        return json(&listings, &headers).await;
    }
    let rows: Vec<Row<'_>> = listings.iter().map(Row::from).collect();
    json(&rows, &headers).await
}

/// Listings that `caller` may see. A file that never said its app_id is for administrators.
pub(super) fn covered(dispatch: &Dispatch, caller: &Principal) -> Vec<Listing> {
    let seen = |listing: &Listing| match listing.app_id.parse() {
        Ok(app_id) => caller.scopes.cover(&app_id),
        Err(_) => caller.scopes.is_admin(),
    };
    let mut listings = dispatch.backend.list();
    listings.retain(seen);
    listings
}

/// `POST /connectors/list-connector-app-ids`: connectors that serve, sorted, as far as the token covers them.
async fn app_ids(
    State(dispatch): State<Arc<Dispatch>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
) -> Response {
    #[derive(Serialize)]
    struct AppIds {
        response: Vec<String>,
    }
    let mut ready = dispatch.backend.ready();
    ready.retain(|app_id| exchange.caller().scopes.cover(app_id));
    let mut response: Vec<String> = ready.into_iter().map(String::from).collect();
    response.sort();
    json(&AppIds { response }, &headers).await
}

/// `GET /openapi.json`.
async fn describe(
    State(dispatch): State<Arc<Dispatch>>,
    Extension(exchange): Extension<Exchange>,
    request: Request,
) -> Response {
    let document = openapi::document(&dispatch, exchange.caller());
    json(&document, request.headers()).await
}

async fn json(value: &impl Serialize, headers: &HeaderMap) -> Response {
    let body = serde_json::to_vec(value).expect("listings and documents are always JSON");
    answer(Bytes::from(body), headers).await
}

/// A 200 with `body`, compressed if the request wants that.
pub(super) async fn answer(body: Bytes, request: &HeaderMap) -> Response {
    let mut response = StatusCode::OK.into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    gzip::fill(response, body, headers::accepts_gzip(request)).await
}
