//! The levels of the logs in force: those of the configuration, and what `lumos-agent log set` puts in their place.
//!
//! Such a level is kept in memory only. It ends by itself, with the next `log set` for the same log, or with the agent, however
//! that ends. A reload of the configuration does not touch it; what the configuration says counts from its end on.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connector_log::ConnectorLogs;
use super::log::LogHandle;
use crate::config::Config;
use crate::config::model::LogLevel;
use crate::domain::AppId;

/// Whose log: the agent's own, or that of a connector.
pub type Whose = Option<AppId>;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Levels(Arc<Shared>);

struct Shared {
    config: watch::Receiver<Arc<Config>>,
    agent: Option<LogHandle>,
    connectors: ConnectorLogs,
    overrides: Mutex<BTreeMap<Whose, Override>>,
    changed: Notify,
}

#[derive(Clone, Copy)]
struct Override {
    level: LogLevel,
    /// By the clock that nobody sets.
    ends: Option<Instant>,
    /// The same for people.
    until: Option<Timestamp>,
}

/// What is in force.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Of the agent's log.
    level: LogLevel,
    /// Of connectors' logs.
    connector_level: LogLevel,
    /// What was set besides the configuration.
    overrides: Vec<ShownOverride>,
}

#[derive(Debug, Serialize)]
struct ShownOverride {
    /// `null` for the agent's own log.
    connector: Whose,
    level: LogLevel,
    /// `null` for until the agent ends.
    until: Option<Timestamp>,
}

impl Levels {
    /// Puts those of the configuration in force.
    #[must_use]
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        agent: Option<LogHandle>,
        connectors: ConnectorLogs,
    ) -> Self {
        Levels(Arc::new(Shared {
            config,
            agent,
            connectors,
            overrides: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Puts `level` in the place of what the configuration says, for as long as `lasts`, or until the agent ends. Without a
    /// level the configuration counts again.
    pub fn set(&self, whose: Whose, level: Option<LogLevel>, lasts: Option<Duration>) {
        let set = level.map(|level| Override {
            level,
            // What ends after all clocks do is for as long as the agent runs.
            ends: lasts.and_then(|lasts| Instant::now().checked_add(lasts)),
            until: lasts.and_then(|lasts| Timestamp::now().checked_add(lasts).ok()),
        });
        let (log, until) = (
            whose.as_ref().map_or("the agent", AppId::as_str).to_owned(),
            set.and_then(|set| set.until),
        );
        match set {
            Some(set) => drop(self.overrides().insert(whose, set)),
            None => drop(self.overrides().remove(&whose)),
        }
        self.apply();
        self.0.changed.notify_one();
        let until = until.map(tracing::field::display);
        match level {
            Some(level) => tracing::warn!(log, level = level.word(), until, "the level of a log was set"),
            None => tracing::warn!(log, "the level of a log is that of the configuration again"),
        }
    }

    /// For `status`.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let config = self.0.config.borrow().log.clone();
        let overrides = self.overrides();
        let shown = |(whose, set): (&Whose, &Override)| ShownOverride {
            connector: whose.clone(),
            level: set.level,
            until: set.until,
        };
        Shown {
            level: overrides.get(&None).map_or(config.level, |set| set.level),
            connector_level: config.connector_level,
            overrides: overrides.iter().map(shown).collect(),
        }
    }

    /// Follows the configuration and ends what has an end, until `stop` fires.
    pub async fn run(self, stop: CancellationToken) {
        let mut config = self.0.config.clone();
        let mut followed = true;
        loop {
            let end = self.overrides().values().filter_map(|set| set.ends).min();
            let ended = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.changed.notified() => {}
                // Where nobody changes the configuration any more, that alone is no reason to stop.
                changed = config.changed(), if followed => followed = changed.is_ok(),
                () = ended => self.end(),
            }
            self.apply();
        }
    }

    fn end(&self) {
        let now = Instant::now();
        let mut over = Vec::new();
        self.overrides().retain(|whose, set| {
            let ends = set.ends.is_some_and(|ends| ends <= now);
            if ends {
                over.push(whose.as_ref().map_or("the agent", AppId::as_str).to_owned());
            }
            !ends
        });
        self.apply();
        for log in over {
            tracing::warn!(log, "the level of a log is that of the configuration again");
        }
    }

    fn apply(&self) {
        let config = self.0.config.borrow().log.clone();
        let overrides = self.overrides().clone();
        let own = overrides.get(&None).map_or(config.level, |set| set.level);
        if let Some(agent) = &self.0.agent {
            agent.set_level(own);
        }
        let levels = overrides
            .into_iter()
            .filter_map(|(whose, set)| Some((whose?, set.level)));
        self.0
            .connectors
            .set_levels(config.connector_level, &levels.collect());
    }

    fn overrides(&self) -> MutexGuard<'_, BTreeMap<Whose, Override>> {
        self.0.overrides.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
