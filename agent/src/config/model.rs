//! The configuration as inert data: every key of `agent.toml`, parsed into its domain type, with paths made absolute.
//!
//! Nothing here reads a file or the environment; `super::load` makes a [`Config`], the rest of the agent only reads it.
//! After a reload a new `Arc<Config>` goes round; addresses and directories are fixed while it runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::value::de;
use crate::domain::{AppId, Scopes, Sha256, TrustedKey};

/// All of `agent.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Config {
    /// The file it came from; relative paths in it are relative to this file's directory.
    #[serde(skip)]
    pub file: PathBuf,
    /// `[agent]`
    pub agent: Agent,
    /// `[dispatch]`
    pub dispatch: Dispatch,
    /// `[admin]`
    pub admin: Admin,
    /// `[connectors]`
    pub connectors: Connectors,
    /// `[log]`
    pub log: Log,
}

impl Config {
    /// What counts for one connector: its own settings, or the defaults.
    #[must_use]
    pub fn settings_of(&self, app_id: &AppId) -> ConnectorSettings {
        self.connectors.settings.get(app_id).cloned().unwrap_or_default()
    }
}

/// `[agent]`: the agent itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Agent {
    /// Shown in `/info` (`domain_name`) and logs. Default: the machine's host name.
    #[serde(default)]
    pub name: String,
    /// The Lumos cluster that this agent belongs to, if given.
    pub cluster_id: Option<String>,
    /// Which calls Lumos should prefer to send here; reported in `/info`, not enforced.
    pub operation_mode: OperationMode,
    /// Private state: library copies, history, the control socket. Never world-readable.
    pub state_dir: PathBuf,
    /// The token file. Only the command line writes it.
    pub token_file: PathBuf,
    /// How long calls in flight may go on after a stop was asked for.
    #[serde(deserialize_with = "de::duration")]
    pub shutdown_grace: Duration,
}

/// `agent.operation_mode`, `LUMOS_ON_PREMISE_AGENT_OPERATION_MODE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationMode {
    /// `default`
    Default,
    /// `read_preferred`
    ReadPreferred,
    /// `write_preferred`
    WritePreferred,
}

/// `[dispatch]`: the HTTPS listener that Lumos calls.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Dispatch {
    /// Address to listen on. Port 0 takes a free one (`status` shows it).
    pub listen: SocketAddr,
    /// Largest request body in bytes.
    #[serde(deserialize_with = "de::size")]
    pub max_body_bytes: u64,
    /// Request bytes held at one time, over all connections.
    #[serde(deserialize_with = "de::size")]
    pub max_buffered_bytes: u64,
    /// Largest answer in bytes.
    #[serde(deserialize_with = "de::size")]
    pub max_response_bytes: u64,
    /// The longest that any call may take.
    #[serde(deserialize_with = "de::duration")]
    pub timeout: Duration,
    /// Calls at the same time, over all connectors.
    pub max_in_flight: u32,
    /// Calls of one caller at the same time.
    pub max_in_flight_per_caller: u32,
    /// Connections at the same time.
    pub max_connections: u32,
    /// `[dispatch.tls]`
    pub tls: Tls,
}

/// `[dispatch.tls]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Tls {
    /// PEM file: server certificate, then intermediates.
    pub certificate: PathBuf,
    /// PEM file: its private key (PKCS#8, PKCS#1 or SEC1). Readable by nobody else.
    pub private_key: PathBuf,
    /// PEM file: the CA whose client certificates are accepted.
    pub client_ca: Option<PathBuf>,
    /// Whether a connection without a client certificate is accepted; counts only with `client_ca`.
    pub client_auth: ClientAuth,
    /// PEM file: the revocation lists of `client_ca`.
    pub client_crl: Option<PathBuf>,
    /// Subject alternative name of a client certificate -> what it may do.
    #[serde(default)]
    pub client_names: BTreeMap<String, Scopes>,
    /// Lowest version offered.
    pub min_version: TlsVersion,
}

