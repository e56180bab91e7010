//! The one table of keys. What `agent.toml` may hold is said here and nowhere else: the loader checks files and variables
//! against it, the commented default (`config/agent.toml`) and the JSON schema (`config/agent.schema.json`) are written
//! from it, and a reload asks it which keys only take effect at the next start.

pub(super) use super::kind::{Kind, LEVELS};
use super::paths::Place;

/// One section, such as `[dispatch.tls]`. A `*` in its path stands for a name that the administrator chooses.
pub(super) struct Section {
    /// Where it is.
    pub(super) path: &'static [&'static str],
    /// What it is for, for the commented default.
    pub(super) doc: &'static str,
    /// What it may hold.
    pub(super) keys: &'static [Key],
}

/// One key of a section.
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What its value must be.
    pub(super) kind: Kind,
    /// What counts without it.
    pub(super) default: Default,
    /// Whether a change takes effect without a restart.
    pub(super) reload: bool,
    /// The variable that Lumos documents for it, besides `LUMOS_AGENT__SECTION__KEY`.
    pub(super) variable: Option<&'static str>,
    /// What it does, in whole sentences.
    pub(super) doc: &'static str,
}

/// What counts where a key is not given.
#[derive(Clone, Copy)]
pub(super) enum Default {
    /// The setting is off, or something else decides; the text is an example for the commented default.
    None(&'static str),
    /// This TOML value.
    Toml(&'static str),
    /// A path that depends on the system.
    Place(Place),
}

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

const fn key(name: &'static str, kind: Kind, default: Default, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        reload: true,
        variable: None,
        doc,
    }
}

impl Key {
    const fn at_start(mut self) -> Self {
        self.reload = false;
        self
    }

    const fn variable(mut self, name: &'static str) -> Self {
        self.variable = Some(name);
        self
    }
}

/// Everything that `agent.toml` may hold.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        path: &["agent"],
        doc: "The agent itself.",
        keys: AGENT,
    },
    Section {
        path: &["dispatch"],
        doc: "The HTTPS listener that Lumos calls.",
        keys: DISPATCH,
    },
    Section {
        path: &["dispatch", "tls"],
        doc: "Certificate and key of that listener. Both are read again when the files change.",
        keys: TLS,
    },
    Section {
        path: &["admin"],
        doc: "The local, read-only HTTP listener: /info, /healthz, /readyz and /metrics.",
        keys: ADMIN,
    },
    Section {
        path: &["connectors"],
        doc: "Where connectors come from, and what counts for all of them.",
        keys: CONNECTORS,
    },
    Section {
        path: &["connectors", "settings", "*"],
        doc: "Settings of one connector. Replace `mockapp` by its app_id.",
        keys: SETTINGS,
    },
    Section {
        path: &["connectors", "settings", "*", "sandbox"],
        doc: "What the host of that connector may reach besides the network. Every key but `enabled` widens it.",
        keys: SANDBOX,
    },
    Section {
        path: &["connectors", "tenants", "*", "*"],
        doc: "One tenant of a connector, for what the agent does on its own.",
        keys: TENANT,
    },
    Section {
        path: &["log"],
        doc: "The agent's log goes to standard error and to a file, those of connectors to files of their own.",
        keys: LOG,
    },
];

const AGENT: &[Key] = &[
    key(
        "name",
        Kind::Text,
        Default::None("\"agent-1\""),
        "Name of this agent in /info and in logs. Without it: the machine's host name.",
    )
    .at_start(),
    key(
        "cluster_id",
        Kind::Text,
        Default::None("\"cluster-1\""),
        "The Lumos cluster that this agent belongs to.",
    )
    .variable("LUMOS_ON_PREMISE_AGENT_CLUSTER_ID"),
    key(
        "operation_mode",
        Kind::Choice(&["default", "read_preferred", "write_preferred"]),
        Default::Toml("\"default\""),
        "Which calls Lumos should prefer to send here. It is reported in /info; the agent itself takes all calls.",
    )
    .variable("LUMOS_ON_PREMISE_AGENT_OPERATION_MODE"),
    key(
        "state_dir",
        Kind::Path,
        Default::Place(Place::State),
        "Private state: copies of libraries, history, the control socket.",
    )
    .at_start(),
    key(
        "token_file",
        Kind::Path,
        Default::Toml("\"tokens.json\""),
        "The file of tokens, written by `lumos-agent token`.",
    )
    .at_start(),
    key(
        "shutdown_grace",
        Kind::Duration { min: 0, max: DAY },
        Default::Toml("\"60s\""),
        "How long calls in flight may go on after the agent was asked to stop.",
    ),
];

