//! `support-bundle`: what support needs to know, in one file that can be looked through before it is sent.
//!
//! Everything passes [`redact`] on its way in. Files that hold secrets alone (keys, tokens, credentials, the control
//! socket's secret) are read only to know what to take out, and are never added.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::args::Context;
use super::doctor::{self, Examination, service};
use super::exit::{Exit, Failure};
use super::{connector, output};
use crate::config::{Config, Loader, effective};
use crate::control::client::Client;

mod archive;
mod redact;
mod system;

use archive::Archive;
use redact::Redactor;

/// Of each log, its end.
const LOG: u64 = 512 << 10;
/// The newest logs.
const LOGS: usize = 20;
const METRICS: Duration = Duration::from_secs(5);
/// Bytes of metrics; more are none.
const LARGEST: usize = 16 << 20;

const ABOUT: &str = "\
This bundle was made by `lumos-agent support-bundle`, to be sent to whoever helps you.

Secrets were taken out: what is known on this machine (keys, tokens, credentials, variables of connectors, passwords of
proxies), and what looks like one. What looks like nothing cannot be recognised, and names of machines, users and accounts
are left in. Please look through it before you send it.

";

/// `support-bundle`.
#[derive(Debug, Args)]
pub(super) struct BundleArgs {
    /// Where to write it; nothing is overwritten [default: lumos-agent-support-TIME.tar.gz, here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: &BundleArgs) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let root = format!("lumos-agent-support-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| format!("{root}.tar.gz").into());
    let failed = |error: std::io::Error| Failure::file("write", &out, &error);
    let file = crate::os::create_private(&out).map_err(failed)?;
    let at = u64::try_from(now.as_second()).unwrap_or(0);
    let loader = context.loader();
    match fill(&loader, std::io::BufWriter::new(file), &root, at).await {
        Ok(contents) => tell(&out, &contents),
        Err(error) => {
            // Half of it is of no use to anybody.
            let _ = std::fs::remove_file(&out);
            Err(failed(error))
        }
    }
}

fn tell(out: &Path, contents: &[(String, usize)]) -> Result<Exit, Failure> {
    output::text(&out.display().to_string())?;
    let size = |bytes: usize| bytesize::ByteSize(bytes as u64).display().iec().to_string();
    for (name, bytes) in contents {
        let name = output::printable(name);
        output::note(format!("  {:>10}  {name}", size(*bytes)));
    }
    output::note(
        "Secrets were taken out as far as they can be recognised. Look through it before you send it.",
    );
    Ok(Exit::Ok)
}

type Filled = std::io::Result<Vec<(String, usize)>>;

async fn fill(loader: &Loader, out: impl std::io::Write, root: &str, at: u64) -> Filled {
    let examined = doctor::examine(loader, false).await;
    let config = examined.loaded.as_ref().ok().map(|loaded| loaded.config.clone());
    let environment = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()));
    let extra = config.as_deref().map(service_environment).unwrap_or_default();
    let redactor =
        Redactor::new(config.as_deref(), environment.chain(extra)).map_err(std::io::Error::other)?;
    let mut archive = Archive::new(out, redactor, root, at);
    archive.add("README.txt", ABOUT)?;
    archive.add("doctor.txt", &examined.report.text(true))?;
    archive.add("doctor.json", &pretty(&examined.report))?;
    archive.add("config.txt", &configuration(loader, &examined))?;
    archive.add("system.txt", &system::facts())?;
    if let Some(config) = &config {
        archive.add("files.txt", &system::files(config))?;
    }
    of_agent(&examined, config.as_deref(), &mut archive).await?;
    let (unit, journal) = service::told();
    if let Some(unit) = unit {
        archive.add("service.txt", &unit)?;
    }
    if let Some(journal) = journal {
        archive.add("journal.txt", &journal)?;
    }
    if let Some(config) = &config {
        logs(&config.log.directory, &mut archive)?;
    }
    let contents = std::mem::take(&mut archive.contents);
    archive.finish()?.flush()?;
    Ok(contents)
}

/// What the packaged unit hands to the agent: known to hold passwords of proxies.
fn service_environment(config: &Config) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(config.file.with_file_name("environment")).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
        .collect()
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Every key with its value and where that came from; or what is wrong, without the file's text.
fn configuration(loader: &Loader, examined: &Examination) -> String {
    let loaded = match &examined.loaded {
        Ok(loaded) => loaded,
        Err(error) => return format!("it cannot be used: {}\n", error.one_line()),
    };
    let mut text = String::new();
    for entry in effective(loader, loaded) {
        let value = entry.value.as_deref().unwrap_or("(not shown)");
        let _ = writeln!(text, "{} = {value}    # {}", entry.key, entry.from);
    }
    for (app_id, settings) in &loaded.config.connectors.settings {
        let names: Vec<&str> = settings.environment.keys().map(String::as_str).collect();
        if !names.is_empty() {
            let _ = writeln!(
                text,
                "# variables of {app_id}, without values: {}",
                names.join(", ")
            );
        }
    }
    text
}

/// What only a running agent can tell.
async fn of_agent<W: std::io::Write>(
    examined: &Examination,
    config: Option<&Config>,
    archive: &mut Archive<W>,
) -> std::io::Result<()> {
    let (Ok(agent), Some(config)) = (&examined.running, config) else {
        return archive.add("status.txt", "no agent could be asked; doctor.txt says why\n");
    };
    archive.add("status.json", &pretty(&agent.status))?;
    let client = Client::local(&config.agent.state_dir);
    for app_id in agent.app_ids() {
        let asked = client.get(&format!("/control/connectors/{app_id}")).await;
        let detail: Option<Value> = asked
            .ok()
            .and_then(|reply| serde_json::from_slice(&reply.body).ok());
        if let Some(detail) = detail {
            archive.add(&format!("connectors/{app_id}.json"), &pretty(&detail))?;
        }
    }
    archive.add("connectors.txt", &connector::table(agent.listings()))?;
    match metrics(&agent.status).await {
        Some(text) => archive.add("metrics.txt", &text),
        None => Ok(()),
    }
}

async fn metrics(status: &Value) -> Option<String> {
    let url = format!("{}/metrics", status["admin_url"].as_str()?);
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(METRICS)
        .build()
        .ok()?;
    let mut response = client.get(url).send().await.ok()?;
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.ok()? {
        bytes.extend_from_slice(&part);
        if bytes.len() > LARGEST {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The ends of the newest files of the log directory.
fn logs<W: std::io::Write>(directory: &Path, archive: &mut Archive<W>) -> std::io::Result<()> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    for (_, path) in files.iter().rev().take(LOGS) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Ok(text) = doctor::tail(path, LOG) {
            archive.add(&format!("logs/{name}"), &text)?;
        }
    }
    Ok(())
}
