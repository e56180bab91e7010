//! Connectors that do as they are told, and the parts around them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::auth::{Authenticator, Throttle, TokenFile};
use crate::call::{Answer, Call, CallError};
use crate::conditions::Conditions;
use crate::config::Config;
use crate::config::model::*;
use crate::connectors::{Detail, Listing, State};
use crate::domain::{AppId, CapabilityName, Level, Scopes};
use crate::http::admin::Health;
use crate::http::backend::Backend;
use crate::http::dispatch::{self, Dispatch};
use crate::telemetry::metrics::Metrics;

pub(super) const SCHEMA: &str = r##"{"response": {"capabilities": ["create_account", "info", "list_accounts"],
    "capability_schema": {"list_accounts": {"display_name": "List Accounts", "description": null,
        "argument": {"type": "object", "properties": {"x": {"$ref": "#/$defs/X"}}, "$defs": {"X": {"type": "string"}}},
        "output": {"type": "array"}}}}}"##;

/// One app, `mockapp`, whose calls do what their capability is called.
pub(super) struct Fake {
    pub(super) calls: Mutex<Vec<Call>>,
    pub(super) dropped: Arc<Notify>,
    pub(super) begun: Semaphore,
    pub(super) go: Semaphore,
    pub(super) scanned: AtomicBool,
}

impl Default for Fake {
    fn default() -> Self {
        Fake {
            calls: Mutex::default(),
            dropped: Arc::default(),
            begun: Semaphore::new(0),
            go: Semaphore::new(0),
            scanned: AtomicBool::new(false),
        }
    }
}

