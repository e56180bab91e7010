//! The agent's side of one host: its calls, its tasks, its end.
//!
//! ```text
//!  reader      frames -> answers, log lines, phases of the start
//!  writer      what callers could not write themselves
//!  output      standard output and error -> log lines
//!  supervisor  waits for the process; pings it; watches its memory; at the end fails what is open and tells the exit
//! ```
#![forbid(unsafe_code)]

mod calls;
mod liveness;
mod output;
mod reader;
mod supervisor;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::calls::OpenCalls;
pub(super) use self::calls::{Held, IdHasher};
use self::liveness::Liveness;
pub(super) use self::reader::level_of;
use self::wire::{When, Wire};
use super::frames::{CHUNK_BYTES, ToHost};
use super::scratch::Scratch;
use super::{CancelReason, Exit, HostCallError, Vitals};
use crate::call::Call;
use crate::domain::Level;
use crate::os::{HostIo, HostProcess, MemoryGuard};
use crate::telemetry::connector_log::ConnectorLog;

/// Time for a connector to quiesce and be destroyed after its last call has ended.
pub(super) const DESTROY_GRACE: Duration = Duration::from_secs(5);

/// Calls in flight from which on further ones are written together.
const CROWD: usize = 8;

/// How far a start has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Hello(u32),
    Confined(Bytes),
    Manifest(Bytes),
    Ready,
    Failed { refused: bool, text: String },
}

/// What a host is attached with.
pub(super) struct Attach {
    pub(super) log: Option<ConnectorLog>,
    pub(super) max_response_bytes: u64,
    pub(super) memory_limit: Option<u64>,
    pub(super) budget: Budget,
    pub(super) tasks: TaskTracker,
    pub(super) scratch: Scratch,
    /// Kept until the host has ended: when the spawning thread ends, its hosts die.
    pub(super) _spawner: Arc<super::launcher::Spawner>,
}

/// The bytes of large answers that may be held at one time, over all hosts; counted in units of 1 KiB.
#[derive(Clone)]
pub(super) struct Budget {
    pub(super) units: Arc<Semaphore>,
    pub(super) total_units: u32,
}

/// One host.
pub(super) struct Inner {
    process: HostProcess,
    wire: Wire,
    calls: Mutex<State>,
    liveness: Mutex<Liveness>,
    intent: Mutex<Option<Intent>>,
    exit: watch::Sender<Option<Exit>>,
    outdated: watch::Sender<bool>,
    /// As the last PONG told.
    ignored_finishes: AtomicU64,
    /// Fires when the process has ended, before what is left in its channels is read.
    ended: CancellationToken,
    attach: Attach,
}

struct State {
    open: OpenCalls,
    takes_calls: bool,
    /// Calls that were taken and are not written to the host yet.
    announcing: u32,
    /// DRAIN is to follow the last of them.
    drain_due: bool,
}

impl State {
    /// Only a kill ends it: no call will come, and those that it has will not end by themselves.
    fn is_hopeless(&self) -> bool {
        !self.takes_calls && self.open.all_overdue()
    }
}

/// Why the agent wants a host to end.
#[derive(Debug, Clone)]
enum Intent {
    Drain,
    Kill { reason: String, expected: bool },
}

/// Ends the host when the last of its users is gone.
pub(super) struct Handle(Arc<Inner>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.kill("nobody uses it any more", true);
    }
}

