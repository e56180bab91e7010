//! The tree of commands and flags.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::exit::Failure;
use super::output::OutputArgs;
use crate::config::{Loaded, Loader, packaged_config};

const EXIT_CODES: &str = "\
Exit codes:
   0  ok
   1  the connector answered with an error, or what was asked for failed
   2  the command line is wrong
  64  the configuration is wrong
  69  the agent can't be reached
  77  not permitted";

/// Host Lumos connectors behind your firewall
#[derive(Debug, Parser)]
#[command(name = "lumos-agent", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Cli {
    /// The configuration file [default: the one of the installed package]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "LUMOS_AGENT_CONFIG",
        hide_env_values = true
    )]
    pub(super) config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set up an agent: configuration, certificates, directories and one token
    #[command(
        long_about = "Set up an agent: configuration, certificate authority and server certificate, directories and one token.\n\nPrints what to paste into Lumos; the token is shown only once. Nothing that exists is overwritten."
    )]
    Init(InitArgs),
    /// Run the agent until it is told to stop
    #[command(
        long_about = "Run the agent until it is told to stop.\n\nSIGTERM and SIGINT (Ctrl-C) let calls in flight end; a second one ends at once. SIGHUP reads the configuration again, as does a change of the file."
    )]
    Run(RunArgs),
    /// Serve connectors on this machine while you write them: no TLS, reload on rebuild, live log
    Dev(DevArgs),
    /// Check the configuration; bind and load nothing
    CheckConfig(CheckArgs),
    /// Show the state of an agent
    Status(super::status::Args),
    /// List, check, install and remove connectors
    Connector(ConnectorArgs),
    /// Call a capability of a connector
    #[command(
        long_about = "Call a capability of a connector and print its answer.\n\nThe running agent on this machine is asked over its control socket; with --url, an agent elsewhere; with --file, no agent at all: the connector is loaded in a throw-away host.\n\nExits with 1 if the connector answers with an error."
    )]
    Call(CallArgs),
    /// Make, list and revoke the tokens that callers show
    Token(TokenArgs),
    /// Show or renew the certificate of the dispatch listener
    Cert(CertArgs),
    /// Install, remove, start and stop the agent as a service of this machine
    #[cfg(any(target_os = "linux", windows))]
    Service(super::service::ServiceArgs),
    /// Tell what is wrong and what to do, with or without a running agent
    #[command(
        long_about = "Tell what is wrong and what to do, in order of importance: configuration, permissions, service, ports, certificates, tokens, clock, disk, limits, sandbox, each connector, proxies.\n\nIt changes nothing, needs no running agent, and shows no secret. As root it sees most.\n\nExits with 0 if all is fine or there are only notes, with 1 if there are warnings or failures."
    )]
    Doctor(super::doctor::DoctorArgs),
    /// Put together what support needs to know, without secrets
    #[command(
        long_about = "Put together what support needs to know in one archive: the doctor's report, status, effective configuration, connectors and their history, metrics, recent logs, facts of the system.\n\nSecrets are taken out as far as they can be recognised, but look at it before you send it. The file is readable by you alone."
    )]
    SupportBundle(super::support_bundle::BundleArgs),
    /// Change the level of a log for a while
    Log(super::log::LogArgs),
    /// Print the completions of a shell
    #[command(
        long_about = "Print the completions of a shell.\n\nThe packages install those of bash, zsh and fish. Elsewhere, for bash: lumos-agent completions bash > ~/.local/share/bash-completion/completions/lumos-agent"
    )]
    Completions(super::manual::CompletionsArgs),
    /// Write the manual pages; for whoever makes packages
    #[command(hide = true)]
    Manual(super::manual::ManualArgs),
    /// The process that a connector lives in; started by the agent
    #[command(hide = true)]
    ConnectorHost {
        /// The pipes that it has inherited, on Windows
        #[arg(hide = true)]
        pipes: Vec<usize>,
    },
}