/// `dispatch.tls.client_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// `optional`: a certificate or a token.
    Optional,
    /// `required`: a certificate, and what the request may do by its names or by a token.
    Required,
}

/// `dispatch.tls.min_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsVersion {
    /// `1.2`
    #[serde(rename = "1.2")]
    Tls12,
    /// `1.3`
    #[serde(rename = "1.3")]
    Tls13,
}

/// `[admin]`: the local, read-only HTTP listener.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Admin {
    /// `LUMOS_ON_PREMISE_AGENT_HTTP_ENABLE_SERVER`
    pub enabled: bool,
    /// Address to listen on; `LUMOS_ON_PREMISE_AGENT_HTTP_SERVER_PORT` sets its port.
    pub listen: SocketAddr,
    /// Values of the Host header that are accepted besides loopback.
    pub allowed_hosts: Vec<String>,
}

/// `[connectors]`: where connectors come from, and the defaults of their settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Connectors {
    /// The watched directory.
    pub directory: PathBuf,
    /// Default of `settings.*.isolation`.
    pub isolation: Isolation,
    /// Default of `settings.*.max_in_flight`.
    pub max_in_flight: u32,
    /// Default of `settings.*.memory_limit`, in bytes.
    #[serde(deserialize_with = "de::some_size", default)]
    pub memory_limit: Option<u64>,
    /// Resident bytes above which a host that has had no call for a minute is replaced by a fresh one.
    #[serde(deserialize_with = "de::some_size", default)]
    pub idle_memory_limit: Option<u64>,
    /// Default of `settings.*.cpu_warning`.
    pub cpu_warning: u32,
    /// Over what time that counts.
    #[serde(deserialize_with = "de::duration")]
    pub cpu_warning_after: Duration,
    /// Default of `settings.*.max_open_files`.
    pub max_open_files: u32,
    /// The longest that a host may take from its start to its answer to `info`.
    #[serde(deserialize_with = "de::duration")]
    pub start_timeout: Duration,
    /// How often the directory is listed even if no event came.
    #[serde(deserialize_with = "de::duration")]
    pub rescan_interval: Duration,
    /// User names or ids (SIDs on Windows) whose files are trusted besides root's.
    pub trusted_owners: Vec<String>,
    /// Whether only libraries with a `sha256` pin are loaded.
    pub require_pinned: bool,
    /// Minisign public keys whose signatures count.
    pub trusted_keys: Vec<TrustedKey>,
    /// Whether only libraries with a signature by one of them are loaded.
    pub require_signed: bool,
    /// `[connectors.settings.APP_ID]`
    #[serde(default)]
    pub settings: BTreeMap<AppId, ConnectorSettings>,
    /// `[connectors.tenants.APP_ID.NAME]`
    #[serde(default)]
    pub tenants: BTreeMap<AppId, BTreeMap<String, Tenant>>,
}

/// How a connector is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In a host process of its own.
    Process,
    /// In the daemon itself.
    InProcess,
}

/// `[connectors.settings.APP_ID]`; what is `None` falls back to `[connectors]` or `[dispatch]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct ConnectorSettings {
    /// Whether it is served at all.
    pub enabled: bool,
    /// See [`Isolation`].
    pub isolation: Option<Isolation>,
    /// Calls at the same time; the smaller of this and the manifest's `max_concurrency` counts.
    pub max_in_flight: Option<u32>,
    /// The longest that a call of this connector may take; a call that overstays loses its host.
    #[serde(deserialize_with = "de::some_duration", default)]
    pub timeout: Option<Duration>,
    /// Resident bytes above which its host is ended.
    #[serde(deserialize_with = "de::some_size", default)]
    pub memory_limit: Option<u64>,
    /// Per cent of one core above which it is warned about; 0 for never.
    pub cpu_warning: Option<u32>,
    /// Files that its host may have open at the same time.
    pub max_open_files: Option<u32>,
    /// Variables that its host gets besides the allow-list.
    pub environment: BTreeMap<String, String>,
    /// Hosts processes to run; 1 for now.
    pub hosts: u32,
    /// Contents that may be loaded, if any are named.
    pub sha256: Vec<Sha256>,
    /// `[connectors.settings.APP_ID.sandbox]`
    pub sandbox: Sandbox,
}

