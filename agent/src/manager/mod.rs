//! What the service manager is told of the agent (systemd: `sd_notify(3)`; Windows: the service's status), and the sockets
//! that systemd holds for the agent (`sd_listen_fds(3)`). Without a service manager nothing is said and nothing is taken.
//!
//! ```text
//! READY ─▶ STATUS… ─▶ RELOADING ─▶ READY ─▶ STOPPING ─▶ EXTEND_TIMEOUT… ─▶ end
//!    └──────────── WATCHDOG, as long as the runtime does its work ────────────┘
//! ```
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod systemd;
#[cfg(target_os = "linux")]
use systemd as platform;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(not(any(target_os = "linux", windows)))]
use other as platform;

use std::net::TcpListener;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// While the agent drains, the manager is asked for so much more time, again and again.
const EXTENSION: Duration = Duration::from_secs(20);
const EXTEND_EVERY: Duration = Duration::from_secs(5);

/// Sockets that the service manager has bound.
#[derive(Debug, Default)]
pub struct Activated {
    /// For calls.
    pub dispatch: Option<TcpListener>,
    /// For health and metrics.
    pub admin: Option<TcpListener>,
}

/// Why what the service manager handed over is not used.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Not in the way of `sd_listen_fds`.
    #[error("the sockets of the service manager cannot be taken over")]
    Io(#[from] std::io::Error),
    /// A name that means nothing.
    #[error("a socket is named `{0}`")]
    Unknown(String),
    /// Two for one.
    #[error("two sockets are named `{0}`")]
    Twice(String),
    /// Not what can be served on.
    #[error("the socket named `{0}` is not a listening TCP socket")]
    NotListening(String),
}

impl Activated {
    /// Takes over what there is for this process. Once.
    ///
    /// # Errors
    /// If something was handed over that the agent cannot serve on.
    pub fn take() -> Result<Self, ActivationError> {
        platform::activated()
    }
}

/// The way to the service manager. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Manager(platform::Manager);

impl Manager {
    /// That of this process, if it has one.
    #[must_use]
    pub fn of_this_process() -> Self {
        Manager(platform::Manager::of_this_process())
    }

    /// The agent serves, or serves with its new configuration.
    pub fn ready(&self, status: &str) {
        self.0.ready(status);
    }

    /// The configuration is being read again; [`Manager::ready`] follows.
    pub fn reloading(&self) {
        self.0.reloading();
    }

    /// One line for people.
    pub fn status(&self, status: &str) {
        self.0.status(status);
    }

    /// The agent ends as soon as it can. Goes on asking for time until `ended` fires.
    pub async fn stopping(&self, status: &str, ended: CancellationToken) {
        self.0.stopping(status);
        loop {
            self.0.extend(EXTENSION);
            let pause = tokio::time::sleep(EXTEND_EVERY);
            if ended.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// Tells the watchdog, if there is one, that the runtime does its work: that it runs new tasks, blocking ones too, and
    /// that its clock goes. Until `stop` fires.
    pub async fn keep_watched(&self, stop: CancellationToken) {
        let Some(every) = self.0.watchdog() else {
            return stop.cancelled().await;
        };
        ping(every, stop, || self.0.alive()).await;
    }
}

async fn ping(every: Duration, stop: CancellationToken, alive: impl Fn()) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let work = tokio::task::spawn(async { tokio::task::spawn_blocking(|| {}).await });
        if matches!(stop.run_until_cancelled(work).await, Some(Ok(Ok(())))) {
            alive();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// What holds the only thread of the runtime up holds the watchdog up.
    #[tokio::test]
    async fn a_runtime_that_is_stuck_is_silent() {
        let every = Duration::from_millis(20);
        let pings = Arc::new(AtomicU32::new(0));
        let (stop, told) = (CancellationToken::new(), pings.clone());
        let task = tokio::spawn(ping(every, stop.clone(), move || {
            told.fetch_add(1, Ordering::SeqCst);
        }));
        let heard = || pings.load(Ordering::SeqCst);
        while heard() < 3 {
            tokio::time::sleep(every).await;
        }
        let before = heard();
        std::thread::sleep(every * 20);
        assert_eq!(heard(), before);
        while heard() < before + 3 {
            tokio::time::sleep(every).await;
        }
        stop.cancel();
        task.await.unwrap();
    }

    #[test]
    fn without_a_service_manager_there_is_nothing_to_take() {
        let taken = Activated::take().unwrap();
        assert!(taken.dispatch.is_none() && taken.admin.is_none());
    }
}
