//! A connector without an agent: copied to a private place, loaded in a host of its own, and gone afterwards. `connector
//! validate`, `connector install` and `call --file` use it. Where root does, the host is the service's account's, or nobody's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::author_log::{AuthorLog, Tail};
use super::conformance::Check;
use super::exit::{Exit, Failure};
use super::trust::{self, Standing};
use crate::config::Config;
use crate::config::model::LogLevel;
use crate::connectors::Trial;
use crate::domain::{AppId, Generation, Sha256};
use crate::hosting::{HostSpec, Launcher, Manifest, StartError, Started, Walls, unfit_in_process};
use crate::os::Account;
use crate::os::sandbox::{Confined, Confinement};
use crate::telemetry::connector_log::{ConnectorLogOptions, ConnectorLogs};
use crate::telemetry::metrics::Metrics;

/// Larger files are no connectors.
const MAX_LIBRARY: u64 = 1 << 30;
const MAX_ANSWER: u64 = 1 << 30;
const MAX_OPEN_FILES: u32 = 1024;
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A connector's file, copied where nobody else can change it.
pub(super) struct Copy {
    launcher: Launcher,
    library: PathBuf,
    original: PathBuf,
    logs: ConnectorLogs,
    tail: Mutex<Tail>,
    scratch: PathBuf,
    /// The agent's that it is tried for.
    config: Option<Arc<Config>>,
    /// Its content's digest.
    pub(super) sha256: Sha256,
    /// Its content.
    pub(super) content: Vec<u8>,
    /// The signature file beside it, if there is one.
    pub(super) signature: Option<Vec<u8>>,
    // Deletes the copy when dropped.
    _directory: tempfile::TempDir,
}

/// What `connector validate` reports.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The file as it was named.
    pub(super) file: PathBuf,
    /// Digest of its content: what `sha256` in the settings pins.
    pub(super) sha256: Sha256,
    /// Who signed it.
    pub(super) signature: Standing,
    /// The configuration whose settings it was tried with, if any.
    pub(super) configuration: Option<PathBuf>,
    /// What of its walls was in force.
    pub(super) sandbox: Confined,
    /// What it says about itself.
    pub(super) manifest: Manifest,
    /// Its capabilities, from `info`.
    pub(super) capabilities: Vec<String>,
    /// The whole answer to `info`.
    pub(super) info: Box<RawValue>,
    /// Why it cannot be loaded inside the agent, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unfit_in_process: Option<String>,
    /// How it behaved, where that was tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) checks: Vec<Check>,
}

/// Where copies are made: where temporary files go, unless `account` does not get there.
fn place(account: Option<Account>) -> PathBuf {
    let usual = std::env::temp_dir();
    match account {
        Some(account) if !account.reaches(&usual) => PathBuf::from("/tmp"),
        _ => usual,
    }
}

fn start_log(log: &AuthorLog) -> Result<(ConnectorLogs, Mutex<Tail>), Failure> {
    let options = ConnectorLogOptions {
        files: Some(AuthorLog::files(&log.directory)),
        level: log.level,
    };
    let logs = ConnectorLogs::start(options, Metrics::new())
        .map_err(|error| Failure::file("write", &log.directory, &error))?;
    Ok((logs, Mutex::new(Tail::new(&log.directory))))
}

