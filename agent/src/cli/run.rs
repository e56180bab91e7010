//! `run`: the daemon, with its configuration kept current, until a signal ends it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::args::{Context, RunArgs};
use super::exit::{Exit, Failure};
use super::signals::{Signal, Signals};
use crate::app::{self, App, BuildError, Mode, Options, Reload};
use crate::conditions::Conditions;
use crate::config::reload::{self, load_checked};
use crate::config::{ConfigHandle, Origin, Problem, Provenance};
use crate::connectors;
use crate::manager::{Activated, ActivationError, Manager};
use crate::os::{MemoryGuard, MemoryLimits};
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;

pub(super) async fn run(context: &Context, args: &RunArgs) -> Result<Exit, Failure> {
    let mut loader = context.loader();
    if let Some(level) = &args.log_level {
        loader = loader.flag("--log-level", "log.level", level.word());
    }
    // The log's own settings first, so that warnings about the rest are logged as it says.
    let settings = loader.load()?.config;
    #[cfg(target_os = "linux")]
    super::service::not_in_its_place(&settings)?;
    let metrics = Metrics::new();
    let conditions = Conditions::new(metrics.clone());
    let log_files = app::log_files(&settings, &conditions);
    let log = log::init(settings.log.level, settings.log.format, log_files.clone());
    let signals = Signals::new().map_err(|error| no_signals(&error))?;
    let loaded = load_checked(&loader, connectors::served_before(&settings.agent.state_dir))?;

    let stop = Stop::default();
    let manager = Manager::of_this_process();
    let activated = Activated::take().map_err(|error| not_taken(&error))?;
    let (handle, reloader) = reload::watch(loader, &loaded, conditions.clone());
    let options = Options {
        mode: Mode::Service,
        conditions: Some(conditions),
        reload: Some(reload_on_request(&handle)),
        log: Some(log),
        log_files,
        metrics: Some(metrics),
        memory: limit_memory(),
        activated,
        manager: manager.clone(),
    };
    if let Err(error) = crate::os::adopt_orphans() {
        warn!(%error, "processes that a connector leaves behind may outlive it");
    }
    if let Err(error) = crate::os::raise_nofile_limit() {
        warn!(%error, "the limit of open files stays as it is");
    }
    crate::os::keep_freed_memory();
    let app = App::build(handle.rx.clone(), options)
        .await
        .map_err(|error| told(&error, &loaded.provenance))?;

    let mut tasks = JoinSet::new();
    tasks.spawn(reloader.run(stop.tasks.clone()));
    tasks.spawn(obey(signals, handle, manager, stop.clone()));
    app.run(stop.shutdown.clone(), stop.force.clone()).await;
    stop.tasks.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(Exit::Ok)
}

/// Takes what is delegated to the agent for that. Before any host is started.
fn limit_memory() -> MemoryLimits {
    let memory = crate::os::claim_memory_limits();
    match memory.by {
        MemoryGuard::Cgroup => info!(below = memory.note, "each host gets a cgroup of its own"),
        MemoryGuard::Sampled => info!(
            reason = memory.note,
            "hosts get no cgroups of their own; the agent watches their memory"
        ),
        MemoryGuard::Job => {}
    }
    memory
}

/// How the daemon is told to end.
#[derive(Clone, Default)]
pub(super) struct Stop {
    /// Drain and end.
    pub(super) shutdown: CancellationToken,
    /// End at once.
    pub(super) force: CancellationToken,
    /// The daemon has ended; what served it ends too.
    pub(super) tasks: CancellationToken,
}

pub(super) fn no_signals(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("signals can't be received: {error}"),
        "raise the limits of this user",
    )
}

fn reload_on_request(handle: &ConfigHandle) -> Reload {
    let handle = handle.clone();
    Arc::new(move || {
        let handle = handle.clone();
        async move { handle.reload().await }.boxed()
    })
}

/// The first request to stop drains, the second ends at once.
pub(super) async fn obey(mut signals: Signals, handle: ConfigHandle, manager: Manager, stop: Stop) {
    loop {
        let Some(signal) = stop.tasks.run_until_cancelled(signals.next()).await else {
            return;
        };
        match signal {
            Signal::Reload => reload_now(&handle, &manager).await,
            Signal::Stop if stop.shutdown.is_cancelled() => stop.force.cancel(),
            Signal::Stop => stop.shutdown.cancel(),
        }
    }
}

async fn reload_now(handle: &ConfigHandle, manager: &Manager) {
    manager.reloading();
    match handle.reload().await {
        Ok(()) => {
            info!("asked to read the configuration again: it is in force");
            manager.ready("the new configuration is in force");
        }
        Err(error) => {
            warn!("asked to read the configuration again: the last good one stays in force");
            manager.ready(&format!("the last good configuration stays in force: {error}"));
        }
    }
}

/// What keeps the service manager's sockets from being served on.
fn not_taken(error: &ActivationError) -> Failure {
    Failure::new(
        Exit::Config,
        chain(error),
        "give each listening TCP socket of lumos-agent.socket a FileDescriptorName, dispatch or admin, and Accept=no",
    )
}

/// What keeps the daemon from starting, with the place in the configuration that is to blame.
pub(super) fn told(error: &BuildError, provenance: &Provenance) -> Failure {
    let problem = |key: &str, message: String, help: &str| provenance.problem(key, message, help);
    let problem: Problem = match error {
        BuildError::Bind {
            key,
            address,
            remedy,
            holder,
            ..
        } => {
            let (reason, help) = remedy
                .split_once("; ")
                .unwrap_or((remedy, "give another address"));
            let holder = holder
                .as_ref()
                .map(|holder| format!(": {holder}"))
                .unwrap_or_default();
            let message = format!("is {address}, which can't be used: {reason}{holder}");
            problem(key, message, help)
        }
        BuildError::StateDir { path, source } => problem(
            "agent.state_dir",
            format!("names {}, which can't be used: {source}", path.display()),
            "name a directory that the agent's user may write",
        ),
        BuildError::AlreadyRunning { path } => {
            return Failure::new(
                Exit::Failed,
                format!("another agent runs with the state directory {}", path.display()),
                "stop it, or give this one a directory of its own with agent.state_dir",
            );
        }
        other => {
            let place = if other.is_configuration() {
                Exit::Config
            } else {
                Exit::Failed
            };
            return Failure {
                exit: place,
                message: chain(other),
                help: None,
            };
        }
    };
    debug_assert!(
        problem.origin != Origin::WholeFile,
        "these problems belong to a key"
    );
    provenance.failure(vec![problem]).into()
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
