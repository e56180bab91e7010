//! The host's side of the protocol: what runs as `lumos-agent connector-host`.
//!
//! It has one thread until it has put up its walls, as START describes them: not dumpable, signals ignored, HELLO, START,
//! limits, sandbox, CONFINED. Then come threads, and the library:
//!
//! ```text
//!  reader thread    CALL -> pool, CANCEL and DRAIN -> main thread, PING -> PONG, WINDOW -> outbox
//!  pool threads     invoke
//!  main thread      load, create; then cancel, quiesce, destroy: whatever may not hold up the reader
//!  any thread       finish, log -> outbox -> agent
//! ```
//!
//! There is no asynchronous runtime: a host that does nothing costs little, and nothing of the agent's competes with
//! the connector. When the channel from the agent ends, the agent is gone, and the process ends at once.
#![forbid(unsafe_code)]

mod calls;
mod outbox;
mod pool;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

use lumos_connector_abi::CancelReason;

use self::calls::Calls;
use self::outbox::Outbox;
use self::pool::Pool;
use super::backend::{Backend, Invocation, LoadError};
use super::buffer::FrameBuffer;
use super::frames::{FromHost, ToHost, VERSION, decode_to_host};
use super::library::{Connector, Library};
use super::settings::{Mode, StartSettings};
use crate::domain::AppId;
use crate::os::sandbox::{Confined, confine};
use crate::os::{self, HostReader};

/// Exit code of a host that lost its channel.
const EXIT_LOST: i32 = 71;
/// Exit code of a host that understood the agent no more.
const EXIT_PROTOCOL: i32 = 76;

/// What the main thread does once the instance is made.
enum Control {
    Cancel(u64, CancelReason),
    Drain,
    /// The last call has ended while draining.
    Idle,
}

/// See [`super::host_main`].
pub(super) fn run() -> Result<(), String> {
    let not_an_agent = |error: std::io::Error| {
        format!("connector-host is started by the agent itself and cannot be run by hand ({error})")
    };
    let (reader, writer) = os::inherited_channels().map_err(not_an_agent)?;
    os::harden_host().map_err(|error| format!("the host process cannot restrict itself: {error}"))?;
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
    let (control, orders) = channel();
    let calls = Arc::new(Calls::new(
        app_id.to_string(),
        max_response_bytes,
        outbox.clone(),
        control.clone(),
    ));
    let session = Arc::new(Session {
        outbox: outbox.clone(),
        calls: calls.clone(),
        pool: Pool::new(max_in_flight),
        backend: OnceLock::new(),
        confined,
        control,
    });
    start_reader(session.clone(), frames)?;
    let library = Library::load(&settings.library)?;
    check_name(&library, &app_id)?;
    outbox.send(&FromHost::Manifest(library.manifest_json()));
    let connector = create(&library, &calls, config_json.as_bytes())?;
    let backend: Arc<dyn Backend> = Arc::new(connector);
    let _ = session.backend.set(backend.clone());
    outbox.send(&FromHost::Ready);
    take_orders(&orders, &calls, backend.as_ref());
    Ok(())
}

fn check_name(library: &Library, app_id: &AppId) -> Result<(), LoadError> {
    let named = &library.manifest().app_id;
    if named == app_id {
        return Ok(());
    }
    Err(LoadError::refused(format!(
        "the library's manifest names the app_id `{named}`, but it was to be loaded as `{app_id}`; install the library of \
         `{app_id}`, or correct its manifest"
    )))
}

fn create(library: &Library, calls: &Arc<Calls>, config_json: &[u8]) -> Result<Connector, LoadError> {
    let (outcome, said) = calls.creating(|| library.create(calls.clone(), config_json));
    outcome.map_err(|status| {
        let said = said.filter(|said| !said.is_empty()).unwrap_or(status);
        LoadError::failed(format!("the connector could not be created: {said}"))
    })
}

/// Serves the main thread's part until the connector is destroyed.
fn take_orders(orders: &Receiver<Control>, calls: &Calls, backend: &dyn Backend) {
    let mut draining = false;
    for order in orders {
        match order {
            Control::Cancel(call, reason) => backend.cancel(call, reason),
            Control::Drain if !draining => {
                draining = true;
                calls.drain();
                backend.quiesce();
            }
            Control::Drain | Control::Idle => {}
        }
        if draining && calls.idle() {
            backend.destroy();
            return;
        }
    }
}

fn start_reader(session: Arc<Session>, frames: Frames) -> Result<(), LoadError> {
    std::thread::Builder::new()
        .name("lumos-reader".into())
        .stack_size(256 * 1024)
        .spawn(move || session.read_for_ever(frames))
        .map(drop)
        .map_err(|error| LoadError::failed(format!("the host process cannot start a thread: {error}")))
}

/// Frames from the agent, as they come.
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

/// What the reader thread hands work to.
struct Session {
    outbox: Arc<Outbox>,
    calls: Arc<Calls>,
    pool: Pool,
    backend: OnceLock<Arc<dyn Backend>>,
    confined: Confined,
    control: Sender<Control>,
}

/// A call, copied out of the receive buffer.
struct Pending {
    timeout_ms: u64,
    capability: String,
    trace: String,
    body: Vec<u8>,
    total: u64,
}

impl Session {
    fn read_for_ever(&self, mut frames: Frames) {
        let mut partial = HashMap::new();
        loop {
            match decode_to_host(frames.buffer.bytes()) {
                Ok(None) => frames.fill(),
                Ok(Some((frame, length))) => {
                    if self.take(frame, &mut partial).is_none() {
                        os::exit_now(EXIT_PROTOCOL);
                    }
                    frames.buffer.consume(length);
                }
                Err(_) => os::exit_now(EXIT_PROTOCOL),
            }
        }
    }

    /// `None` if the frame has no place here.
    fn take(&self, frame: ToHost<'_>, partial: &mut HashMap<u64, Pending>) -> Option<()> {
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
                self.calls.open(call, write);
                if pending.body.len() as u64 == total {
                    return self.invoke(call, pending);
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
                    return self.invoke(call, entry.remove());
                }
            }
            ToHost::Cancel { call, reason } => {
                if self.calls.cancel(call) {
                    let _ = self.control.send(Control::Cancel(call, CancelReason(reason)));
                }
            }
            ToHost::Window { call, bytes } => self.outbox.window(call, bytes),
            ToHost::Ping { token } => self.outbox.send(&FromHost::Pong {
                token,
                ignored_finishes: self.calls.ignored(),
                outdated: self.confined.outdated().is_some(),
            }),
            ToHost::Drain => drop(self.control.send(Control::Drain)),
        }
        Some(())
    }

    fn invoke(&self, call: u64, pending: Pending) -> Option<()> {
        let backend = self.backend.get()?.clone();
        let calls = self.calls.clone();
        self.pool.run(Box::new(move || {
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
        }));
        Some(())
    }
}
