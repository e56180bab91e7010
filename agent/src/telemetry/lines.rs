//! The agent's log lines on their way to standard error and to the file of the day.
//!
//! A line for every request would cost a system call each, and whoever reads the other end slowly would hold up calls. So
//! lines are collected, and one thread writes what has come together: at once when there was silence, otherwise every few
//! milliseconds. A warning or an error is written to standard error before its caller goes on, with all that came before it;
//! files are only ever written by that thread. What does not fit is dropped and counted, and the count is written.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Zoned;

use super::console::Console;
use super::files::{LogFiles, Stem};

/// Bytes that may wait.
const MOST: usize = 4 << 20;
/// The pause after which lines are written that came during the last writing.
const PAUSE: Duration = Duration::from_millis(5);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    some: Condvar,
    /// Held while lines are taken and written, so that they stay in order.
    console: Mutex<Console>,
    /// What standard error has and the file has not.
    unfiled: Mutex<Waiting>,
    /// Held while the file is written, so that lines stay in order there, too. Nothing else is locked meanwhile but `unfiled`.
    files: Mutex<Option<LogFiles>>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
}

impl Waiting {
    /// Whether they are the first.
    fn push(&mut self, lines: &[u8]) -> bool {
        let first = self.lines.is_empty();
        if self.lines.len() + lines.len() > MOST {
            self.dropped += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            return false;
        }
        self.lines.extend_from_slice(lines);
        first
    }

    /// All that waits, and a line about what does not.
    fn take(&mut self) -> Vec<u8> {
        let mut lines = std::mem::take(&mut self.lines);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let note = format!("{dropped} lines were dropped: they came faster than they could be written\n");
            lines.extend_from_slice(note.as_bytes());
        }
        lines
    }
}

/// Takes one event.
pub(super) struct Line<'a> {
    lines: &'a Lines,
    urgent: bool,
}

impl Lines {
    /// Starts the thread that writes. Where it cannot be started, lines wait for the next urgent one.
    pub(super) fn to(console: Console, files: Option<LogFiles>) -> Self {
        let lines = Lines(Arc::new(Shared {
            waiting: Mutex::default(),
            some: Condvar::new(),
            console: Mutex::new(console),
            unfiled: Mutex::default(),
            files: Mutex::new(files),
        }));
        let writer = lines.clone();
        let _ = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || writer.write_for_ever());
        lines
    }

    /// For one line; an urgent one is written before [`Line::write`] returns.
    pub(super) fn line(&self, urgent: bool) -> Line<'_> {
        Line { lines: self, urgent }
    }

    /// Writes everywhere what waits. Blocks.
    pub(super) fn flush(&self) {
        self.show();
        self.file();
    }

    /// Writes to standard error what waits.
    fn show(&self) {
        let mut console = lock(&self.0.console);
        let lines = lock(&self.0.waiting).take();
        if !lines.is_empty() {
            console.write(&lines);
            lock(&self.0.unfiled).push(&lines);
        }
    }

    /// Writes to the file what standard error has.
    fn file(&self) {
        let mut files = lock(&self.0.files);
        let lines = lock(&self.0.unfiled).take();
        if let Some(files) = files.as_mut().filter(|_| !lines.is_empty()) {
            files.append(&Stem::Agent, &Zoned::now(), &lines);
        }
    }

    fn write_for_ever(&self) {
        loop {
            let waiting = lock(&self.0.waiting);
            // An urgent line leaves nothing to show, but something to file.
            let idle =
                |waiting: &mut Waiting| waiting.lines.is_empty() && lock(&self.0.unfiled).lines.is_empty();
            drop(
                self.0
                    .some
                    .wait_while(waiting, idle)
                    .unwrap_or_else(PoisonError::into_inner),
            );
            self.flush();
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes whole lines.
    pub(super) fn push(&self, line: &[u8]) {
        let first = lock(&self.0.waiting).push(line);
        if first {
            self.0.some.notify_one();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.push(line);
        if self.urgent {
            self.lines.show();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(kept: &Kept) -> Lines {
        Lines::to(Console::to(kept.clone(), false), None)
    }

    #[test]
    fn lines_are_written_in_order_and_an_urgent_one_at_once() {
        let kept = Kept::default();
        let lines = lines(&kept);
        for n in 0..1000 {
            lines.line(false).write_all(format!("{n}\n").as_bytes()).unwrap();
        }
        lines.line(true).write_all(b"urgent\n").unwrap();
        let text = String::from_utf8(lock(&kept.0).clone()).unwrap();
        let expected: String = (0..1000).map(|n| format!("{n}\n")).collect();
        assert_eq!(text, expected + "urgent\n");
    }

    #[test]
    fn a_line_after_silence_is_written_by_itself() {
        let kept = Kept::default();
        let lines = lines(&kept);
        lines.line(false).write_all(b"alone\n").unwrap();
        while lock(&kept.0).is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_file_gets_what_standard_error_gets_in_the_same_order() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::default();
        let files = LogFiles::scratch(dir.path());
        let lines = Lines::to(Console::to(kept.clone(), false), Some(files));
        for n in 0..1000 {
            let urgent = n % 7 == 0;
            lines.line(urgent).write_all(format!("{n}\n").as_bytes()).unwrap();
        }
        lines.flush();
        let name = format!("lumos-agent.{}.log", Zoned::now().date());
        let filed = std::fs::read(dir.path().join(name)).unwrap();
        assert_eq!(filed, *lock(&kept.0));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let kept = Kept::default();
        let lines = lines(&kept);
        // Nothing is written meanwhile.
        let console = lock(&lines.0.console);
        let mut long = vec![b'x'; MOST / 2];
        long.push(b'\n');
        for _ in 0..5 {
            lines.line(false).write_all(&long).unwrap();
        }
        drop(console);
        lines.flush();
        let text = String::from_utf8(lock(&kept.0).clone()).unwrap();
        let whole = text.matches('x').count() / (long.len() - 1);
        assert!(whole >= 1 && text.contains(&format!("{} lines were dropped", 5 - whole)));
    }
}
