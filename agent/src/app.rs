//! The daemon: puts the parts together, serves until it is told to stop, and stops without dropping a write.
//!
//! ```text
//! build: state directory and its lock ▸ certificate ▸ sockets ▸ connectors
//! run:   serve ──shutdown──▶ drain: new calls 503, calls in flight end (≤ shutdown_grace) ▸ hosts gone ▸ sockets closed
//!                               └──force──▶ at once
//! ```
//!
//! Where the service manager holds the dispatch listener, nobody is refused: connections wait there until the first
//! connectors serve, and from `shutdown` on for the agent that comes next. Those that are open end with their last answer.
//!
//! `build` takes everything that can be missing or taken, so that a wrong configuration is told before anything is served.
#![forbid(unsafe_code)]

#[cfg(unix)]
use std::fs;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authenticator, Principal, Via};
use crate::conditions::{self, Conditions};
use crate::config::Config;
use crate::connectors::Connectors;
use crate::control::{self, Control, ControlServer};
use crate::hosting::Launcher;
use crate::http::admin::{self, Health};
use crate::http::dispatch::{self, Dispatch};
use crate::http::listener::Listener;
use crate::manager::{Activated, Manager};
use crate::os::MemoryLimits;
use crate::telemetry::connector_log::{ConnectorLogOptions, ConnectorLogs};
use crate::telemetry::files::{LogFiles, Retention};
use crate::telemetry::levels::Levels;
use crate::telemetry::log::LogHandle;
use crate::telemetry::metrics::Metrics;
use crate::tls::ServerTls;

mod announce;
mod error;
mod handover;
mod sockets;
#[cfg(test)]
mod tests;

pub use crate::control::Reload;
pub use error::BuildError;

use announce::announce;
use sockets::{Sockets, base_url};

/// Connections of the admin listener.
const ADMIN_CONNECTIONS: u32 = 64;
/// How often the last use of tokens is written down.
const FLUSH: Duration = Duration::from_secs(30);
/// What hosts get after the grace for calls to be quiesced and ended.
const HOSTS_END: Duration = Duration::from_secs(15);
/// What connections get after the hosts are gone to send their last answers.
const CLOSING: Duration = Duration::from_secs(8);

/// How the agent is run.
#[derive(Debug, Default)]
pub enum Mode {
    /// TLS and credentials, as configured.
    #[default]
    Service,
    /// For authors of connectors: plain HTTP, on loopback only. Without a token everybody on this machine may call.
    Dev {
        /// The one token that is accepted.
        token: Option<SecretString>,
    },
}

/// What `build` needs besides the configuration.
#[derive(Default)]
pub struct Options {
    /// See [`Mode`].
    pub mode: Mode,
    /// Where troubles are told; a fresh list if none is given. Its numbers are in `metrics`.
    pub conditions: Option<Conditions>,
    /// Reads the configuration anew, for `POST /control/reload`.
    pub reload: Option<Reload>,
    /// The log of this process, whose level follows the configuration.
    pub log: Option<LogHandle>,
    /// Where log files go; none if none are given.
    pub log_files: Option<LogFiles>,
    /// The numbers; a fresh set if none is given.
    pub metrics: Option<Metrics>,
    /// How hosts' memory is limited.
    pub memory: MemoryLimits,
    /// Sockets that the service manager has bound; they win over the configured addresses.
    pub activated: Activated,
    /// Who is told how the agent is.
    pub manager: Manager,
}

/// A daemon that has its sockets and is about to serve.
pub struct App {
    config: watch::Receiver<Arc<Config>>,
    connectors: Connectors,
    levels: Levels,
    log_files: Option<LogFiles>,
    health: Arc<Health>,
    dispatch: Listener,
    admin: Option<Listener>,
    control: ControlServer,
    control_router: Router,
    dispatch_url: String,
    admin_url: Option<String>,
    connectors_stop: CancellationToken,
    manager: Manager,
    /// Whether the service manager holds the dispatch listener.
    handed_over: bool,
    /// Held for as long as the agent lives.
    lock: File,
}

