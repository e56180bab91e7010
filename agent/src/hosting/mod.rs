//! Hosts: one for each generation of a connector, never one for a call. A host is a process of its own, or, where the
//! configuration says `in-process`, a part of the daemon; both run the same library loading and the same rules for calls.
//!
//! ```text
//!   Host ─┬─ host/ ══ frames ══ child/ ─┐
//!         │  (agent's side)   (process) ├─ calls, orders ─ backend ─ library
//!         └─ in_process/ ───────────────┘
//! ```
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::call::Call;
use crate::domain::{AppId, Generation};
use crate::os::sandbox::{Confined, Confinement};
use crate::os::{MemoryGuard, Usage};
use crate::telemetry::connector_log::ConnectorLog;

mod backend;
mod buffer;
mod calls;
mod child;
mod envelope;
pub mod frames;
mod host;
mod in_process;
mod json;
mod launcher;
mod library;
mod manifest;
mod orders;
mod scratch;
mod settings;

pub use manifest::{Manifest, ManifestError};

/// The walls around a host.
#[derive(Debug, Clone)]
pub struct Walls {
    /// A directory of the host's own for temporary files. It is made anew for the host and removed with it.
    pub scratch: PathBuf,
    /// What the host may reach besides its library and its scratch directory, which are filled in; `None` switches the
    /// sandbox off.
    pub confinement: Option<Confinement>,
    /// Files that it may have open at the same time.
    pub max_open_files: u32,
}

/// What a host is started with.
#[derive(Clone)]
pub struct HostSpec {
    /// Whose host.
    pub app_id: AppId,
    /// Which generation.
    pub generation: Generation,
    /// The private copy to load.
    pub library: PathBuf,
    /// The agent's settings for the connector, handed to `create`.
    pub config_json: Bytes,
    /// Variables besides the allow-list.
    pub environment: BTreeMap<String, String>,
    /// Calls of `invoke` at the same time.
    pub max_in_flight: u32,
    /// Largest answer in bytes.
    pub max_response_bytes: u64,
    /// Resident bytes above which the host is ended.
    pub memory_limit: Option<u64>,
    /// What it may reach.
    pub walls: Walls,
    /// The longest that it may take from its start to its answer to `info`.
    pub start_timeout: Duration,
    /// Where its lines go.
    pub log: ConnectorLog,
}

/// Starts hosts. Cheap to clone; owns the one thread that spawns processes.
#[derive(Clone)]
pub struct Launcher(Arc<launcher::Shared>);

/// A host that has loaded its library, created the instance and answered `info`.
pub struct Started {
    /// To call and to end it.
    pub host: Host,
    /// The answer to `info`, as it came.
    pub info: Bytes,
    /// What of its walls is in force, told before anything of the connector's ran.
    pub confined: Confined,
}

/// Why a library could not be read or a host not be started. The text is for people and names the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The process could not be started.
    #[error("the host process could not be started: {0}")]
    Spawn(String),
    /// The library is not acceptable, whatever the settings: retrying with the same bytes is of no use.
    #[error("{0}")]
    Refused(String),
    /// Starting failed, but may succeed another time.
    #[error("{0}")]
    Failed(String),
    /// Starting did not come to an end inside the agent, and still goes on there.
    #[error("{0}")]
    Stuck(String),
}

/// Why a call got no answer from a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostCallError {
    /// The host takes no new calls; nothing was sent. Route anew.
    #[error("the host is draining")]
    Closed,
    /// The host ended while it had the call.
    #[error("the host ended during the call: {0}")]
    Died(String),
    /// The answer is not valid JSON.
    #[error("{0}")]
    InvalidAnswer(String),
    /// The answer is over the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
}

/// How a host ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// For people: "killed by signal 11 (SIGSEGV)", "exit code 3", "protocol error: …".
    pub reason: String,
    /// Whether the agent wanted it.
    pub expected: bool,
}

/// What a host is seen to be doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// What its process uses; `None` when it is gone, and inside the agent, where nobody can tell it apart.
    pub usage: Option<Usage>,
    /// The limit on its memory in bytes.
    pub memory_limit: Option<u64>,
    /// What holds it to that; `None` inside the agent.
    pub memory_guard: Option<MemoryGuard>,
    /// Calls of `finish` that were late, double or unknown. Told by the host every 5 s.
    pub ignored_finishes: u64,
    /// Calls that it was ever given; only whether it has changed means something.
    pub calls_begun: u64,
    /// Calls that have not ended.
    pub in_flight: u32,
}

