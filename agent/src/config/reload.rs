//! Keeps the configuration current: the file is watched, and `SIGHUP` or `lumos-agent` may ask. A file that can't be used
//! changes nothing but a condition; the last good one stays in force.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::load::{Loaded, Loader};
use super::model::Config;
use super::report::ConfigError;
use super::semantics;
use crate::conditions::{Conditions, Name};

/// How often the file's stamp is looked at. Polling one file works on every file system, which events do not.
const LOOK: Duration = Duration::from_secs(1);

/// The configuration in force, and the means to have it read again. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ConfigHandle {
    /// What is in force.
    pub rx: watch::Receiver<Arc<Config>>,
    ask: mpsc::Sender<oneshot::Sender<Result<(), String>>>,
}

/// The task behind a [`ConfigHandle`].
pub struct Reloader {
    loader: Loader,
    current: watch::Sender<Arc<Config>>,
    conditions: Conditions,
    asked: mpsc::Receiver<oneshot::Sender<Result<(), String>>>,
    seen: Option<Stamp>,
}

/// What changes when a file does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

/// A handle on `loaded`, and the task that keeps it current, which the caller runs.
#[must_use]
pub fn watch(loader: Loader, loaded: &Loaded, conditions: Conditions) -> (ConfigHandle, Reloader) {
    let (current, rx) = watch::channel(Arc::clone(&loaded.config));
    let (ask, asked) = mpsc::channel(4);
    let seen = stamp(loader.file());
    let handle = ConfigHandle { rx, ask };
    let reloader = Reloader {
        loader,
        current,
        conditions,
        asked,
        seen,
    };
    (handle, reloader)
}

impl ConfigHandle {
    /// Has the file read again, whether it changed or not, and waits for the outcome.
    ///
    /// # Errors
    /// The text of everything that is wrong with it; the last good configuration stays in force.
    pub async fn reload(&self) -> Result<(), String> {
        let gone = || "the agent is shutting down".to_owned();
        let (answer, outcome) = oneshot::channel();
        self.ask.send(answer).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

impl Reloader {
    /// Runs until `shutdown` fires.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                asked = self.asked.recv() => match asked {
                    None => return,
                    Some(answer) => {
                        let outcome = self.reload().await.map_err(|error| error.to_string());
                        // The asker may have gone away meanwhile.
                        let _ = answer.send(outcome);
                    }
                },
                _ = look.tick() => self.look().await,
            }
        }
    }

    async fn look(&mut self) {
        let now = stamp(self.loader.file());
        if now == self.seen {
            return;
        }
        self.seen = now;
        // What is wrong is logged and published inside.
        let _ = self.reload().await;
    }

    async fn reload(&mut self) -> Result<(), ConfigError> {
        self.seen = stamp(self.loader.file());
        let loader = self.loader.clone();
        let read = tokio::task::spawn_blocking(move || load_checked(&loader, true)).await;
        let loaded = read.unwrap_or_else(|_| {
            Err(ConfigError::of_file(
                self.loader.file(),
                "reading it failed",
                "try again",
            ))
        });
        match loaded {
            Ok(loaded) => {
                self.publish(&loaded.config);
                Ok(())
            }
            Err(error) => {
                let text = error.one_line();
                self.conditions.raise(
                    Name::ConfigInvalid,
                    format!("the last good configuration stays in force: {text}"),
                    "put the file right; `lumos-agent check-config` shows what is wrong with it",
                );
                Err(error)
            }
        }
    }

    fn publish(&self, fresh: &Arc<Config>) {
        let old = Arc::clone(&self.current.borrow());
        let mut merged = Config::clone(fresh);
        let kept = keep_fixed(&mut merged, &old);
        if !kept.is_empty() {
            warn!(keys = %kept.join(", "), "these keys changed, but count only after a restart");
        }
        self.conditions.clear(Name::ConfigInvalid);
        if merged != *old {
            self.current.send_replace(Arc::new(merged));
            info!(file = %self.loader.file().display(), "the configuration was read again and is in force");
        }
    }
}

