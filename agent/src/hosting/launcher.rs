//! Starts hosts: the one thread that spawns them, and the conversation until a host is ready.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::frames::{MAX_PAYLOAD, VERSION};
use super::host::{self, Attach, Budget, Handle, Phase};
use super::scratch::Scratch;
use super::settings::{Mode, StartSettings};
use super::{HostSpec, Manifest, StartError, Walls};
use crate::call::Call;
use crate::domain::{AppId, Level};
use crate::os::sandbox::{Confined, Confinement};
use crate::os::{self, Account, Cgroups, HostCommand, HostLimits, MemoryGuard, RawHost};

/// The most that reading a library's table may take, which runs its initialisers.
const INSPECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Variables of the agent that a host gets too: what a connector needs to reach its app and to tell the time.
const PASSED_ON: [&str; 19] = [
    "TZ",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SystemRoot",
    "SystemDrive",
    "windir",
    "WINEPREFIX",
    "RUST_BACKTRACE",
];

/// Variables that lead to a host's scratch directory.
const SCRATCH: [&str; 3] = ["TMPDIR", "TEMP", "TMP"];
/// The data segment of a host with a memory limit, as a multiple of it and at least: the limit is on what is resident, and a
/// library may well reserve more than it uses.
const DATA_FACTOR: u64 = 4;
const MIN_DATA: u64 = 512 * 1024 * 1024;
/// Stack that each thread for calls reserves, which counts as data.
const CALL_STACK: u64 = 8 * 1024 * 1024;

/// Default of the bytes of large answers held at one time.
pub(super) const ANSWER_BUDGET: u64 = 256 * 1024 * 1024;

/// The thread that spawns. It must live as long as any host: the kernel ends a host when the thread that spawned it ends.
pub(super) struct Spawner {
    requests: std::sync::mpsc::Sender<Request>,
}

struct Request {
    command: HostCommand,
    reply: oneshot::Sender<std::io::Result<RawHost>>,
}

impl Spawner {
    fn start() -> std::io::Result<Self> {
        // Unbounded, but every sender waits for its reply, so it holds one request for each start under way.
        let (requests, orders) = std::sync::mpsc::channel::<Request>();
        std::thread::Builder::new()
            .name("host-spawner".into())
            .spawn(move || {
                let _places = os::prepare_spawner();
                for Request { command, reply } in orders {
                    // A host for which nobody waits any more ends when its channels are dropped here.
                    let _ = reply.send(os::spawn_host(&command));
                }
            })?;
        Ok(Spawner { requests })
    }

    async fn spawn(&self, command: HostCommand) -> std::io::Result<RawHost> {
        let gone = || std::io::Error::other("the thread that starts processes is gone");
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request { command, reply })
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

pub(super) struct Shared {
    executable: PathBuf,
    spawner: Arc<Spawner>,
    budget: Budget,
    tasks: TaskTracker,
    cgroups: Option<Cgroups>,
    account: Option<Account>,
}

/// What is the same in inspecting and serving.
struct Starting {
    handle: Handle,
    phases: mpsc::Receiver<Phase>,
}

impl Shared {
    pub(super) fn new(
        executable: PathBuf,
        answer_budget: u64,
        cgroups: Option<Cgroups>,
    ) -> std::io::Result<Self> {
        let total_units = u32::try_from(answer_budget / 1024).unwrap_or(u32::MAX);
        let units = (total_units as usize).min(Semaphore::MAX_PERMITS);
        Ok(Shared {
            executable,
            spawner: Arc::new(Spawner::start()?),
            budget: Budget {
                units: Arc::new(Semaphore::new(units)),
                total_units,
            },
            tasks: TaskTracker::new(),
            cgroups,
            account: None,
        })
    }

    /// The same, with hosts of that account.
    pub(super) fn with_account(self, account: Option<Account>) -> Self {
        Shared { account, ..self }
    }

