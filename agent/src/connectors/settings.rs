//! The settings of one connector after the defaults of `[connectors]` and `[dispatch]` were filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::artifact::Artifact;
use super::walls;
use crate::config::Config;
use crate::config::model::Isolation;
use crate::domain::{AppId, Generation, KeyId, Sha256};
use crate::hosting::Walls;
use crate::os::sandbox::Confinement;

/// What holds for one connector.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Effective {
    pub(super) enabled: bool,
    pub(super) isolation: Isolation,
    pub(super) max_in_flight: u32,
    /// The longest that a call may take before the ladder begins.
    pub(super) timeout: Duration,
    pub(super) memory_limit: Option<u64>,
    /// See [`super::vitals::Thresholds`].
    pub(super) idle_memory_limit: Option<u64>,
    pub(super) cpu_warning: u32,
    pub(super) cpu_warning_after: Duration,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) max_open_files: u32,
    /// None if its sandbox is switched off.
    pub(super) confinement: Option<Confinement>,
    /// Where hosts have their directories.
    pub(super) scratch: PathBuf,
    pub(super) max_response_bytes: u64,
    pub(super) shutdown_grace: Duration,
    /// Contents that may be loaded, if any are named.
    pub(super) pins: Vec<Sha256>,
    pub(super) start_timeout: Duration,
}

impl Effective {
    pub(super) fn of(config: &Config, app_id: &AppId) -> Self {
        let own = config
            .connectors
            .settings
            .get(app_id)
            .cloned()
            .unwrap_or_default();
        let isolation = own.isolation.unwrap_or(config.connectors.isolation);
        // The agent's own memory is nobody's to limit: a default for hosts does not hold there.
        let memory_limit = own.memory_limit.or(config.connectors.memory_limit);
        Effective {
            enabled: own.enabled,
            isolation,
            max_in_flight: own
                .max_in_flight
                .unwrap_or(config.connectors.max_in_flight)
                .max(1),
            timeout: own.timeout.unwrap_or(config.dispatch.timeout),
            memory_limit: memory_limit.filter(|_| isolation == Isolation::Process),
            idle_memory_limit: config.connectors.idle_memory_limit,
            cpu_warning: own.cpu_warning.unwrap_or(config.connectors.cpu_warning),
            cpu_warning_after: config.connectors.cpu_warning_after,
            environment: own.environment,
            max_open_files: own.max_open_files.unwrap_or(config.connectors.max_open_files),
            confinement: walls::confinement(config, &own.sandbox),
            scratch: walls::scratch(config),
            max_response_bytes: config.dispatch.max_response_bytes,
            shutdown_grace: config.agent.shutdown_grace,
            pins: own.sha256,
            start_timeout: config.connectors.start_timeout,
        }
    }

    /// Whether a generation that was started under `self` cannot take over `other`. What only walls a host process in is
    /// nothing to one inside the agent. How many calls it takes depends on the connector too: see [`Effective::places`].
    pub(super) fn needs_new_host(&self, other: &Self) -> bool {
        self.isolation != other.isolation
            || self.max_response_bytes != other.max_response_bytes
            || (self.isolation == Isolation::Process && self.walled_otherwise(other))
    }

    fn walled_otherwise(&self, other: &Self) -> bool {
        self.memory_limit != other.memory_limit
            || self.environment != other.environment
            || self.max_open_files != other.max_open_files
            || self.confinement != other.confinement
    }

    /// How many calls at once a generation of `artifact` takes.
    pub(super) fn places(&self, artifact: &Artifact) -> u32 {
        self.max_in_flight.min(artifact.manifest.max_concurrency).max(1)
    }
}

impl Effective {
    /// The walls of one generation's host.
    pub(super) fn walls(&self, app_id: &AppId, generation: Generation) -> Walls {
        Walls {
            scratch: self.scratch.join(format!("{app_id}-{generation}")),
            confinement: self.confinement.clone(),
            max_open_files: self.max_open_files,
        }
    }
}

/// What a host that no agent runs, to try a connector, is started with.
pub(crate) struct Trial {
    pub(crate) walls: Walls,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) start_timeout: Duration,
}

impl Trial {
    /// As the agent of `config` would start it, but for its directory for temporary files; `None` for a library of which
    /// nobody knows yet whose it is.
    pub(crate) fn of(config: &Config, app_id: Option<&AppId>, scratch: PathBuf) -> Self {
        let Some(app_id) = app_id else {
            return Trial {
                walls: Walls {
                    scratch,
                    ..walls::for_inspection(config)
                },
                memory_limit: None,
                environment: BTreeMap::new(),
                start_timeout: config.connectors.start_timeout,
            };
        };
        let settings = Effective::of(config, app_id);
        Trial {
            walls: Walls {
                scratch,
                confinement: settings.confinement,
                max_open_files: settings.max_open_files,
            },
            memory_limit: settings.memory_limit,
            environment: settings.environment,
            start_timeout: settings.start_timeout,
        }
    }
}

/// Whether some connector's pins allow `sha256`, before it is known whose library it is.
pub(crate) fn pinned_by_anyone(config: &Config, sha256: Sha256) -> Result<(), String> {
    let anywhere = config
        .connectors
        .settings
        .values()
        .any(|own| own.sha256.contains(&sha256));
    if config.connectors.require_pinned && !anywhere {
        return Err(format!(
            "connectors.require_pinned is set and no connector's settings name its SHA-256; if you trust it, add {sha256} to connectors.settings.APP_ID.sha256"
        ));
    }
    Ok(())
}

/// Whether the pins of `app_id` allow `sha256`.
pub(crate) fn pinned(config: &Config, app_id: &AppId, sha256: Sha256) -> Result<(), String> {
    let pins = config
        .connectors
        .settings
        .get(app_id)
        .map(|own| own.sha256.as_slice())
        .unwrap_or_default();
    if pins.contains(&sha256) || (pins.is_empty() && !config.connectors.require_pinned) {
        return Ok(());
    }
    Err(format!(
        "its SHA-256 is not among connectors.settings.{app_id}.sha256; if you trust it, add {sha256} there"
    ))
}

/// Whether content that was signed by `by` may be loaded.
pub(super) fn signed(config: &Config, by: Option<KeyId>) -> Result<(), String> {
    let connectors = &config.connectors;
    if !connectors.require_signed {
        return Ok(());
    }
    match by {
        Some(by) if connectors.trusted_keys.iter().any(|key| key.id() == by) => Ok(()),
        Some(by) => Err(format!(
            "it is signed by key {by}, which is no longer among connectors.trusted_keys; have it signed by one that is"
        )),
        None => {
            Err("it is not signed, and connectors.require_signed is set; put its signature beside it".into())
        }
    }
}
