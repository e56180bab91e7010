//! A connector in the daemon itself: the same library loading and the same rules for calls as in a host process, without
//! the wall.
//!
//! ```text
//!  control thread   copy, load, create; then cancel, quiesce, destroy   (orders.rs)
//!  pool threads     invoke                                             (pool.rs)
//!  any thread       finish, log -> caller, connector's log
//! ```
//!
//! What a process would take with it stays: an image is never unmapped, and a thread that does not come back is left where
//! it is, for nothing can end it safely. So ending a generation by force means giving it up: its callers are told, what it
//! says later is ignored, and nothing of it is freed. What crashes here crashes the agent.
#![forbid(unsafe_code)]

mod image;
mod pool;
mod sink;
mod unique;

pub(super) use unique::unfit;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use self::image::Image;
use self::pool::{Pool, STACK};
use self::sink::{Ticket, ToCallers};
use super::backend::{Backend, Invocation, LoadError};
use super::calls::Calls;
use super::host::{Budget, DESTROY_GRACE};
use super::launcher::{check_info, info_call};
use super::library::CREATE_CALL;
use super::orders::{self, Ended, Order};
use super::{CancelReason, Exit, HostCallError, HostSpec, StartError, Vitals};
use crate::call::Call;
use crate::domain::{AppId, Level};

/// Ids of calls, those of `create` included: one row for the whole process, so that none is ever used twice in it.
static NEXT_CALL: AtomicU64 = AtomicU64::new(CREATE_CALL);

/// Whether any library was mapped into this process.
static LOADED: AtomicBool = AtomicBool::new(false);

/// Whether this process has connector code in it. Its exit handlers must not run then: threads of connectors may still be
/// at work, on data that these would free.
pub(super) fn loaded() -> bool {
    LOADED.load(Ordering::Acquire)
}

/// One generation in the daemon.
pub(super) struct Inner {
    calls: Arc<Calls<ToCallers>>,
    pool: Pool,
    backend: OnceLock<Arc<dyn Backend>>,
    control: Sender<Order>,
    exit: watch::Sender<Option<Exit>>,
}

/// Gives the generation up when the last of its users is gone.
pub(super) struct Handle(Arc<Inner>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.kill("nobody uses it any more");
    }
}

impl std::ops::Deref for Handle {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Loads, creates and asks for `info`. Dropping the future gives the generation up.
pub(super) async fn start(spec: HostSpec, budget: Budget) -> Result<(Handle, Bytes), StartError> {
    let (control, orders) = channel();
    let app_id = spec.app_id.clone();
    let limit = spec.start_timeout;
    let sink = ToCallers {
        log: spec.log,
        max_response_bytes: spec.max_response_bytes,
        budget,
    };
    let calls = Calls::new(app_id.to_string(), spec.max_response_bytes, sink, control.clone());
    let handle = Handle(Arc::new(Inner {
        calls: Arc::new(calls),
        pool: Pool::new(spec.max_in_flight),
        backend: OnceLock::new(),
        control,
        exit: watch::Sender::new(None),
    }));
    let (ready, started) = oneshot::channel();
    let loading = Loading {
        library: spec.library,
        app_id: app_id.clone(),
        config_json: spec.config_json,
    };
    let inner = Arc::clone(&handle.0);
    let no_thread = |error| StartError::Spawn(format!("the system lets the agent start no thread: {error}"));
    inner.pool.warm().map_err(no_thread)?;
    std::thread::Builder::new()
        .name("lumos-control".into())
        .stack_size(STACK)
        .spawn(move || live(&loading, &inner, &orders, ready))
        .map_err(no_thread)?;
    let conversation = async {
        match started.await {
            Ok(loaded) => loaded.map_err(StartError::from)?,
            Err(_) => return Err(StartError::Failed("loading it failed inside the agent".into())),
        }
        info(&handle, &app_id, limit).await
    };
    match tokio::time::timeout(limit, conversation).await {
        Ok(info) => Ok((handle, info?)),
        Err(_) => Err(StartError::Stuck(format!(
            "loading, create and info took more than {} s inside the agent, and cannot be ended there; look into the \
             connector's log for what they wait for",
            limit.as_secs()
        ))),
    }
}

/// The first call: proves that the connector answers, and under its own name.
async fn info(handle: &Handle, app_id: &AppId, limit: Duration) -> Result<Bytes, StartError> {
    let failed = |error: HostCallError| StartError::Failed(format!("info failed: {error}"));
    let (_, answer) = handle.begin(&info_call(app_id, limit), limit).map_err(failed)?;
    let gone = |_| Err(HostCallError::Died("it is gone".into()));
    let answer = answer.await.unwrap_or_else(gone).map_err(failed)?;
    check_info(&answer, app_id)?;
    Ok(answer)
}

struct Loading {
    library: PathBuf,
    app_id: AppId,
    config_json: Bytes,
}

impl Loading {
    fn backend(&self, calls: &Arc<Calls<ToCallers>>) -> Result<Arc<dyn Backend>, LoadError> {
        if let Some(reason) = unfit(&self.library) {
            return Err(LoadError::refused(reason));
        }
        let image = copy(&self.library)?;
        LOADED.store(true, Ordering::Release);
        let library = orders::load(image.path(), &self.app_id, |_| ())?;
        drop(image);
        let id = NEXT_CALL.fetch_add(1, Ordering::Relaxed);
        let connector = orders::create(&library, id, calls, &self.config_json)?;
        Ok(Arc::new(connector))
    }
}

fn copy(library: &Path) -> Result<Image, LoadError> {
    let failed = |error| {
        LoadError::failed(format!(
            "the private copy of the library cannot be copied in the state directory: {error}"
        ))
    };
    Image::of(library).map_err(failed)
}

/// The control thread.
fn live(
    loading: &Loading,
    inner: &Inner,
    orders: &Receiver<Order>,
    ready: oneshot::Sender<Result<(), LoadError>>,
) {
    let backend = match loading.backend(&inner.calls) {
        Ok(backend) => backend,
        Err(error) => {
            // Nobody hears it where the start was given up.
            drop(ready.send(Err(error)));
            return;
        }
    };
    let _ = inner.backend.set(Arc::clone(&backend));
    drop(ready.send(Ok(())));
    serve(inner, orders, backend.as_ref());
}

/// The control thread's part from the start to the end.
fn serve(inner: &Inner, orders: &Receiver<Order>, backend: &dyn Backend) -> Ended {
    let ended = orders::take(orders, &inner.calls, backend);
    inner.pool.close();
    if ended == Ended::Destroyed {
        inner.end("drained".into());
    }
    ended
}

impl Inner {
    pub(super) fn vitals(&self) -> Vitals {
        Vitals {
            ignored_finishes: self.calls.ignored(),
            in_flight: self.in_flight(),
            ..Vitals::default()
        }
    }

