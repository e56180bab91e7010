//! Real host processes with connectors written in C.

mod calls;
mod misbehaviour;
mod starting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use lumos_agent::call::Call;
use lumos_agent::conditions::Conditions;
use lumos_agent::config::model::LogLevel;
use lumos_agent::domain::{Generation, Level};
use lumos_agent::hosting::{Host, HostCall, HostCallError, HostSpec, Launcher, Walls};
use lumos_agent::os::sandbox::Confinement;
use lumos_agent::telemetry::connector_log::{ConnectorLogOptions, ConnectorLogs};
use lumos_agent::telemetry::files::{LogFiles, Retention};
use lumos_agent::telemetry::metrics::Metrics;

/// Longer than anything here takes; a test that hits it has failed.
const LONG: Duration = Duration::from_secs(20);

/// A launcher and a log directory.
struct Bench {
    launcher: Launcher,
    logs: ConnectorLogs,
    directory: tempfile::TempDir,
    scratch: tempfile::TempDir,
    hosts: AtomicU32,
}

impl Bench {
    fn new() -> Self {
        Self::with_budget(256 * 1024 * 1024)
    }

    fn with_budget(budget: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = ConnectorLogOptions {
            files: Some(LogFiles::new(
                directory.path(),
                Retention::default(),
                Conditions::default(),
            )),
            level: LogLevel::Info,
        };
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_lumos-agent"));
        Bench {
            launcher: Launcher::with(executable, budget).unwrap(),
            logs: ConnectorLogs::start(options, Metrics::new()).unwrap(),
            directory,
            scratch: tempfile::tempdir().unwrap(),
            hosts: AtomicU32::new(0),
        }
    }

    fn spec(&self, library: PathBuf) -> HostSpec {
        let app_id = "fixture".parse().unwrap();
        HostSpec {
            log: self.logs.of(&app_id, Generation(1)),
            app_id,
            generation: Generation(1),
            library,
            config_json: Bytes::from_static(b"{}"),
            environment: environment(),
            max_in_flight: 8,
            max_response_bytes: 64 * 1024 * 1024,
            memory_limit: None,
            walls: self.walls(),
            start_timeout: LONG,
        }
    }

    /// For the next host.
    fn walls(&self) -> Walls {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        Walls {
            scratch: self.scratch.path().join(number.to_string()),
            confinement: Some(Confinement::default()),
            max_open_files: 256,
        }
    }

    async fn start(&self, library: PathBuf) -> Host {
        self.launcher.start(self.spec(library)).await.unwrap().host
    }

    /// All that the connector's log has.
    fn log(&self) -> String {
        self.logs.flush();
        let mut text = String::new();
        for entry in self.directory.path().read_dir().unwrap() {
            text += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
        text
    }
}

/// Of every host; with how the sanitizer shall behave in it, where there is one.
fn environment() -> BTreeMap<String, String> {
    let sanitizer = std::env::var("ASAN_OPTIONS").ok();
    let sanitizer = sanitizer.map(|options| ("ASAN_OPTIONS".to_owned(), options));
    let fixture = ("FIXTURE".to_owned(), "1".to_owned());
    sanitizer.into_iter().chain([fixture]).collect()
}

fn call(capability: &str, body: impl Into<Bytes>) -> Call {
    Call {
        request_id: "req-7".into(),
        caller: "test".into(),
        app_id: "fixture".parse().unwrap(),
        capability: capability.parse().unwrap(),
        level: Level::Write,
        body: body.into(),
        deadline: tokio::time::Instant::now() + LONG,
        traceparent: None,
        observability: Arc::from([]),
        secrets: Arc::new([]),
    }
}

fn begin(host: &Host, capability: &str, body: impl Into<Bytes>) -> HostCall {
    host.begin(&call(capability, body), LONG).unwrap()
}

async fn ask(host: &Host, capability: &str, body: impl Into<Bytes>) -> Result<Bytes, HostCallError> {
    let mut call = begin(host, capability, body);
    tokio::time::timeout(LONG, call.answer())
        .await
        .expect("an answer in time")
}

/// Whether the process is there; a zombie counts.
fn exists(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}