impl std::ops::Deref for Handle {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Starts the tasks of a host.
pub(super) fn attach(io: HostIo, attach: Attach) -> (Handle, mpsc::Receiver<Phase>) {
    let (phases, receiver) = mpsc::channel(5);
    let inner = Arc::new(Inner {
        process: io.process,
        wire: Wire::new(io.outbound),
        calls: Mutex::new(State {
            open: OpenCalls::default(),
            takes_calls: true,
            announcing: 0,
            drain_due: false,
        }),
        liveness: Mutex::default(),
        intent: Mutex::default(),
        exit: watch::Sender::new(None),
        outdated: watch::Sender::new(false),
        ignored_finishes: AtomicU64::new(0),
        ended: CancellationToken::new(),
        attach,
    });
    let tasks = inner.attach.tasks.clone();
    let reader = tasks.spawn(reader::run(inner.clone(), io.inbound, phases));
    let log = inner.attach.log.clone();
    let output = tasks.spawn(output::read(io.stdout, io.stderr, log, inner.ended.clone()));
    let writer = inner.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = writer.wire.write_what_is_left() => {}
            () = writer.ended.cancelled() => {}
        }
    });
    tasks.spawn(supervisor::run(inner.clone(), reader, output));
    (Handle(inner), receiver)
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn liveness(&self) -> MutexGuard<'_, Liveness> {
        self.liveness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn intent(&self) -> MutexGuard<'_, Option<Intent>> {
        self.intent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn in_flight(&self) -> u32 {
        u32::try_from(self.state().open.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn memory_guard(&self) -> MemoryGuard {
        self.process.memory_guard()
    }

    pub(super) fn vitals(&self) -> Vitals {
        let (in_flight, calls_begun) = {
            let state = self.state();
            (state.open.len(), state.open.begun())
        };
        let alive = !self.ended.is_cancelled();
        Vitals {
            usage: alive.then(|| self.process.usage()).flatten(),
            memory_limit: self.attach.memory_limit,
            memory_guard: Some(self.memory_guard()),
            ignored_finishes: self.ignored_finishes.load(Ordering::Relaxed),
            calls_begun,
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
        }
    }

    /// Sends START.
    pub(super) fn start(&self, settings: &[u8]) {
        self.wire.send(&ToHost::Start(settings));
    }

    /// Sends a call; its outcome comes through the receiver.
    pub(super) fn begin(
        &self,
        call: &Call,
        timeout: Duration,
    ) -> Result<(u64, oneshot::Receiver<Result<Bytes, HostCallError>>), HostCallError> {
        let (reply, answer) = oneshot::channel();
        let secrets = match &self.attach.log {
            Some(log) if !call.secrets.is_empty() => Some(log.guard(call.secrets.clone())),
            _ => None,
        };
        let (id, when) = {
            let mut state = self.state();
            if !state.takes_calls {
                return Err(HostCallError::Closed);
            }
            state.announcing += 1;
            let when = if state.open.len() < CROWD {
                When::Now
            } else {
                When::Together
            };
            (state.open.add(reply, call.request_id.clone(), secrets), when)
        };
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        let body = &call.body;
        let first = body.len().min(CHUNK_BYTES);
        let head = ToHost::Call {
            call: id,
            write: call.level == Level::Write,
            timeout_ms,
            total: body.len() as u64,
            capability: call.capability.as_str(),
            trace: call.traceparent.as_deref().unwrap_or_default(),
            bytes: &body[..first],
        };
        let rest = body[first..]
            .chunks(CHUNK_BYTES)
            .map(|bytes| ToHost::Body { call: id, bytes });
        self.wire
            .send_with_body(std::iter::once(head).chain(rest), body, when);
        self.announced();
        Ok((id, answer))
    }

    /// A call has been written. A host that was told to drain before it had the call would end without it, so the
    /// last call to be written sends a DRAIN that is due.
    fn announced(&self) {
        let mut state = self.state();
        state.announcing -= 1;
        let drain = state.announcing == 0 && std::mem::take(&mut state.drain_due);
        drop(state);
        if drain {
            self.wire.send(&ToHost::Drain);
        }
    }

    /// No call will follow those that were begun.
    fn close(&self) {
        let mut state = self.state();
        state.takes_calls = false;
        state.drain_due = state.announcing > 0;
        let (drain, hopeless) = (!state.drain_due, state.is_hopeless());
        drop(state);
        if hopeless {
            self.give_up();
        } else if drain {
            self.wire.send(&ToHost::Drain);
        }
    }

    /// A call will not end by itself.
    pub(super) fn overdue(&self, call: u64) {
        let mut state = self.state();
        state.open.overdue(call);
        let hopeless = state.is_hopeless();
        drop(state);
        if hopeless {
            self.give_up();
        }
    }

    fn give_up(&self) {
        self.kill("calls were overdue, and no other was left", true);
    }

    /// Tells the connector that nobody waits for a call.
    pub(super) fn cancel(&self, call: u64, reason: CancelReason) {
        self.wire.send(&ToHost::Cancel {
            call,
            reason: reason.code().0,
        });
    }

    /// Ends the process; the first reason counts.
    pub(super) fn kill(&self, reason: &str, expected: bool) {
        let mut intent = self.intent();
        if !matches!(*intent, Some(Intent::Kill { .. })) {
            *intent = Some(Intent::Kill {
                reason: reason.to_owned(),
                expected,
            });
        }
        drop(intent);
        self.process.kill();
    }

    pub(super) async fn exited(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone().expect("waited for it"),
            Err(_) => unreachable!("the sender lives in self"),
        }
    }

    /// Waits until the host says that a fresh one should take its place; for ever if it never does.
    pub(super) async fn outdated(&self) {
        if self
            .outdated
            .subscribe()
            .wait_for(|outdated| *outdated)
            .await
            .is_err()
        {
            unreachable!("the sender lives in self");
        }
    }

    pub(super) async fn drain(&self, grace: Duration) -> Exit {
        let first = {
            let mut intent = self.intent();
            let first = intent.is_none();
            intent.get_or_insert(Intent::Drain);
            first
        };
        if first {
            self.close();
        } else {
            self.state().takes_calls = false;
        }
        if let Ok(exit) = tokio::time::timeout(grace, self.exited()).await {
            return exit;
        }
        let open = self.in_flight();
        if open == 0 {
            if let Ok(exit) = tokio::time::timeout(DESTROY_GRACE, self.exited()).await {
                return exit;
            }
            self.kill("it did not quiesce and end in time", true);
        } else {
            self.kill(&format!("{open} calls did not end in time"), true);
        }
        self.exited().await
    }
}