const DISPATCH: &[Key] = &[
    key(
        "listen",
        Kind::Address,
        Default::Toml("\"0.0.0.0:8443\""),
        "Address and port. Port 0 takes a free one, which `lumos-agent status` shows.",
    )
    .at_start(),
    key(
        "max_body_bytes",
        Kind::Size { min: KIB },
        Default::Toml("\"16MiB\""),
        "Largest request body.",
    ),
    key(
        "max_buffered_bytes",
        Kind::Size { min: KIB },
        Default::Toml("\"256MiB\""),
        "Request bytes held at one time, over all connections.",
    )
    .at_start(),
    key(
        "max_response_bytes",
        Kind::Size { min: KIB },
        Default::Toml("\"64MiB\""),
        "Largest answer of a connector.",
    ),
    key(
        "timeout",
        Kind::Duration { min: 1, max: DAY },
        Default::Toml("\"30m\""),
        "The longest that any call may take.",
    ),
    key(
        "max_in_flight",
        Kind::Count { min: 1, max: 100_000 },
        Default::Toml("256"),
        "Calls at the same time, over all connectors.",
    )
    .at_start(),
    key(
        "max_in_flight_per_caller",
        Kind::Count { min: 1, max: 100_000 },
        Default::Toml("128"),
        "Calls of one token or client certificate at the same time; one more is answered 429.",
    ),
    key(
        "max_connections",
        Kind::Count { min: 1, max: 100_000 },
        Default::Toml("512"),
        "Connections at the same time.",
    )
    .at_start(),
];

const TLS: &[Key] = &[
    key(
        "certificate",
        Kind::Path,
        Default::Toml("\"tls/server.pem\""),
        "PEM file: the server's certificate, then intermediate ones.",
    ),
    key(
        "private_key",
        Kind::Path,
        Default::Toml("\"tls/server.key\""),
        "PEM file: its private key, readable by nobody else; or \"credential:NAME\", which systemd delivers (LoadCredential).",
    ),
    key(
        "client_ca",
        Kind::Path,
        Default::None("\"tls/client-ca.pem\""),
        "PEM file: the CA whose client certificates are accepted. Read again when it changes. `lumos-agent cert client` makes one.",
    ),
    key(
        "client_auth",
        Kind::Choice(&["optional", "required"]),
        Default::Toml("\"optional\""),
        "With client_ca: whether callers may come without a certificate, or are refused in the handshake.",
    ),
    key(
        "client_crl",
        Kind::Path,
        Default::None("\"tls/client-ca.crl\""),
        "PEM file: revocation lists of that CA and of every CA below it. Read again when it changes.",
    ),
    key(
        "client_names",
        Kind::Scopes,
        Default::None("{ \"lumos.example.com\" = [\"*:*\"] }"),
        "What the holder of a client certificate may do: subject alternative name = list of scopes. Where a call carries a token too, the token alone decides.",
    ),
    key(
        "min_version",
        Kind::Choice(&["1.2", "1.3"]),
        Default::Toml("\"1.2\""),
        "Lowest version of TLS.",
    ),
];

const ADMIN: &[Key] = &[
    key(
        "enabled",
        Kind::Boolean,
        Default::Toml("true"),
        "Whether there is this listener.",
    )
    .at_start()
    .variable("LUMOS_ON_PREMISE_AGENT_HTTP_ENABLE_SERVER"),
    key(
        "listen",
        Kind::Address,
        Default::Toml("\"127.0.0.1:10002\""),
        "Address and port. It asks for no credential: keep it on a loopback address. LUMOS_ON_PREMISE_AGENT_HTTP_SERVER_PORT sets the port alone.",
    )
    .at_start(),
    key(
        "allowed_hosts",
        Kind::Texts,
        Default::Toml("[]"),
        "Values of the Host header that are accepted besides loopback names.",
    ),
];

