//! `connector list`, `show`, `install` and `remove`; the others have modules of their own.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::args::{ConnectorArgs, ConnectorCommand, Context, StatusArgs};
use super::exit::{Exit, Failure};
use super::throwaway::Copy;
use super::{files, new, output, package, remote, trust, validate};
use crate::config::Config;
use crate::config::model::Isolation;
use crate::connectors::{Detail, HostFacts, Listing, State};
use crate::control::client::{Client, ClientError};
use crate::domain::{AppId, Sha256};
use crate::os::MemoryGuard;
use crate::os::sandbox::Level;

/// How long `install` and `remove` wait for the agent; starting a connector may take 30 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long what the agent said before may stand: time for a file to settle.
const STALE: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(100);

pub(super) async fn run(context: &Context, args: ConnectorArgs) -> Result<Exit, Failure> {
    match args.command {
        ConnectorCommand::List(args) => list(context, &args).await,
        ConnectorCommand::Show { app_id, status } => show(context, &parse(&app_id)?, &status).await,
        ConnectorCommand::New(args) => new::run(&args),
        ConnectorCommand::Validate { file, output } => validate::run(context, &file, output).await,
        ConnectorCommand::Package { file, data, out } => package::run(context, &file, &data, &out).await,
        ConnectorCommand::Install { file } => install(context, &file).await,
        ConnectorCommand::Remove { app_id } => remove(context, &parse(&app_id)?).await,
    }
}

/// Whose signatures and settings count where a connector is tried without an agent: it works without an installation too, but not with a configuration that was named
/// and cannot be read.
pub(super) fn trial_config(context: &Context) -> Result<Option<Arc<Config>>, Failure> {
    match context.load() {
        Ok(loaded) => Ok(Some(loaded.config)),
        Err(_) if context.config.is_none() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A connector's name from the command line.
pub(super) fn parse(app_id: &str) -> Result<AppId, Failure> {
    app_id.parse().map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{error}"),
            "`lumos-agent connector list` shows the names",
        )
    })
}

async fn list(context: &Context, args: &StatusArgs) -> Result<Exit, Failure> {
    let client = remote::client(context, &args.remote)?;
    let path = if client.is_local() {
        "/control/connectors"
    } else {
        "/connectors"
    };
    let connectors: Vec<Listing> = remote::expect(&client.get(path).await?)?;
    args.output.print(&connectors, |connectors| table(connectors))?;
    Ok(Exit::Ok)
}

/// The rows of `connector list`.
pub(super) fn table(connectors: &[Listing]) -> String {
    if connectors.is_empty() {
        return "no connectors; install one with `lumos-agent connector install FILE`".into();
    }
    let rows: Vec<Vec<String>> = connectors.iter().map(row).collect();
    output::table(
        &[
            "APP_ID",
            "VERSION",
            "STATE",
            "ISOLATION",
            "SANDBOX",
            "GENERATION",
            "IN FLIGHT",
            "SINCE",
            "LAST ERROR",
        ],
        &rows,
    )
}

fn row(listing: &Listing) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    vec![
        listing.app_id.clone(),
        text(listing.version.clone()),
        state(listing.state),
        listing.isolation.map_or("-", mode).to_owned(),
        text(listing.isolation_level.map(|level| level.to_string())),
        text(listing.generation.map(|generation| generation.to_string())),
        listing.in_flight.to_string(),
        listing.since.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        text(listing.last_error.clone()),
    ]
}

/// As the configuration writes it.
fn mode(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Process => "process",
        Isolation::InProcess => "in-process",
    }
}

/// As it stands in JSON.
fn state(state: State) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

