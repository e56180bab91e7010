//! The calls that a library has, and what its callbacks do to them: the same rules for a host process and for the daemon
//! itself. Where answers and log lines go is the [`Sink`]'s.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lumos_connector_abi::{LogLevel, Status};

use super::backend::Callbacks;
use super::envelope::envelope;
use super::frames::Outcome;
use super::host::IdHasher;
use super::json;
use super::orders::Order;

/// Bytes of a log line that go to the agent. The agent masks secrets and only then cuts at 8 KiB, so that no secret is cut
/// before it is recognised.
const MAX_LINE: usize = 64 * 1024;

/// Where a call's answer and the connector's lines go. None of these may block.
pub(super) trait Sink: Send + Sync {
    /// What is kept with a call until it ends.
    type Ticket: Send;
    /// A line; `ticket` runs its argument on the ticket of the line's call, if that is open.
    fn log(&self, call: u64, level: LogLevel, text: &[u8], ticket: TicketOf<'_, Self::Ticket>);
    /// A call's answer, which is valid JSON and not too large.
    fn answer(&self, call: u64, ticket: Self::Ticket, result: &[u8]);
    /// Why there is no answer.
    fn failure(&self, call: u64, ticket: Self::Ticket, outcome: Outcome, text: &str);
}

/// See [`Sink::log`].
pub(super) type TicketOf<'a, T> = &'a dyn Fn(&mut dyn FnMut(&T));

/// See the module.
pub(super) struct Calls<S: Sink> {
    app_id: String,
    max_response_bytes: u64,
    table: Mutex<Table<S::Ticket>>,
    sink: S,
    control: Sender<Order>,
    ignored: AtomicU64,
    draining: AtomicBool,
}

struct Table<T> {
    open: HashMap<u64, Open<T>, BuildHasherDefault<IdHasher>>,
    /// Threads inside `invoke`.
    running: usize,
    /// What `create` said about its failure.
    create_message: Option<String>,
    /// The id that `create` runs under, while it does.
    creating: Option<u64>,
    /// No further call is taken.
    closed: bool,
    /// Calls were given up that the connector may still be at.
    given_up: bool,
}

struct Open<T> {
    ticket: T,
    write: bool,
    cancelled: bool,
    started: bool,
}

impl<S: Sink> Calls<S> {
    /// Orders go to `control` when the last call ends while draining.
    pub(super) fn new(app_id: String, max_response_bytes: u64, sink: S, control: Sender<Order>) -> Self {
        Calls {
            app_id,
            max_response_bytes,
            table: Mutex::new(Table {
                open: HashMap::default(),
                running: 0,
                create_message: None,
                creating: None,
                closed: false,
                given_up: false,
            }),
            sink,
            control,
            ignored: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table<S::Ticket>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `create` under the id `call` and returns its outcome together with what it said.
    pub(super) fn creating<T>(&self, call: u64, create: impl FnOnce() -> T) -> (T, Option<String>) {
        self.lock().creating = Some(call);
        let outcome = create();
        let mut table = self.lock();
        table.creating = None;
        (outcome, table.create_message.take())
    }

    /// A call has come; `false` if none is taken any more.
    pub(super) fn open(&self, call: u64, write: bool, ticket: S::Ticket) -> bool {
        let open = Open {
            ticket,
            write,
            cancelled: false,
            started: false,
        };
        let mut table = self.lock();
        if table.closed {
            return false;
        }
        table.open.insert(call, open);
        true
    }

    /// From now on no call is taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    /// Gives up all open calls and returns them: however they end is ignored, and the connector may not be destroyed.
    pub(super) fn give_up(&self) -> Vec<(u64, S::Ticket)> {
        let mut table = self.lock();
        table.closed = true;
        table.given_up |= !table.open.is_empty();
        table
            .open
            .drain()
            .map(|(call, open)| (call, open.ticket))
            .collect()
    }

    /// Calls that have not ended.
    pub(super) fn open_calls(&self) -> usize {
        self.lock().open.len()
    }

    /// Where answers and lines go.
    pub(super) fn sink(&self) -> &S {
        &self.sink
    }

    /// Threads that are inside `invoke`.
    pub(super) fn running(&self) -> usize {
        self.lock().running
    }

    /// The call is about to be invoked; `false` if it was cancelled before, and is now answered.
    pub(super) fn begin(&self, call: u64) -> bool {
        let mut table = self.lock();
        let Some(open) = table.open.get_mut(&call) else {
            return false;
        };
        if !open.cancelled {
            open.started = true;
            table.running += 1;
            return true;
        }
        drop(table);
        self.finish(call, Status::CANCELLED, b"");
        false
    }

    /// `invoke` has returned `status`.
    pub(super) fn returned(&self, call: u64, status: Status) {
        let message: &[u8] = match status {
            Status::PENDING => return self.left(),
            Status::OK => b"The connector's invoke returned OK without having finished the call",
            status if status.is_error() => b"",
            _ => b"The connector's invoke returned a status that the ABI does not have",
        };
        if self.lock().open.contains_key(&call) {
            let status = if status.is_error() {
                status
            } else {
                Status::INTERNAL
            };
            self.finish(call, status, message);
        } else if status.is_error() {
            // It finished the call and then said that it had not.
            self.ignore(call);
        }
        self.left();
    }

    fn left(&self) {
        self.lock().running -= 1;
        self.tell_if_idle();
    }

    /// Nobody waits for the call any more. Whether the connector has to be told.
    pub(super) fn cancel(&self, call: u64) -> bool {
        self.lock().open.get_mut(&call).is_some_and(|open| {
            open.cancelled = true;
            open.started
        })
    }

    /// From now on the control thread hears when the last call has ended.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether every call has ended and no thread is inside `invoke`.
    pub(super) fn idle(&self) -> bool {
        let table = self.lock();
        table.open.is_empty() && table.running == 0 && !table.given_up
    }

    /// Late, double and unknown finishes so far.
    pub(super) fn ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }

    fn tell_if_idle(&self) {
        if self.draining.load(Ordering::SeqCst) && self.idle() {
            // An error means that the connector is destroyed already.
            drop(self.control.send(Order::Idle));
        }
    }

    fn ignore(&self, call: u64) {
        // Said once: what is wrong once is usually wrong often, and the number stands in every PONG.
        if self.ignored.fetch_add(1, Ordering::Relaxed) == 0 {
            let text = format!(
                "finish was called for call {call}, which is not open (late, double or unknown); it is ignored, further \
                 ones are only counted"
            );
            self.sink.log(0, LogLevel::WARNING, text.as_bytes(), &|_| ());
        }
    }

    fn send_answer(&self, call: u64, ticket: S::Ticket, result: &[u8]) {
        if result.len() as u64 > self.max_response_bytes {
            self.sink.failure(call, ticket, Outcome::TooLarge, "");
        } else if let Some(problem) = json::syntax_error(result) {
            self.sink.failure(call, ticket, Outcome::Invalid, &problem);
        } else {
            self.sink.answer(call, ticket, result);
        }
    }
}

impl<S: Sink> Callbacks for Calls<S> {
    fn log(&self, call: u64, level: LogLevel, message: &[u8]) {
        let ticket = |with: &mut dyn FnMut(&S::Ticket)| {
            if let Some(open) = self.lock().open.get(&call) {
                with(&open.ticket);
            }
        };
        self.sink
            .log(call, level, &message[..message.len().min(MAX_LINE)], &ticket);
    }

    fn finish(&self, call: u64, status: Status, result: &[u8]) {
        let mut table = self.lock();
        if table.creating == Some(call) {
            if status.is_error() {
                let message = String::from_utf8_lossy(&result[..result.len().min(4096)]);
                table.create_message = Some(message.into_owned());
            }
            return;
        }
        let Some(open) = table.open.remove(&call) else {
            drop(table);
            return self.ignore(call);
        };
        drop(table);
        match status {
            Status::OK => self.send_answer(call, open.ticket, result),
            status if status.is_error() => {
                let envelope = envelope(&self.app_id, status, result, open.write);
                self.sink.answer(call, open.ticket, &envelope);
            }
            _ => {
                let text = b"The connector finished the call with a status that the ABI does not have";
                let envelope = envelope(&self.app_id, Status::INTERNAL, text, open.write);
                self.sink.answer(call, open.ticket, &envelope);
            }
        }
        self.tell_if_idle();
    }

    fn is_cancelled(&self, call: u64) -> bool {
        let table = self.lock();
        if table.creating == Some(call) {
            return false;
        }
        table.open.get(&call).is_none_or(|open| open.cancelled)
    }
}
