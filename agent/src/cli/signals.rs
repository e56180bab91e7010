//! What the operating system or a person at the terminal asks of the daemon.

use std::io;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// End.
    Stop,
    /// Read the configuration again.
    Reload,
}

/// `SIGTERM` and `SIGINT` stop, `SIGHUP` reloads.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From now on signals are received here, and no longer end the process.
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

/// In a console Ctrl-C, Ctrl-Break, closing it and a system that goes down stop. A service is told by its manager alone: a
/// system that goes down sends it console events besides, and a second request to stop would cut the drain short.
#[cfg(windows)]
pub(super) enum Signals {
    Console(Console),
    Service(tokio::sync::mpsc::Receiver<crate::os::ServiceRequest>),
}

#[cfg(windows)]
pub(super) struct Console {
    interrupt: tokio::signal::windows::CtrlC,
    break_: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    /// From now on these events are received here, and no longer end the process.
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        if let Some(requests) = crate::os::service_requests() {
            return Ok(Signals::Service(requests));
        }
        Ok(Signals::Console(Console {
            interrupt: ctrl_c()?,
            break_: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        }))
    }

    /// Waits for the next one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Signal {
        use crate::os::ServiceRequest;
        match self {
            Signals::Console(console) => console.next().await,
            Signals::Service(requests) => match requests.recv().await {
                Some(ServiceRequest::Reload) => Signal::Reload,
                // Without its manager it cannot be told anything any more.
                Some(ServiceRequest::Stop) | None => Signal::Stop,
            },
        }
    }
}

#[cfg(windows)]
impl Console {
    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.break_.recv() => Signal::Stop,
            _ = self.close.recv() => Signal::Stop,
            _ = self.shutdown.recv() => Signal::Stop,
        }
    }
}
