//! The agent's own log: lines on standard error and in files, as text or as JSON, at a level that can change while it runs.

use std::io::{self, Write};
use std::sync::OnceLock;

use jiff::Timestamp;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

use super::console::Console;
use super::files::LogFiles;
use super::lines::{Line, Lines};
use super::plain;
use super::request_line::RequestLine;
use crate::config::model::{LogFormat, LogLevel};

/// The lines of this process, once its log is set up.
static LINES: OnceLock<Lines> = OnceLock::new();
/// Their form.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Changes the level of a log that was set up. Cheap to clone.
#[derive(Clone)]
pub struct LogHandle(reload::Handle<LevelFilter, Registry>);

impl LogHandle {
    /// From now on, lines below `level` are dropped.
    pub fn set_level(&self, level: LogLevel) {
        // Fails only once the subscriber is gone, and then nobody logs.
        let _ = self.0.reload(filter(level));
    }
}

/// Sets up the log of this process, on standard error and in `files`. Later calls have no effect on it.
#[must_use]
pub fn init(level: LogLevel, format: LogFormat, files: Option<LogFiles>) -> LogHandle {
    let _ = FORMAT.set(format);
    LINES.get_or_init(|| Lines::to(Console::stderr(), files));
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = match format {
        LogFormat::Text => fmt::layer()
            .with_ansi(false)
            .with_target(false)
            .with_writer(Events)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_writer(Events)
            .boxed(),
    };
    // A second subscriber is refused; the first goes on.
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    #[cfg(windows)]
    let subscriber = subscriber.with(super::event_log::layer());
    let _ = subscriber.try_init();
    LogHandle(handle)
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Critical => LevelFilter::ERROR,
    }
}

/// Logs a request, at INFO.
pub(crate) fn request(line: &RequestLine<'_>) {
    let Some(format) = FORMAT.get().filter(|_| tracing::enabled!(tracing::Level::INFO)) else {
        return;
    };
    lines().push(line.formatted(*format, Timestamp::now()).as_bytes());
}

/// Takes a line of a connector that can go to no file; `line` makes it in the form asked for.
pub(super) fn connector(line: impl FnOnce(LogFormat) -> String) {
    let format = FORMAT.get().copied().unwrap_or(LogFormat::Text);
    lines().push(line(format).as_bytes());
}

/// Writes what was logged and has not been written yet. For the end of the process.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
    #[cfg(windows)]
    super::event_log::flush();
}

fn lines() -> &'static Lines {
    LINES.get_or_init(|| Lines::to(Console::stderr(), None))
}

/// Where events go.
struct Events;

impl<'a> MakeWriter<'a> for Events {
    type Writer = OneLine<Line<'a>>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine::new(lines().line(true))
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        OneLine::new(lines().line(*meta.level() <= tracing::Level::WARN))
    }
}

/// Takes one event at a time and writes it as one line that is what it seems to be, whoever chose the texts in it.
struct OneLine<W> {
    out: W,
    format: LogFormat,
}

impl<W> OneLine<W> {
    fn new(out: W) -> Self {
        let format = FORMAT.get().copied().unwrap_or(LogFormat::Text);
        OneLine { out, format }
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let plain = match self.format {
            LogFormat::Text => plain::text(line),
            LogFormat::Json => plain::json(line),
        };
        if let (std::borrow::Cow::Borrowed(_), true) = (&plain, event.ends_with(b"\n")) {
            self.out.write_all(event)?;
        } else {
            self.out.write_all((plain.into_owned() + "\n").as_bytes())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
