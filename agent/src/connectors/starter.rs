//! The way to hosts: the real launcher, or in tests a scripted one, behind one type without indirection on a call's way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::settings::Effective;
use crate::call::Call;
use crate::config::model::{Isolation, LogLevel};
use crate::domain::{AppId, Generation};
use crate::hosting::{
    CancelReason, Exit, Host, HostCall, HostCallError, HostSpec, Launcher, Manifest, StartError, Vitals,
    Walls,
};
use crate::os::sandbox::Confined;
use crate::telemetry::connector_log::{ConnectorLog, ConnectorLogs};

#[cfg(test)]
pub(super) mod fake;

/// Starts hosts.
#[derive(Clone)]
pub(super) enum Starter {
    Real {
        launcher: Launcher,
        logs: ConnectorLogs,
    },
    #[cfg(test)]
    Fake(fake::FakeStarter),
}

/// What to start.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) app_id: AppId,
    pub(super) generation: Generation,
    pub(super) library: std::path::PathBuf,
    pub(super) max_in_flight: u32,
    pub(super) settings: Arc<Effective>,
}

/// A host that answered `info`.
pub(super) struct Up {
    pub(super) host: AnyHost,
    pub(super) info: Bytes,
    pub(super) log: Masks,
    pub(super) confined: Confined,
}

/// A running host.
#[derive(Clone)]
pub(super) enum AnyHost {
    Real(Host),
    #[cfg(test)]
    Fake(fake::FakeHost),
}

/// A call in a host.
pub(super) enum AnyCall {
    Real(HostCall),
    #[cfg(test)]
    Fake(fake::FakeCall),
}

/// A generation's log, for what the agent noticed.
#[derive(Clone)]
pub(super) struct Masks(Option<ConnectorLog>);

impl Masks {
    /// Writes a failure that the agent noticed.
    pub(super) fn tell(&self, request_id: Option<&str>, text: &str) {
        if let Some(log) = &self.0 {
            log.line(LogLevel::Error, request_id, &format!("[lumos-agent] {text}"));
        }
    }
}

impl Starter {
    pub(super) async fn inspect(&self, library: &Path, walls: Walls) -> Result<Manifest, StartError> {
        match self {
            Starter::Real { launcher, .. } => launcher.inspect(library, walls).await,
            #[cfg(test)]
            Starter::Fake(fake) => fake.inspect(library, walls).await,
        }
    }

    /// The log of a generation.
    pub(super) fn log(&self, app_id: &AppId, generation: Generation) -> Masks {
        match self {
            Starter::Real { logs, .. } => Masks(Some(logs.of(app_id, generation))),
            #[cfg(test)]
            Starter::Fake(_) => Masks(None),
        }
    }

    /// Starts a host. Dropping the future leaves none behind.
    pub(super) async fn start(&self, wanted: Wanted) -> Result<Up, StartError> {
        match self {
            Starter::Real { launcher, logs } => {
                let log = logs.of(&wanted.app_id, wanted.generation);
                let isolation = wanted.settings.isolation;
                let spec = spec(wanted, log.clone());
                let started = match isolation {
                    Isolation::Process => launcher.start(spec).await?,
                    Isolation::InProcess => launcher.start_in_process(spec).await?,
                };
                Ok(Up {
                    host: AnyHost::Real(started.host),
                    info: started.info,
                    log: Masks(Some(log)),
                    confined: started.confined,
                })
            }
            #[cfg(test)]
            Starter::Fake(fake) => {
                let (host, info) = fake.start(wanted).await?;
                Ok(Up {
                    host: AnyHost::Fake(host),
                    info,
                    log: Masks(None),
                    confined: Confined::switched_off(),
                })
            }
        }
    }
}

fn spec(wanted: Wanted, log: ConnectorLog) -> HostSpec {
    let settings = &wanted.settings;
    let walls = settings.walls(&wanted.app_id, wanted.generation);
    HostSpec {
        app_id: wanted.app_id,
        generation: wanted.generation,
        library: wanted.library,
        config_json: Bytes::from_static(b"{}"),
        environment: settings.environment.clone(),
        max_in_flight: wanted.max_in_flight,
        max_response_bytes: settings.max_response_bytes,
        memory_limit: settings.memory_limit,
        walls,
        start_timeout: settings.start_timeout,
        log,
    }
}

impl AnyHost {
    pub(super) fn begin(&self, call: &Call, timeout: Duration) -> Result<AnyCall, HostCallError> {
        match self {
            AnyHost::Real(host) => host.begin(call, timeout).map(AnyCall::Real),
            #[cfg(test)]
            AnyHost::Fake(host) => host.begin(call, timeout).map(AnyCall::Fake),
        }
    }

    pub(super) async fn drain(&self, grace: Duration) -> Exit {
        match self {
            AnyHost::Real(host) => host.drain(grace).await,
            #[cfg(test)]
            AnyHost::Fake(host) => host.drain(grace).await,
        }
    }

    pub(super) fn kill(&self, reason: &str) {
        match self {
            AnyHost::Real(host) => host.kill(reason),
            #[cfg(test)]
            AnyHost::Fake(host) => host.kill(reason),
        }
    }

    pub(super) async fn exited(&self) -> Exit {
        match self {
            AnyHost::Real(host) => host.exited().await,
            #[cfg(test)]
            AnyHost::Fake(host) => host.exited().await,
        }
    }

    pub(super) async fn outdated(&self) {
        match self {
            AnyHost::Real(host) => host.outdated().await,
            #[cfg(test)]
            AnyHost::Fake(host) => host.outdated().await,
        }
    }

    pub(super) fn vitals(&self) -> Vitals {
        match self {
            AnyHost::Real(host) => host.vitals(),
            #[cfg(test)]
            AnyHost::Fake(host) => host.vitals(),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        match self {
            AnyHost::Real(host) => host.pid(),
            #[cfg(test)]
            AnyHost::Fake(host) => host.pid(),
        }
    }
}

impl AnyCall {
    /// Cancel-safe.
    pub(super) async fn answer(&mut self) -> Result<Bytes, HostCallError> {
        match self {
            AnyCall::Real(call) => call.answer().await,
            #[cfg(test)]
            AnyCall::Fake(call) => call.answer().await,
        }
    }

    pub(super) fn overdue(&self) {
        match self {
            AnyCall::Real(call) => call.overdue(),
            #[cfg(test)]
            AnyCall::Fake(call) => call.overdue(),
        }
    }

    pub(super) fn cancel(&self, reason: CancelReason) {
        match self {
            AnyCall::Real(call) => call.cancel(reason),
            #[cfg(test)]
            AnyCall::Fake(call) => call.cancel(reason),
        }
    }
}
