//! `dev`: the agent for authors. Serves the files named on the command line over loopback without TLS and without a
//! credential, takes up each rebuild, and shows the connectors' logs.
//!
//! It is the daemon itself, with a throw-away installation whose connectors directory this module keeps equal to the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::args::DevArgs;
use super::author_log::{AuthorLog, Tail};
use super::exit::{Exit, Failure};
use super::files::{self, Access};
use super::output;
use super::run::{Stop, no_signals, obey, told};
use super::signals::Signals;
use crate::app::{App, Mode, Options};
use crate::conditions::Conditions;
use crate::config::model::{LogFormat, LogLevel};
use crate::config::{Loader, reload, template};
use crate::manager::Manager;
use crate::telemetry::log;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(300);
/// How often the connectors' logs are looked at.
const READ: Duration = Duration::from_millis(200);

pub(super) async fn run(args: &DevArgs) -> Result<Exit, Failure> {
    let home = tempfile::Builder::new()
        .prefix("lumos-agent-dev-")
        .tempdir()
        .map_err(|error| Failure::file("make a directory in", &std::env::temp_dir(), &error))?;
    let mut mirror = Mirror::new(&args.files, &home.path().join("connectors"))?;
    // They watch what they write: without a word of theirs, everything is shown.
    let author_log = AuthorLog::from_environment(LogLevel::Debug)?;
    let loader = installation(home.path(), args.port, &author_log)?;
    let loaded = loader.load()?;
    let conditions = Conditions::default();
    let _log = log::init(LogLevel::Warning, LogFormat::Text, None);
    let mut tail = Tail::new(&author_log.directory);
    let signals = Signals::new().map_err(|error| no_signals(&error))?;
    mirror.copy_changes();

    let stop = Stop::default();
    let (handle, reloader) = reload::watch(loader, &loaded, conditions.clone());
    let options = Options {
        mode: Mode::Dev { token: None },
        conditions: Some(conditions),
        log_files: Some(AuthorLog::files(&author_log.directory)),
        ..Options::default()
    };
    // Where it is refused, a process that a connector leaves behind outlives it: no reason not to go on.
    let _ = crate::os::adopt_orphans();
    let app = App::build(handle.rx.clone(), options)
        .await
        .map_err(|error| told(&error, &loaded.provenance))?;
    introduce(&app, &args.files, home.path());

    let mut tasks = JoinSet::new();
    tasks.spawn(reloader.run(stop.tasks.clone()));
    tasks.spawn(obey(signals, handle, Manager::default(), stop.clone()));
    tasks.spawn(mirror.run(stop.tasks.clone()));
    let url = app.dispatch_url().to_owned();
    tasks.spawn(tell_states(app.connectors().clone(), url, stop.tasks.clone()));
    let stopped = stop.tasks.clone();
    tasks.spawn(async move {
        while stopped
            .run_until_cancelled(tokio::time::sleep(READ))
            .await
            .is_some()
        {
            tail.show();
        }
        tail.show();
    });
    app.run(stop.shutdown.clone(), stop.force.clone()).await;
    stop.tasks.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(Exit::Ok)
}

/// A directory with a configuration in it.
fn installation(home: &Path, port: u16, log: &AuthorLog) -> Result<Loader, Failure> {
    for name in ["connectors", "state"] {
        let path = home.join(name);
        files::directory(&path, Access::Private).map_err(|error| Failure::file("make", &path, &error))?;
    }
    let mut set = template::private_paths();
    set.retain(|(key, _)| *key != "log.directory");
    let directory = log.directory.to_string_lossy().into_owned();
    set.push(("log.directory", toml::Value::String(directory).to_string()));
    set.push(("dispatch.listen", format!("\"127.0.0.1:{port}\"")));
    set.push(("admin.enabled", "false".into()));
    set.push(("agent.shutdown_grace", "\"2s\"".into()));
    set.push(("log.connector_level", format!("\"{}\"", log.level.word())));
    let file = home.join("agent.toml");
    let text = template::config_file(&set);
    files::create(&file, text.as_bytes(), Access::Private)
        .map_err(|error| Failure::file("write", &file, &error))?;
    // Variables of a real agent on this machine are none of its business.
    Ok(Loader::with_environment(&file, Vec::new()))
}

