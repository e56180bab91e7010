//! The catalogue of events: their numbers never change, and none is used twice. The build script makes the messages that
//! Event Viewer shows out of it, a test `docs/windows-events.md`.
#![allow(dead_code, reason = "each of its readers needs a part of it")]

use Severity::{Error, Information, Warning};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// What happens.
    Information,
    /// What somebody should know.
    Warning,
    /// What went wrong.
    Error,
}

impl Severity {
    /// As Event Viewer calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Information => "Information",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }
}

/// A kind of event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventType {
    /// The number that Event Viewer shows.
    pub(crate) id: u16,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// How the log's line begins, or the name of a condition that it tells of.
    pub(crate) message: &'static str,
    /// Whether that is a condition.
    pub(crate) condition: bool,
    /// What to do about it.
    pub(crate) advice: &'static str,
}

impl EventType {
    /// The number with its severity, as the system and the table of messages have it.
    pub(crate) fn code(&self) -> u32 {
        let severity = match self.severity {
            Information => 1,
            Warning => 2,
            Error => 3,
        };
        severity << 30 | self.id as u32
    }
}

const fn event(id: u16, severity: Severity, message: &'static str, advice: &'static str) -> EventType {
    EventType {
        id,
        severity,
        message,
        condition: false,
        advice,
    }
}

/// One of `crate::conditions`; its remedy stands in the line.
const fn condition(id: u16, severity: Severity, name: &'static str) -> EventType {
    EventType {
        id,
        severity,
        message: name,
        condition: true,
        advice: "Do what the remedy in the message says. Event 110 tells when it is over.",
    }
}

/// The agent cannot start, or ended for a reason of its own.
pub(crate) const CANNOT_START: EventType = event(
    106,
    Error,
    "the agent cannot start",
    "Do what the message says, then start the service: lumos-agent service start.",
);
/// A warning that has no number of its own.
pub(crate) const OTHER_WARNING: EventType = event(900, Warning, "", "Read the message; the agent goes on.");
/// An error that has no number of its own.
pub(crate) const OTHER_ERROR: EventType = event(901, Error, "", "Read the message.");
/// Too many at one time.
pub(crate) const LEFT_OUT: EventType = event(
    902,
    Warning,
    "events were left out",
    "The same happened too often to be written each time; the agent's log files have all of it.",
);

/// All events, in the order of their numbers.
pub(crate) const EVENTS: &[EventType] = &[
    event(100, Information, "the agent serves", "Nothing to be done."),
    event(101, Information, "the agent stops", "Nothing to be done."),
    event(
        102,
        Information,
        "all calls have ended and all hosts are gone",
        "Nothing to be done.",
    ),
    event(
        103,
        Warning,
        "hosts did not end in time",
        "A connector does not end when it is told to; its author should look into it. agent.shutdown_grace gives more time.",
    ),
    event(
        104,
        Warning,
        "told to stop at once",
        "The outcome of the writes that were in flight is unknown; check them in the app.",
    ),
    event(
        105,
        Error,
        "a part of the agent ended by itself",
        "The service is started again. Report this with the agent's log.",
    ),
    CANNOT_START,
    event(
        110,
        Information,
        "no longer so",
        "Nothing to be done: a condition is over.",
    ),
    event(
        200,
        Information,
        "the configuration was read again and is in force",
        "Nothing to be done.",
    ),
    condition(201, Error, "config_invalid"),
    event(
        202,
        Warning,
        "these keys changed, but count only after a restart",
        "Restart the service when it suits: lumos-agent service stop, lumos-agent service start.",
    ),
    event(300, Information, "connector ready", "Nothing to be done."),
    event(301, Information, "connector removed", "Nothing to be done."),
    event(
        302,
        Warning,
        "connector backing-off",
        "It is started again by itself. If this goes on, look into the connector's log and lumos-agent connector show.",
    ),
    event(
        303,
        Warning,
        "connector quarantined",
        "It failed repeatedly. Look into the connector's log, and install another build of it.",
    ),
    event(
        304,
        Warning,
        "connector refused",
        "Do what the message says, and copy the file into the connectors directory again.",
    ),
    event(
        305,
        Warning,
        "file refused",
        "Do what the message says, and copy the file into the connectors directory again.",
    ),
    condition(306, Error, "connectors_unlisted"),
    event(
        308,
        Warning,
        "the connector's host is not fully isolated",
        "Run only connectors that you trust: on Windows a host can read what the service's account can read.",
    ),
    event(
        400,
        Information,
        "the certificate is in force",
        "Nothing to be done.",
    ),
    condition(401, Warning, "certificate_expires_soon"),
    condition(402, Error, "certificate_expired"),
    condition(403, Error, "certificate_not_loaded"),
    condition(404, Error, "client_ca_not_loaded"),
    condition(405, Warning, "revocation_list_outdated"),
    condition(500, Error, "tokens_unavailable"),
    event(
        501,
        Warning,
        "a TLS handshake failed: the client certificate is not accepted",
        "Somebody presents a certificate that is not, or no longer, valid. Many of these may be an attack.",
    ),
    condition(600, Error, "state_unwritable"),
    condition(601, Warning, "log_files_unavailable"),
    condition(602, Error, "disk_full"),
    condition(603, Warning, "state_file_damaged"),
    condition(700, Warning, "clock_set"),
    OTHER_WARNING,
    OTHER_ERROR,
    LEFT_OUT,
];