async fn show(context: &Context, app_id: &AppId, args: &StatusArgs) -> Result<Exit, Failure> {
    let client = remote::client(context, &args.remote)?;
    if client.is_local() {
        let detail: Detail = remote::expect(&client.get(&format!("/control/connectors/{app_id}")).await?)?;
        args.output.print(&detail, detail_text)?;
        return Ok(Exit::Ok);
    }
    // Elsewhere there is the listing alone; the history is for the machine's administrators.
    let connectors: Vec<Listing> = remote::expect(&client.get("/connectors").await?)?;
    let Some(listing) = connectors
        .into_iter()
        .find(|listing| listing.app_id.eq_ignore_ascii_case(app_id.as_str()))
    else {
        return Err(unknown(app_id));
    };
    args.output
        .print(&listing, |listing| table(std::slice::from_ref(listing)))?;
    Ok(Exit::Ok)
}

fn unknown(app_id: &AppId) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("no connector `{app_id}` is installed"),
        "`lumos-agent connector list` shows what there is",
    )
}

fn detail_text(detail: &Detail) -> String {
    let listing = &detail.listing;
    let mut lines = Vec::new();
    let mut line = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("{label:14} {}", output::printable(&value)));
        }
    };
    line("app_id", Some(listing.app_id.clone()));
    line("state", Some(state(listing.state)));
    line("version", listing.version.clone());
    line("kind", Some(listing.kind.clone()));
    line(
        "generation",
        listing.generation.map(|generation| generation.to_string()),
    );
    line("file", listing.file.clone());
    line("sha256", listing.sha256.map(|digest| digest.to_string()));
    line("signed by", listing.signed_by.map(|key| key.to_string()));
    line("pinned", listing.pinned.then(|| "yes".to_owned()));
    line("pid", listing.pid.map(|pid| pid.to_string()));
    let walls = isolation(listing).map_or_else(String::new, |walls| format!(", {walls}"));
    line(
        "isolation",
        listing
            .isolation
            .map(|isolation| format!("{}{walls}", mode(isolation))),
    );
    if let Some(host) = &listing.host {
        line("memory", memory(host));
        line(
            "processor",
            host.cpu_percent.map(|percent| format!("{percent} % of a core")),
        );
        line("finishes", ignored(host));
    }
    line("in flight", Some(listing.in_flight.to_string()));
    line("warning", listing.warning.clone());
    line("last error", listing.last_error.clone());
    line("capabilities", Some(listing.capabilities.join(", ")));
    let rows: Vec<Vec<String>> = detail
        .transitions
        .iter()
        .map(|step| {
            vec![
                step.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                step.generation
                    .map_or_else(|| "-".into(), |generation| generation.to_string()),
                state(step.state),
                step.reason.clone(),
            ]
        })
        .collect();
    lines.push(String::new());
    lines.push(output::table(&["AT", "GENERATION", "STATE", "REASON"], &rows));
    lines.join("\n")
}

/// What it holds and may hold, and who sees to it.
fn memory(host: &HostFacts) -> Option<String> {
    let size = |bytes| bytesize::ByteSize(bytes).display().iec();
    let resident = size(host.resident_bytes?);
    let Some(limit) = host.memory_limit.map(size) else {
        return Some(format!("{resident}, without a limit"));
    };
    let guard = match host.memory_guard? {
        MemoryGuard::Sampled => "watched by the agent",
        MemoryGuard::Cgroup => "held by the kernel (cgroup)",
        MemoryGuard::Job => "held by Windows (job object)",
    };
    Some(format!("{resident} of {limit}, {guard}"))
}

fn ignored(host: &HostFacts) -> Option<String> {
    (host.ignored_finishes > 0).then(|| {
        format!(
            "{} were late, double or unknown, and ignored",
            host.ignored_finishes
        )
    })
}

/// How far it is walled off, and why not further; nothing while no host serves.
pub(super) fn isolation(listing: &Listing) -> Option<String> {
    let level = listing.isolation_level?;
    let notes = listing.sandbox.as_ref().map(|sandbox| &sandbox.notes[..]);
    Some(walls(level, notes.unwrap_or_default()))
}

/// How far, and why not further.
pub(super) fn walls(level: Level, notes: &[String]) -> String {
    match notes {
        [] => level.to_string(),
        notes => format!("{level}: {}", notes.join("; ")),
    }
}