fn introduce(app: &App, files: &[PathBuf], home: &Path) {
    let url = app.dispatch_url();
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    output::note(format!(
        "serving {} at {url}, to this machine only\n\n  curl -sX POST {url}/list-connector-app-ids -H 'Content-Type: application/json' -d '{{}}'\n",
        names.join(", ")
    ));
    let config = home.join("agent.toml");
    output::note(format!(
        "  lumos-agent --config {} connector list\n\nRebuild to reload, Ctrl-C to end.\n",
        config.display()
    ));
}

/// Tells every change of a connector's state.
async fn tell_states(connectors: crate::connectors::Connectors, url: String, stop: CancellationToken) {
    let mut told = BTreeSet::new();
    let mut introduced = BTreeSet::new();
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let mut now = BTreeSet::new();
        for row in connectors.list() {
            let error = row
                .last_error
                .as_deref()
                .map(|text| format!(": {}", output::printable(text)));
            let state = serde_json::to_value(row.state).unwrap_or_default();
            let generation = row
                .generation
                .map(|number| format!(" generation {number}"))
                .unwrap_or_default();
            let state = state.as_str().unwrap_or_default().to_owned();
            now.insert(format!(
                "{}{generation}: {state}{}",
                row.app_id,
                error.unwrap_or_default()
            ));
        }
        now.difference(&told).for_each(output::note);
        told = now;
        for app_id in connectors.ready() {
            if introduced.insert(app_id.clone()) {
                output::note(format!(
                    "\n  curl -sX POST {url}/{app_id}/info -H 'Content-Type: application/json' -d '{{}}'\n"
                ));
            }
        }
    }
}

/// Keeps the connectors directory equal to the files.
struct Mirror {
    entries: Vec<Entry>,
}

struct Entry {
    from: PathBuf,
    to: PathBuf,
    copied: Option<(u64, SystemTime)>,
    seen: Option<(u64, SystemTime)>,
}

impl Mirror {
    fn new(files: &[PathBuf], directory: &Path) -> Result<Self, Failure> {
        let mut entries = Vec::new();
        let mut names = BTreeSet::new();
        for file in files {
            let from = std::path::absolute(file).map_err(|error| Failure::file("use", file, &error))?;
            std::fs::metadata(&from).map_err(|error| Failure::file("read", file, &error))?;
            let name = from.file_name().unwrap_or_default().to_owned();
            if !names.insert(name.clone()) {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("two files are named {}", name.to_string_lossy()),
                    "name each connector once",
                ));
            }
            entries.push(Entry {
                to: directory.join(name),
                from,
                copied: None,
                seen: None,
            });
        }
        Ok(Mirror { entries })
    }

    async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let look = tokio::task::spawn_blocking(move || {
                self.copy_settled();
                self
            });
            match look.await {
                Ok(mirror) => self = mirror,
                Err(_) => return,
            }
        }
    }

    /// Copies everything that is not there yet.
    fn copy_changes(&mut self) {
        self.entries.iter_mut().for_each(Entry::look);
        self.copy_settled();
    }

    /// Copies what changed and has not changed since the last look: a linker takes its time.
    fn copy_settled(&mut self) {
        for entry in &mut self.entries {
            let before = entry.seen;
            entry.look();
            if entry.seen.is_none() || entry.seen != before || entry.seen == entry.copied {
                continue;
            }
            let copied = std::fs::read(&entry.from)
                .and_then(|bytes| files::replace(&entry.to, &bytes, Access::Executable));
            match copied {
                Ok(()) => entry.copied = entry.seen,
                Err(error) => {
                    warn!(file = %entry.from.display(), %error, "the file can't be copied; it is tried again");
                }
            }
        }
    }
}

impl Entry {
    fn look(&mut self) {
        let found = std::fs::metadata(&self.from).ok();
        self.seen = found.and_then(|found| Some((found.len(), found.modified().ok()?)));
    }
}