struct Dropped(Arc<Notify>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Fake {
    /// Waits until `n` calls of `wait` have begun.
    pub(super) async fn begun(&self, n: u32) {
        self.begun.acquire_many(n).await.unwrap().forget();
    }

    async fn answer(&self, call: Call) -> Result<Answer, CallError> {
        self.calls.lock().unwrap().push(call.clone());
        let body = match call.capability.as_str() {
            "die" => return Err(CallError::HostDied("killed by signal 11 (SIGSEGV)".into())),
            "late" => return Err(CallError::DeadlinePassed { sent: true }),
            "wait" => {
                let _dropped = Dropped(self.dropped.clone());
                self.begun.add_permits(1);
                self.go.acquire().await.expect("never closed").forget();
                Bytes::from_static(b"{\"response\": \"waited\"}")
            }
            "large" => Bytes::from(format!("[{}0]", "0,".repeat(100_000))),
            "echo" => call.body,
            _ => Bytes::from_static(b"{\"response\":  true}"),
        };
        let (queued, served) = (Duration::from_micros(1500), Duration::from_millis(20));
        Ok(Answer { body, queued, served })
    }
}

impl Backend for Fake {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, CallError>> {
        async move {
            if call.app_id.as_str() != "mockapp" {
                return Err(CallError::NotFound(call.app_id));
            }
            self.answer(call).await
        }
        .boxed()
    }

    fn level(&self, _: &AppId, capability: &CapabilityName) -> Level {
        if capability.as_str().starts_with("create") {
            Level::Write
        } else {
            Level::Read
        }
    }

    fn repeatable(&self, _: &AppId, _: &CapabilityName) -> bool {
        false
    }

    fn secret_settings(&self, _: &AppId) -> Arc<[String]> {
        Arc::new(["tenant_pass".to_owned()])
    }

    fn ready(&self) -> Vec<AppId> {
        vec!["mockapp".parse().unwrap(), "other".parse().unwrap()]
    }

    fn list(&self) -> Vec<Listing> {
        let listing = |app_id: &str, state| Listing {
            app_id: app_id.into(),
            version: Some("1.0.0".into()),
            kind: "native".into(),
            state,
            generation: None,
            sha256: None,
            since: jiff::Timestamp::UNIX_EPOCH,
            last_error: None,
            in_flight: 0,
            capabilities: Vec::new(),
            file: None,
            isolation: None,
            pid: None,
            isolation_level: None,
            sandbox: None,
            signed_by: None,
            pinned: false,
            host: None,
            warning: None,
        };
        vec![
            listing("broken file", State::Refused),
            listing("mockapp", State::Ready),
            listing("other", State::BackingOff),
        ]
    }

    fn show(&self, _: &AppId) -> Option<Detail> {
        None
    }

    fn info(&self, app_id: &AppId) -> Option<Bytes> {
        (app_id.as_str() == "mockapp").then(|| Bytes::from_static(SCHEMA.as_bytes()))
    }

    fn first_scan_done(&self) -> bool {
        self.scanned.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn rescan(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

pub(crate) fn config(dir: &Path) -> Config {
    Config {
        file: dir.join("agent.toml"),
        agent: Agent {
            name: "agent-1".into(),
            cluster_id: None,
            operation_mode: OperationMode::Default,
            state_dir: dir.join("state"),
            token_file: dir.join("tokens.json"),
            shutdown_grace: Duration::from_secs(5),
        },
        dispatch: crate::config::model::Dispatch {
            listen: "127.0.0.1:0".parse().unwrap(),
            max_body_bytes: 1000,
            max_buffered_bytes: 1 << 20,
            max_response_bytes: 1 << 20,
            timeout: Duration::from_secs(60),
            max_in_flight: 2,
            max_in_flight_per_caller: 2,
            max_connections: 8,
            tls: tls(dir),
        },
        admin: Admin {
            enabled: true,
            listen: "127.0.0.1:0".parse().unwrap(),
            allowed_hosts: Vec::new(),
        },
        connectors: connectors(dir),
        log: Log {
            level: LogLevel::Info,
            format: LogFormat::Text,
            directory: dir.join("logs"),
            files: true,
            retention_days: 7,
            retention_size: 1 << 30,
            connector_level: LogLevel::Error,
            redacted_keys: vec!["badge".into()],
        },
    }
}

pub(super) fn tls(dir: &Path) -> Tls {
    Tls {
        certificate: dir.join("server.pem"),
        private_key: dir.join("server.key"),
        client_ca: None,
        client_auth: ClientAuth::Optional,
        client_crl: None,
        client_names: BTreeMap::new(),
        min_version: TlsVersion::Tls12,
    }
}

fn connectors(dir: &Path) -> Connectors {
    Connectors {
        directory: dir.join("connectors"),
        isolation: Isolation::Process,
        max_in_flight: 8,
        memory_limit: None,
        idle_memory_limit: None,
        cpu_warning: 80,
        cpu_warning_after: Duration::from_secs(60),
        max_open_files: 1024,
        start_timeout: Duration::from_secs(30),
        rescan_interval: Duration::from_secs(10),
        trusted_owners: Vec::new(),
        require_pinned: false,
        trusted_keys: Vec::new(),
        require_signed: false,
        settings: BTreeMap::new(),
        tenants: BTreeMap::new(),
    }
}

/// A dispatch listener without a socket, and a token for each purpose.
pub(super) struct Stage {
    pub(super) dir: tempfile::TempDir,
    pub(super) fake: Arc<Fake>,
    pub(super) router: Router,
    pub(super) health: Arc<Health>,
    pub(super) draining: CancellationToken,
    pub(super) metrics: Metrics,
    pub(super) throttle: Throttle,
    tokens: BTreeMap<&'static str, String>,
    _config: watch::Sender<Arc<Config>>,
}

pub(super) fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let (sender, receiver) = watch::channel(Arc::new(config(dir.path())));
    let file: PathBuf = dir.path().join("tokens.json");
    let tokens = [
        ("all", "*:*"),
        ("read", "mockapp:read"),
        ("other", "other:*"),
        ("admin", "admin"),
    ]
    .map(|(name, scope)| {
        let scopes = Scopes(vec![scope.parse().unwrap()]);
        let token = TokenFile::new(&file).create(name, scopes, None).unwrap();
        (name, token.expose_secret().to_owned())
    });
    let (fake, draining, metrics) = (
        Arc::new(Fake::default()),
        CancellationToken::new(),
        Metrics::new(),
    );
    let conditions = Conditions::new(metrics.clone());
    let auth = Authenticator::tokens(file, dir.path(), &conditions);
    let dispatch = Dispatch::new(
        fake.clone(),
        auth.clone(),
        receiver.clone(),
        metrics.clone(),
        draining.clone(),
    );
    let health = Arc::new(Health {
        backend: fake.clone(),
        config: receiver,
        conditions: conditions.clone(),
        tls: None,
        auth,
        metrics: metrics.clone(),
        memory: crate::os::MemoryLimits::default(),
        handing_over: CancellationToken::new(),
        draining: draining.clone(),
        listening: AtomicBool::new(true),
    });
    Stage {
        dir,
        fake,
        throttle: dispatch.throttle(),
        router: dispatch::router(Arc::new(dispatch)),
        health,
        draining,
        metrics,
        tokens: tokens.into(),
        _config: sender,
    }
}

/// An answer, read to its end.
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Got {
    pub(super) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn code(&self) -> String {
        let json = self.json();
        assert_eq!(json["is_error"], json!(true));
        assert_eq!(json["error"]["raised_by"], json!("lumos-agent"));
        json["error"]["error_code"].as_str().unwrap().to_owned()
    }
}

impl Stage {
    pub(super) fn token(&self, name: &str) -> &str {
        &self.tokens[name]
    }

    /// A JSON request with the token of that name.
    pub(super) fn request(&self, token: &str, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token(token)))
            .header("content-type", "application/json")
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Got {
        Got::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: &'static str) -> Got {
        self.send(self.request(token, "POST", path).body(Body::from(body)).unwrap())
            .await
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> Got {
        self.send(self.request(token, "GET", path).body(Body::empty()).unwrap())
            .await
    }
}
