//! The calls in a host, and what the connector's callbacks do to them.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lumos_connector_abi::{LogLevel, Status};

use super::Control;
use super::outbox::Outbox;
use crate::hosting::backend::Callbacks;
use crate::hosting::envelope::envelope;
use crate::hosting::frames::{FromHost, Outcome};
use crate::hosting::json;
use crate::hosting::library::CREATE_CALL;

/// Bytes of a log line that go to the agent. The agent masks secrets and only then cuts at 8 KiB, so that no secret is cut
/// before it is recognised.
const MAX_LINE: usize = 64 * 1024;

pub(super) struct Calls {
    app_id: String,
    max_response_bytes: u64,
    table: Mutex<Table>,
    outbox: Arc<Outbox>,
    control: Sender<Control>,
    ignored: AtomicU64,
    draining: AtomicBool,
}

#[derive(Default)]
struct Table {
    open: HashMap<u64, Open>,
    /// Threads inside `invoke`.
    running: usize,
    /// What `create` said about its failure.
    create_message: Option<String>,
    /// Whether `create` runs.
    creating: bool,
}

#[derive(Default)]
struct Open {
    write: bool,
    cancelled: bool,
    started: bool,
}

impl Calls {
    pub(super) fn new(
        app_id: String,
        max_response_bytes: u64,
        outbox: Arc<Outbox>,
        control: Sender<Control>,
    ) -> Self {
        Calls {
            app_id,
            max_response_bytes,
            table: Mutex::default(),
            outbox,
            control,
            ignored: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `create` and returns its outcome together with what it said.
    pub(super) fn creating<T>(&self, create: impl FnOnce() -> T) -> (T, Option<String>) {
        self.lock().creating = true;
        let outcome = create();
        let mut table = self.lock();
        table.creating = false;
        (outcome, table.create_message.take())
    }

    /// A call has come.
    pub(super) fn open(&self, call: u64, write: bool) {
        let open = Open {
            write,
            ..Open::default()
        };
        self.lock().open.insert(call, open);
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

    /// Whether no call is open and no thread is inside `invoke`.
    pub(super) fn idle(&self) -> bool {
        let table = self.lock();
        table.open.is_empty() && table.running == 0
    }

    /// Late, double and unknown finishes so far.
    pub(super) fn ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }

    fn tell_if_idle(&self) {
        if self.draining.load(Ordering::SeqCst) && self.idle() {
            let _ = self.control.send(Control::Idle);
        }
    }

    fn ignore(&self, call: u64) {
        // Said once: what is wrong once is usually wrong often, and the number stands in every PONG.
        if self.ignored.fetch_add(1, Ordering::Relaxed) == 0 {
            let text = format!(
                "finish was called for call {call}, which is not open (late, double or unknown); it is ignored, further \
                 ones are only counted"
            );
            self.outbox.log(0, LogLevel::WARNING.0, text.as_bytes());
        }
    }

    fn send_answer(&self, call: u64, result: &[u8]) {
        if result.len() as u64 > self.max_response_bytes {
            self.send_failure(call, Outcome::TooLarge, "");
        } else if let Some(problem) = json::syntax_error(result) {
            self.send_failure(call, Outcome::Invalid, &problem);
        } else {
            self.outbox.answer(call, result);
        }
    }

    fn send_failure(&self, call: u64, outcome: Outcome, text: &str) {
        self.outbox.send(&FromHost::Done {
            call,
            outcome,
            bytes: text.as_bytes(),
        });
    }
}

impl Callbacks for Calls {
    fn log(&self, call: u64, level: LogLevel, message: &[u8]) {
        self.outbox
            .log(call, level.0, &message[..message.len().min(MAX_LINE)]);
    }

    fn finish(&self, call: u64, status: Status, result: &[u8]) {
        let mut table = self.lock();
        if call == CREATE_CALL && table.creating {
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
            Status::OK => self.send_answer(call, result),
            status if status.is_error() => {
                let envelope = envelope(&self.app_id, status, result, open.write);
                self.outbox.answer(call, &envelope);
            }
            _ => {
                let text = b"The connector finished the call with a status that the ABI does not have";
                let envelope = envelope(&self.app_id, Status::INTERNAL, text, open.write);
                self.outbox.answer(call, &envelope);
            }
        }
        self.tell_if_idle();
    }

    fn is_cancelled(&self, call: u64) -> bool {
        let table = self.lock();
        if call == CREATE_CALL && table.creating {
            return false;
        }
        table.open.get(&call).is_none_or(|open| open.cancelled)
    }
}
