//! The host's side of the protocol: what runs as `lumos-agent connector-host`.
//!
//! It has one thread until it has put up its walls, as START describes them: not dumpable, signals ignored, HELLO, START,
//! limits, sandbox, CONFINED. Then come threads, and the library:
//!
//! ```text
//!  crew's threads   CALL -> invoke, CANCEL and DRAIN -> main thread, PING -> PONG, WINDOW -> outbox   (crew.rs)
//!  main thread      load, create; then cancel, quiesce, destroy: whatever may not hold up the crew
//!  any thread       finish, log -> outbox -> agent
//! ```
//!
//! There is no asynchronous runtime: a host that does nothing costs little, and nothing of the agent's competes with
//! the connector. When the channel from the agent ends, the agent is gone, and the process ends at once.
#![forbid(unsafe_code)]

mod crew;
mod outbox;
mod stretch;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::ErrorKind;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

use lumos_connector_abi::{CancelReason, LogLevel};

use self::crew::{Crew, Intake, Job};
use self::outbox::Outbox;
use super::backend::{Backend, Invocation, LoadError};
use super::buffer::FrameBuffer;
use super::calls::{Calls, Sink, TicketOf};
use super::frames::{FromHost, Outcome, ToHost, VERSION, decode_to_host};
use super::library::{CREATE_CALL, Library};
use super::orders::{self, Order};
use super::settings::{Mode, StartSettings};
use crate::os::sandbox::{Confined, confine};
use crate::os::{self, HostReader, Inlet};

/// Exit code of a host that lost its channel.
const EXIT_LOST: i32 = 71;
/// Exit code of a host that understood the agent no more.
const EXIT_PROTOCOL: i32 = 76;

/// See [`super::host_main`].
pub(super) fn run() -> Result<(), String> {
    let not_an_agent = |error: std::io::Error| {
        format!("connector-host is started by the agent itself and cannot be run by hand ({error})")
    };
    let (reader, writer) = os::inherited_channels().map_err(not_an_agent)?;
    os::harden_host().map_err(|error| format!("the host process cannot restrict itself: {error}"))?;
    os::keep_freed_memory();
    let outbox = Outbox::new(writer);
    outbox.send(&FromHost::Hello { version: VERSION });
    let mut frames = Frames {
        reader,
        buffer: FrameBuffer::new(),
    };
    let settings = frames.start_settings()?;
    let confined = restrict(&settings)?;
    let report =
        serde_json::to_vec(&confined).map_err(|error| format!("cannot tell what is in force: {error}"))?;
    outbox.send(&FromHost::Confined(&report));
    outbox
        .start()
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    let outcome = match settings.mode {
        Mode::Inspect => inspect(&settings, &outbox),
        Mode::Serve { .. } => serve(settings, confined, frames, &outbox),
    };
    if let Err(LoadError { refused, text }) = outcome {
        outbox.send(&FromHost::Failed { refused, text: &text });
    }
    outbox.flush();
    os::exit_now(0)
}

/// Limits and walls, for good. On the only thread, before the library is loaded.
fn restrict(settings: &StartSettings) -> Result<Confined, String> {
    os::limit_host(&settings.limits).map_err(|error| format!("the host's limits cannot be set: {error}"))?;
    Ok(match &settings.confinement {
        Some(confinement) => confine(confinement),
        None => Confined::switched_off(),
    })
}

fn inspect(settings: &StartSettings, outbox: &Outbox) -> Result<(), LoadError> {
    let library = Library::load(&settings.library)?;
    outbox.send(&FromHost::Manifest(library.manifest_json()));
    Ok(())
}

fn serve(
    settings: StartSettings,
    confined: Confined,
    frames: Frames,
    outbox: &Arc<Outbox>,
) -> Result<(), LoadError> {
    let Mode::Serve {
        app_id,
        config_json,
        max_in_flight,
        max_response_bytes,
    } = settings.mode
    else {
        unreachable!("the caller has looked");
    };
    let (control, given) = channel();
    let calls = Arc::new(Calls::new(
        app_id.to_string(),
        max_response_bytes,
        ToAgent(outbox.clone()),
        control.clone(),
    ));
    let session = Arc::new(Session {
        outbox: outbox.clone(),
        calls: calls.clone(),
        backend: OnceLock::new(),
        confined,
        control,
    });
    start_crew(session.clone(), frames, max_in_flight)?;
    let library = orders::load(&settings.library, &app_id, |library| {
        outbox.send(&FromHost::Manifest(library.manifest_json()));
    })?;
    let connector = orders::create(&library, CREATE_CALL, &calls, config_json.as_bytes())?;
    let backend: Arc<dyn Backend> = Arc::new(connector);
    let _ = session.backend.set(backend.clone());
    outbox.send(&FromHost::Ready);
    orders::take(&given, &calls, backend.as_ref());
    Ok(())
}

/// Answers and lines become frames.
struct ToAgent(Arc<Outbox>);

impl Sink for ToAgent {
    type Ticket = ();

    fn log(&self, call: u64, level: LogLevel, text: &[u8], _ticket: TicketOf<'_, ()>) {
        self.0.log(call, level.0, text);
    }

    fn answer(&self, call: u64, (): (), result: &[u8]) {
        self.0.answer(call, result);
    }

    fn failure(&self, call: u64, (): (), outcome: Outcome, text: &str) {
        self.0.send(&FromHost::Done {
            call,
            outcome,
            bytes: text.as_bytes(),
        });
    }
}

