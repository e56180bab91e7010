//! systemd, by the variables that it sets for a service.

use std::net::TcpListener;
use std::time::Duration;

use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketType};
use sd_notify::NotifyState;

use super::{Activated, ActivationError};

/// Whether there is anybody to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Manager {
    there: bool,
    watchdog: Option<Duration>,
}

pub(super) fn activated() -> Result<Activated, ActivationError> {
    let mut activated = Activated::default();
    for (name, descriptor) in crate::os::inherited_sockets()? {
        let place = match name.as_str() {
            "dispatch" => &mut activated.dispatch,
            "admin" => &mut activated.admin,
            _ => return Err(ActivationError::Unknown(name)),
        };
        if place.is_some() {
            return Err(ActivationError::Twice(name));
        }
        if !listens(&descriptor) {
            return Err(ActivationError::NotListening(name));
        }
        let listener = TcpListener::from(descriptor);
        listener.set_nonblocking(true)?;
        *place = Some(listener);
    }
    Ok(activated)
}

/// `Accept=yes`, datagrams and Unix sockets are of no use.
fn listens(descriptor: &std::os::fd::OwnedFd) -> bool {
    let family = sockopt::socket_domain(descriptor);
    matches!(family, Ok(AddressFamily::INET | AddressFamily::INET6))
        && sockopt::socket_type(descriptor) == Ok(SocketType::STREAM)
        && sockopt::socket_acceptconn(descriptor) == Ok(true)
}

impl Manager {
    pub(super) fn of_this_process() -> Self {
        Manager {
            there: std::env::var_os("NOTIFY_SOCKET").is_some(),
            // Half of it, as sd_watchdog_enabled(3) recommends.
            watchdog: sd_notify::watchdog_enabled().map(|timeout| timeout / 2),
        }
    }

    pub(super) fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(&line(status))]);
    }

    pub(super) fn reloading(&self) {
        let mut states = vec![NotifyState::Reloading];
        // Without it `Type=notify-reload` would not know to which request this is the answer.
        states.extend(NotifyState::monotonic_usec_now());
        self.tell(&states);
    }

    pub(super) fn status(&self, status: &str) {
        self.tell(&[NotifyState::Status(&line(status))]);
    }

    pub(super) fn stopping(&self, status: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(&line(status))]);
    }

    pub(super) fn extend(&self, time: Duration) {
        let time = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.tell(&[NotifyState::ExtendTimeoutUsec(time)]);
    }

    pub(super) fn alive(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// How often it wants to hear.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if !self.there {
            return;
        }
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "the service manager cannot be told how the agent is");
        }
    }
}

/// A line's end would begin another statement.
fn line(status: &str) -> String {
    status
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_status_is_one_statement() {
        assert_eq!(super::line("a\nREADY=1\u{1b}"), "a READY=1 ");
    }
}
