//! The log files of connectors: `{app_id}_{yyyy-MM-dd}.log`, one for each day (local date).
//!
//! A connector's lines come faster than a disk writes, or carry secrets, escape sequences, or no end: so a line is filtered
//! by level and rate where it arises, queued (bounded; nobody who logs ever waits), and masked, escaped, cut and written
//! by one thread. What is dropped is counted, in the metrics and by a line in the log itself. Where there is no file for a
//! line, it goes to the agent's own log; a full disk costs lines, nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Zoned;
use secrecy::SecretString;

use super::files::{IDLE, LogFiles, Stem};
use super::mask::Masker;
use super::metrics::Metrics;
use super::{log, plain};
use crate::config::model::{LogFormat, LogLevel};
use crate::domain::{AppId, Generation};

/// Lines that may wait for the disk, over all connectors.
const QUEUE: usize = 4096;
/// Longest line in the file, in bytes before escaping.
const MAX_LINE: usize = 8 * 1024;
/// Lines a second that a connector may write for long.
const LINES_PER_SECOND: f64 = 200.0;
/// Lines that a connector may write at once.
const BURST: f64 = 2000.0;

/// How connector logs are written.
#[derive(Clone)]
pub struct ConnectorLogOptions {
    /// The files; without them lines go to the agent's own log.
    pub files: Option<LogFiles>,
    /// Lines below it are not written.
    pub level: LogLevel,
}

/// Writes `{app_id}_{yyyy-MM-dd}.log` files. Cheap to clone. The writing thread ends with the last clone.
#[derive(Clone)]
pub struct ConnectorLogs(Arc<Shared>);

struct Shared {
    queue: SyncSender<Order>,
    level: AtomicU8,
    apps: Mutex<HashMap<AppId, Arc<App>>>,
    metrics: Metrics,
}

/// What all generations of a connector share.
struct App {
    app_id: AppId,
    /// A level of its own, or `NO_LEVEL`.
    level: AtomicU8,
    bucket: Mutex<Bucket>,
    dropped: AtomicU64,
    masker: Mutex<Masker>,
}

const NO_LEVEL: u8 = u8::MAX;

/// What the writing thread does.
enum Order {
    Line(Line),
    Flush(SyncSender<()>),
}

struct Line {
    app: Arc<App>,
    at: Zoned,
    level: LogLevel,
    generation: Generation,
    request_id: Option<Box<str>>,
    text: Box<str>,
}

/// The log of one generation of one connector. Cheap to clone, never blocks.
#[derive(Clone)]
pub struct ConnectorLog {
    shared: Arc<Shared>,
    app: Arc<App>,
    generation: Generation,
}

/// Keeps secrets masked; see [`ConnectorLog::guard`].
pub struct SecretGuard {
    app: Arc<App>,
    secrets: Arc<[SecretString]>,
}

impl Drop for SecretGuard {
    fn drop(&mut self) {
        lock(&self.app.masker).release(&self.secrets, Instant::now());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Allows [`BURST`] lines at once and [`LINES_PER_SECOND`] for long.
struct Bucket {
    lines: f64,
    filled: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Bucket {
            lines: BURST,
            filled: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.lines = (self.lines + passed * LINES_PER_SECOND).min(BURST);
        self.filled = now;
        if self.lines < 1.0 {
            return false;
        }
        self.lines -= 1.0;
        true
    }
}

impl ConnectorLogs {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(options: ConnectorLogOptions, metrics: Metrics) -> std::io::Result<Self> {
        let (queue, orders) = sync_channel(QUEUE);
        let files = options.files;
        std::thread::Builder::new()
            .name("connector-log".into())
            .spawn(move || write_for_ever(&orders, files.as_ref()))?;
        Ok(ConnectorLogs(Arc::new(Shared {
            queue,
            level: AtomicU8::new(options.level as u8),
            apps: Mutex::default(),
            metrics,
        })))
    }

    /// The log of `generation` of `app_id`.
    #[must_use]
    pub fn of(&self, app_id: &AppId, generation: Generation) -> ConnectorLog {
        ConnectorLog {
            shared: self.0.clone(),
            app: self.0.app(app_id),
            generation,
        }
    }

    /// Changes the levels at once: of all connectors, and of those that have one of their own.
    pub fn set_levels(&self, all: LogLevel, own: &BTreeMap<AppId, LogLevel>) {
        self.0.level.store(all as u8, Ordering::Relaxed);
        for app_id in own.keys() {
            // So that it counts for one that is yet to come, too.
            self.0.app(app_id);
        }
        for app in lock(&self.0.apps).values() {
            let level = own.get(&app.app_id).map_or(NO_LEVEL, |level| *level as u8);
            app.level.store(level, Ordering::Relaxed);
        }
    }

    /// Waits until everything logged so far is in the files. Blocks.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.0.queue.send(Order::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(Duration::from_secs(5));
        }
    }
}

impl Shared {
    fn app(&self, app_id: &AppId) -> Arc<App> {
        let new = || {
            Arc::new(App {
                app_id: app_id.clone(),
                level: AtomicU8::new(NO_LEVEL),
                bucket: Mutex::new(Bucket::full(Instant::now())),
                dropped: AtomicU64::new(0),
                masker: Mutex::default(),
            })
        };
        lock(&self.apps).entry(app_id.clone()).or_insert_with(new).clone()
    }
}