impl App {
    /// Takes the state directory, loads the certificate, binds all sockets and starts the connectors.
    ///
    /// # Errors
    /// See [`BuildError`]; nothing is left behind.
    pub async fn build(config: watch::Receiver<Arc<Config>>, options: Options) -> Result<Self, BuildError> {
        let settings = config.borrow().clone();
        let state_dir = settings.agent.state_dir.clone();
        let lock = take_state_dir(&state_dir)?;
        let metrics = options.metrics.unwrap_or_default();
        let conditions = options
            .conditions
            .unwrap_or_else(|| Conditions::new(metrics.clone()));
        let tls = match &options.mode {
            Mode::Service => {
                let tls = ServerTls::load(&settings.dispatch.tls, conditions.clone())?;
                Some(Arc::new(tls))
            }
            Mode::Dev { .. } if !settings.dispatch.listen.ip().is_loopback() => {
                return Err(BuildError::NotLoopback(settings.dispatch.listen));
            }
            Mode::Dev { .. } => None,
        };
        let handed_over = options.activated.dispatch.is_some();
        let sockets = Sockets::bind(&settings, options.activated).await?;
        let connectors_stop = CancellationToken::new();
        let logs = connector_logs(&settings, options.log_files.clone(), &metrics)?;
        let levels = Levels::new(config.clone(), options.log, logs.clone());
        let launcher = Launcher::within(&options.memory).map_err(BuildError::Launcher)?;
        let connectors = Connectors::start(
            config.clone(),
            launcher,
            logs,
            metrics.clone(),
            conditions.clone(),
            connectors_stop.clone(),
        )
        .await
        .map_err(|source| BuildError::Connectors {
            path: state_dir.clone(),
            source,
        })?;
        let health = Arc::new(Health {
            backend: Arc::new(connectors.clone()),
            config: config.clone(),
            auth: authenticator(&options.mode, &settings, &conditions),
            conditions,
            tls,
            metrics,
            memory: options.memory,
            draining: CancellationToken::new(),
            handing_over: CancellationToken::new(),
            listening: AtomicBool::new(false),
        });
        let wired = Wired::new(&health, sockets, &settings, options.reload, levels.clone())?;
        Ok(App {
            config,
            connectors,
            levels,
            log_files: options.log_files,
            health,
            dispatch: wired.dispatch,
            admin: wired.admin,
            control: wired.control,
            control_router: wired.control_router,
            dispatch_url: wired.dispatch_url,
            admin_url: wired.admin_url,
            connectors_stop,
            manager: options.manager,
            handed_over,
            lock,
        })
    }

    /// Where calls go: `https://HOST:PORT/connectors`.
    #[must_use]
    pub fn dispatch_url(&self) -> &str {
        &self.dispatch_url
    }

    /// Where the admin listener is, if it is enabled.
    #[must_use]
    pub fn admin_url(&self) -> Option<&str> {
        self.admin_url.as_deref()
    }

    /// The connectors.
    #[must_use]
    pub fn connectors(&self) -> &Connectors {
        &self.connectors
    }