/// Why a call is cancelled, as the ABI numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// The caller closed its connection.
    CallerGone,
    /// A deadline passed.
    Deadline,
    /// The host is about to end.
    Shutdown,
}

impl CancelReason {
    fn code(self) -> lumos_connector_abi::CancelReason {
        match self {
            CancelReason::CallerGone => lumos_connector_abi::CancelReason::CALLER_GONE,
            CancelReason::Deadline => lumos_connector_abi::CancelReason::DEADLINE,
            CancelReason::Shutdown => lumos_connector_abi::CancelReason::SHUTDOWN,
        }
    }
}

/// A running host.
#[derive(Clone)]
pub struct Host(Arc<Kind>);

enum Kind {
    Process(host::Handle),
    InProcess(in_process::Handle),
}

/// One call in a host: its answer, and the means to cancel it. Dropping it forgets the answer but does not cancel.
pub struct HostCall {
    host: Host,
    id: u64,
    receiver: oneshot::Receiver<Result<Bytes, HostCallError>>,
    outcome: Option<Result<Bytes, HostCallError>>,
}

impl Launcher {
    /// Starts the spawning thread; hosts will run this very executable, even if it is replaced on disk.
    ///
    /// # Errors
    /// If the running executable cannot be found.
    pub fn new() -> std::io::Result<Self> {
        Self::within(&crate::os::MemoryLimits::default())
    }

    /// The same, with hosts that run as `account`, if there is one. It has to reach what they load.
    ///
    /// # Errors
    /// If the running executable cannot be found.
    pub(crate) fn as_account(account: Option<crate::os::Account>) -> std::io::Result<Self> {
        let executable = crate::os::running_executable()?;
        let shared = launcher::Shared::new(executable, launcher::ANSWER_BUDGET, None)?;
        Ok(Launcher(Arc::new(shared.with_account(account))))
    }

    /// The same, with hosts' memory limited in that way.
    ///
    /// # Errors
    /// If the running executable cannot be found.
    pub fn within(memory: &crate::os::MemoryLimits) -> std::io::Result<Self> {
        let executable = crate::os::running_executable()?;
        launcher::Shared::new(executable, launcher::ANSWER_BUDGET, memory.cgroups.clone())
            .map(|shared| Launcher(Arc::new(shared)))
    }

    /// Like [`Launcher::new`] with another executable (which must understand `connector-host`), and a limit on the bytes of
    /// answers over 64 KiB that are held at one time.
    ///
    /// # Errors
    /// If the spawning thread cannot be started.
    pub fn with(executable: PathBuf, answer_budget: u64) -> std::io::Result<Self> {
        launcher::Shared::new(executable, answer_budget, None).map(|shared| Launcher(Arc::new(shared)))
    }

    /// Loads `library` in a throw-away host and reads its table and manifest, without creating an instance.
    ///
    /// # Errors
    /// If the library is not a connector of this ABI.
    pub async fn inspect(&self, library: &Path, walls: Walls) -> Result<Manifest, StartError> {
        self.0.inspect(library, walls).await
    }

    /// Starts a host, loads, creates and asks for `info`. Dropping the future ends the process.
    ///
    /// # Errors
    /// If any of that fails or takes longer than `start_timeout`. Nothing is left behind.
    pub async fn start(&self, spec: HostSpec) -> Result<Started, StartError> {
        let (handle, info, confined) = self.0.start(spec).await?;
        Ok(Started {
            host: Host(Arc::new(Kind::Process(handle))),
            info,
            confined,
        })
    }

    /// The same inside the agent: a crash of the connector is the agent's. Its environment, limits and walls
    /// cannot be honoured and are not looked at. Dropping the future gives up what was started.
    ///
    /// # Errors
    /// If any of that fails or takes more than 30 s. What was mapped stays mapped.
    pub async fn start_in_process(&self, spec: HostSpec) -> Result<Started, StartError> {
        let (handle, info) = in_process::start(spec, self.0.budget()).await?;
        Ok(Started {
            host: Host(Arc::new(Kind::InProcess(handle))),
            info,
            confined: Confined::inside_the_agent(),
        })
    }
}

