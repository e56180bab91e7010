//! The Event Log of this process, which has one if it is the service.

use std::sync::OnceLock;

use super::EventLog;
use super::catalogue::{CANNOT_START, Severity};
use crate::os::{EventKind, EventSource, SERVICE_NAME};

static OPEN: OnceLock<EventLog> = OnceLock::new();

/// Opens the Event Log for the service, and says whether that worked. From then on [`layer`] has something to give.
pub(crate) fn open() -> std::io::Result<()> {
    let source = EventSource::open(SERVICE_NAME)?;
    let log = EventLog::to(Box::new(move |event, text| {
        let kind = match event.severity {
            Severity::Information => EventKind::Information,
            Severity::Warning => EventKind::Warning,
            Severity::Error => EventKind::Error,
        };
        // There is no other place to say it.
        let _ = source.report(kind, event.code(), text);
    }))?;
    let _ = OPEN.set(log);
    Ok(())
}

/// What the log's subscriber hands its events to, if the Event Log is open.
pub(crate) fn layer() -> Option<EventLog> {
    OPEN.get().cloned()
}

/// Says why the service does not start, or has ended with an error.
pub(crate) fn cannot_start(reason: &str) {
    if let Some(log) = OPEN.get() {
        log.push(&CANNOT_START, format!("{}: {reason}", CANNOT_START.message));
    }
}

/// Waits until everything is written. For the end of the process.
pub(crate) fn flush() {
    if let Some(log) = OPEN.get() {
        log.flush();
    }
}