    /// Serves until `shutdown` fires, then drains; `force` cuts that short. Returns when every host is gone.
    pub async fn run(self, shutdown: CancellationToken, force: CancellationToken) {
        let close = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (dispatch, dispatch_task) = handover::start(self.dispatch, &self.health, self.handed_over);
        tasks.spawn(dispatch_task);
        if let Some(admin) = self.admin {
            tasks.spawn(admin.serve(close.clone().into()));
        }
        tasks.spawn(self.control.serve(self.control_router, close.clone()));
        tasks.spawn(self.levels.run(close.clone()));
        tasks.spawn(follow_retention(
            self.log_files,
            self.config.clone(),
            close.clone(),
        ));
        let conditions = &self.health.conditions;
        let disks = disks(&self.config.borrow());
        tasks.spawn(conditions::watch_disks(conditions.clone(), disks, close.clone()));
        tasks.spawn(conditions::watch_clock(conditions.clone(), close.clone()));
        tasks.spawn(watch_certificate(self.health.clone(), close.clone()));
        tasks.spawn(keep_last_use(self.health.auth.clone(), close.clone()));
        tasks.spawn(announce(
            self.manager.clone(),
            self.health.clone(),
            self.dispatch_url.clone(),
            close.clone(),
        ));
        let manager = self.manager.clone();
        let watched = close.clone();
        tasks.spawn(async move { manager.keep_watched(watched).await });
        tracing::info!(url = %self.dispatch_url, admin = self.admin_url, version = env!("CARGO_PKG_VERSION"), "the agent serves");

        supervise(&mut tasks, &shutdown).await;
        let grace = self.config.borrow().agent.shutdown_grace;
        let manager = self.manager.clone();
        let ended = close.clone();
        tasks.spawn(async move { manager.stopping("stops: calls in flight end", ended).await });
        tracing::info!(
            ?grace,
            "the agent stops: calls in flight end, new ones are refused"
        );
        dispatch.hand_over(grace, &force).await;
        self.health.draining.cancel();
        self.connectors_stop.cancel();
        let drained = tokio::time::timeout(grace + HOSTS_END, self.connectors.drained());
        match force.run_until_cancelled(drained).await {
            Some(Ok(())) => tracing::info!("all calls have ended and all hosts are gone"),
            Some(Err(_)) => tracing::warn!("hosts did not end in time; they are killed with the agent"),
            None => tracing::warn!("told to stop at once; calls in flight are dropped"),
        }
        close.cancel();
        dispatch.close();
        let ended = async { while tasks.join_next().await.is_some() {} };
        if !matches!(
            force
                .run_until_cancelled(tokio::time::timeout(CLOSING, ended))
                .await,
            Some(Ok(()))
        ) {
            tasks.shutdown().await;
        }
        self.health.auth.flush();
        drop(self.lock);
    }
}

/// The listeners with their routes.
struct Wired {
    dispatch: Listener,
    admin: Option<Listener>,
    control: ControlServer,
    control_router: Router,
    dispatch_url: String,
    admin_url: Option<String>,
}

impl Wired {
    fn new(
        health: &Arc<Health>,
        sockets: Sockets,
        settings: &Config,
        reload: Option<Reload>,
        levels: Levels,
    ) -> Result<Self, BuildError> {
        let scheme = if health.tls.is_some() { "https" } else { "http" };
        let dispatch_url = format!("{}/connectors", base_url(scheme, &sockets.dispatch));
        let admin_url = sockets.admin.as_ref().map(|socket| base_url("http", socket));
        let remote = Dispatch::new(
            health.backend.clone(),
            health.auth.clone(),
            health.config.clone(),
            health.metrics.clone(),
            health.draining.clone(),
        );
        let local = Authenticator::everybody(Principal::unrestricted("local", Via::Local));
        let local = Arc::new(remote.for_callers(local));
        let control = Arc::new(Control {
            health: health.clone(),
            reload,
            levels,
            started_at: Timestamp::now(),
            dispatch_url: dispatch_url.clone(),
            admin_url: admin_url.clone(),
            activated: sockets.activated.clone(),
        });
        let throttle = remote.throttle();
        let listener = |socket, tls, router, max_connections| Listener {
            socket,
            tls,
            router,
            max_connections,
            metrics: health.metrics.clone(),
            throttle: throttle.clone(),
        };
        Ok(Wired {
            control_router: control::router(control, dispatch::router(local)),
            control: sockets.control,
            dispatch: listener(
                sockets.dispatch,
                health.tls.clone(),
                dispatch::router(Arc::new(remote)),
                settings.dispatch.max_connections,
            ),
            admin: sockets
                .admin
                .map(|socket| listener(socket, None, admin::router(health.clone()), ADMIN_CONNECTIONS)),
            dispatch_url,
            admin_url,
        })
    }
}

fn authenticator(mode: &Mode, settings: &Config, conditions: &Conditions) -> Authenticator {
    match mode {
        Mode::Service => {
            let agent = &settings.agent;
            Authenticator::tokens(agent.token_file.clone(), &agent.state_dir, conditions)
        }
        Mode::Dev { token: Some(token) } => Authenticator::single(token),
        Mode::Dev { token: None } => Authenticator::everybody(Principal::unrestricted("dev", Via::Dev)),
    }
}

fn connector_logs(
    settings: &Config,
    files: Option<LogFiles>,
    metrics: &Metrics,
) -> Result<ConnectorLogs, BuildError> {
    let level = settings.log.connector_level;
    let options = ConnectorLogOptions { files, level };
    ConnectorLogs::start(options, metrics.clone()).map_err(BuildError::Logs)
}