const CONNECTORS: &[Key] = &[
    key(
        "directory",
        Kind::Path,
        Default::Place(Place::Connectors),
        "The watched directory. Drop a connector here to install it, delete it to remove it.",
    )
    .at_start(),
    key(
        "isolation",
        Kind::Choice(&["process", "in-process"]),
        Default::Toml("\"process\""),
        "\"process\": each connector in a host process of its own. \"in-process\": in the agent itself, which is fastest and for trusted connectors only: a crash of theirs is the agent's, and neither memory_limit nor environment can be set.",
    ),
    key(
        "max_in_flight",
        Kind::Count { min: 1, max: 100_000 },
        Default::Toml("32"),
        "Calls of one connector at the same time.",
    ),
    key(
        "memory_limit",
        Kind::Size { min: 16 * MIB },
        Default::None("\"1GiB\""),
        "Memory that a connector's host may use; one that uses more is ended. Where a cgroup is delegated to the agent (`Delegate=memory` in its systemd unit) the kernel sees to it, counting what the host starts too; elsewhere the agent looks at resident memory four times a second. On Windows it is what the host may allocate.",
    ),
    key(
        "idle_memory_limit",
        Kind::Size { min: MIB },
        Default::None("\"64MiB\""),
        "Resident memory above which a host that has had no call for a minute is replaced by a fresh one, without a failed call. One that uses so much as soon as it has started is left alone.",
    ),
    key(
        "cpu_warning",
        Kind::Count { min: 0, max: 100_000 },
        Default::Toml("80"),
        "Per cent of one core. A connector that uses more for cpu_warning_after is warned about, at most once an hour. 0: never.",
    ),
    key(
        "cpu_warning_after",
        Kind::Duration { min: 5, max: DAY },
        Default::Toml("\"1m\""),
        "Over what time cpu_warning counts.",
    ),
    key(
        "max_open_files",
        Kind::Count {
            min: 32,
            max: 1_048_576,
        },
        Default::Toml("1024"),
        "Files and connections that a connector's host may have open at the same time.",
    ),
    key(
        "start_timeout",
        Kind::Duration { min: 1, max: HOUR },
        Default::Toml("\"30s\""),
        "The longest that a host may take to load its connector, create it and answer `info`.",
    ),
    key(
        "rescan_interval",
        Kind::Duration { min: 1, max: DAY },
        Default::Toml("\"10s\""),
        "How often the directory is listed even if the system reported no change.",
    ),
    key(
        "trusted_owners",
        Kind::Texts,
        Default::Toml("[]"),
        "Users, by name or id (SID on Windows), whose files are trusted besides root's.",
    ),
    key(
        "require_pinned",
        Kind::Boolean,
        Default::Toml("false"),
        "Load only connectors whose sha256 is in their settings.",
    ),
    key(
        "trusted_keys",
        Kind::Keys,
        Default::Toml("[]"),
        "Minisign public keys, as in minisign.pub. A connector's signature by one of them, NAME.so.minisig beside NAME.so, must fit it.",
    ),
    key(
        "require_signed",
        Kind::Boolean,
        Default::Toml("false"),
        "Load only connectors that are signed by one of connectors.trusted_keys.",
    ),
];

const SETTINGS: &[Key] = &[
    key(
        "enabled",
        Kind::Boolean,
        Default::Toml("true"),
        "Whether it is served.",
    ),
    key(
        "isolation",
        Kind::Choice(&["process", "in-process"]),
        Default::None("\"process\""),
        "Overrides connectors.isolation.",
    ),
    key(
        "max_in_flight",
        Kind::Count { min: 1, max: 100_000 },
        Default::None("8"),
        "Overrides connectors.max_in_flight. What the connector declares counts where it is less.",
    ),
    key(
        "timeout",
        Kind::Duration { min: 1, max: DAY },
        Default::None("\"5m\""),
        "The longest that a call of it may take; a call that overstays loses its host. Without it: dispatch.timeout.",
    ),
    key(
        "memory_limit",
        Kind::Size { min: 16 * MIB },
        Default::None("\"512MiB\""),
        "Overrides connectors.memory_limit.",
    ),
    key(
        "cpu_warning",
        Kind::Count { min: 0, max: 100_000 },
        Default::None("150"),
        "Overrides connectors.cpu_warning.",
    ),
    key(
        "max_open_files",
        Kind::Count {
            min: 32,
            max: 1_048_576,
        },
        Default::None("4096"),
        "Overrides connectors.max_open_files.",
    ),
    key(
        "environment",
        Kind::Variables,
        Default::None("{ HTTPS_PROXY = \"http://proxy.example.com:3128\" }"),
        "Variables for its host, which otherwise gets a short allow-list of the agent's.",
    ),
    key(
        "hosts",
        Kind::Count { min: 1, max: 1 },
        Default::Toml("1"),
        "Host processes of it. This version runs one.",
    ),
    key(
        "sha256",
        Kind::Digests,
        Default::Toml("[]"),
        "Only files of these contents are loaded. `sha256sum FILE` prints it.",
    ),
];