    pub(super) async fn inspect(&self, library: &Path, walls: Walls) -> Result<Manifest, StartError> {
        let settings = StartSettings {
            library: library.to_owned(),
            limits: limits(&walls, None, 0),
            confinement: confinement(&walls, library),
            mode: Mode::Inspect,
        };
        let mut starting = self.spawn(&BTreeMap::new(), &walls, Attached::default()).await?;
        let conversation = async {
            starting.greet(&settings).await?;
            starting.manifest().await
        };
        let outcome = in_time(conversation, INSPECT_TIMEOUT, "reading the library").await;
        starting.end().await;
        outcome
    }

    pub(super) async fn start(&self, spec: HostSpec) -> Result<(Handle, Bytes, Confined), StartError> {
        let config_json = String::from_utf8(spec.config_json.to_vec())
            .map_err(|_| StartError::Failed("the connector's settings are not UTF-8".into()))?;
        let mut settings = StartSettings {
            limits: limits(&spec.walls, spec.memory_limit, spec.max_in_flight),
            confinement: confinement(&spec.walls, &spec.library),
            library: spec.library,
            mode: Mode::Serve {
                app_id: spec.app_id.clone(),
                config_json,
                max_in_flight: spec.max_in_flight,
                max_response_bytes: spec.max_response_bytes,
            },
        };
        let attached = Attached {
            log: Some(spec.log),
            max_response_bytes: spec.max_response_bytes,
            memory_limit: spec.memory_limit,
        };
        let mut starting = self.spawn(&spec.environment, &spec.walls, attached).await?;
        if starting.handle.memory_guard() == MemoryGuard::Cgroup {
            settings.limits.data_bytes = None;
        }
        let conversation = async {
            let confined = starting.greet(&settings).await?;
            starting.manifest().await?;
            starting.ready().await?;
            Ok((starting.info(&spec.app_id, spec.start_timeout).await?, confined))
        };
        match in_time(conversation, spec.start_timeout, "loading, create and info").await {
            Ok((info, confined)) => Ok((starting.handle, info, confined)),
            Err(error) => {
                starting.end().await;
                Err(error)
            }
        }
    }

    /// The bytes of large answers, shared by all hosts.
    pub(super) fn budget(&self) -> Budget {
        self.budget.clone()
    }

    async fn spawn(
        &self,
        environment: &BTreeMap<String, String>,
        walls: &Walls,
        attached: Attached,
    ) -> Result<Starting, StartError> {
        let failed = |error: std::io::Error| StartError::Spawn(error.to_string());
        let scratch = Scratch::make(walls.scratch.clone()).await.map_err(|error| {
            StartError::Spawn(format!(
                "its directory for temporary files, {}, cannot be made: {error}",
                walls.scratch.display()
            ))
        })?;
        if let Some(account) = self.account {
            account.give(&walls.scratch).map_err(failed)?;
        }
        let command = HostCommand {
            executable: self.executable.clone(),
            environment: host_environment(environment, &walls.scratch),
            memory_limit: attached.memory_limit,
            cgroups: self.cgroups.clone(),
            account: self.account,
        };
        let raw = self.spawner.spawn(command).await.map_err(failed)?;
        let io = raw.into_io().map_err(failed)?;
        let attach = Attach {
            log: attached.log,
            max_response_bytes: attached.max_response_bytes,
            memory_limit: attached.memory_limit,
            budget: self.budget.clone(),
            tasks: self.tasks.clone(),
            scratch,
            _spawner: self.spawner.clone(),
        };
        let (handle, phases) = host::attach(io, attach);
        Ok(Starting { handle, phases })
    }
}

/// What differs between hosts that serve and those that are only looked at.
#[derive(Default)]
struct Attached {
    log: Option<crate::telemetry::connector_log::ConnectorLog>,
    max_response_bytes: u64,
    memory_limit: Option<u64>,
}

fn confinement(walls: &Walls, library: &Path) -> Option<Confinement> {
    walls.confinement.clone().map(|wanted| Confinement {
        library: library.to_owned(),
        scratch: walls.scratch.clone(),
        ..wanted
    })
}

fn limits(walls: &Walls, memory_limit: Option<u64>, threads: u32) -> HostLimits {
    let data = |limit: u64| {
        limit
            .saturating_mul(DATA_FACTOR)
            .max(MIN_DATA)
            .saturating_add(u64::from(threads) * CALL_STACK)
    };
    HostLimits {
        open_files: walls.max_open_files.into(),
        data_bytes: memory_limit.map(data),
    }
}

async fn in_time<T>(
    conversation: impl Future<Output = Result<T, StartError>>,
    limit: Duration,
    what: &str,
) -> Result<T, StartError> {
    let late = |_| {
        StartError::Failed(format!(
            "{what} took more than {} s; look into the connector's log for what it waits for",
            limit.as_secs()
        ))
    };
    tokio::time::timeout(limit, conversation).await.map_err(late)?
}

impl Starting {
    /// The next thing the host says; `doing` is what it is at, for the message if it ends instead.
    async fn next(&mut self, doing: &str) -> Result<Phase, StartError> {
        match self.phases.recv().await {
            Some(Phase::Failed { refused: true, text }) => Err(StartError::Refused(text)),
            Some(Phase::Failed { refused: false, text }) => Err(StartError::Failed(text)),
            Some(phase) => Ok(phase),
            None => {
                let exit = self.handle.exited().await;
                Err(StartError::Failed(format!(
                    "the host process ended while {doing}: {}",
                    exit.reason
                )))
            }
        }
    }