/// Where the log files of `settings` go; nowhere if it wants none. What is wrong with them becomes `conditions`.
#[must_use]
pub fn log_files(settings: &Config, conditions: &Conditions) -> Option<LogFiles> {
    let log = &settings.log;
    log.files
        .then(|| LogFiles::new(&log.directory, retention(settings), conditions.clone()))
}

fn retention(settings: &Config) -> Retention {
    Retention {
        days: settings.log.retention_days,
        bytes: settings.log.retention_size,
    }
}

/// What the agent writes to.
fn disks(settings: &Config) -> Vec<PathBuf> {
    let logs = settings.log.files.then(|| settings.log.directory.clone());
    [settings.agent.state_dir.clone()]
        .into_iter()
        .chain(logs)
        .collect()
}

/// Hands changes of the configuration on to the log files.
async fn follow_retention(
    files: Option<LogFiles>,
    mut config: watch::Receiver<Arc<Config>>,
    stop: CancellationToken,
) {
    while let Some(Ok(())) = stop.run_until_cancelled(config.changed()).await {
        let kept = retention(&config.borrow_and_update());
        if let Some(files) = files.clone() {
            // It fails only when the agent ends.
            let _ = tokio::task::spawn_blocking(move || files.set_retention(kept)).await;
        }
    }
    // Nobody changes the configuration any more; that alone is no reason to stop.
    stop.cancelled().await;
}

/// Makes the directory if need be, and sees to it that no other agent uses it.
fn take_state_dir(path: &Path) -> Result<File, BuildError> {
    let unusable = |source| BuildError::StateDir {
        path: path.to_owned(),
        source,
    };
    make_private(path)
        .and_then(|()| trusted(path))
        .map_err(unusable)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join("agent.lock"))
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(BuildError::AlreadyRunning {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// What stands in the state directory is believed: the copies of libraries, and who answers on the control socket.
#[cfg(unix)]
fn trusted(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(path)?;
    let own = rustix::process::geteuid().as_raw();
    let refused = |text| Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    if found.uid() != own && found.uid() != 0 {
        return refused(format!(
            "it belongs to user {}; make the agent's user its owner with `chown`",
            found.uid()
        ));
    }
    // A packaged installation's belongs to root and lets the agent's group make files, but not touch those of others: so the
    // connectors directory in it is root's for certain.
    let shared_by_root = found.uid() == 0
        && found.mode() & 0o1022 == 0o1020
        && found.gid() == rustix::process::getegid().as_raw();
    if found.mode() & 0o022 != 0 && !shared_by_root {
        let mode = found.mode() & 0o777;
        return refused(format!(
            "others may write it (mode {mode:o}); close it with `chmod 700`"
        ));
    }
    Ok(())
}

/// What stands in the state directory is believed: the copies of libraries, and who answers on the control pipe.
#[cfg(windows)]
fn trusted(path: &Path) -> io::Result<()> {
    let facts = crate::os::path_facts(path)?;
    let owner = &facts.owner;
    let refused = |text| Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    if *owner != crate::os::current_owner() && !owner.is_system() && !owner.is_service() {
        return refused(format!(
            "it belongs to {owner}; run `icacls \"{}\" /setowner Administrators`",
            path.display()
        ));
    }
    if facts.world_writable {
        return refused(format!(
            "others may write it; take that right from them with `icacls \"{}\"`",
            path.display()
        ));
    }
    Ok(())
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(windows)]
fn make_private(path: &Path) -> io::Result<()> {
    crate::os::create_private_dir(path)
}

/// Waits for `shutdown`. A task that ends before is a defect: without its listener the agent is of no use.
async fn supervise(tasks: &mut JoinSet<()>, shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        Some(ended) = tasks.join_next() => {
            tracing::error!(reason = ?ended, "a part of the agent ended by itself; the agent stops");
        }
    }
}

fn watch_certificate(health: Arc<Health>, stop: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        match &health.tls {
            Some(tls) => tls.watch(health.config.clone(), stop).await,
            None => stop.cancelled().await,
        }
    })
}

async fn keep_last_use(auth: Authenticator, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(FLUSH))
        .await
        .is_some()
    {
        let auth = auth.clone();
        let _ = tokio::task::spawn_blocking(move || auth.flush()).await;
    }
}
