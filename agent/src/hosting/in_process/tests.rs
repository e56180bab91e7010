//! Calls in the daemon, with connectors that are no libraries; real ones are loaded in `tests/it`.

use std::sync::Mutex;

use lumos_connector_abi::{CancelReason as AbiReason, Status};
use tokio::sync::Semaphore;

use super::*;
use crate::conditions::Conditions;
use crate::config::model::LogLevel;
use crate::domain::Generation;
use crate::hosting::backend::Callbacks;
use crate::telemetry::connector_log::{ConnectorLogOptions, ConnectorLogs};
use crate::telemetry::files::{LogFiles, Retention};
use crate::telemetry::metrics::Metrics;

const LONG: Duration = Duration::from_secs(20);

/// Does what the capability says, through the callbacks as a library would.
struct Scripted {
    calls: Arc<Calls<ToCallers>>,
    ids: Mutex<Vec<u64>>,
    cancelled: Mutex<Sender<(u64, i32)>>,
    /// What `stuck` waits for.
    gate: Mutex<Receiver<()>>,
    destroyed: AtomicBool,
}

impl Backend for Scripted {
    fn invoke(&self, call: &Invocation<'_>) -> Status {
        self.ids.lock().unwrap().push(call.call);
        let finish = |result: &[u8]| self.calls.finish(call.call, Status::OK, result);
        match call.capability {
            "echo" => finish(call.body),
            "twice" => {
                finish(b"1");
                finish(b"2");
            }
            "text" => finish(b"<html>"),
            "never" => return Status::PENDING,
            "stuck" => {
                let _ = self.gate.lock().unwrap().recv();
                finish(b"\"late\"");
            }
            _ => return Status::UNSUPPORTED,
        }
        Status::OK
    }

    fn cancel(&self, call: u64, reason: AbiReason) {
        let _ = self.cancelled.lock().unwrap().send((call, reason.0));
    }

    fn quiesce(&self) {}

    fn destroy(&self) {
        assert!(!self.destroyed.swap(true, Ordering::SeqCst), "destroyed twice");
    }
}

struct World {
    handle: Handle,
    backend: Arc<Scripted>,
    cancelled: Receiver<(u64, i32)>,
    gate: Sender<()>,
    control: std::thread::JoinHandle<Ended>,
    _directory: tempfile::TempDir,
}

fn world(max_response_bytes: u64) -> World {
    let directory = tempfile::tempdir().unwrap();
    let options = ConnectorLogOptions {
        files: Some(LogFiles::new(
            directory.path(),
            Retention::default(),
            Conditions::default(),
        )),
        level: LogLevel::Info,
    };
    let logs = ConnectorLogs::start(options, Metrics::new()).unwrap();
    let sink = ToCallers {
        log: logs.of(&"a".parse().unwrap(), Generation(1)),
        max_response_bytes,
        budget: Budget {
            units: Arc::new(Semaphore::new(100)),
            total_units: 100,
        },
    };
    let (control, orders) = channel();
    let inner = Arc::new(Inner {
        calls: Arc::new(Calls::new("a".into(), max_response_bytes, sink, control.clone())),
        pool: Pool::new(4),
        backend: OnceLock::new(),
        control,
        exit: watch::Sender::new(None),
    });
    let (cancels, cancelled) = channel();
    let (gate, waits) = channel();
    let backend = Arc::new(Scripted {
        calls: Arc::clone(&inner.calls),
        ids: Mutex::default(),
        cancelled: Mutex::new(cancels),
        gate: Mutex::new(waits),
        destroyed: AtomicBool::new(false),
    });
    let scripted: Arc<dyn Backend> = Arc::<Scripted>::clone(&backend);
    assert!(inner.backend.set(Arc::clone(&scripted)).is_ok());
    let thread = Arc::clone(&inner);
    let control = std::thread::spawn(move || serve(&thread, &orders, &*scripted));
    World {
        handle: Handle(inner),
        backend,
        cancelled,
        gate,
        control,
        _directory: directory,
    }
}

impl World {
    fn begin(&self, capability: &str, body: &str) -> oneshot::Receiver<Result<Bytes, HostCallError>> {
        self.begin_with_id(capability, body).1
    }

    fn begin_with_id(
        &self,
        capability: &str,
        body: &str,
    ) -> (u64, oneshot::Receiver<Result<Bytes, HostCallError>>) {
        let mut call = info_call(&"a".parse().unwrap(), Duration::from_secs(30));
        call.capability = capability.parse().unwrap();
        call.body = Bytes::copy_from_slice(body.as_bytes());
        self.handle.begin(&call, LONG).unwrap()
    }

    async fn ask(&self, capability: &str, body: &str) -> Result<Bytes, HostCallError> {
        self.begin(capability, body).await.unwrap()
    }

