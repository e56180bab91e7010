//! The agent's own log: lines on standard error, as text or as JSON, at a level that can change while it runs.

use std::io::{self, Write};
use std::sync::OnceLock;

use jiff::Timestamp;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

use super::lines::{Line, Lines};
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

/// Sets up the log of this process. Later calls have no effect on it.
#[must_use]
pub fn init(level: LogLevel, format: LogFormat) -> LogHandle {
    let _ = FORMAT.set(format);
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

/// Writes what was logged and has not been written yet. For the end of the process.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
    #[cfg(windows)]
    super::event_log::flush();
}

fn lines() -> &'static Lines {
    LINES.get_or_init(|| Lines::to(io::stderr()))
}

/// Where events go.
struct Events;

impl<'a> MakeWriter<'a> for Events {
    type Writer = OneLine<Line<'a>>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine(lines().line(true))
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        OneLine(lines().line(*meta.level() <= tracing::Level::WARN))
    }
}

/// Takes one event at a time and writes it as one line: control characters in it, which somebody else may have chosen,
/// are escaped, so that they neither forge a line nor steer a terminal.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        if !line.contains(char::is_control) {
            self.0.write_all(event)?;
            return Ok(event.len());
        }
        let mut escaped = String::with_capacity(line.len() + 16);
        for c in line.chars() {
            if c.is_control() {
                escaped.extend(c.escape_default());
            } else {
                escaped.push(c);
            }
        }
        escaped.push('\n');
        self.0.write_all(escaped.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_without_control_characters() {
        let mut out = Vec::new();
        OneLine(&mut out).write_all(b"a\nb \x1b[31mred\x1b[0m\n").unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a\\nb \\u{1b}[31mred\\u{1b}[0m\n"
        );
    }
}