/// Loads and checks; warnings are logged. Where something has `served` before, it goes on while the connectors directory
/// cannot be read: that is a warning then.
///
/// # Errors
/// If it can't be used.
pub fn load_checked(loader: &Loader, served: bool) -> Result<Loaded, ConfigError> {
    let loaded = loader.load()?;
    let problems = if served {
        semantics::check_serving(&loaded, SystemTime::now())
    } else {
        semantics::check(&loaded, SystemTime::now())
    };
    if semantics::is_fatal(&problems) {
        return Err(loaded.provenance.failure(problems));
    }
    for problem in &problems {
        warn!("{}", loaded.provenance.source.line(problem));
    }
    Ok(loaded)
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some(Stamp {
        modified: found.modified().ok(),
        length: found.len(),
        #[cfg(unix)]
        inode: std::os::unix::fs::MetadataExt::ino(&found),
    })
}

/// Puts back what can't change while the agent runs, and names the keys that would have.
fn keep_fixed(fresh: &mut Config, old: &Config) -> Vec<&'static str> {
    let mut kept = Vec::new();
    macro_rules! keep {
        ($($key:literal $($field:ident).+;)*) => {$(
            if fresh.$($field).+ != old.$($field).+ {
                fresh.$($field).+ = old.$($field).+.clone();
                kept.push($key);
            }
        )*};
    }
    keep! {
        "agent.name" agent.name;
        "agent.state_dir" agent.state_dir;
        "agent.token_file" agent.token_file;
        "dispatch.listen" dispatch.listen;
        "dispatch.max_buffered_bytes" dispatch.max_buffered_bytes;
        "dispatch.max_in_flight" dispatch.max_in_flight;
        "dispatch.max_connections" dispatch.max_connections;
        "admin.enabled" admin.enabled;
        "admin.listen" admin.listen;
        "connectors.directory" connectors.directory;
        "log.format" log.format;
        "log.directory" log.directory;
        "log.files" log.files;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::SECTIONS;

    fn load(text: &str) -> Config {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("agent.toml");
        std::fs::write(&file, text).unwrap();
        Config::clone(&Loader::with_environment(&file, Vec::new()).load().unwrap().config)
    }

    #[test]
    fn keys_that_need_a_restart_are_those_of_the_table() {
        let old = load("");
        let mut fresh = load(
            "[agent]\nname = \"x\"\nstate_dir = \"/x\"\n[dispatch]\nlisten = \"1.1.1.1:1\"\nmax_buffered_bytes = \"1GiB\"\n\
             max_in_flight = 1\nmax_connections = 1\n[dispatch.tls]\ncertificate = \"/x\"\nprivate_key = \"/x\"\n\
             client_ca = \"/x\"\nmin_version = \"1.3\"\n[admin]\nenabled = false\nlisten = \"1.1.1.1:1\"\n\
             [connectors]\ndirectory = \"/x\"\n[log]\nformat = \"json\"\nfiles = false\ndirectory = \"/x\"\n",
        );
        let mut kept: Vec<String> = keep_fixed(&mut fresh, &old)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut wanted: Vec<String> = SECTIONS
            .iter()
            .flat_map(|section| section.keys.iter().map(move |key| (section, key)))
            .filter(|(_, key)| !key.reload)
            .map(|(section, key)| format!("{}.{}", section.dotted(), key.name))
            .collect();
        kept.sort();
        wanted.sort();
        assert_eq!(kept, wanted);
    }

    #[tokio::test]
    async fn a_bad_file_leaves_the_last_good_one_in_force() {
        let home = crate::config::semantics_tests::home("[log]\nlevel = \"INFO\"\n");
        let loader = Loader::with_environment(&home.path().join("agent.toml"), Vec::new());
        let loaded = load_checked(&loader, false).unwrap();
        let conditions = Conditions::default();
        let (handle, reloader) = watch(loader, &loaded, conditions.clone());
        let write = |level: &str| {
            let text = format!(
                "{}[log]\nlevel = \"{level}\"\n",
                crate::config::semantics_tests::PATHS
            );
            std::fs::write(home.path().join("agent.toml"), text).unwrap();
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(reloader.run(shutdown.clone()));

        write("LOUD");
        let error = handle.reload().await.unwrap_err();
        assert!(error.contains("log.level"), "{error}");
        assert!(conditions.list()[0].message.contains("agent.toml:6:9"));
        assert_eq!(handle.rx.borrow().log.level, crate::config::model::LogLevel::Info);

        write("DEBUG");
        handle.reload().await.unwrap();
        assert!(!conditions.holds(Name::ConfigInvalid));
        assert_eq!(
            handle.rx.borrow().log.level,
            crate::config::model::LogLevel::Debug
        );
        shutdown.cancel();
        task.await.unwrap();
    }
}
