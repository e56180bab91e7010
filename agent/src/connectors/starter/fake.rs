//! Scripted hosts for tests: what a library does stands in its bytes.
//!
//! A fake library is a real ELF header (so that intake takes it) followed by `key=value` lines:
//! `app=NAME`, `version=1.2.3`, `inspect=TEXT` (refused), `start=refuse:TEXT | fail:TEXT | hang`, `answer=TEXT`,
//! `call=hang | stuck | die | slow:MILLISECONDS`, `die_after=MILLISECONDS`, `max=N`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::Wanted;
use crate::call::Call;
use crate::domain::Generation;
use crate::hosting::{CancelReason, Exit, HostCallError, Manifest, StartError, Vitals, Walls};

/// What was started, in order, and what of it lives.
#[derive(Clone, Default)]
pub(in crate::connectors) struct FakeStarter {
    hosts: Arc<Mutex<Vec<FakeHost>>>,
    inspected: Arc<AtomicU32>,
    starting: Arc<AtomicU32>,
    most_starting: Arc<AtomicU32>,
}

/// See the module.
#[derive(Clone)]
pub(in crate::connectors) struct FakeHost(Arc<Inner>);

struct Inner {
    generation: Generation,
    script: BTreeMap<String, String>,
    exit: watch::Sender<Option<Exit>>,
    closed: watch::Sender<bool>,
    /// Calls that have not ended, and how many of them are overdue.
    in_flight: watch::Sender<(u32, u32)>,
    vitals: Mutex<Vitals>,
    outdated: watch::Sender<bool>,
    cancels: AtomicU32,
}

/// See the module.
pub(in crate::connectors) struct FakeCall {
    host: FakeHost,
    cancelled: watch::Sender<bool>,
    until: Option<tokio::time::Instant>,
    counted: bool,
}