    async fn greet(&mut self, settings: &StartSettings) -> Result<Confined, StartError> {
        let json = serde_json::to_vec(settings)
            .map_err(|error| StartError::Failed(format!("the host's settings cannot be written: {error}")))?;
        if json.len() > MAX_PAYLOAD {
            return Err(StartError::Failed(format!(
                "the connector's settings take {} bytes; at most {MAX_PAYLOAD} can be handed to it",
                json.len()
            )));
        }
        match self.next("it started").await? {
            Phase::Hello(VERSION) => {}
            phase => return Err(out_of_place(&phase)),
        }
        self.handle.start(&json);
        match self.next("it restricted itself").await? {
            Phase::Confined(json) => serde_json::from_slice(&json).map_err(|error| {
                StartError::Failed(format!("the host's report of its walls is not valid: {error}"))
            }),
            phase => Err(out_of_place(&phase)),
        }
    }

    async fn manifest(&mut self) -> Result<Manifest, StartError> {
        match self.next("the library was loaded").await? {
            Phase::Manifest(json) => {
                Manifest::parse(&json).map_err(|error| StartError::Refused(error.to_string()))
            }
            phase => Err(out_of_place(&phase)),
        }
    }

    async fn ready(&mut self) -> Result<(), StartError> {
        match self.next("the connector was created (create)").await? {
            Phase::Ready => Ok(()),
            phase => Err(out_of_place(&phase)),
        }
    }

    /// The first call: proves that the connector answers, and under its own name.
    async fn info(&mut self, app_id: &AppId, limit: Duration) -> Result<Bytes, StartError> {
        let failed = |text: String| StartError::Failed(format!("info failed: {text}"));
        let (_, answer) = self
            .handle
            .begin(&info_call(app_id, limit), limit)
            .map_err(|error| failed(error.to_string()))?;
        let answer = match answer.await {
            Ok(outcome) => outcome.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(failed("the host ended".into())),
        };
        check_info(&answer, app_id)?;
        Ok(answer)
    }

