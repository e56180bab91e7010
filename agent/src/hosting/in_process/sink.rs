//! What a connector in the daemon says: answers go to their callers, lines to its log.
#![forbid(unsafe_code)]

use std::sync::Arc;

use bytes::Bytes;
use lumos_connector_abi::LogLevel;
use tokio::sync::oneshot;

use crate::call::Call;
use crate::hosting::HostCallError;
use crate::hosting::calls::{Sink, TicketOf};
use crate::hosting::frames::{CHUNK_BYTES, Outcome};
use crate::hosting::host::{Budget, Held, level_of};
use crate::telemetry::connector_log::{ConnectorLog, SecretGuard};

pub(super) struct ToCallers {
    pub(super) log: ConnectorLog,
    pub(super) max_response_bytes: u64,
    pub(super) budget: Budget,
}

/// Who waits for a call.
pub(super) struct Ticket {
    reply: oneshot::Sender<Result<Bytes, HostCallError>>,
    request_id: Arc<str>,
    secrets: Option<SecretGuard>,
}

impl Ticket {
    pub(super) fn new(
        reply: oneshot::Sender<Result<Bytes, HostCallError>>,
        call: &Call,
        log: &ConnectorLog,
    ) -> Self {
        let guard = || log.guard(Arc::clone(&call.secrets));
        Ticket {
            reply,
            request_id: Arc::clone(&call.request_id),
            secrets: (!call.secrets.is_empty()).then(guard),
        }
    }

    pub(super) fn end(self, result: Result<Bytes, HostCallError>) {
        drop(self.secrets);
        // Nobody may wait any more; then the outcome is forgotten.
        drop(self.reply.send(result));
    }
}

impl Sink for ToCallers {
    type Ticket = Ticket;

    fn log(&self, call: u64, level: LogLevel, text: &[u8], ticket: TicketOf<'_, Ticket>) {
        let level = level_of(level.0);
        if !self.log.takes(level) {
            return;
        }
        let mut request_id = None;
        if call != 0 {
            ticket(&mut |ticket| request_id = Some(Arc::clone(&ticket.request_id)));
        }
        self.log
            .line(level, request_id.as_deref(), &String::from_utf8_lossy(text));
    }

    fn answer(&self, _call: u64, ticket: Ticket, result: &[u8]) {
        if !ticket.reply.is_closed() {
            ticket.end(self.held(result));
        }
    }

    fn failure(&self, _call: u64, ticket: Ticket, outcome: Outcome, text: &str) {
        ticket.end(Err(match outcome {
            Outcome::TooLarge => HostCallError::TooLarge(self.max_response_bytes),
            Outcome::Invalid | Outcome::Answer => HostCallError::InvalidAnswer(text.to_owned()),
        }));
    }
}

impl ToCallers {
    /// The one copy of an answer. `finish` may not wait, so that an answer for which the budget has no room now is held all
    /// the same: the overrun is bounded by the calls in flight.
    fn held(&self, result: &[u8]) -> Result<Bytes, HostCallError> {
        if result.len() <= CHUNK_BYTES {
            return Ok(Bytes::copy_from_slice(result));
        }
        let units = u32::try_from(result.len().div_ceil(1024)).unwrap_or(u32::MAX);
        if units > self.budget.total_units {
            return Err(HostCallError::TooLarge(u64::from(self.budget.total_units) * 1024));
        }
        Ok(Bytes::from_owner(Held {
            bytes: result.to_vec(),
            _permit: self.budget.units.clone().try_acquire_many_owned(units).ok(),
        }))
    }
}