/// The lines of a fake library.
pub(in crate::connectors) fn script(library: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(library).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines()
        .filter_map(|line| line.rsplit('\0').next()?.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

impl FakeStarter {
    pub(in crate::connectors) fn hosts(&self) -> Vec<FakeHost> {
        self.hosts.lock().unwrap().clone()
    }

    pub(in crate::connectors) fn alive(&self) -> usize {
        self.hosts()
            .iter()
            .filter(|host| host.0.exit.borrow().is_none())
            .count()
    }

    pub(in crate::connectors) fn most_starting(&self) -> u32 {
        self.most_starting.load(Ordering::Relaxed)
    }

    pub(in crate::connectors) fn inspected(&self) -> u32 {
        self.inspected.load(Ordering::Relaxed)
    }

    #[expect(clippy::unused_async, reason = "the launcher's signature")]
    pub(super) async fn inspect(&self, library: &Path, _: Walls) -> Result<Manifest, StartError> {
        self.inspected.fetch_add(1, Ordering::Relaxed);
        let script = script(library);
        if let Some(text) = script.get("inspect") {
            return Err(StartError::Refused(text.clone()));
        }
        let (app, version) = (&script["app"], &script["version"]);
        let max = script.get("max").map_or("4", String::as_str);
        let json = format!(r#"{{"app_id":"{app}","version":"{version}","max_concurrency":{max}}}"#);
        Ok(Manifest::parse(json.as_bytes()).unwrap())
    }

    pub(super) async fn start(&self, wanted: Wanted) -> Result<(FakeHost, Bytes), StartError> {
        let now = self.starting.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_starting.fetch_max(now, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.starting.fetch_sub(1, Ordering::Relaxed);
        let script = script(&wanted.library);
        match script
            .get("start")
            .map(|how| how.split_once(':').unwrap_or((how, "")))
        {
            Some(("refuse", text)) => return Err(StartError::Refused(text.to_owned())),
            Some(("fail", text)) => return Err(StartError::Failed(text.to_owned())),
            Some(_) => std::future::pending().await,
            None => {}
        }
        let info = format!(
            r#"{{"response":{{"capabilities":["info"],"version":"{}"}}}}"#,
            script["version"]
        );
        let host = FakeHost(Arc::new(Inner {
            generation: wanted.generation,
            script,
            exit: watch::Sender::new(None),
            closed: watch::Sender::new(false),
            in_flight: watch::Sender::new((0, 0)),
            vitals: Mutex::default(),
            outdated: watch::Sender::new(false),
            cancels: AtomicU32::new(0),
        }));
        self.hosts.lock().unwrap().push(host.clone());
        Ok((host, info.into()))
    }
}

impl FakeHost {
    pub(in crate::connectors) fn cancels(&self) -> u32 {
        self.0.cancels.load(Ordering::Relaxed)
    }

    pub(in crate::connectors) fn has_died(&self) -> bool {
        self.0.exit.borrow().is_some()
    }

    /// Ends it as a crash would.
    pub(in crate::connectors) fn die(&self, reason: &str) {
        self.end(reason, false);
    }

    fn end(&self, reason: &str, expected: bool) {
        self.0.closed.send_replace(true);
        self.0.exit.send_if_modified(|exit| {
            let first = exit.is_none();
            exit.get_or_insert_with(|| Exit {
                reason: reason.to_owned(),
                expected,
            });
            first
        });
    }

    pub(super) fn begin(&self, _call: &Call, _timeout: Duration) -> Result<FakeCall, HostCallError> {
        if *self.0.closed.borrow() {
            return Err(HostCallError::Closed);
        }
        self.0.in_flight.send_modify(|(count, _)| *count += 1);
        self.set_vitals(|vitals| vitals.calls_begun += 1);
        let slow = self
            .0
            .script
            .get("call")
            .and_then(|how| how.strip_prefix("slow:"));
        let until = slow.map(|ms| tokio::time::Instant::now() + Duration::from_millis(ms.parse().unwrap()));
        Ok(FakeCall {
            host: self.clone(),
            cancelled: watch::Sender::new(false),
            until,
            counted: true,
        })
    }

    pub(super) async fn drain(&self, grace: Duration) -> Exit {
        self.0.closed.send_replace(true);
        let mut in_flight = self.0.in_flight.subscribe();
        let mut others = in_flight.clone();
        let idle = in_flight.wait_for(|(count, _)| *count == 0);
        tokio::select! {
            _ = others.wait_for(|(count, overdue)| *overdue > 0 && count == overdue) => {
                self.end("calls were overdue, and no other was left", true);
            }
            _ = tokio::time::timeout(grace, idle) => {}
            _ = self.exited() => {}
        }
        self.end("drained", true);
        self.exited().await
    }

    pub(super) fn kill(&self, reason: &str) {
        self.end(reason, true);
    }

    /// What its next look shows.
    pub(in crate::connectors) fn set_vitals(&self, change: impl FnOnce(&mut Vitals)) {
        change(&mut self.0.vitals.lock().unwrap());
    }

    /// Says that the system has changed around its walls.
    pub(in crate::connectors) fn become_outdated(&self) {
        self.0.outdated.send_replace(true);
    }

    pub(super) async fn outdated(&self) {
        let mut outdated = self.0.outdated.subscribe();
        outdated.wait_for(|outdated| *outdated).await.unwrap();
    }

    pub(super) fn vitals(&self) -> Vitals {
        Vitals {
            in_flight: self.0.in_flight.borrow().0,
            ..*self.0.vitals.lock().unwrap()
        }
    }

    pub(super) async fn exited(&self) -> Exit {
        let mut exit = self.0.exit.subscribe();
        let exit = exit.wait_for(Option::is_some).await.unwrap();
        exit.clone().unwrap()
    }

    pub(super) fn pid(&self) -> u32 {
        u32::try_from(self.0.generation.0).unwrap()
    }
}

impl FakeCall {
    pub(super) async fn answer(&mut self) -> Result<Bytes, HostCallError> {
        let host = self.host.clone();
        let result = tokio::select! {
            exit = host.exited() => Err(HostCallError::Died(exit.reason)),
            body = self.body() => Ok(body),
        };
        self.uncount();
        result
    }

    async fn body(&self) -> Bytes {
        let script = &self.host.0.script;
        match script.get("call").map(String::as_str) {
            Some("hang") => {
                let mut cancelled = self.cancelled.subscribe();
                drop(cancelled.wait_for(|cancelled| *cancelled).await);
            }
            Some("stuck") => std::future::pending::<()>().await,
            Some("die") => {
                self.host.die("killed by signal 11 (SIGSEGV)");
                std::future::pending::<()>().await;
            }
            _ => {
                if let Some(until) = self.until {
                    tokio::time::sleep_until(until).await;
                }
            }
        }
        let version = &script["version"];
        Bytes::from(format!(
            r#"{{"version":"{version}","generation":{}}}"#,
            self.host.0.generation
        ))
    }

    pub(super) fn cancel(&self, _reason: CancelReason) {
        self.host.0.cancels.fetch_add(1, Ordering::Relaxed);
        self.cancelled.send_replace(true);
    }

    pub(super) fn overdue(&self) {
        self.host.0.in_flight.send_modify(|(_, overdue)| *overdue += 1);
    }

    fn uncount(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.host.0.in_flight.send_modify(|(count, _)| *count -= 1);
        }
    }
}

impl Drop for FakeCall {
    fn drop(&mut self) {
        self.uncount();
    }
}