    /// Ends the process and waits until it is gone.
    async fn end(self) {
        self.handle.kill("its start was given up", true);
        self.handle.exited().await;
    }
}

fn out_of_place(phase: &Phase) -> StartError {
    StartError::Failed(match phase {
        Phase::Hello(version) => format!("the host speaks version {version} of the protocol, not {VERSION}"),
        _ => "the host said something out of place while starting".into(),
    })
}

/// The call of `info` that ends a start.
pub(super) fn info_call(app_id: &AppId, limit: Duration) -> Call {
    Call {
        request_id: "start".into(),
        caller: "lumos-agent".into(),
        app_id: app_id.clone(),
        capability: "info".parse().expect("a capability's name"),
        level: Level::Read,
        body: Bytes::from_static(b"{}"),
        deadline: tokio::time::Instant::now() + limit,
        traceparent: None,
        observability: Arc::from([]),
        secrets: Arc::new([]),
    }
}

#[derive(Deserialize)]
struct InfoAnswer {
    #[serde(default)]
    is_error: bool,
    error: Option<InfoError>,
    response: Option<InfoResponse>,
}

#[derive(Deserialize)]
struct InfoError {
    message: Option<String>,
}

#[derive(Deserialize)]
struct InfoResponse {
    app_id: Option<String>,
}

/// The answer to `info` must name the connector that the manifest names.
pub(super) fn check_info(answer: &[u8], app_id: &AppId) -> Result<(), StartError> {
    let info: InfoAnswer = serde_json::from_slice(answer).map_err(|error| {
        StartError::Failed(format!(
            "the answer to info does not have the form of the API: {error}"
        ))
    })?;
    if info.is_error {
        let said = info.error.and_then(|error| error.message).unwrap_or_default();
        let said: String = said.chars().take(1000).collect();
        return Err(StartError::Failed(format!(
            "info answered with an error: {}",
            said.escape_debug()
        )));
    }
    let named = info.response.and_then(|response| response.app_id);
    match named {
        Some(named) if named.parse::<AppId>().is_ok_and(|named| named == *app_id) => Ok(()),
        Some(named) => {
            let named: String = named.chars().take(80).collect();
            Err(StartError::Refused(format!(
                "wrong app_id: the manifest says `{app_id}`, but the answer to info says `{}`; make them the same",
                named.escape_debug()
            )))
        }
        None => Err(StartError::Refused(
            "the answer to info has no response.app_id; it must name the connector".into(),
        )),
    }
}

/// All of a host's environment: what is passed on, its scratch directory, and what the configuration adds.
fn host_environment(added: &BTreeMap<String, String>, scratch: &Path) -> Vec<(OsString, OsString)> {
    let passed = PASSED_ON
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let own = SCRATCH.iter().map(|name| (*name, scratch.into()));
    let given = passed.chain(own).filter(|(name, _)| !added.contains_key(*name));
    let added = added.iter().map(|(name, value)| (name.into(), value.into()));
    given
        .map(|(name, value)| (OsString::from(name), value))
        .chain(added)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_must_name_the_connector() {
        let app_id: AppId = "mockapp".parse().unwrap();
        assert_eq!(
            check_info(br#"{"response": {"app_id": "MockApp"}}"#, &app_id),
            Ok(())
        );
        let text = |json: &str| check_info(json.as_bytes(), &app_id).unwrap_err().to_string();
        assert_eq!(
            text(r#"{"response": {"app_id": "other"}}"#),
            "wrong app_id: the manifest says `mockapp`, but the answer to info says `other`; make them the same"
        );
        assert!(text(r#"{"response": {}}"#).contains("no response.app_id"));
        assert_eq!(
            text(r#"{"is_error": true, "error": {"message": "no licence"}}"#),
            "info answered with an error: no licence"
        );
        assert!(text("[]").contains("form of the API"));
    }

    #[test]
    fn only_what_is_listed_or_added_reaches_a_host() {
        let added = BTreeMap::from([
            ("TZ".to_owned(), "UTC".to_owned()),
            ("MY".to_owned(), "1".to_owned()),
        ]);
        let environment = host_environment(&added, Path::new("/scratch"));
        assert!(environment.contains(&("TMPDIR".into(), "/scratch".into())));
        assert!(environment.contains(&("TZ".into(), "UTC".into())));
        assert!(environment.contains(&("MY".into(), "1".into())));
        assert!(
            environment
                .iter()
                .all(|(name, _)| name != "PATH" && name != "HOME")
        );
    }
}
