//! What is wrong with the agent at the moment, though it runs: one list, and everything that tells of troubles reads it.
//!
//! ```text
//!   whoever notices ── raise, clear ──▶ Conditions ──▶ /readyz, status, /metrics
//!                                           └──▶ one line in the log when it begins, one when it is over
//! ```
//! A condition is raised and cleared where it is noticed; nobody derives it anew from other state. The names are part of the
//! interface: alerts, `doctor` and the Windows Event Log go by them.
#![forbid(unsafe_code)]

mod clock;
mod disk;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use disk::is_full;

pub(crate) use clock::watch as watch_clock;
pub(crate) use disk::watch as watch_disks;

use crate::telemetry::metrics::Metrics;

/// The conditions in force. Cheap to clone.
#[derive(Clone)]
pub struct Conditions(Arc<Shared>);

struct Shared {
    metrics: Metrics,
    /// By name and, where several of one name can hold at the same time, by what it is about.
    held: Mutex<BTreeMap<(Name, String), Condition>>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Which.
    pub name: Name,
    /// How bad it is.
    pub severity: Severity,
    /// Since when.
    pub since: Timestamp,
    /// What is wrong, and where.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// How bad a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that was asked for does not happen.
    Error,
    /// All works, but somebody should see to it.
    Warning,
}

macro_rules! names {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $severity:ident;)+) => {
        /// What there can be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Name {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Name {
            /// All of them.
            pub const ALL: &'static [Name] = &[$(Name::$name),+];

            /// As it stands in metrics and in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Name::$name => $text,)+ }
            }

            /// How bad it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Name::$name => Severity::$severity,)+ }
            }
        }
    };
}

names! {
    /// The configuration on disk cannot be used; the last good one is in force.
    ConfigInvalid = "config_invalid", Error;
    /// The token file cannot be used; no token is accepted.
    TokensUnavailable = "tokens_unavailable", Error;
    /// The server certificate has expired; it is served all the same.
    CertificateExpired = "certificate_expired", Error;
    /// The server certificate expires within two weeks.
    CertificateExpiresSoon = "certificate_expires_soon", Warning;
    /// The certificate or key on disk cannot be used; the last good pair is in force.
    CertificateNotLoaded = "certificate_not_loaded", Error;
    /// The authority of client certificates, or its revocation list, cannot be used; the last good ones are in force.
    ClientCaNotLoaded = "client_ca_not_loaded", Error;
    /// A revocation list is older than it should be.
    RevocationListOutdated = "revocation_list_outdated", Warning;
    /// Nothing can be written for want of space.
    DiskFull = "disk_full", Error;
    /// Log files cannot be written; the log goes to standard error only.
    LogFilesUnavailable = "log_files_unavailable", Warning;
    /// The state directory cannot be written.
    StateUnwritable = "state_unwritable", Error;
    /// A file of the state directory was damaged and has been put aside.
    StateFileDamaged = "state_file_damaged", Warning;
    /// The connectors directory cannot be listed; what is known of it is served.
    ConnectorsUnlisted = "connectors_unlisted", Error;
    /// The system's clock was set while the agent ran.
    ClockSet = "clock_set", Warning;
}