/// `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Put everything below this directory, for an agent of your own [default: the places of the installed package]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// A name or address under which Lumos reaches this machine; the first becomes part of the base URL
    #[arg(long = "host", value_name = "NAME")]
    pub(super) hosts: Vec<String>,
    /// How to print what to paste into Lumos
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BlockFormat::Text)]
    pub(super) output: BlockFormat,
}

/// `init --output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum BlockFormat {
    /// The block
    Text,
    /// A JSON object
    Json,
}

/// `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Level of the agent's log, instead of log.level
    #[arg(long, value_enum, value_name = "LEVEL", ignore_case = true)]
    pub(super) log_level: Option<Level>,
    /// Be the service that Windows' service control manager has started
    #[cfg(windows)]
    #[arg(long, hide = true)]
    pub(super) service: bool,
}

/// `--log-level`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Level {
    /// Everything
    Debug,
    /// What happens
    Info,
    /// What somebody should know
    Warning,
    /// What went wrong
    Error,
    /// What ends the agent
    Critical,
}

impl Level {
    /// As the configuration spells it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }
}

/// `dev`.
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// The libraries that your connectors are built into
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub(super) port: u16,
}

/// `check-config`.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct CheckArgs {}

/// Which agent.
#[derive(Debug, Clone, Args)]
pub(super) struct RemoteArgs {
    /// An agent elsewhere: https://HOST:8443/connectors
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<url::Url>,
    /// Where its token is: @FILE, or - for standard input; or set LUMOS_AGENT_TOKEN
    #[arg(long, value_name = "@FILE", requires = "url", allow_hyphen_values = true)]
    pub(super) token: Option<String>,
    /// The only certificate authority to trust, in PEM [default: the system's]
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(super) ca: Option<PathBuf>,
    /// A client certificate to show, in PEM; the agent may take it in place of a token
    #[arg(long, value_name = "FILE", requires_all = ["url", "client_key"])]
    pub(super) client_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(super) client_key: Option<PathBuf>,
}

/// Which agent is asked, and how its answer is shown.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Which agent
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
    /// How to print it
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// `connector`.
#[derive(Debug, Args)]
pub(super) struct ConnectorArgs {
    /// What to do
    #[command(subcommand)]
    pub(super) command: ConnectorCommand,
}

/// `connector …`.
#[derive(Debug, Subcommand)]
pub(super) enum ConnectorCommand {
    /// List all connectors, those that are refused too
    List(StatusArgs),
    /// Show a connector and the history of its generations
    Show {
        /// The connector's name
        app_id: String,
        /// Which agent
        #[command(flatten)]
        status: StatusArgs,
    },
    /// Start a connector of your own: a project that builds and passes its tests as it is
    New(NewArgs),
    /// Load a connector in a throw-away host, report what it is, and check how it behaves
    #[command(
        long_about = "Load a connector in a throw-away host, report what it is, and check how it behaves.\n\nIt needs no account in the app: requests are made so that the connector must refuse them, or lead to a listener on this machine that never answers.\n\nExits with 1 if a check fails."
    )]
    Validate {
        /// The library
        file: PathBuf,
        /// How to print the report
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make the file to release, {app_id}-{version}, with a checksum beside it
    Package {
        /// The library
        file: PathBuf,
        /// A data file of the connector, or a directory of them: the library must hold them as they are now
        #[arg(long, value_name = "PATH")]
        data: Vec<PathBuf>,
        /// Where to write it
        #[arg(long, value_name = "DIR", default_value = ".", hide_default_value = true)]
        out: PathBuf,
    },
    /// Check a connector and put it into the connectors directory
    Install {
        /// The library
        file: PathBuf,
    },
    /// Delete a connector from the connectors directory
    Remove {
        /// The connector's name
        app_id: String,
    },
}

/// `connector new`.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The connector's app_id: 1 to 64 letters, digits, `_` or `-`
    pub(super) name: String,
    /// What to write it in
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t = Language::Rust)]
    pub(super) lang: Language,
    /// Where to put it [default: a directory of its name, here]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

