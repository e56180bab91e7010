//! The admin listener: who is there, is it alive, is it ready, and the numbers. Plain HTTP, read-only, meant for loopback.
//!
//! Without credentials, the Host header is what keeps a web page in a local browser from reading it (DNS rebinding): it must
//! name loopback or a host that is configured.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use crate::auth::Authenticator;
use crate::conditions::{Condition, Conditions};
use crate::config::Config;
use crate::config::model::OperationMode;
use crate::connectors::State as ConnectorState;
use crate::os::MemoryLimits;
use crate::telemetry::metrics::Metrics;
use crate::tls::ServerTls;

/// What the admin listener and the control socket tell about the agent.
pub(crate) struct Health {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: watch::Receiver<Arc<Config>>,
    pub(crate) conditions: Conditions,
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) auth: Authenticator,
    pub(crate) metrics: Metrics,
    /// How hosts' memory is limited.
    pub(crate) memory: MemoryLimits,
    pub(crate) draining: CancellationToken,
    /// New connections are left to the next agent.
    pub(crate) handing_over: CancellationToken,
    /// Whether the dispatch listener accepts.
    pub(crate) listening: AtomicBool,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// Why not.
    reasons: Vec<String>,
    /// What is wrong without keeping calls from being served.
    problems: Vec<String>,
    /// Connectors in the directory that do not serve.
    connectors_not_ready: Vec<NotReady>,
}

#[derive(Serialize)]
struct NotReady {
    app_id: String,
    state: ConnectorState,
}

#[derive(Deserialize)]
struct ReadyQuery {
    connector: Option<String>,
}

impl Health {
    /// `connected` is whether calls are being served.
    fn connected(&self) -> bool {
        self.is_listening() && !self.draining.is_cancelled()
    }

    /// Whether new connections are taken.
    pub(crate) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// Whether it takes no more connections, after it did: the next agent will.
    pub(crate) fn stopping(&self) -> bool {
        self.handing_over.is_cancelled()
    }

    /// What `/readyz` says.
    pub(crate) fn is_ready(&self) -> bool {
        self.reasons().is_empty()
    }

    /// Why the agent is not ready.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if !self.backend.first_scan_done() {
            reasons.push("the first scan of the connectors directory is not done".to_owned());
        }
        if self.draining.is_cancelled() || self.stopping() {
            reasons.push("the agent is shutting down".to_owned());
        }
        if !self.is_listening() {
            reasons.push("the dispatch listener does not accept".to_owned());
        }
        reasons
    }

    /// What is wrong just now. What may have changed unnoticed is looked at first.
    pub(crate) fn conditions(&self) -> Vec<Condition> {
        self.auth.look();
        if let Some(tls) = &self.tls {
            tls.look_at_dates();
        }
        self.conditions.list()
    }

    /// Things that somebody should put right, though calls are served.
    pub(crate) fn problems(&self) -> Vec<String> {
        let told = |condition: Condition| format!("{}; {}", condition.message, condition.remedy);
        self.conditions().into_iter().map(told).collect()
    }

    fn readiness(&self, wanted: &[&str]) -> Readiness {
        let listings = self.backend.list();
        let mut reasons = self.reasons();
        let serves = |app_id: &str| {
            listings
                .iter()
                .any(|row| row.app_id.eq_ignore_ascii_case(app_id) && row.state == ConnectorState::Ready)
        };
        let missing = wanted.iter().filter(|app_id| !serves(app_id));
        reasons.extend(missing.map(|app_id| format!("connector `{}` is not ready", app_id.escape_debug())));
        let quiet = [
            ConnectorState::Ready,
            ConnectorState::Shadowed,
            ConnectorState::Stopped,
        ];
        let connectors_not_ready = listings
            .iter()
            .filter(|row| !quiet.contains(&row.state))
            .map(|row| NotReady {
                app_id: row.app_id.clone(),
                state: row.state,
            })
            .collect();
        Readiness {
            ready: reasons.is_empty(),
            reasons,
            problems: self.problems(),
            connectors_not_ready,
        }
    }
}

/// The routes.
pub(crate) fn router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/info", get(info))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || {
            refusal(
                StatusCode::NOT_FOUND,
                "no such path; there are /info, /healthz, /readyz and /metrics",
            )
        })
        .layer(middleware::from_fn_with_state(health.clone(), guard))
        .with_state(health)
}

async fn guard(State(health): State<Arc<Health>>, request: Request, next: Next) -> Response {
    let allowed = {
        let config = health.config.borrow();
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| host_allowed(host, &config.admin.allowed_hosts))
    };
    let mut response = if !allowed {
        refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "this Host header is not accepted; ask by a loopback address, or add the name to admin.allowed_hosts",
        )
    } else if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "the admin listener only takes GET",
        );
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        refused
    } else {
        next.run(request).await
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a Host header names loopback or one of `allowed`, with any port.
fn host_allowed(host: &str, allowed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    let loopback =
        bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    loopback
        || allowed
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name) || own.eq_ignore_ascii_case(host))
}

fn refusal(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

async fn info(State(health): State<Arc<Health>>) -> Json<Value> {
    let config = health.config.borrow().clone();
    let rows = health.backend.list();
    let connectors: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "app_id": row.app_id, "version": row.version, "state": row.state }))
        .collect();
    Json(json!({
        "connected": health.connected(),
        "domain_name": config.agent.name,
        "cluster_id": config.agent.cluster_id,
        "operation_mode": match config.agent.operation_mode {
            OperationMode::Default => "default",
            OperationMode::ReadPreferred => "read_preferred",
            OperationMode::WritePreferred => "write_preferred",
        },
        "version": env!("CARGO_PKG_VERSION"),
        "connectors": connectors,
    }))
}

async fn readyz(State(health): State<Arc<Health>>, Query(query): Query<ReadyQuery>) -> Response {
    let wanted = query.connector.unwrap_or_default();
    let wanted: Vec<&str> = wanted
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let readiness = health.readiness(&wanted);
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

/// The Prometheus text, as OpenMetrics 1.0.
async fn metrics(State(health): State<Arc<Health>>) -> Response {
    health.conditions();
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], health.metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::host_allowed;

    #[test]
    fn hosts() {
        let allowed = ["agent.corp".to_owned()];
        for good in [
            "localhost",
            "LOCALHOST:10002",
            "127.0.0.1:10002",
            "127.8.8.8",
            "[::1]:10002",
            "agent.corp",
            "Agent.Corp:80",
        ] {
            assert!(host_allowed(good, &allowed), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example:10002",
            "10.0.0.1",
            "127.0.0.1.evil.example",
            "[::2]",
            "agent.corp.evil",
        ] {
            assert!(!host_allowed(bad, &allowed), "{bad}");
        }
    }
}
