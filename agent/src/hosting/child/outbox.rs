//! Frames on their way to the agent.
//!
//! Whoever has a frame writes it itself if nobody else is writing and the channel takes it at once; that saves the change
//! to another thread, which is most of a small call's cost. What the channel does not take, and all large answers, go
//! through the one writer thread. Nobody but that thread ever waits for the agent.
//!
//! Bounds: log lines over [`MAX_LOG_BYTES`] waiting are dropped and counted; answers are bounded by the calls in flight.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::hosting::frames::{CHUNK_BYTES, FromHost, INITIAL_WINDOW, Outcome};
use crate::os::{self, HostWriter};

/// Bytes of log lines that may wait for the agent.
const MAX_LOG_BYTES: usize = 256 * 1024;
/// Chunks written at once, after which other frames get their turn.
const CHUNKS_AT_ONCE: usize = 4;

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
    call: u64,
    body: Arc<Vec<u8>>,
    sent: usize,
    allowed: u64,
}

impl Large {
    /// The length of the next part, if the window allows it.
    fn next(&self) -> Option<usize> {
        let part = (self.body.len() - self.sent).min(CHUNK_BYTES);
        (self.sent as u64 + part as u64 <= self.allowed).then_some(part)
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
        let body = Arc::new(body.to_vec());
        self.lock().large.push_back(Large {
            call,
            body,
            sent: 0,
            allowed: INITIAL_WINDOW,
        });
        self.work.notify_one();
    }

    /// The agent allows `bytes` more of the answer to `call`.
    pub(super) fn window(&self, call: u64, bytes: u64) {
        let mut state = self.lock();
        if let Some(large) = state.large.iter_mut().find(|large| large.call == call) {
            large.allowed = large.allowed.saturating_add(bytes);
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
            batch.append(&mut state.frames);
            state.frames = batch;
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
            } else if let Some(at) = state.large.iter().position(|large| large.next().is_some()) {
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
        self.write_all(&[&batch]);
        let mut state = self.lock();
        state.writing = false;
        state.give_back(batch);
        state
    }

    /// Writes a few chunks of the answer at `at` and puts it behind the others.
    fn write_large<'a>(&'a self, mut state: MutexGuard<'a, State>, at: usize) -> MutexGuard<'a, State> {
        state.writing = true;
        let mut large = state.large.remove(at).expect("the position was just found");
        let (call, body, mut sent) = (large.call, large.body.clone(), large.sent);
        let mut heads = [const { Vec::new() }; CHUNKS_AT_ONCE];
        let mut parts: Vec<&[u8]> = Vec::with_capacity(2 * CHUNKS_AT_ONCE);
        let mut trailing: Vec<&[u8]> = Vec::with_capacity(CHUNKS_AT_ONCE);
        for head in &mut heads {
            let Some(part) = large.next() else { break };
            let bytes = &body[large.sent..large.sent + part];
            large.sent += part;
            let frame = if large.sent == body.len() {
                FromHost::Done {
                    call,
                    outcome: Outcome::Answer,
                    bytes,
                }
            } else {
                let total = body.len() as u64;
                FromHost::Chunk { call, total, bytes }
            };
            trailing.push(frame.encode_head(head));
            sent = large.sent;
            if sent == body.len() {
                break;
            }
        }
        for (head, part) in heads.iter().zip(&trailing) {
            parts.extend([head.as_slice(), part]);
        }
        if sent < body.len() {
            // Back in the queue before the lock is given up, or a WINDOW frame would not find it.
            state.large.push_back(large);
        }
        drop(state);
        self.write_all(&parts);
        let mut state = self.lock();
        state.writing = false;
        state
    }

    fn write_all(&self, parts: &[&[u8]]) {
        let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
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
