//! An agent's connectors over a real directory, with scripted hosts and a clock that runs as fast as it can.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::call::{Answer, Call, CallError};
use crate::config::Config;
use crate::config::model::*;
use crate::connectors::intake::tests::library;
use crate::connectors::starter::Starter;
use crate::connectors::starter::fake::FakeStarter;
use crate::connectors::{Connectors, Listing, State};
use crate::domain::{AppId, Level};
use crate::telemetry::metrics::Metrics;

pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) config: watch::Sender<Arc<Config>>,
    pub(super) fake: FakeStarter,
    pub(super) connectors: Connectors,
    pub(super) shutdown: CancellationToken,
    pub(super) metrics: Metrics,
}

/// The bytes of a scripted library; see the fake starter.
pub(super) fn scripted(app: &str, version: &str, more: &str) -> Vec<u8> {
    library(format!("app={app}\nversion={version}\n{}", more.replace(' ', "\n")).as_bytes())
}

pub(super) fn app(name: &str) -> AppId {
    name.parse().unwrap()
}

impl World {
    pub(super) async fn new() -> Self {
        Self::configured(|_| {}).await
    }

    pub(super) async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let connectors = dir.path().join("connectors");
        fs::create_dir(&connectors).unwrap();
        fs::set_permissions(&connectors, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("agent.toml"), "").unwrap();
        let mut config = config(dir.path());
        change(&mut config);
        Self::over(dir, config, true).await
    }

    pub(super) async fn over(dir: tempfile::TempDir, config: Config, hints: bool) -> Self {
        let (sender, receiver) = watch::channel(Arc::new(config));
        let (fake, shutdown, metrics) = (FakeStarter::default(), CancellationToken::new(), Metrics::new());
        let starter = Starter::Fake(fake.clone());
        let connectors = Connectors::start_with(
            receiver,
            starter,
            metrics.clone(),
            crate::conditions::Conditions::new(metrics.clone()),
            shutdown.clone(),
            hints,
        );
        World {
            connectors: connectors.await.unwrap(),
            dir,
            config: sender,
            fake,
            shutdown,
            metrics,
        }
    }

    /// Ends this agent and starts another one over the same directories; `between` happens while none runs.
    pub(super) async fn restart(self, between: impl FnOnce(&Path)) -> Self {
        self.stop().await;
        let config = Config::clone(&self.config.borrow());
        between(&config.connectors.directory);
        Self::over(self.dir, config, true).await
    }

    pub(super) async fn stop(&self) {
        self.shutdown.cancel();
        self.connectors.drained().await;
        assert_eq!(self.fake.alive(), 0, "hosts outlive the agent");
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.config.borrow().connectors.directory.join(name)
    }

    /// Puts a file in place by renaming it.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        put(&self.config.borrow().connectors.directory, name, bytes);
    }

    pub(super) fn overwrite(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(super) async fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        for _ in 0..10_000 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never happened: {what}; {:#?}", self.connectors.list());
    }

    pub(super) async fn until_ready(&self, name: &str, version: &str) -> Listing {
        let serves = || {
            self.row(name)
                .is_some_and(|row| row.state == State::Ready && row.version.as_deref() == Some(version))
        };
        self.until(&format!("{name} {version} ready"), serves).await;
        self.row(name).unwrap()
    }

    pub(super) async fn until_error(&self, name: &str, part: &str) -> Listing {
        let complains = |row: &Listing| row.last_error.as_ref().is_some_and(|error| error.contains(part));
        self.until(&format!("{name}: {part}"), || {
            self.row(name).is_some_and(|row| complains(&row))
        })
        .await;
        self.row(name).unwrap()
    }

    /// The first row of that app_id.
    pub(super) fn row(&self, name: &str) -> Option<Listing> {
        self.connectors.list().into_iter().find(|row| row.app_id == name)
    }

    pub(super) async fn call(&self, name: &str) -> Result<Answer, CallError> {
        self.connectors
            .call(call(name, Level::Read, Duration::from_secs(60)))
            .await
    }

    pub(super) fn spawn_call(
        &self,
        name: &str,
        level: Level,
        deadline: Duration,
    ) -> tokio::task::JoinHandle<Result<Answer, CallError>> {
        let (connectors, call) = (self.connectors.clone(), call(name, level, deadline));
        tokio::spawn(async move { connectors.call(call).await })
    }

    pub(super) fn in_flight(&self, name: &str) -> u32 {
        self.row(name).map_or(0, |row| row.in_flight)
    }

    pub(super) fn reconfigure(&self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::clone(&self.config.borrow());
        change(&mut config);
        self.config.send_replace(Arc::new(config));
    }
}

pub(super) fn put(directory: &Path, name: &str, bytes: &[u8]) {
    let temporary = directory.join(format!("{name}.part"));
    fs::write(&temporary, bytes).unwrap();
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(temporary, directory.join(name)).unwrap();
}

pub(super) fn call(name: &str, level: Level, deadline: Duration) -> Call {
    Call {
        request_id: "r-1".into(),
        caller: "test".into(),
        app_id: app(name),
        capability: "info".parse().unwrap(),
        level,
        body: "{}".into(),
        deadline: Instant::now() + deadline,
        traceparent: None,
        observability: Arc::from([]),
        secrets: Arc::from([] as [SecretString; 0]),
    }
}

fn config(dir: &Path) -> Config {
    Config {
        file: dir.join("agent.toml"),
        agent: Agent {
            name: "test".into(),
            cluster_id: None,
            operation_mode: OperationMode::Default,
            state_dir: dir.join("state"),
            token_file: dir.join("tokens.json"),
            shutdown_grace: Duration::from_secs(30),
        },
        dispatch: Dispatch {
            listen: ([127, 0, 0, 1], 0).into(),
            max_body_bytes: 1 << 20,
            max_buffered_bytes: 1 << 24,
            max_response_bytes: 1 << 20,
            timeout: Duration::from_secs(120),
            max_in_flight: 100,
            max_in_flight_per_caller: 100,
            max_connections: 10,
            tls: Tls {
                certificate: PathBuf::new(),
                private_key: PathBuf::new(),
                client_ca: None,
                client_auth: ClientAuth::Optional,
                client_crl: None,
                client_names: BTreeMap::new(),
                min_version: TlsVersion::Tls12,
            },
        },
        admin: Admin {
            enabled: false,
            listen: ([127, 0, 0, 1], 0).into(),
            allowed_hosts: Vec::new(),
        },
        connectors: crate::config::model::Connectors {
            directory: dir.join("connectors"),
            isolation: Isolation::Process,
            max_in_flight: 8,
            memory_limit: None,
            idle_memory_limit: None,
            cpu_warning: 80,
            cpu_warning_after: Duration::from_secs(60),
            max_open_files: 1024,
            start_timeout: Duration::from_secs(30),
            rescan_interval: Duration::from_secs(5),
            trusted_owners: Vec::new(),
            require_pinned: false,
            trusted_keys: Vec::new(),
            require_signed: false,
            settings: BTreeMap::new(),
            tenants: BTreeMap::new(),
        },
        log: Log {
            level: LogLevel::Info,
            format: LogFormat::Text,
            directory: dir.join("logs"),
            files: true,
            retention_days: 1,
            retention_size: 1 << 30,
            connector_level: LogLevel::Error,
            redacted_keys: Vec::new(),
        },
    }
}
