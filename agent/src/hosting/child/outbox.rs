//! Frames on their way to the agent.
//!
//! Whoever has a frame writes it itself if nobody else is writing and the channel takes it at once; that saves the change
//! to another thread, which is most of a small call's cost. What the channel does not take goes through the one writer
//! thread. Nobody but that thread ever waits for the agent.
//!
//! Bounds: log lines over [`MAX_LOG_BYTES`] waiting are dropped and counted; answers are bounded by the calls in flight.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::stretch::{Progress, Stretch};
use crate::hosting::frames::{CHUNK_BYTES, FromHost, INITIAL_WINDOW, Outcome};
use crate::os::{self, HostWriter};

/// Bytes of log lines that may wait for the agent.
const MAX_LOG_BYTES: usize = 256 * 1024;
/// Chunks written at once, after which other frames get their turn.
const CHUNKS_AT_ONCE: usize = 4;
/// Chunks offered to the channel without waiting for it.
const CHUNKS_WITHOUT_WAITING: usize = 8;

pub(super) struct Outbox {
    channel: HostWriter,
    state: Mutex<State>,
    /// The writer thread has something to do.
    work: Condvar,
    /// Everything is written.
    idle: Condvar,
}

#[derive(Default)]
struct State {
    /// Complete frames, oldest first.
    frames: Vec<u8>,
    /// An empty buffer to exchange for `frames`.
    spare: Vec<u8>,
    /// Large answers, in turns.
    large: VecDeque<Large>,
    /// Somebody is writing.
    writing: bool,
    /// Bytes of log lines in `frames`.
    log_bytes: usize,
    /// Log lines dropped since the last one that was not.
    dropped: u32,
}

struct Large {
    progress: Progress,
    /// What had to be kept of the answer: all from `kept_from` on.
    rest: Arc<Vec<u8>>,
    kept_from: u64,
}

impl Large {
    fn unsent(&self) -> usize {
        usize::try_from(self.progress.sent - self.kept_from).expect("no more than was kept")
    }
}

impl Outbox {
    /// Without its writer thread: a host has one thread until it is confined. What the channel takes at once, as it does a
    /// few small frames, goes out all the same.
    pub(super) fn new(channel: HostWriter) -> Arc<Self> {
        Arc::new(Outbox {
            channel,
            state: Mutex::default(),
            work: Condvar::new(),
            idle: Condvar::new(),
        })
    }

    /// Starts the writer thread.
    pub(super) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let writer = self.clone();
        std::thread::Builder::new()
            .name("lumos-writer".into())
            .stack_size(128 * 1024)
            .spawn(move || writer.write_for_ever())?;
        self.channel.attend();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a small frame.
    pub(super) fn send(&self, frame: &FromHost<'_>) {
        let mut state = self.lock();
        frame.encode(&mut state.frames);
        self.push(state);
    }

    /// Sends a log line, or drops it if too many wait.
    pub(super) fn log(&self, call: u64, level: i32, text: &[u8]) {
        let mut state = self.lock();
        if state.log_bytes > MAX_LOG_BYTES {
            state.dropped = state.dropped.saturating_add(1);
            return;
        }
        state.log_bytes += text.len() + 64;
        let dropped = std::mem::take(&mut state.dropped);
        let frame = FromHost::Log {
            call,
            level,
            dropped,
            text,
        };
        frame.encode(&mut state.frames);
        self.push(state);
    }

    /// Sends an answer, in parts if it is large.
    pub(super) fn answer(&self, call: u64, body: &[u8]) {
        if body.len() <= CHUNK_BYTES {
            self.send(&FromHost::Done {
                call,
                outcome: Outcome::Answer,
                bytes: body,
            });
            return;
        }
        let mut state = self.lock();
        let mut progress = Progress {
            call,
            total: body.len() as u64,
            sent: 0,
            allowed: INITIAL_WINDOW,
        };
        // A larger one must stand in the queue from the start, or a WINDOW frame would not find it.
        let at_once = progress.total <= INITIAL_WINDOW;
        if at_once && !state.writing && state.frames.is_empty() && state.large.is_empty() {
            state.writing = true;
            drop(state);
            let (begun, rest) = self.write_now(progress, body);
            progress.sent = begun as u64;
            state = self.lock();
            state.writing = false;
            state.put_first(rest);
        }
        let sent = usize::try_from(progress.sent).expect("part of what lies in memory");
        if sent < body.len() {
            state.large.push_back(Large {
                progress,
                rest: Arc::new(body[sent..].to_vec()),
                kept_from: progress.sent,
            });
        }
        if state.frames.is_empty() && state.large.is_empty() {
            self.idle.notify_all();
        } else {
            self.work.notify_one();
        }
    }