impl Copy {
    /// Copies `file`, to try it with the settings of `config`.
    pub(super) fn of(file: &Path, config: Option<Arc<Config>>) -> Result<Self, Failure> {
        let found = std::fs::metadata(file).map_err(|error| Failure::file("read", file, &error))?;
        if !found.is_file() || found.len() > MAX_LIBRARY {
            let what = if found.is_file() {
                "too large for a connector"
            } else {
                "not a file"
            };
            return Err(Failure::new(
                Exit::Failed,
                format!("{} is {what}", file.display()),
                "name the shared library that the connector was built into",
            ));
        }
        let content = std::fs::read(file).map_err(|error| Failure::file("read", file, &error))?;
        let account = crate::os::lesser_account();
        let place = place(account);
        let directory = tempfile::Builder::new()
            .prefix("lumos-agent-")
            .tempdir_in(&place)
            .map_err(|error| Failure::file("make a directory in", &place, &error))?;
        let library = directory.path().join(file.file_name().unwrap_or_default());
        std::fs::write(&library, &content).map_err(|error| Failure::file("write", &library, &error))?;
        if let Some(account) = account {
            for path in [directory.path(), &library] {
                account
                    .let_in(path)
                    .map_err(|error| Failure::file("share", path, &error))?;
            }
        }
        // Where it is refused, a process that the connector leaves behind outlives it: no reason not to go on.
        let _ = crate::os::adopt_orphans();
        let launcher = Launcher::as_account(account).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("no host can be started: {error}"),
                "check the installation",
            )
        })?;
        let log = AuthorLog {
            directory: directory.path().join("logs"),
            level: LogLevel::Info,
        };
        let (logs, tail) = start_log(&log)?;
        Ok(Copy {
            launcher,
            library,
            original: file.to_owned(),
            logs,
            scratch: directory.path().join("scratch"),
            tail,
            config,
            sha256: Sha256::of(&content),
            content,
            signature: trust::read(file)?,
            _directory: directory,
        })
    }

    /// Has it log where its author asked for.
    pub(super) fn log_to(&mut self, log: &AuthorLog) -> Result<(), Failure> {
        (self.logs, self.tail) = start_log(log)?;
        Ok(())
    }

    /// What its host is started with: as the agent of the configuration would, or as one does by default. What does not
    /// work here will not work there.
    fn trial(&self, app_id: Option<&AppId>) -> Trial {
        if let Some(config) = &self.config {
            return Trial::of(config, app_id, self.scratch.clone());
        }
        Trial {
            walls: Walls {
                scratch: self.scratch.clone(),
                confinement: Some(Confinement::default()),
                max_open_files: MAX_OPEN_FILES,
            },
            memory_limit: None,
            environment: BTreeMap::new(),
            start_timeout: START_TIMEOUT,
        }
    }

    /// Reads its manifest.
    pub(super) async fn manifest(&self) -> Result<Manifest, Failure> {
        self.launcher
            .inspect(&self.library, self.trial(None).walls)
            .await
            .map_err(|error| self.unfit(&error))
    }

    /// Starts a host of it, for up to `calls` calls at the same time.
    pub(super) async fn start(&self, manifest: &Manifest, calls: u32) -> Result<Started, Failure> {
        let trial = self.trial(Some(&manifest.app_id));
        let spec = HostSpec {
            app_id: manifest.app_id.clone(),
            generation: Generation(1),
            library: self.library.clone(),
            config_json: Bytes::from_static(b"{}"),
            environment: trial.environment,
            max_in_flight: calls,
            max_response_bytes: MAX_ANSWER,
            memory_limit: trial.memory_limit,
            walls: trial.walls,
            start_timeout: trial.start_timeout,
            log: self.logs.of(&manifest.app_id, Generation(1)),
        };
        let started = self.launcher.start(spec).await;
        started.map_err(|error| {
            self.tell_log();
            self.unfit(&error)
        })
    }

    /// The file as it was named.
    pub(super) fn original(&self) -> &Path {
        &self.original
    }

    /// Tells which sandbox the host is in, and by whose settings.
    pub(super) fn tell_sandbox(&self, manifest: &Manifest, sandbox: &Confined) {
        let app_id = &manifest.app_id;
        let settings = match &self.config {
            Some(config) if config.connectors.settings.contains_key(app_id) => {
                format!("the settings of {app_id} in {}", config.file.display())
            }
            Some(config) => format!("{}, which has no settings of {app_id}", config.file.display()),
            None => "no configuration: the defaults".to_owned(),
        };
        let walls = super::connector::walls(sandbox.level, &sandbox.notes);
        super::output::note(super::output::printable(&format!(
            "sandbox by {settings}: {walls}"
        )));
    }

    /// Loads it, asks it for `info` and ends it.
    ///
    /// # Errors
    /// If it cannot be loaded, contradicts itself, or carries a signature that does not fit; then nothing is loaded.
    pub(super) async fn validate(&self) -> Result<Report, Failure> {
        let signature = trust::standing(self.config.as_deref(), self)?;
        let manifest = self.manifest().await?;
        let started = self.start(&manifest, 1).await?;
        self.end(&started).await;
        let wrong = |reason: String| {
            Failure::new(
                Exit::Failed,
                format!("{}: {reason}", self.original.display()),
                "correct the connector's `info` and build it anew",
            )
        };
        let info: Box<RawValue> = serde_json::from_slice(&started.info)
            .map_err(|error| wrong(format!("its answer to `info` is not JSON: {error}")))?;
        let value: Value = serde_json::from_str(info.get()).unwrap_or_default();
        let response = &value["response"];
        if let Some(told) = response["app_id"].as_str()
            && !told.eq_ignore_ascii_case(manifest.app_id.as_str())
        {
            let told = super::output::printable(told);
            return Err(wrong(format!(
                "its manifest says app_id `{}`, its `info` says `{told}`",
                manifest.app_id
            )));
        }
        let names = response["capabilities"].as_array().into_iter().flatten();
        let names = names.filter_map(|name| name.as_str().or(name["name"].as_str()));
        Ok(Report {
            file: self.original.clone(),
            sha256: self.sha256,
            signature,
            configuration: self.config.as_ref().map(|config| config.file.clone()),
            sandbox: started.confined,
            capabilities: names.map(str::to_owned).collect(),
            manifest,
            info,
            unfit_in_process: unfit_in_process(&self.library),
            checks: Vec::new(),
        })
    }

    /// Ends the host and shows what the connector logged.
    pub(super) async fn end(&self, started: &Started) {
        started.host.drain(Duration::from_secs(5)).await;
        self.tell_log();
    }

    fn tell_log(&self) {
        self.logs.flush();
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).show();
    }

    fn unfit(&self, error: &StartError) -> Failure {
        Failure {
            exit: Exit::Failed,
            message: format!("{}: {error}", self.original.display()),
            help: None,
        }
    }
}