async fn install(context: &Context, file: &Path) -> Result<Exit, Failure> {
    let config = context.load()?.config;
    let copy = Copy::of(file, Some(Arc::clone(&config)))?;
    trust::admit(&config, &copy)?;
    let report = copy.validate().await?;
    copy.tell_sandbox(&report.manifest, &report.sandbox);
    let app_id = report.manifest.app_id.clone();
    trust::admit_as(&config, &copy, &app_id)?;
    let client = Client::local(&config.agent.state_dir);
    let before = match rescan(&client).await? {
        true => {
            // So that both judge by the same keys and pins, even right after an edit.
            let reloaded = client.post("/control/reload", Bytes::new()).await?;
            if !reloaded.status.is_success() {
                return Err(remote::refused(&reloaded));
            }
            let rows = rows_of(&client, &app_id).await?;
            rows.into_iter().find_map(|row| row.last_error)
        }
        false => None,
    };
    let target = target(&config, &app_id);
    put(&copy, &target)?;
    output::note(format!(
        "{} {} is in {}",
        app_id,
        report.manifest.version,
        target.display()
    ));
    if !rescan(&client).await? {
        output::note("no agent is running with this configuration; it will be loaded at the next start");
        return Ok(Exit::Ok);
    }
    let listing = settled(&client, &app_id, copy.sha256, before).await?;
    output::json(&listing)?;
    Ok(Exit::Ok)
}

/// The signature comes first: a library without the one that it needs would be refused for a moment.
fn put(copy: &Copy, target: &Path) -> Result<(), Failure> {
    let beside = trust::beside(target);
    match &copy.signature {
        Some(text) => files::replace(&beside, text, files::Access::Public)
            .map_err(|error| Failure::file("write", &beside, &error))?,
        None => delete_if_there(&beside)?,
    }
    files::replace(target, &copy.content, files::Access::Executable)
        .map_err(|error| Failure::file("write", target, &error))
}

fn delete_if_there(file: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("delete", file, &error))
        }
        _ => Ok(()),
    }
}

/// One file for each connector, so that installing a new version replaces the old one.
fn target(config: &Config, app_id: &AppId) -> PathBuf {
    config
        .connectors
        .directory
        .join(format!("{app_id}{}", std::env::consts::DLL_SUFFIX))
}

