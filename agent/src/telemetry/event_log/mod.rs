//! Windows' Event Log as a place for the agent's log: warnings, errors, and what of the rest is in the catalogue.
//!
//! ```text
//!   tracing event ─► Layer: which kind? ─► bounded queue ─► thread: limits each kind ─► event source
//! ```
//! The kind of an event follows from how its message begins, so that whoever logs need not know of the catalogue. Writing to
//! the Event Log takes its time, and a caller from outside may cause warnings, so nobody waits for it, and each kind of event
//! is written a few times in a minute at most: the log of all applications is no place to be flooded.
#![forbid(unsafe_code)]

pub(crate) mod catalogue;
#[cfg(windows)]
mod process;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

#[cfg(windows)]
pub(crate) use process::{cannot_start, flush, layer, open};

use catalogue::{EVENTS, EventType, LEFT_OUT, OTHER_ERROR, OTHER_WARNING};

/// Events that may wait to be written.
const WAITING: usize = 256;
/// Events of one kind that are written within [`SPAN`].
const MOST: u32 = 10;
const SPAN: Duration = Duration::from_secs(60);
/// How long the end of the process waits for what is still to be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes one event.
type Write = Box<dyn FnMut(&EventType, &str) + Send>;

/// Takes events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct EventLog {
    queue: SyncSender<Order>,
    lost: Arc<AtomicU64>,
}

enum Order {
    Write(&'static EventType, String),
    /// To be answered when everything before it is written.
    Flush(SyncSender<()>),
}

impl EventLog {
    fn to(write: Write) -> std::io::Result<Self> {
        let (queue, orders) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            write,
            lost: lost.clone(),
            kinds: HashMap::new(),
        };
        std::thread::Builder::new()
            .name("event-log".into())
            .spawn(move || writer.run(&orders))?;
        Ok(EventLog { queue, lost })
    }

    fn push(&self, event: &'static EventType, text: String) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Order::Write(event, text)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {
        let (answer, written) = sync_channel(1);
        if self.queue.try_send(Order::Flush(answer)).is_ok() {
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}

impl<S: Subscriber> Layer<S> for EventLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Text::default();
        event.record(&mut line);
        if let Some(kind) = kind_of(*event.metadata().level(), &line) {
            self.push(kind, line.message + &line.fields);
        }
    }
}

/// Which event a line of the log is, if it is one.
fn kind_of(level: Level, line: &Text) -> Option<&'static EventType> {
    let fits = |event: &&EventType| {
        if event.condition {
            // The end of a condition names it too, but is an event of its own.
            level <= Level::WARN && line.condition == event.message
        } else {
            !event.message.is_empty() && line.message.starts_with(event.message)
        }
    };
    EVENTS.iter().find(fits).or(match level {
        Level::ERROR => Some(&OTHER_ERROR),
        Level::WARN => Some(&OTHER_WARNING),
        _ => None,
    })
}

/// What a line of the log says, on one line: control characters, which somebody else may have chosen, are escaped.
#[derive(Default)]
struct Text {
    message: String,
    condition: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            escape(value, &mut self.message);
            return;
        }
        if field.name() == "condition" {
            value.clone_into(&mut self.condition);
        }
        let _ = write!(self.fields, " {}=", field.name());
        escape(value, &mut self.fields);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        if c.is_control() {
            into.extend(c.escape_default());
        } else {
            into.push(c);
        }
    }
}

/// The thread that writes.
struct Writer {
    write: Write,
    lost: Arc<AtomicU64>,
    kinds: HashMap<u16, Kind>,
}

/// How often one kind of event came lately.
struct Kind {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(SPAN) {
                Ok(Order::Write(event, text)) => self.take(event, &text, Instant::now()),
                Ok(Order::Flush(answer)) => {
                    self.tell_left_out(Instant::now(), Duration::ZERO);
                    let _ = answer.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.tell_left_out(Instant::now(), SPAN);
        }
    }

    fn take(&mut self, event: &EventType, text: &str, now: Instant) {
        let kind = self.kinds.entry(event.id).or_insert(Kind {
            since: now,
            written: 0,
            left_out: 0,
        });
        if kind.written == MOST {
            kind.left_out += 1;
            return;
        }
        kind.written += 1;
        (self.write)(event, text);
    }

    /// Says what of the kinds that began `after` ago or earlier was left out, and counts them anew.
    fn tell_left_out(&mut self, now: Instant, after: Duration) {
        let mut told = Vec::new();
        self.kinds.retain(|id, kind| {
            let over = now.duration_since(kind.since) >= after;
            if over && kind.left_out > 0 {
                told.push(format!("{}: {} of event {id}", LEFT_OUT.message, kind.left_out));
            }
            !over
        });
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            told.push(format!("{}: {lost} that came too fast", LEFT_OUT.message));
        }
        for text in told {
            (self.write)(&LEFT_OUT, &text);
        }
    }
}
