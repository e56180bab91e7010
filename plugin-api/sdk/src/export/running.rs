//! An instance at work: one task for each call, on a small runtime of its own.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use lumos_connector_abi::{NO_TIMEOUT, Status};
use lumos_connector_models::{CapabilityLevel, ErrorCode};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::host::Host;
use super::panic;
use crate::connector::{CallOptions, Connector};
use crate::error::ConnectorError;
use crate::log::{self, CallLog};

/// Enough for a connector that waits for its app most of the time; each thread costs memory.
const WORKERS: usize = 2;
/// Name look-ups block; nothing else should.
const MAX_BLOCKING: usize = 4;
const SHUTDOWN: Duration = Duration::from_secs(1);

/// One call as it came from the host, copied.
pub(super) struct Invocation {
    pub(super) call: u64,
    pub(super) capability: String,
    pub(super) body: Vec<u8>,
    pub(super) timeout_ms: u64,
    pub(super) trace: String,
}

/// The instance behind `lumos_instance`.
pub(super) struct Running {
    shared: Arc<Shared>,
    runtime: Runtime,
    quiesced: AtomicBool,
}

struct Shared {
    connector: Arc<Connector>,
    host: Host,
    calls: Mutex<HashMap<u64, CancellationToken>>,
}

impl Running {
    pub(super) fn start(connector: Arc<Connector>, host: Host) -> std::io::Result<Self> {
        log::set_fallback(Arc::new(host));
        panic::install_hook();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(MAX_BLOCKING)
            .thread_name("connector")
            .on_thread_start(panic::mark_thread)
            .enable_all()
            .build()?;
        Ok(Self {
            shared: Arc::new(Shared {
                connector,
                host,
                calls: Mutex::default(),
            }),
            runtime,
            quiesced: AtomicBool::new(false),
        })
    }

    /// Starts a call; its task finishes it.
    pub(super) fn invoke(&self, invocation: Invocation) -> Status {
        if self.quiesced.load(Ordering::Acquire) {
            return Status::UNAVAILABLE;
        }
        let cancel = CancellationToken::new();
        self.shared.calls().insert(invocation.call, cancel.clone());
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            let call = invocation.call;
            let log = CallLog {
                sink: Arc::new(shared.host),
                call,
            };
            let (status, result) = log::scope(log, shared.run(invocation, cancel)).await;
            shared.calls().remove(&call);
            shared.host.finish(call, status, &result);
        });
        Status::PENDING
    }

    /// A read ends at once; a write goes on, since nobody could say what it has done.
    pub(super) fn cancel(&self, call: u64) {
        if let Some(token) = self.shared.calls().get(&call) {
            token.cancel();
        }
    }

    pub(super) fn quiesce(&self) {
        self.quiesced.store(true, Ordering::Release);
    }

    pub(super) fn stop(self) {
        self.runtime.shutdown_timeout(SHUTDOWN);
    }
}

impl Shared {
    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<u64, CancellationToken>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, invocation: Invocation, cancel: CancellationToken) -> (Status, Vec<u8>) {
        let level = self.connector.level(&invocation.capability);
        let capability = invocation.capability.clone();
        let timeout = match invocation.timeout_ms {
            NO_TIMEOUT => None,
            milliseconds => Some(Duration::from_millis(milliseconds)),
        };
        let work = AssertUnwindSafe(self.answer(invocation, timeout)).catch_unwind();
        let outcome = match level {
            CapabilityLevel::Write => work.await,
            CapabilityLevel::Read => tokio::select! {
                biased;
                outcome = work => outcome,
                () = cancel.cancelled() => return (Status::CANCELLED, b"the call was cancelled".to_vec()),
                () = expiry(timeout) => Ok(self.late(&capability)),
            },
        };
        match outcome {
            Ok(answer) => (Status::OK, answer),
            Err(_) => (Status::OK, self.panicked(&capability)),
        }
    }

    async fn answer(&self, invocation: Invocation, timeout: Option<Duration>) -> Vec<u8> {
        let options = CallOptions {
            timeout,
            trace: Some(invocation.trace).filter(|trace| !trace.is_empty()),
        };
        self.connector
            .call(&invocation.capability, &invocation.body, options)
            .await
    }

    fn late(&self, capability: &str) -> Vec<u8> {
        let error = ConnectorError::new(
            ErrorCode::RequestTimeout,
            format!("{capability} did not finish before the caller's deadline"),
        );
        self.connector
            .envelope(error.with_raised_by("TimeoutError"), capability)
    }

    fn panicked(&self, capability: &str) -> Vec<u8> {
        let error = ConnectorError::internal(format!(
            "the connector panicked in {capability}; its log names the place"
        ));
        self.connector.envelope(error.with_raised_by("Panic"), capability)
    }
}

async fn expiry(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
