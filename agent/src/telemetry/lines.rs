//! The agent's log lines on their way to standard error.
//!
//! A line for every request would cost a system call each, and whoever reads the other end slowly would hold up calls. So
//! lines are collected, and one thread writes what has come together: at once when there was silence, otherwise every few
//! milliseconds. A warning or an error is written before its caller goes on, with all that came before it. What does not
//! fit is dropped and counted, and the count is written.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    out: Mutex<Box<dyn Write + Send>>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
}

/// Takes one event.
pub(super) struct Line<'a> {
    lines: &'a Lines,
    urgent: bool,
}

impl Lines {
    /// Starts the thread that writes to `out`. Where it cannot be started, lines wait for the next urgent one.
    pub(super) fn to(out: impl Write + Send + 'static) -> Self {
        let lines = Lines(Arc::new(Shared {
            waiting: Mutex::default(),
            some: Condvar::new(),
            out: Mutex::new(Box::new(out)),
        }));
        let writer = lines.clone();
        let _ = std::thread::Builder::new()
            .name("log".into())
            .stack_size(128 * 1024)
            .spawn(move || writer.write_for_ever());
        lines
    }

    /// For one line; an urgent one is written before [`Line::write`] returns.
    pub(super) fn line(&self, urgent: bool) -> Line<'_> {
        Line { lines: self, urgent }
    }

    /// Writes what waits. Blocks.
    pub(super) fn flush(&self) {
        let mut out = lock(&self.0.out);
        let (lines, dropped) = {
            let mut waiting = lock(&self.0.waiting);
            (
                std::mem::take(&mut waiting.lines),
                std::mem::take(&mut waiting.dropped),
            )
        };
        // There is nowhere to tell that the log cannot be written.
        let _ = out.write_all(&lines);
        if dropped > 0 {
            let _ = writeln!(
                out,
                "{dropped} lines were dropped: they came faster than they could be written"
            );
        }
        let _ = out.flush();
    }

    fn write_for_ever(&self) {
        loop {
            let idle = |waiting: &mut Waiting| waiting.lines.is_empty();
            let waiting = lock(&self.0.waiting);
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
        let mut waiting = lock(&self.0.waiting);
        if waiting.lines.len() + line.len() > MOST {
            waiting.dropped += 1;
            return;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
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
            self.lines.flush();
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

    #[test]
    fn lines_are_written_in_order_and_an_urgent_one_at_once() {
        let kept = Kept::default();
        let lines = Lines::to(kept.clone());
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
        let lines = Lines::to(kept.clone());
        lines.line(false).write_all(b"alone\n").unwrap();
        while lock(&kept.0).is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let kept = Kept::default();
        let lines = Lines::to(kept.clone());
        // Nothing is written meanwhile.
        let out = lock(&lines.0.out);
        let long = vec![b'x'; MOST / 2];
        for _ in 0..5 {
            lines.line(false).write_all(&long).unwrap();
        }
        drop(out);
        lines.flush();
        let text = String::from_utf8(lock(&kept.0).clone()).unwrap();
        let whole = text.matches('x').count() / long.len();
        assert!(whole >= 2 && text.contains(&format!("{} lines were dropped", 5 - whole)));
    }
}