    /// Writes what the channel takes at once: the bytes of the answer that have been begun, and what has to follow them.
    fn write_now(&self, progress: Progress, body: &[u8]) -> (usize, Vec<u8>) {
        let stretch = Stretch::of(progress, body, CHUNKS_WITHOUT_WAITING);
        match self.channel.try_write(&stretch.slices()) {
            Ok(written) => stretch.after(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => (0, Vec::new()),
            Err(_) => lost(),
        }
    }

    /// The agent allows `bytes` more of the answer to `call`.
    pub(super) fn window(&self, call: u64, bytes: u64) {
        let mut state = self.lock();
        if let Some(large) = state.large.iter_mut().find(|large| large.progress.call == call) {
            let progress = &mut large.progress;
            progress.allowed = progress.allowed.saturating_add(bytes);
            self.work.notify_one();
        }
    }

    /// Waits until everything is written.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        while state.writing || !state.frames.is_empty() || !state.large.is_empty() {
            state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes what has just been queued, unless somebody else is at it.
    fn push(&self, mut state: MutexGuard<'_, State>) {
        if state.writing {
            return;
        }
        state.writing = true;
        let mut batch = state.take_frames();
        drop(state);
        let written = match self.channel.try_write(&[IoSlice::new(&batch)]) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => lost(),
        };
        let mut state = self.lock();
        state.writing = false;
        if written < batch.len() {
            batch.drain(..written);
            state.put_first(batch);
        } else {
            state.give_back(batch);
        }
        if state.frames.is_empty() && state.large.is_empty() {
            self.idle.notify_all();
        } else {
            self.work.notify_one();
        }
    }

    fn write_for_ever(&self) {
        let mut state = self.lock();
        loop {
            if state.writing {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if !state.frames.is_empty() {
                state = self.write_frames(state);
            } else if let Some(at) = state.large.iter().position(|large| large.progress.may_go_on()) {
                state = self.write_large(state, at);
            } else {
                if state.large.is_empty() {
                    self.idle.notify_all();
                }
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn write_frames<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writing = true;
        let batch = state.take_frames();
        drop(state);
        self.write_all(vec![IoSlice::new(&batch)]);
        let mut state = self.lock();
        state.writing = false;
        state.give_back(batch);
        state
    }

    /// Writes a few chunks of the answer at `at` and puts it behind the others.
    fn write_large<'a>(&'a self, mut state: MutexGuard<'a, State>, at: usize) -> MutexGuard<'a, State> {
        state.writing = true;
        let mut large = state.large.remove(at).expect("the position was just found");
        let rest = large.rest.clone();
        let stretch = Stretch::of(large.progress, &rest[large.unsent()..], CHUNKS_AT_ONCE);
        large.progress.sent += stretch.length() as u64;
        if large.progress.sent < large.progress.total {
            // Back in the queue before the lock is given up, or a WINDOW frame would not find it.
            state.large.push_back(large);
        }
        drop(state);
        self.write_all(stretch.slices());
        let mut state = self.lock();
        state.writing = false;
        state
    }

    fn write_all(&self, mut slices: Vec<IoSlice<'_>>) {
        let mut left = &mut slices[..];
        while !left.is_empty() {
            match self.channel.write(left) {
                Ok(0) | Err(_) => lost(),
                Ok(count) => IoSlice::advance_slices(&mut left, count),
            }
        }
    }
}

impl State {
    /// What was begun goes on before anything else.
    fn put_first(&mut self, mut bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        bytes.append(&mut self.frames);
        self.frames = bytes;
    }

    fn take_frames(&mut self) -> Vec<u8> {
        self.log_bytes = 0;
        let spare = std::mem::take(&mut self.spare);
        std::mem::replace(&mut self.frames, spare)
    }

    fn give_back(&mut self, mut batch: Vec<u8>) {
        batch.clear();
        if batch.capacity() <= 2 * CHUNK_BYTES {
            self.spare = batch;
        }
    }
}

/// The agent is gone, or the connector has closed the channel: nothing that this process does can be of use any more.
fn lost() -> ! {
    os::exit_now(super::EXIT_LOST)
}