    fn destroyed(&self) -> bool {
        self.backend.destroyed.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn answers_are_checked_and_bounded_as_in_a_host_process() {
    let world = world(1000);
    assert_eq!(world.ask("echo", r#"{"a":  1}"#).await.unwrap(), r#"{"a":  1}"#);
    let text = world.ask("text", "{}").await.unwrap_err();
    assert!(matches!(text, HostCallError::InvalidAnswer(_)), "{text}");
    let long = format!("\"{}\"", "x".repeat(1000));
    assert_eq!(world.ask("echo", &long).await, Err(HostCallError::TooLarge(1000)));
    let envelope = world.ask("nothing", "{}").await.unwrap();
    assert!(envelope.starts_with(br#"{"is_error":true"#));
}

#[tokio::test]
async fn large_answers_count_against_the_budget_and_never_wait_for_it() {
    let world = world(1 << 30);
    let text = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    let units = world.handle.calls.sink().budget.units.clone();
    let held = world.ask("echo", &text(80 * 1024)).await.unwrap();
    assert_eq!(units.available_permits(), 20);
    let more = world.ask("echo", &text(70 * 1024)).await.unwrap();
    assert_eq!((more.len(), units.available_permits()), (70 * 1024, 20));
    drop(held);
    assert_eq!(units.available_permits(), 100);
    let never = world.ask("echo", &text(101 * 1024)).await;
    assert_eq!(never, Err(HostCallError::TooLarge(100 * 1024)));
}

#[tokio::test]
async fn finishes_that_are_late_double_or_unknown_are_ignored_and_counted() {
    let world = world(1000);
    assert_eq!(world.ask("twice", "{}").await.unwrap(), "1");
    world.backend.calls.finish(u64::MAX, Status::OK, b"{}");
    assert_eq!(world.handle.drain(LONG).await.reason, "drained");
    assert_eq!(world.backend.calls.ignored(), 2);
}

#[tokio::test]
async fn ids_are_never_used_twice_in_the_process() {
    let (one, two) = (world(1000), world(1000));
    for _ in 0..20 {
        one.ask("echo", "1").await.unwrap();
        two.ask("echo", "2").await.unwrap();
    }
    let mut ids = one.backend.ids.lock().unwrap().clone();
    ids.extend(two.backend.ids.lock().unwrap().iter());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40);
    assert!(!ids.contains(&0), "0 is the lifecycle's");
}

#[tokio::test]
async fn draining_lets_calls_end_takes_none_and_destroys() {
    let world = world(1000);
    let stuck = world.begin("stuck", "{}");
    let draining = {
        let inner = Arc::clone(&world.handle.0);
        tokio::spawn(async move { inner.drain(LONG).await })
    };
    let call = info_call(&"a".parse().unwrap(), Duration::from_secs(30));
    while world.handle.begin(&call, LONG).is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!world.destroyed());
    world.gate.send(()).unwrap();
    assert_eq!(stuck.await.unwrap().unwrap(), "\"late\"");
    assert_eq!(draining.await.unwrap().reason, "drained");
    assert!(world.destroyed());
}

#[tokio::test]
async fn what_does_not_end_is_given_up_and_never_destroyed() {
    let world = world(1000);
    let (id, stuck) = world.begin_with_id("stuck", "{}");
    let never = world.begin("never", "{}");
    while world.backend.ids.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    let exit = world.handle.drain(Duration::from_millis(1)).await;
    assert_eq!(
        exit.reason,
        "2 calls did not end in time; 1 of its threads stay in the agent until that is restarted"
    );
    for call in [stuck, never] {
        assert!(matches!(call.await.unwrap(), Err(HostCallError::Died(_))));
    }
    let told: Vec<_> = world.cancelled.iter().take(2).collect();
    assert!(told.contains(&(id, AbiReason::SHUTDOWN.0)), "{told:?}");
    assert!(
        world.backend.calls.is_cancelled(id),
        "a connector that asks is told to stop"
    );
    world.gate.send(()).unwrap();
    assert_eq!(world.control.join().unwrap(), Ended::Left);
    assert!(!world.backend.destroyed.load(Ordering::SeqCst));
    while world.backend.calls.ignored() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_idle_generation_whose_last_user_goes_is_destroyed() {
    let world = world(1000);
    world.ask("echo", "1").await.unwrap();
    drop(world.handle);
    assert_eq!(world.control.join().unwrap(), Ended::Destroyed);
    assert!(world.backend.destroyed.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_cancelled_call_is_told_once_it_runs() {
    let world = world(1000);
    let (id, _never) = world.begin_with_id("never", "{}");
    while world.backend.ids.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    world.handle.cancel(id, CancelReason::Deadline);
    assert_eq!(world.cancelled.recv().unwrap(), (id, AbiReason::DEADLINE.0));
}
