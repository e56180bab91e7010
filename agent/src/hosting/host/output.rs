//! What a connector prints: its standard output and error as lines of its log.

use tokio_util::sync::CancellationToken;

use crate::config::model::LogLevel;
use crate::os::Output;
use crate::telemetry::connector_log::ConnectorLog;

/// Longest line that is kept; the rest of it is dropped before anything is written, so that no secret is cut in two and
/// missed.
const MAX_LINE: usize = 64 * 1024;
/// Bytes read after the host's end: a process that it left behind may hold the pipe and write for ever.
const LAST_WORDS: usize = 1024 * 1024;

/// Puts lines together from what a pipe delivers.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    cut: usize,
}

impl Lines {
    /// Takes bytes and hands on every line that they complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.append(&bytes[..end]);
            self.end(&mut each);
            bytes = &bytes[end + 1..];
        }
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.line.len();
        let kept = bytes.len().min(room);
        self.line.extend_from_slice(&bytes[..kept]);
        self.cut += bytes.len() - kept;
    }

    /// Hands on what there is.
    pub(super) fn end(&mut self, mut each: impl FnMut(&str)) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        if !line.is_empty() {
            each(&String::from_utf8_lossy(line));
        }
        self.line.clear();
        self.cut = 0;
    }
}

/// Reads both pipes until they end or the host has.
pub(super) async fn read(
    stdout: Output,
    stderr: Output,
    log: Option<ConnectorLog>,
    exited: CancellationToken,
) {
    let to = |level, name: &'static str| {
        let log = log.clone();
        move |line: &str| {
            if let Some(log) = &log {
                log.line(level, None, &format!("[{name}] {line}"));
            }
        }
    };
    tokio::join!(
        read_one(stdout, to(LogLevel::Info, "stdout"), &exited),
        // A last message before a crash is what people look for at the default level.
        read_one(stderr, to(LogLevel::Error, "stderr"), &exited),
    );
}

async fn read_one(mut pipe: Output, mut each: impl FnMut(&str), exited: &CancellationToken) {
    let mut lines = Lines::default();
    let mut buffer = vec![0; 8 * 1024];
    loop {
        tokio::select! {
            read = pipe.read(&mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => lines.push(&buffer[..count], &mut each),
            },
            () = exited.cancelled() => {
                let mut left = LAST_WORDS;
                while let Ok(count @ 1..) = pipe.try_read(&mut buffer) {
                    lines.push(&buffer[..count], &mut each);
                    left = left.saturating_sub(count);
                    if left == 0 {
                        break;
                    }
                }
                break;
            }
        }
        // A connector that prints without end must not keep the thread from others.
        tokio::task::coop::consume_budget().await;
    }
    lines.end(&mut each);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_from_any_pieces() {
        let text = b"one\r\ntwo\n\nthree \xff\nrest";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut got = Vec::new();
            for piece in text.chunks(size) {
                lines.push(piece, |line| got.push(line.to_owned()));
            }
            lines.end(|line| got.push(line.to_owned()));
            assert_eq!(got, ["one", "two", "three \u{fffd}", "rest"]);
        }
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        for _ in 0..100 {
            lines.push(&[b'x'; 10_000], |line| got.push(line.len()));
        }
        lines.push(b"\nnext\n", |line| got.push(line.len()));
        assert_eq!(got, [MAX_LINE, 4]);
    }
}
