//! What can be asked over the control socket: the dispatch routes as an administrator, and `/control/…`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::value;
use crate::domain::AppId;
use crate::http::admin::Health;
use crate::telemetry::levels::Levels;

/// Reads the configuration anew; the error is for people.
pub type Reload = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What the control routes tell and do.
pub(crate) struct Control {
    pub(crate) health: Arc<Health>,
    pub(crate) reload: Option<Reload>,
    pub(crate) levels: Levels,
    pub(crate) started_at: Timestamp,
    pub(crate) dispatch_url: String,
    pub(crate) admin_url: Option<String>,
    /// The listeners whose sockets the service manager holds.
    pub(crate) activated: Vec<&'static str>,
}

/// The routes; `dispatch` are those of the dispatch listener for a local administrator.
pub(crate) fn router(control: Arc<Control>, dispatch: Router) -> Router {
    Router::new()
        .route("/control/status", get(status))
        .route("/control/connectors", get(connectors))
        .route("/control/connectors/{app_id}", get(connector))
        .route("/control/rescan", post(rescan))
        .route("/control/reload", post(reload))
        .route("/control/log", post(set_level))
        .with_state(control)
        .fallback_service(dispatch)
}

async fn status(State(control): State<Arc<Control>>) -> Json<Value> {
    let health = &control.health;
    let conditions = health.conditions();
    let certificate = health.tls.as_ref().map(|tls| {
        let info = tls.certificate();
        json!({
            "not_after": info.not_after,
            "fingerprint_sha256": info.fingerprint_sha256,
        })
    });
    let file = health.config.borrow().file.display().to_string();
    let state = if health.draining.is_cancelled() || health.stopping() {
        "draining"
    } else {
        "running"
    };
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "started_at": control.started_at,
        "state": state,
        "not_ready": health.reasons(),
        "config_file": file,
        "conditions": conditions,
        "dispatch_url": control.dispatch_url,
        "admin_url": control.admin_url,
        "activated": control.activated,
        "certificate": certificate,
        "memory_limits": health.memory,
        "log": control.levels.shown(),
        "connectors": health.backend.list(),
    }))
}

async fn connectors(State(control): State<Arc<Control>>) -> Response {
    Json(control.health.backend.list()).into_response()
}

async fn connector(State(control): State<Arc<Control>>, Path(app_id): Path<String>) -> Response {
    let detail = app_id
        .parse()
        .ok()
        .and_then(|app_id| control.health.backend.show(&app_id));
    match detail {
        Some(detail) => Json(detail).into_response(),
        None => error(StatusCode::NOT_FOUND, "there is no such connector"),
    }
}

async fn rescan(State(control): State<Arc<Control>>) -> Json<Value> {
    control.health.backend.rescan().await;
    Json(json!({}))
}

async fn reload(State(control): State<Arc<Control>>) -> Response {
    let Some(reload) = &control.reload else {
        return error(
            StatusCode::BAD_REQUEST,
            "this agent runs without a configuration file",
        );
    };
    match reload().await {
        Ok(()) => Json(json!({})).into_response(),
        Err(text) => error(StatusCode::BAD_REQUEST, &text),
    }
}

/// What `lumos-agent log set` asks for.
#[derive(Deserialize)]
struct LevelOrder {
    /// `null` for the level of the configuration.
    level: Option<String>,
    for_seconds: Option<u64>,
    connector: Option<AppId>,
}

async fn set_level(State(control): State<Arc<Control>>, Json(order): Json<LevelOrder>) -> Response {
    let level = match order.level.as_deref().map(value::level) {
        None => None,
        Some(Some(level)) => Some(level),
        Some(None) => return error(StatusCode::BAD_REQUEST, "there is no such level"),
    };
    if let Some(app_id) = &order.connector
        && control.health.backend.show(app_id).is_none()
    {
        return error(StatusCode::NOT_FOUND, "there is no such connector");
    }
    let lasts = order.for_seconds.map(Duration::from_secs);
    control.levels.set(order.connector, level, lasts);
    Json(control.levels.shown()).into_response()
}

fn error(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}