const SANDBOX: &[Key] = &[
    key(
        "enabled",
        Kind::Boolean,
        Default::Toml("true"),
        "Switched off, the connector can reach all that the agent can: keys, tokens and other connectors.",
    ),
    key(
        "read",
        Kind::Paths,
        Default::None("[\"/srv/mockapp\"]"),
        "Files and directories to read, besides the system's programs, libraries and certificates. What belongs to the agent stays closed.",
    ),
    key(
        "write",
        Kind::Paths,
        Default::None("[\"/srv/mockapp/out\"]"),
        "Files and directories to read and write. Each host has a directory of its own for temporary files besides.",
    ),
    key(
        "execute",
        Kind::Paths,
        Default::None("[\"/opt/mockapp/bin\"]"),
        "Programs, or directories of them, to read and run.",
    ),
    key(
        "unix_sockets",
        Kind::Paths,
        Default::None("[\"/run/mockapp.sock\"]"),
        "Unix sockets to connect to. Before Linux 7.1 the kernel cannot tell them apart: naming one opens all.",
    ),
    key(
        "listen",
        Kind::Boolean,
        Default::Toml("false"),
        "Whether it may listen on TCP ports.",
    ),
    key(
        "file_modes",
        Kind::Boolean,
        Default::Toml("false"),
        "Whether it may change modes, owners and times of files by path, those of the agent's files included.",
    ),
];

const TENANT: &[Key] = &[
    key(
        "settings",
        Kind::Free,
        Default::None("{ account_id = \"acme\" }"),
        "The settings that the connector takes in its requests.",
    ),
    key(
        "credentials_file",
        Kind::Path,
        Default::None("\"credentials/acme.json\""),
        "Its credentials as JSON, in a file that nobody else can read; or \"credential:NAME\", as above.",
    ),
    key(
        "events",
        Kind::Choice(&["off", "hook", "poll"]),
        Default::Toml("\"off\""),
        "How changes in the app are learnt. This version knows `off` only.",
    ),
];

const LOG: &[Key] = &[
    key(
        "level",
        Kind::Level,
        Default::Toml("\"INFO\""),
        "Level of the agent's log: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    )
    .variable("LUMOS_ON_PREMISE_AGENT_LOG_LEVEL"),
    key(
        "format",
        Kind::Choice(&["text", "json"]),
        Default::Toml("\"text\""),
        "One line of text, or one JSON object, for each event.",
    )
    .at_start(),
    key(
        "files",
        Kind::Boolean,
        Default::Toml("true"),
        "Whether there are log files. Without them all logs go to standard error.",
    )
    .at_start(),
    key(
        "directory",
        Kind::Path,
        Default::Place(Place::Logs),
        "Where log files go: lumos-agent.{yyyy-MM-dd}.log, and for each connector {app_id}_{yyyy-MM-dd}.log.",
    )
    .at_start()
    .variable("LUMOS_LOG_DIRECTORY"),
    key(
        "retention_days",
        Kind::Count { min: 1, max: 3650 },
        Default::Toml("30"),
        "Days after which a log file is deleted.",
    ),
    key(
        "retention_size",
        Kind::Size { min: MIB },
        Default::Toml("\"1GiB\""),
        "Size of all log files together, above which the oldest are deleted; no connector takes more than a quarter of it.",
    ),
    key(
        "connector_level",
        Kind::Level,
        Default::Toml("\"ERROR\""),
        "Level of connectors' logs.",
    )
    .variable("LUMOS_LOG_LEVEL"),
    key(
        "redacted_keys",
        Kind::Texts,
        Default::Toml("[]"),
        "Names of fields that are redacted besides the usual ones (password, token, secret, api_key, …). LUMOS_ADDITIONAL_REDACTED_LOG_KEYS adds to them.",
    ),
];

impl Section {
    /// `dispatch.tls`, with `*` for names.
    pub(super) fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// The key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// The section at `path`, where the table's `*` matches any name.
pub(super) fn section(path: &[&str]) -> Option<&'static Section> {
    SECTIONS
        .iter()
        .find(|section| section.path.len() == path.len() && is_prefix(path, section.path))
}

/// Whether some section lies at or below `path`.
pub(super) fn leads_to_section(path: &[&str]) -> bool {
    SECTIONS.iter().any(|section| is_prefix(path, section.path))
}

fn is_prefix(path: &[&str], pattern: &[&str]) -> bool {
    path.len() <= pattern.len()
        && path
            .iter()
            .zip(pattern)
            .all(|(given, wanted)| *wanted == "*" || given == wanted)
}

/// Names of the sections directly below `path`, without the ones that the administrator chooses.
pub(super) fn subsections(path: &[&str]) -> Vec<&'static str> {
    let mut names: Vec<_> = SECTIONS
        .iter()
        .filter(|section| section.path.len() > path.len() && is_prefix(path, section.path))
        .map(|section| section.path[path.len()])
        .filter(|name| *name != "*")
        .collect();
    names.dedup();
    names
}