    pub(super) fn in_flight(&self) -> u32 {
        u32::try_from(self.calls.open_calls()).unwrap_or(u32::MAX)
    }

    /// Runs a call; its outcome comes through the receiver.
    pub(super) fn begin(
        &self,
        call: &Call,
        timeout: Duration,
    ) -> Result<(u64, oneshot::Receiver<Result<Bytes, HostCallError>>), HostCallError> {
        let (reply, answer) = oneshot::channel();
        let backend = self.backend.get().ok_or(HostCallError::Closed)?;
        let id = NEXT_CALL.fetch_add(1, Ordering::Relaxed);
        let ticket = Ticket::new(reply, call, &self.calls.sink().log);
        if !self.calls.open(id, call.level == Level::Write, ticket) {
            return Err(HostCallError::Closed);
        }
        let work = Work {
            id,
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1),
            call: call.clone(),
            backend: Arc::clone(backend),
            calls: Arc::clone(&self.calls),
        };
        self.pool.run(Box::new(move || work.run()));
        Ok((id, answer))
    }

    /// Tells the connector that nobody waits for a call.
    pub(super) fn cancel(&self, call: u64, reason: CancelReason) {
        if self.calls.cancel(call) {
            self.order(Order::Cancel(call, reason.code()));
        }
    }

    /// Gives the generation up: what is open fails, and what its threads still do is of no consequence. The first reason
    /// counts. Destroyed only if no call is open.
    pub(super) fn kill(&self, reason: &str) {
        let given_up = self.calls.give_up();
        let reason = match self.calls.running() {
            0 => reason.to_owned(),
            threads => {
                format!("{reason}; {threads} of its threads stay in the agent until that is restarted")
            }
        };
        for (call, _) in &given_up {
            self.order(Order::Cancel(*call, CancelReason::Shutdown.code()));
        }
        self.order(if given_up.is_empty() {
            Order::Drain
        } else {
            Order::Abandon
        });
        self.pool.close();
        self.end(reason.clone());
        for (_, ticket) in given_up {
            ticket.end(Err(HostCallError::Died(reason.clone())));
        }
    }

    pub(super) async fn exited(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone().expect("waited for it"),
            Err(_) => unreachable!("the sender lives in self"),
        }
    }

    pub(super) async fn drain(&self, grace: Duration) -> Exit {
        self.calls.close();
        self.order(Order::Drain);
        if let Ok(exit) = tokio::time::timeout(grace, self.exited()).await {
            return exit;
        }
        match self.in_flight() {
            0 => {
                if let Ok(exit) = tokio::time::timeout(DESTROY_GRACE, self.exited()).await {
                    return exit;
                }
                self.kill("it did not quiesce and end in time");
            }
            open => self.kill(&format!("{open} calls did not end in time")),
        }
        self.exited().await
    }

    fn order(&self, order: Order) {
        // An error means that the instance has ended.
        drop(self.control.send(order));
    }

    fn end(&self, reason: String) {
        self.exit.send_if_modified(|exit| {
            let first = exit.is_none();
            exit.get_or_insert(Exit {
                reason,
                expected: true,
            });
            first
        });
    }
}

/// One call on its way to a thread.
struct Work {
    id: u64,
    timeout_ms: u64,
    call: Call,
    backend: Arc<dyn Backend>,
    calls: Arc<Calls<ToCallers>>,
}

impl Work {
    fn run(&self) {
        if !self.calls.begin(self.id) {
            return;
        }
        let status = self.backend.invoke(&Invocation {
            call: self.id,
            timeout_ms: self.timeout_ms,
            capability: self.call.capability.as_str(),
            body: &self.call.body,
            trace: self.call.traceparent.as_deref().unwrap_or_default(),
        });
        self.calls.returned(self.id, status);
    }
}

impl From<LoadError> for StartError {
    fn from(error: LoadError) -> Self {
        if error.refused {
            StartError::Refused(error.text)
        } else {
            StartError::Failed(error.text)
        }
    }
}

#[cfg(test)]
mod tests;
