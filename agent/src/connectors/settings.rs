//! The settings of one connector after the defaults of `[connectors]` and `[dispatch]` were filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Config;
use crate::config::model::Isolation;
use crate::domain::{AppId, Sha256};

/// What holds for one connector.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Effective {
    pub(super) enabled: bool,
    pub(super) isolation: Isolation,
    pub(super) max_in_flight: u32,
    /// The longest that a call may take before the ladder begins.
    pub(super) timeout: Duration,
    pub(super) memory_limit: Option<u64>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) max_response_bytes: u64,
    pub(super) shutdown_grace: Duration,
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
        Effective {
            enabled: own.enabled,
            isolation: own.isolation.unwrap_or(config.connectors.isolation),
            max_in_flight: own
                .max_in_flight
                .unwrap_or(config.connectors.max_in_flight)
                .max(1),
            timeout: own.timeout.unwrap_or(config.dispatch.timeout),
            memory_limit: own.memory_limit.or(config.connectors.memory_limit),
            environment: own.environment,
            max_response_bytes: config.dispatch.max_response_bytes,
            shutdown_grace: config.agent.shutdown_grace,
            start_timeout: config.connectors.start_timeout,
        }
    }

    /// Whether a host that was started under `self` cannot take over `other`.
    pub(super) fn needs_new_host(&self, other: &Self) -> bool {
        self.isolation != other.isolation
            || self.max_in_flight != other.max_in_flight
            || self.memory_limit != other.memory_limit
            || self.environment != other.environment
            || self.max_response_bytes != other.max_response_bytes
    }
}

/// Whether some connector's pins allow `sha256`, before it is known whose library it is.
pub(super) fn pinned_by_anyone(config: &Config, sha256: Sha256) -> Result<(), String> {
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
pub(super) fn pinned(config: &Config, app_id: &AppId, sha256: Sha256) -> Result<(), String> {
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