fn start_crew(session: Arc<Session>, frames: Frames, max_in_flight: u32) -> Result<(), LoadError> {
    let incoming = Incoming {
        session,
        buffer: frames.buffer,
        partial: HashMap::new(),
    };
    Inlet::new(frames.reader)
        .and_then(|inlet| Crew::start(inlet, incoming, max_in_flight))
        .map_err(|error| LoadError::failed(format!("the host process cannot start its threads: {error}")))
}

/// Frames from the agent, before there are threads.
struct Frames {
    reader: HostReader,
    buffer: FrameBuffer,
}

impl Frames {
    /// Waits for more bytes; ends the process when the agent is gone.
    fn fill(&mut self) {
        match self.reader.read(self.buffer.space()) {
            Ok(0) | Err(_) => os::exit_now(EXIT_LOST),
            Ok(count) => self.buffer.filled(count),
        }
    }

    fn start_settings(&mut self) -> Result<StartSettings, String> {
        loop {
            match decode_to_host(self.buffer.bytes()) {
                Ok(None) => self.fill(),
                Ok(Some((ToHost::Start(json), length))) => {
                    let settings = serde_json::from_slice(json)
                        .map_err(|error| format!("protocol error: START is not valid: {error}"))?;
                    self.buffer.consume(length);
                    return Ok(settings);
                }
                Ok(Some(_)) => return Err("protocol error: another frame came before START".into()),
                Err(error) => return Err(format!("protocol error: {error}")),
            }
        }
    }
}

/// What frames act on.
struct Session {
    outbox: Arc<Outbox>,
    calls: Arc<Calls<ToAgent>>,
    backend: OnceLock<Arc<dyn Backend>>,
    confined: Confined,
    control: Sender<Order>,
}

/// A call, copied out of the receive buffer.
struct Pending {
    timeout_ms: u64,
    capability: String,
    trace: String,
    body: Vec<u8>,
    total: u64,
}

/// Frames from the agent, as the crew reads them.
struct Incoming {
    session: Arc<Session>,
    buffer: FrameBuffer,
    /// Calls whose bodies have not come to their ends.
    partial: HashMap<u64, Pending>,
}

impl Intake for Incoming {
    fn take(&mut self, inlet: &Inlet) -> Vec<Job> {
        let mut jobs = Vec::new();
        loop {
            self.decode(&mut jobs);
            if !jobs.is_empty() {
                return jobs;
            }
            match inlet.read(self.buffer.space()) {
                Ok(count @ 1..) => self.buffer.filled(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return jobs,
                Ok(0) | Err(_) => os::exit_now(EXIT_LOST),
            }
        }
    }
}

impl Incoming {
    /// Deals with the complete frames.
    fn decode(&mut self, jobs: &mut Vec<Job>) {
        loop {
            match decode_to_host(self.buffer.bytes()) {
                Ok(None) => return,
                Ok(Some((frame, length))) => {
                    match self.session.take(frame, &mut self.partial) {
                        Some(job) => jobs.extend(job),
                        None => os::exit_now(EXIT_PROTOCOL),
                    }
                    self.buffer.consume(length);
                }
                Err(_) => os::exit_now(EXIT_PROTOCOL),
            }
        }
    }
}

impl Session {
    /// What there is to run; `None` if the frame has no place here.
    fn take(&self, frame: ToHost<'_>, partial: &mut HashMap<u64, Pending>) -> Option<Option<Job>> {
        match frame {
            ToHost::Start(_) => return None,
            ToHost::Call {
                call,
                write,
                timeout_ms,
                total,
                capability,
                trace,
                bytes,
            } => {
                let mut body = Vec::with_capacity(usize::try_from(total).ok()?);
                body.extend_from_slice(bytes);
                let pending = Pending {
                    timeout_ms,
                    capability: capability.to_owned(),
                    trace: trace.to_owned(),
                    body,
                    total,
                };
                self.calls.open(call, write, ());
                if pending.body.len() as u64 == total {
                    return self.job(call, pending).map(Some);
                }
                partial.insert(call, pending);
            }
            ToHost::Body { call, bytes } => {
                let Entry::Occupied(mut entry) = partial.entry(call) else {
                    return None;
                };
                let pending = entry.get_mut();
                pending.body.extend_from_slice(bytes);
                let have = pending.body.len() as u64;
                if have > pending.total {
                    return None;
                }
                if have == pending.total {
                    return self.job(call, entry.remove()).map(Some);
                }
            }
            ToHost::Cancel { call, reason } => {
                if self.calls.cancel(call) {
                    let _ = self.control.send(Order::Cancel(call, CancelReason(reason)));
                }
            }
            ToHost::Window { call, bytes } => self.outbox.window(call, bytes),
            ToHost::Ping { token } => self.outbox.send(&FromHost::Pong {
                token,
                ignored_finishes: self.calls.ignored(),
                outdated: self.confined.outdated().is_some(),
            }),
            ToHost::Drain => drop(self.control.send(Order::Drain)),
        }
        Some(None)
    }

    fn job(&self, call: u64, pending: Pending) -> Option<Job> {
        let backend = self.backend.get()?.clone();
        let calls = self.calls.clone();
        Some(Box::new(move || {
            if !calls.begin(call) {
                return;
            }
            let status = backend.invoke(&Invocation {
                call,
                timeout_ms: pending.timeout_ms,
                capability: &pending.capability,
                body: &pending.body,
                trace: &pending.trace,
            });
            calls.returned(call, status);
        }))
    }
}
