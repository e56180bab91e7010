//! Frames on their way to a host.
//!
//! Whoever has a frame writes it itself if nobody else is writing; frames that come meanwhile are left to that writer, who
//! goes on until none is left. So a lone call costs no change of task. Where many calls are in flight, frames are left to
//! the host's writer task, which lets everyone who is ready add his before it writes them with one system call. What the
//! channel does not take at once is left to that task too. The queue is bounded by the calls in flight.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};
use tokio::sync::Notify;

use crate::hosting::frames::ToHost;
use crate::os::Outbound;

/// Bodies up to this are copied next to their header; larger ones are sent from where they lie.
const COPIED: usize = 4 * 1024;
/// Slices handed to one system call.
const SLICES: usize = 32;

pub(super) struct Wire {
    channel: Outbound,
    state: Mutex<State>,
    /// There is something for the writer task.
    left: Notify,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Segment>,
    /// Somebody is writing, or the writer task has been asked to.
    writing: bool,
    /// The channel is closed; what is sent vanishes, and the host's end says why.
    broken: bool,
}

/// When frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// By whoever sends them.
    Now,
    /// Together with what others are about to send.
    Together,
}

enum Segment {
    /// Whole frames, or heads of frames whose body follows.
    Frames(Vec<u8>, usize),
    Body(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Segment::Frames(bytes, start) => &bytes[*start..],
            Segment::Body(bytes) => bytes,
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Segment::Frames(_, start) => *start += count,
            Segment::Body(bytes) => bytes.advance(count),
        }
    }
}

impl State {
    /// The buffer at the end of the queue.
    fn tail(&mut self) -> &mut Vec<u8> {
        if !matches!(self.queue.back(), Some(Segment::Frames(..))) {
            self.queue.push_back(Segment::Frames(Vec::with_capacity(512), 0));
        }
        match self.queue.back_mut() {
            Some(Segment::Frames(bytes, _)) => bytes,
            _ => unreachable!("a buffer was just put there"),
        }
    }
}

impl Wire {
    pub(super) fn new(channel: Outbound) -> Self {
        Wire {
            channel,
            state: Mutex::default(),
            left: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a frame. Never waits.
    pub(super) fn send(&self, frame: &ToHost<'_>) {
        let mut state = self.lock();
        frame.encode(state.tail());
        self.push(state, When::Now);
    }

    /// Sends frames whose trailing bytes are parts of `body`, one after the other.
    pub(super) fn send_with_body<'a>(
        &self,
        frames: impl Iterator<Item = ToHost<'a>>,
        body: &Bytes,
        when: When,
    ) {
        let mut state = self.lock();
        let mut sent = 0;
        for frame in frames {
            let trailing = frame.encode_head(state.tail());
            if trailing.len() <= COPIED {
                state.tail().extend_from_slice(trailing);
            } else {
                state
                    .queue
                    .push_back(Segment::Body(body.slice(sent..sent + trailing.len())));
            }
            sent += trailing.len();
        }
        self.push(state, when);
    }

    fn push<'a>(&'a self, mut state: MutexGuard<'a, State>, when: When) {
        if state.broken {
            state.queue.clear();
        } else if !state.writing {
            state.writing = true;
            match when {
                When::Now => self.write(state),
                When::Together => self.left.notify_one(),
            }
        }
    }

    /// Writes until nothing is left, or the channel takes no more.
    fn write<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        while !state.queue.is_empty() {
            let mut batch = std::mem::take(&mut state.queue);
            drop(state);
            let outcome = self.write_batch(&mut batch);
            state = self.lock();
            while let Some(segment) = batch.pop_back() {
                state.queue.push_front(segment);
            }
            match outcome {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // `writing` stays set: the writer task has it now.
                    self.left.notify_one();
                    return;
                }
                Err(_) => {
                    state.broken = true;
                    state.queue.clear();
                }
            }
        }
        state.writing = false;
    }

    fn write_batch(&self, batch: &mut VecDeque<Segment>) -> std::io::Result<()> {
        while !batch.is_empty() {
            let slices: Vec<_> = batch
                .iter()
                .take(SLICES)
                .map(|part| IoSlice::new(part.bytes()))
                .collect();
            let mut written = self.channel.try_write(&slices)?;
            drop(slices);
            while let Some(front) = batch.front_mut() {
                let length = front.bytes().len();
                if written < length {
                    front.advance(written);
                    break;
                }
                written -= length;
                batch.pop_front();
            }
        }
        Ok(())
    }

    /// The writer task: writes what was left to it.
    pub(super) async fn write_what_is_left(&self) {
        loop {
            self.left.notified().await;
            // Lets whoever is ready to run add his frames first.
            tokio::task::yield_now().await;
            if self.channel.writable().await.is_err() {
                self.lock().broken = true;
                return;
            }
            self.write(self.lock());
        }
    }
}