impl Conditions {
    /// None yet. `metrics` shows them from now on.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        for name in Name::ALL {
            metrics.set_condition(name.as_str(), false);
        }
        Conditions(Arc::new(Shared {
            metrics,
            held: Mutex::default(),
        }))
    }

    /// `name` holds. Told once, and again when `message` changes.
    pub fn raise(&self, name: Name, message: impl Into<String>, remedy: impl Into<String>) {
        self.raise_about(name, "", message, remedy);
    }

    /// `name` holds of `subject`, perhaps besides others.
    pub fn raise_about(
        &self,
        name: Name,
        subject: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let fresh = Condition {
            name,
            severity: name.severity(),
            since: Timestamp::now(),
            message: message.into(),
            remedy: remedy.into(),
        };
        let told = fresh.clone();
        let mut held = self.held();
        match held.entry((name, subject.to_owned())) {
            std::collections::btree_map::Entry::Occupied(mut known) => {
                if known.get().message == fresh.message {
                    return;
                }
                let since = known.get().since;
                known.insert(Condition { since, ..fresh });
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(fresh);
            }
        }
        self.0.metrics.set_condition(name.as_str(), true);
        // The log's writer raises conditions itself, so nothing may be held while it is told.
        drop(held);
        let (condition, remedy) = (name.as_str(), &told.remedy);
        match told.severity {
            Severity::Error => tracing::error!(condition, remedy, "{}", told.message),
            Severity::Warning => tracing::warn!(condition, remedy, "{}", told.message),
        }
    }

    /// `name` holds no longer.
    pub fn clear(&self, name: Name) {
        self.clear_about(name, "");
    }

    /// `name` holds no longer of `subject`.
    pub fn clear_about(&self, name: Name, subject: &str) {
        let mut held = self.held();
        let Some(over) = held.remove(&(name, subject.to_owned())) else {
            return;
        };
        let others = held.keys().any(|(other, _)| *other == name);
        self.0.metrics.set_condition(name.as_str(), others);
        drop(held);
        tracing::info!(condition = name.as_str(), since = %over.since, was = over.message, "no longer so");
    }

    /// Raises or clears `name`, as `wrong` tells: message and remedy, or nothing.
    pub fn set(&self, name: Name, wrong: Option<(String, String)>) {
        match wrong {
            Some((message, remedy)) => self.raise(name, message, remedy),
            None => self.clear(name),
        }
    }

    /// Whether `name` holds of anything.
    #[must_use]
    pub fn holds(&self, name: Name) -> bool {
        self.held().keys().any(|(held, _)| *held == name)
    }

    /// Whether `name` holds of `subject`.
    #[must_use]
    pub fn holds_about(&self, name: Name, subject: &str) -> bool {
        self.held().contains_key(&(name, subject.to_owned()))
    }

    /// All that hold, the worst and oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Condition> {
        let mut list: Vec<Condition> = self.held().values().cloned().collect();
        list.sort_by_key(|condition| (condition.severity, condition.since));
        list
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<(Name, String), Condition>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Conditions::new(Metrics::new())
    }
}

impl std::fmt::Debug for Conditions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_is_listed_the_worst_first_until_it_is_over() {
        let metrics = Metrics::new();
        let conditions = Conditions::new(metrics.clone());
        let shown = |name: &str| {
            let line = format!("lumos_agent_condition{{name=\"{name}\"}} ");
            let text = metrics.render();
            let rest = text.split_once(&line).unwrap().1.to_owned();
            rest.starts_with('1')
        };
        assert!(!shown("disk_full"));
        conditions.raise(Name::ClockSet, "by an hour", "nothing");
        conditions.raise(Name::DiskFull, "no space in /a", "make some");
        let first = conditions.list();
        conditions.raise(Name::DiskFull, "no space in /b", "make some");
        let second = conditions.list();
        assert_eq!(second[0].name, Name::DiskFull);
        assert_eq!(
            (second[0].since, &*second[0].message),
            (first[0].since, "no space in /b")
        );
        assert!(shown("disk_full") && shown("clock_set"));
        conditions.clear(Name::DiskFull);
        assert!(!shown("disk_full"));
        assert_eq!(conditions.list(), first[1..]);
    }

    #[test]
    fn one_name_may_hold_of_several() {
        let conditions = Conditions::default();
        for file in ["a", "b"] {
            conditions.raise_about(Name::StateFileDamaged, file, format!("{file} is damaged"), "look");
        }
        conditions.clear_about(Name::StateFileDamaged, "a");
        assert!(conditions.holds(Name::StateFileDamaged));
        assert_eq!(conditions.list().len(), 1);
    }

    #[test]
    fn names_are_spelt_alike_everywhere() {
        for name in Name::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
    }
}