impl ConnectorLog {
    /// Whether lines of `level` are written at present. To spare the work of making one.
    #[must_use]
    pub fn takes(&self, level: LogLevel) -> bool {
        let own = self.app.level.load(Ordering::Relaxed);
        let least = if own == NO_LEVEL {
            self.shared.level.load(Ordering::Relaxed)
        } else {
            own
        };
        level as u8 >= least
    }

    /// Writes one line. `request_id` ties it to a call. Dropped and counted if there are too many.
    pub fn line(&self, level: LogLevel, request_id: Option<&str>, text: &str) {
        if !self.takes(level) {
            return;
        }
        if !lock(&self.app.bucket).take(Instant::now()) {
            return self.dropped(1);
        }
        let line = Line {
            app: self.app.clone(),
            at: Zoned::now(),
            level,
            generation: self.generation,
            request_id: request_id.map(Into::into),
            text: text.into(),
        };
        match self.shared.queue.try_send(Order::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.dropped(1),
        }
    }

    /// Counts lines that were dropped before they came here.
    pub fn dropped(&self, count: u64) {
        self.app.dropped.fetch_add(count, Ordering::Relaxed);
        self.shared.metrics.log_lines_dropped(&self.app.app_id, count);
    }

    /// Masks `secrets` in every line of the connector from now on until a minute after the guard is dropped.
    #[must_use]
    pub fn guard(&self, secrets: Arc<[SecretString]>) -> SecretGuard {
        lock(&self.app.masker).hold(&secrets, Instant::now());
        SecretGuard {
            app: self.app.clone(),
            secrets,
        }
    }
}

fn write_for_ever(orders: &Receiver<Order>, files: Option<&LogFiles>) {
    let rest = || files.into_iter().for_each(LogFiles::rest);
    rest();
    let mut rested = Instant::now();
    loop {
        match orders.recv_timeout(IDLE) {
            Ok(Order::Line(line)) => write(files, &line),
            Ok(Order::Flush(done)) => drop(done.send(())),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if rested.elapsed() >= IDLE {
            rested = Instant::now();
            rest();
        }
    }
}

fn write(files: Option<&LogFiles>, line: &Line) {
    let dropped = line.app.dropped.swap(0, Ordering::Relaxed);
    let note = format!("{dropped} lines dropped: they came faster than they could be written");
    let masked = lock(&line.app.masker)
        .mask(&line.text, Instant::now())
        .into_owned();
    let mut entries = Vec::new();
    if dropped > 0 {
        entries.push((LogLevel::Warning, None, &*note));
    }
    entries.push((line.level, line.request_id.as_deref(), &*masked));
    let mut text = String::new();
    for (level, request_id, entry) in &entries {
        put(&mut text, line, level.word(), *request_id, entry);
    }
    let stem = Stem::Connector(line.app.app_id.clone());
    if files.is_some_and(|files| files.append(&stem, &line.at, text.as_bytes())) {
        return;
    }
    for (level, request_id, entry) in entries {
        log::connector(|format| for_agent(format, line, level, request_id, entry));
    }
}

/// A line for the agent's own log, in the form that events have there.
fn for_agent(
    format: LogFormat,
    line: &Line,
    level: LogLevel,
    request_id: Option<&str>,
    text: &str,
) -> String {
    let level = match level {
        LogLevel::Debug => "DEBUG",
        LogLevel::Info => "INFO",
        LogLevel::Warning => "WARN",
        LogLevel::Error | LogLevel::Critical => "ERROR",
    };
    let at = line.at.timestamp();
    let (app_id, generation) = (&line.app.app_id, line.generation.0);
    let (text, cut) = cut(text);
    let made = match format {
        LogFormat::Text => {
            let request_id = request_id
                .map(|id| format!(" request_id={id:?}"))
                .unwrap_or_default();
            format!(
                "{at:.6} {level:>5} connector: {text}{cut} app_id={app_id} generation={generation}{request_id}"
            )
        }
        LogFormat::Json => serde_json::json!({
            "timestamp": format!("{at:.6}"),
            "level": level,
            "message": format!("{text}{cut}"),
            "app_id": app_id,
            "generation": generation,
            "request_id": request_id,
        })
        .to_string(),
    };
    let plain = match format {
        LogFormat::Text => plain::text(&made),
        LogFormat::Json => plain::json(&made),
    };
    format!("{plain}\n")
}

/// `2026-11-21T05:16:01.123+00:00 ERROR [gen 3] [request-id] text`
fn put(out: &mut String, line: &Line, level: &str, request_id: Option<&str>, text: &str) {
    use std::fmt::Write;
    let at = line.at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z");
    let _ = write!(out, "{at} {level} [gen {}] ", line.generation);
    if let Some(request_id) = request_id {
        out.push('[');
        escape(out, request_id);
        out.push_str("] ");
    }
    let (text, cut) = cut(text);
    escape(out, text);
    out.push_str(&cut);
    out.push('\n');
}

/// As much of a line as is written, and a note about the rest.
fn cut(text: &str) -> (&str, String) {
    let mut kept = text.len().min(MAX_LINE);
    while !text.is_char_boundary(kept) {
        kept -= 1;
    }
    let note = match text.len() - kept {
        0 => String::new(),
        more => format!(" … ({more} bytes cut)"),
    };
    (&text[..kept], note)
}

/// Tabs are left: they deceive nobody, and stack traces have them.
fn escape(out: &mut String, text: &str) {
    for (n, piece) in text.split('\t').enumerate() {
        if n > 0 {
            out.push('\t');
        }
        out.push_str(&plain::text(piece));
    }
}

#[cfg(test)]
mod tests;
