//! `log set`: another level for a while, without a change of the configuration.

use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::args::Context;
use super::exit::{Exit, Failure};
use super::output;
use crate::config::value;
use crate::control::client::Client;
use crate::domain::AppId;

/// `log`.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// What to do
    #[command(subcommand)]
    command: LogCommand,
}

/// `log …`.
#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Change the level of the agent's log, or of a connector's, until it ends or the agent does
    #[command(
        long_about = "Change the level of the running agent's log, or of a connector's.\n\nIt is not written down: it ends after --for, or with the agent. A reload of the configuration does not end it."
    )]
    Set(SetArgs),
}

/// `log set`.
#[derive(Debug, Args)]
struct SetArgs {
    /// The level
    #[arg(value_enum, ignore_case = true)]
    level: Level,
    /// How long it counts, such as 30m [default: until the agent ends]
    #[arg(long = "for", value_name = "DURATION")]
    lasts: Option<String>,
    /// The log of this connector, instead of the agent's
    #[arg(long, value_name = "APP_ID")]
    connector: Option<AppId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
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
    /// What the configuration says
    Default,
}

impl Level {
    fn word(self) -> Option<&'static str> {
        Some(match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
            Level::Default => return None,
        })
    }
}

pub(super) async fn run(context: &Context, args: LogArgs) -> Result<Exit, Failure> {
    let LogCommand::Set(args) = args.command;
    let seconds = args.lasts.as_deref().map(seconds).transpose()?;
    let client = super::remote::local(context)?;
    let order = json!({
        "level": args.level.word(),
        "for_seconds": seconds,
        "connector": args.connector,
    });
    let shown = set(&client, &order).await?;
    output::note(told(&args, &shown));
    Ok(Exit::Ok)
}

async fn set(client: &Client, order: &Value) -> Result<Value, Failure> {
    let body = Bytes::from(order.to_string());
    super::remote::expect(&client.post("/control/log", body).await?)
}

fn seconds(text: &str) -> Result<u64, Failure> {
    value::duration(text)
        .map(|lasts| lasts.as_secs())
        .filter(|seconds| (1..=366 * 86_400).contains(seconds))
        .ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("`{}` is no duration of up to a year", text.escape_debug()),
                "give how long the level shall count: --for 30m",
            )
        })
}

/// What is in force now, by the agent's own account.
fn told(args: &SetArgs, shown: &Value) -> String {
    let log = match &args.connector {
        Some(app_id) => format!("the log of {app_id}"),
        None => "the agent's log".to_owned(),
    };
    let connector = json!(args.connector);
    let mut overrides = shown["overrides"].as_array().into_iter().flatten();
    let Some(set) = overrides.find(|set| set["connector"] == connector) else {
        let key = if args.connector.is_some() {
            "connector_level"
        } else {
            "level"
        };
        let level = shown[key].as_str().unwrap_or_default();
        return format!("{log} has the level of the configuration: {level}");
    };
    let level = set["level"].as_str().unwrap_or_default();
    match set["until"].as_str() {
        Some(until) => format!("{log} has the level {level} until {}", output::moment(until)),
        None => format!("{log} has the level {level} until the agent ends"),
    }
}
