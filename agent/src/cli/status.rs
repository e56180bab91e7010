//! `status`: what an agent is doing.

use serde_json::{Value, json};

use super::args::{Context, StatusArgs};
use super::exit::{Exit, Failure};
use super::{connector, output, remote};
use crate::conditions::{Condition, Severity};
use crate::os::sandbox::Level;

/// `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which agent, and how to print it
    #[command(flatten)]
    status: StatusArgs,
    /// Exit with 1 unless the agent on this machine is ready for calls, as /readyz says
    #[arg(long, conflicts_with = "url")]
    ready: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { status: args, ready } = args;
    let client = remote::client(context, &args.remote)?;
    let status: Value = if client.is_local() {
        remote::expect(&client.get("/control/status").await?)?
    } else {
        let connectors: Value = remote::expect(&client.get("/connectors").await?)?;
        json!({ "state": "running", "dispatch_url": args.remote.url.as_ref().map(url::Url::as_str), "connectors": connectors })
    };
    args.output.print(&status, table)?;
    let waits = status["not_ready"]
        .as_array()
        .is_some_and(|reasons| !reasons.is_empty());
    Ok(if *ready && waits { Exit::Failed } else { Exit::Ok })
}

fn table(status: &Value) -> String {
    let mut lines = Vec::new();
    let rows = [
        ("state", "state"),
        ("version", "version"),
        ("pid", "pid"),
        ("since", "started_at"),
        ("configuration", "config_file"),
        ("dispatch", "dispatch_url"),
        ("admin", "admin_url"),
    ];
    for (label, key) in rows {
        match &status[key] {
            Value::Null => {}
            Value::String(text) => lines.push(format!("{label:20} {}", output::moment(text))),
            other => lines.push(format!("{label:20} {other}")),
        }
    }
    for reason in status["not_ready"].as_array().into_iter().flatten() {
        let text = reason.as_str().unwrap_or_default();
        lines.push(format!("{:20} {}", "not ready", output::printable(text)));
    }
    if let Some(end) = status["certificate"]["not_after"].as_str() {
        lines.push(format!(
            "{:20} valid until {}",
            "certificate",
            output::moment(end)
        ));
    }
    let conditions: Vec<Condition> = serde_json::from_value(status["conditions"].clone()).unwrap_or_default();
    for condition in &conditions {
        let label = match condition.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let text = output::printable(&condition.message);
        lines.push(format!("{label:20} {text}"));
        lines.push(format!("{:20} {}", "", output::printable(&condition.remedy)));
    }
    for set in status["log"]["overrides"].as_array().into_iter().flatten() {
        let text = |key: &str| set[key].as_str().map(output::moment);
        lines.push(format!(
            "{:20} {} of {} until {}",
            "log level",
            text("level").unwrap_or_default(),
            text("connector").unwrap_or_else(|| "the agent".into()),
            text("until").unwrap_or_else(|| "the agent ends".into())
        ));
    }
    let limits = &status["memory_limits"];
    if let (Some(by), Some(note)) = (limits["by"].as_str(), limits["note"].as_str()) {
        let how = match by {
            "cgroup" => format!("by a cgroup for each host, below {note}"),
            "job" => "by a job object for each host".to_owned(),
            _ if note.is_empty() => "watched by the agent".to_owned(),
            _ => format!("watched by the agent: {note}"),
        };
        lines.push(format!("{:20} {}", "memory limits", output::printable(&how)));
    }
    let connectors: Vec<crate::connectors::Listing> =
        serde_json::from_value(status["connectors"].clone()).unwrap_or_default();
    let open = connectors
        .iter()
        .filter(|listing| listing.isolation_level.is_some_and(|level| level < Level::Full));
    for listing in open {
        let how = connector::isolation(listing).unwrap_or_default();
        lines.push(format!(
            "{:20} {} {}",
            "not fully isolated",
            listing.app_id,
            output::printable(&how)
        ));
    }
    for listing in &connectors {
        if let Some(warning) = &listing.warning {
            lines.push(format!(
                "{:20} {} {}",
                "warning",
                listing.app_id,
                output::printable(warning)
            ));
        }
    }
    lines.push(String::new());
    lines.push(connector::table(&connectors));
    lines.join("\n")
}