/// Has the agent look at its directory; `false` if none runs.
async fn rescan(client: &Client) -> Result<bool, Failure> {
    match client.post("/control/rescan", Bytes::new()).await {
        Ok(reply) if reply.status.is_success() => Ok(true),
        Ok(reply) => Err(remote::refused(&reply)),
        Err(ClientError::Unreachable { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the agent serves the content, or says why it does not. `before` is what the agent had last failed with.
async fn settled(
    client: &Client,
    app_id: &AppId,
    sha256: Sha256,
    before: Option<String>,
) -> Result<Listing, Failure> {
    let (stale, deadline) = (Instant::now() + STALE, Instant::now() + PATIENCE);
    loop {
        let rows = rows_of(client, app_id).await?;
        let fresh = Instant::now() > stale;
        let failed = |listing: &&Listing| {
            let own = listing.sha256 == Some(sha256);
            let over = matches!(
                listing.state,
                State::Refused | State::Shadowed | State::Stopped | State::Quarantined
            );
            // Where an older generation goes on serving, its row tells of the new one's failure.
            let news = fresh || listing.last_error != before;
            // A file with a lower version that gives way to this one is none.
            let others = !own && listing.state != State::Shadowed;
            (own && over && news) || (others && listing.last_error.is_some() && listing.last_error != before)
        };
        let ready = |listing: &&Listing| listing.sha256 == Some(sha256) && listing.state == State::Ready;
        if let Some(listing) = rows.iter().find(ready) {
            return Ok(listing.clone());
        }
        let late = Instant::now() > deadline;
        if let Some(listing) = rows.iter().find(failed).or(rows.first().filter(|_| late)) {
            return Err(not_served(app_id, listing));
        }
        if late {
            return Err(Failure::new(
                Exit::Failed,
                format!("the agent has not seen {app_id} within {} s", PATIENCE.as_secs()),
                "is it the agent of this configuration? `lumos-agent status` tells",
            ));
        }
        tokio::time::sleep(GLANCE).await;
    }
}

fn not_served(app_id: &AppId, listing: &Listing) -> Failure {
    let why = listing
        .last_error
        .clone()
        .unwrap_or_else(|| format!("it is {}", state(listing.state)));
    Failure::new(
        Exit::Failed,
        format!("the agent does not serve it: {}", output::printable(&why)),
        format!("`lumos-agent connector show {app_id}` tells its history"),
    )
}

/// All rows of a connector: the one that serves, and files that are shadowed or refused.
async fn rows_of(client: &Client, app_id: &AppId) -> Result<Vec<Listing>, Failure> {
    let mut connectors: Vec<Listing> = remote::expect(&client.get("/control/connectors").await?)?;
    connectors.retain(|listing| listing.app_id.eq_ignore_ascii_case(app_id.as_str()));
    Ok(connectors)
}

async fn remove(context: &Context, app_id: &AppId) -> Result<Exit, Failure> {
    let config = context.load()?.config;
    let client = Client::local(&config.agent.state_dir);
    let running = rescan(&client).await?;
    let files = if running {
        listed_files(&client, &config, app_id).await?
    } else {
        found_files(&config, app_id).await?
    };
    if files.is_empty() {
        return Err(unknown(app_id));
    }
    for file in &files {
        std::fs::remove_file(file).map_err(|error| Failure::file("delete", file, &error))?;
        delete_if_there(&trust::beside(file))?;
        output::note(format!("deleted {}", file.display()));
    }
    if running {
        gone(&client, app_id).await?;
    }
    Ok(Exit::Ok)
}

async fn listed_files(client: &Client, config: &Config, app_id: &AppId) -> Result<Vec<PathBuf>, Failure> {
    let connectors: Vec<Listing> = remote::expect(&client.get("/control/connectors").await?)?;
    let own = connectors
        .into_iter()
        .filter(|listing| listing.app_id.eq_ignore_ascii_case(app_id.as_str()));
    let names = own.filter_map(|listing| listing.file);
    let paths = names
        .filter(|name| is_plain(name))
        .map(|name| config.connectors.directory.join(name));
    Ok(paths.filter(|path| path.exists()).collect())
}

/// Whether it names an entry of a directory: the agent says it, and is not to choose what else root deletes.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

/// Without an agent to ask, the libraries themselves say whose they are.
async fn found_files(config: &Config, app_id: &AppId) -> Result<Vec<PathBuf>, Failure> {
    let directory = &config.connectors.directory;
    let entries = std::fs::read_dir(directory).map_err(|error| Failure::file("list", directory, &error))?;
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || !name.ends_with(std::env::consts::DLL_SUFFIX) {
            continue;
        }
        if path == target(config, app_id) {
            found.push(path);
            continue;
        }
        // What can't be read is nobody's, and stays.
        if let Ok(copy) = Copy::of(&path, None)
            && let Ok(manifest) = copy.manifest().await
            && manifest.app_id == *app_id
        {
            found.push(path);
        }
    }
    Ok(found)
}

async fn gone(client: &Client, app_id: &AppId) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while rescan(client).await? {
        let connectors: Vec<Listing> = remote::expect(&client.get("/control/connectors").await?)?;
        let there = |listing: &Listing| listing.app_id.eq_ignore_ascii_case(app_id.as_str());
        if !connectors.iter().any(there) {
            return Ok(());
        }
        if Instant::now() > deadline {
            output::note(format!(
                "calls of {app_id} are still in flight; it goes when they have ended"
            ));
            return Ok(());
        }
        tokio::time::sleep(GLANCE).await;
    }
    Ok(())
}