/// `connector new --lang`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Language {
    /// With the Connector SDK
    Rust,
    /// Against the C header
    C,
    /// Not in this version
    Python,
}

/// `call`.
#[derive(Debug, Args)]
#[command(
    override_usage = "lumos-agent call [OPTIONS] <APP_ID> <CAPABILITY>\n       lumos-agent call [OPTIONS] --file <CONNECTOR> <CAPABILITY>"
)]
pub(super) struct CallArgs {
    /// The connector's name; with --file the capability
    #[arg(value_name = "APP_ID")]
    pub(super) first: String,
    /// The capability, such as info or list_accounts
    #[arg(value_name = "CAPABILITY")]
    pub(super) second: Option<String>,
    /// Load this library in a throw-away host instead of asking an agent
    #[arg(long, value_name = "CONNECTOR", conflicts_with = "url")]
    pub(super) file: Option<PathBuf>,
    /// The request [default: {}]; one with credentials belongs into --json-file, for everybody on this machine can read
    /// command lines
    #[arg(long, value_name = "STR", conflicts_with = "json_file")]
    pub(super) json: Option<String>,
    /// A file with the request; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) json_file: Option<PathBuf>,
    /// Write the answer to this file, readable by you alone, instead of standard output; .gz compresses
    #[arg(long, value_name = "FILE")]
    pub(super) result_file_path: Option<PathBuf>,
    /// Which agent
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

/// `cert`.
#[derive(Debug, Args)]
pub(super) struct CertArgs {
    /// What to do
    #[command(subcommand)]
    pub(super) command: CertCommand,
}

/// `cert …`.
#[derive(Debug, Subcommand)]
pub(super) enum CertCommand {
    /// Show the server certificate, its authority, and who vouches for client certificates
    Show(OutputArgs),
    /// Issue a new server certificate; a running agent takes it up by itself
    Renew(OutputArgs),
    /// Make a client certificate for a caller, or revoke one
    Client(ClientArgs),
}

/// `cert client`.
#[derive(Debug, Args)]
#[command(
    override_usage = "lumos-agent cert client [OPTIONS] --name <NAME>\n       lumos-agent cert client [OPTIONS] --revoke <NAME|SERIAL>"
)]
pub(super) struct ClientArgs {
    /// The caller's name: a DNS name, or a URI such as spiffe://example.com/lumos
    #[arg(long, required_unless_present = "revoke", conflicts_with = "revoke")]
    pub(super) name: Option<String>,
    /// How long it lasts [default: 365d]
    #[arg(long, value_name = "DURATION", conflicts_with = "revoke")]
    pub(super) expires: Option<String>,
    /// Where to write certificate and key [default: the current directory]
    #[arg(long, value_name = "DIR", conflicts_with = "revoke")]
    pub(super) out: Option<PathBuf>,
    /// Refuse the certificates of this name, or the one with this serial number, from now on
    #[arg(long, value_name = "NAME|SERIAL")]
    pub(super) revoke: Option<String>,
}

/// `token`.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// What to do
    #[command(subcommand)]
    pub(super) command: TokenCommand,
}

/// `token …`.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it; it is shown only once
    Create {
        /// A name for it, as it will stand in logs
        #[arg(long)]
        name: String,
        /// What it may do: admin, or CONNECTOR:read|write|*, such as mockapp:read; may be repeated
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// How long it lasts, such as 90d [default: until it is revoked]
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
    },
    /// List tokens, without the tokens themselves
    List(OutputArgs),
    /// Refuse a token from now on
    Revoke {
        /// Its name or id
        name: String,
    },
}

/// What all commands share.
pub(super) struct Context {
    /// `--config`, or `LUMOS_AGENT_CONFIG`.
    pub(super) config: Option<PathBuf>,
}

impl Context {
    /// Loads the configuration that counts.
    pub(super) fn loader(&self) -> Loader {
        Loader::new(&self.config.clone().unwrap_or_else(packaged_config))
    }

    /// The configuration, with its values checked one by one.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        Ok(self.loader().load()?)
    }
}
