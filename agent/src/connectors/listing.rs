//! What is told about connectors: `GET /connectors`, `connector list`, `connector show`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::model::Isolation;
use crate::domain::{AppId, Generation, KeyId, Sha256};
use crate::os::MemoryGuard;
use crate::os::sandbox::{Confined, Level};

/// The state of a connector, or of a file that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Seen, not settled yet.
    Discovered,
    /// Being checked and copied.
    Verifying,
    /// A host is starting; nothing serves yet.
    Starting,
    /// Serves.
    Ready,
    /// Being removed; calls in flight go on.
    Draining,
    /// Switched off in the configuration.
    Stopped,
    /// Its host failed; a retry is due.
    BackingOff,
    /// It failed too often; retried rarely.
    Quarantined,
    /// The file is not acceptable; a new file is needed.
    Refused,
    /// Another file of the same app_id is served.
    Shadowed,
}

/// One row of `connector list`, and of `GET /connectors` for administrators.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listing {
    /// The connector's name, or the file's stem where the file never said one.
    pub app_id: String,
    /// Version in service, or of the refused file, if known.
    pub version: Option<String>,
    /// `native`, later `python`, `archive`.
    pub kind: String,
    /// See [`State`].
    pub state: State,
    /// Generation in service, or the last one tried.
    pub generation: Option<Generation>,
    /// Content in service, or of the file.
    pub sha256: Option<Sha256>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// The last failure, with its remedy; kept while an older generation goes on serving.
    pub last_error: Option<String>,
    /// Calls that have not ended.
    pub in_flight: u32,
    /// Names of its capabilities.
    pub capabilities: Vec<String>,
    /// The file's name in the connectors directory.
    pub file: Option<String>,
    /// How it is loaded.
    pub isolation: Option<Isolation>,
    /// Process id of the host in service.
    pub pid: Option<u32>,
    /// How far the host in service is walled off.
    #[serde(default)]
    pub isolation_level: Option<Level>,
    /// What of its walls is in force, and why not more.
    #[serde(default)]
    pub sandbox: Option<Confined>,
    /// The trusted key that this content is signed by.
    #[serde(default)]
    pub signed_by: Option<KeyId>,
    /// Whether its settings name this content.
    #[serde(default)]
    pub pinned: bool,
    /// The host in service.
    #[serde(default)]
    pub host: Option<HostFacts>,
    /// What somebody should look into although it serves.
    #[serde(default)]
    pub warning: Option<String>,
}

/// What the host in service uses and is held to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its resident memory in bytes; `None` inside the agent, where nobody can tell it apart.
    pub resident_bytes: Option<u64>,
    /// Of one core, on average over `connectors.cpu_warning_after`, for all hosts of the connector.
    pub cpu_percent: Option<u32>,
    /// In bytes.
    pub memory_limit: Option<u64>,
    /// What holds it to that.
    pub memory_guard: Option<MemoryGuard>,
    /// Times that `finish` was called for a call which was not open: late, double or unknown.
    pub ignored_finishes: u64,
}

/// One row of `GET /connectors` as every caller may see it. What a [`Listing`] has besides says how this machine runs the
/// connector.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the members of the same names of `Listing`")]
pub struct Row<'a> {
    pub app_id: &'a str,
    pub version: Option<&'a str>,
    pub kind: &'a str,
    pub state: State,
    pub generation: Option<Generation>,
    pub sha256: Option<Sha256>,
    pub since: Timestamp,
    pub last_error: Option<&'a str>,
    pub in_flight: u32,
    pub capabilities: &'a [String],
}

impl<'a> From<&'a Listing> for Row<'a> {
    fn from(listing: &'a Listing) -> Self {
        Row {
            app_id: &listing.app_id,
            version: listing.version.as_deref(),
            kind: &listing.kind,
            state: listing.state,
            generation: listing.generation,
            sha256: listing.sha256,
            since: listing.since,
            last_error: listing.last_error.as_deref(),
            in_flight: listing.in_flight,
            capabilities: &listing.capabilities,
        }
    }
}

/// One step in the life of a generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// Of which generation; none before one is started.
    pub generation: Option<Generation>,
    /// The state entered.
    pub state: State,
    /// Why.
    pub reason: String,
    /// Content of the generation.
    pub sha256: Option<Sha256>,
}

/// `connector show`: the row and its history, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Detail {
    /// The row of `connector list`.
    #[serde(flatten)]
    pub listing: Listing,
    /// Its transitions, across restarts, oldest first; the oldest are dropped after 500.
    pub transitions: Vec<Transition>,
}

/// The row of a connector whose file is gone; `last` is the end of its history.
pub(super) fn removed(app_id: &AppId, last: &Transition) -> Listing {
    Listing {
        app_id: app_id.to_string(),
        version: None,
        kind: "native".into(),
        state: State::Stopped,
        generation: last.generation,
        sha256: last.sha256,
        since: last.at,
        last_error: Some("its file was removed".into()),
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
    }
}