impl Host {
    /// Sends a call. `Err(Closed)` means that nothing was sent. The secrets of the call are masked in the connector's log
    /// while it runs and for a while after.
    ///
    /// # Errors
    /// If the host takes no calls.
    pub fn begin(&self, call: &Call, timeout: Duration) -> Result<HostCall, HostCallError> {
        let (id, receiver) = match &*self.0 {
            Kind::Process(host) => host.begin(call, timeout)?,
            Kind::InProcess(host) => host.begin(call, timeout)?,
        };
        Ok(HostCall {
            host: self.clone(),
            id,
            receiver,
            outcome: None,
        })
    }

    /// Calls that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        match &*self.0 {
            Kind::Process(host) => host.in_flight(),
            Kind::InProcess(host) => host.in_flight(),
        }
    }

    /// What it is seen to be doing. Reads a file of the system's; may be called from any thread.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        match &*self.0 {
            Kind::Process(host) => host.vitals(),
            Kind::InProcess(host) => host.vitals(),
        }
    }

    /// Takes no new calls, waits for those in flight up to `grace`, has the connector quiesced and destroyed, and ends the
    /// process; where that takes too long, kills it, or gives it up inside the agent.
    pub async fn drain(&self, grace: Duration) -> Exit {
        match &*self.0 {
            Kind::Process(host) => host.drain(grace).await,
            Kind::InProcess(host) => host.drain(grace).await,
        }
    }

    /// Ends the process at once; inside the agent, gives the generation up. `reason` becomes the exit's.
    pub fn kill(&self, reason: &str) {
        match &*self.0 {
            Kind::Process(host) => host.kill(reason, true),
            Kind::InProcess(host) => host.kill(reason),
        }
    }

    /// Waits for it to end. May be awaited any number of times.
    pub async fn exited(&self) -> Exit {
        match &*self.0 {
            Kind::Process(host) => host.exited().await,
            Kind::InProcess(host) => host.exited().await,
        }
    }

    /// Waits until the host says that a fresh one should take its place, because the system around its walls has changed
    /// (a name service file was replaced, say); for ever if it never does.
    pub async fn outdated(&self) {
        match &*self.0 {
            Kind::Process(host) => host.outdated().await,
            Kind::InProcess(_) => std::future::pending().await,
        }
    }

    /// The id of the process it is in.
    #[must_use]
    pub fn pid(&self) -> u32 {
        match &*self.0 {
            Kind::Process(host) => host.pid(),
            Kind::InProcess(_) => std::process::id(),
        }
    }
}

impl HostCall {
    /// The answer. Cancel-safe; once it is there, the same again.
    ///
    /// # Errors
    /// If the host died, or the answer is not acceptable.
    pub async fn answer(&mut self) -> Result<Bytes, HostCallError> {
        if self.outcome.is_none() {
            let outcome = (&mut self.receiver).await;
            let gone = |_| Err(HostCallError::Died("it is gone".into()));
            self.outcome = Some(outcome.unwrap_or_else(gone));
        }
        self.outcome.clone().expect("just filled")
    }

    /// Says that it will not end by itself. A host that has only such calls left is ended as soon as it takes no others;
    /// inside the agent nothing can be ended.
    pub fn overdue(&self) {
        match &*self.host.0 {
            Kind::Process(host) => host.overdue(self.id),
            Kind::InProcess(_) => {}
        }
    }

    /// Tells the connector that nobody waits any more.
    pub fn cancel(&self, reason: CancelReason) {
        match &*self.host.0 {
            Kind::Process(host) => host.cancel(self.id, reason),
            Kind::InProcess(host) => host.cancel(self.id, reason),
        }
    }
}

/// The entry of `lumos-agent connector-host`, run by the agent itself; never returns to `main` before the host ends. Call it
/// before anything starts threads or an asynchronous runtime.
///
/// # Errors
/// If it was not started by an agent.
pub fn host_main() -> Result<(), String> {
    child::run()
}

/// Why `library` must not be loaded into the agent itself, whatever the configuration says, if there is such a reason. Blocks
/// on the file system.
#[must_use]
pub fn unfit_in_process(library: &Path) -> Option<String> {
    in_process::unfit(library)
}

/// Whether connector code was loaded into this very process, so that it must end without running exit handlers: a thread of
/// a connector may be at work on what they free.
#[must_use]
pub fn holds_connectors() -> bool {
    in_process::loaded()
}

/// Ends the process at once with `code`, without running exit handlers.
pub fn end_process(code: i32) -> ! {
    crate::os::exit_now(code)
}

/// Kept by whoever shares one.
pub type SharedHost = Arc<Host>;