/// `[connectors.settings.APP_ID.sandbox]`: what its host may reach besides the network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Sandbox {
    /// Whether there is one.
    pub enabled: bool,
    /// Files and directories to read.
    pub read: Vec<PathBuf>,
    /// Files and directories to read and write.
    pub write: Vec<PathBuf>,
    /// Programs, or directories of them, to read and run.
    pub execute: Vec<PathBuf>,
    /// Unix sockets to connect to.
    pub unix_sockets: Vec<PathBuf>,
    /// Whether it may listen on TCP ports.
    pub listen: bool,
    /// Whether it may change modes, owners and times of files by path.
    pub file_modes: bool,
}

impl Default for Sandbox {
    fn default() -> Self {
        Sandbox {
            enabled: true,
            read: Vec::new(),
            write: Vec::new(),
            execute: Vec::new(),
            unix_sockets: Vec::new(),
            listen: false,
            file_modes: false,
        }
    }
}

impl Default for ConnectorSettings {
    fn default() -> Self {
        ConnectorSettings {
            enabled: true,
            isolation: None,
            max_in_flight: None,
            timeout: None,
            memory_limit: None,
            cpu_warning: None,
            max_open_files: None,
            environment: BTreeMap::new(),
            hosts: 1,
            sha256: Vec::new(),
            sandbox: Sandbox::default(),
        }
    }
}

/// `[connectors.tenants.APP_ID.NAME]`: for what the agent does on its own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Tenant {
    /// The connector's request settings.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Where its credentials are; mode 0600.
    pub credentials_file: Option<PathBuf>,
    /// How changes in the app are learnt.
    #[serde(default)]
    pub events: Events,
}

/// `events` of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Events {
    /// `off`
    #[default]
    Off,
    /// `hook`
    Hook,
    /// `poll`
    Poll,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Log {
    /// The agent's own level; `LUMOS_ON_PREMISE_AGENT_LOG_LEVEL`.
    #[serde(deserialize_with = "de::level")]
    pub level: LogLevel,
    /// `text` or `json`.
    pub format: LogFormat,
    /// Whether there are log files.
    pub files: bool,
    /// Where they go; `LUMOS_LOG_DIRECTORY`.
    pub directory: PathBuf,
    /// Days after which a log file is deleted.
    pub retention_days: u32,
    /// Bytes of all log files together, above which the oldest are deleted.
    #[serde(deserialize_with = "de::size")]
    pub retention_size: u64,
    /// Level of connector logs; `LUMOS_LOG_LEVEL`.
    #[serde(deserialize_with = "de::level")]
    pub connector_level: LogLevel,
    /// Key names redacted besides the usual ones; `LUMOS_ADDITIONAL_REDACTED_LOG_KEYS` adds to them.
    pub redacted_keys: Vec<String>,
}

/// The levels of the Connector SDK guide, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// `DEBUG`
    Debug,
    /// `INFO`
    Info,
    /// `WARNING`
    Warning,
    /// `ERROR`
    Error,
    /// `CRITICAL`
    Critical,
}

impl LogLevel {
    /// As the guide spells it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            LogLevel::Debug => "DEBUG",
            LogLevel::Info => "INFO",
            LogLevel::Warning => "WARNING",
            LogLevel::Error => "ERROR",
            LogLevel::Critical => "CRITICAL",
        }
    }
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One line for a person.
    Text,
    /// One JSON object a line.
    Json,
}
