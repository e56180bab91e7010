//! The calls that a host has and that have not ended: their answers as they arrive.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::hosting::HostCallError;
use crate::hosting::frames::{INITIAL_WINDOW, Outcome};
use crate::telemetry::connector_log::SecretGuard;

/// Where a call's outcome goes.
pub(super) type Reply = oneshot::Sender<Result<Bytes, HostCallError>>;

/// What happens to calls that are not open: the host is killed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum AnswerError {
    #[error("an answer to call {0}, which is not open")]
    Unknown(u64),
    #[error("call {0} has more answer than was announced or allowed")]
    Overrun(u64),
    #[error("call {0} ended before its answer was complete")]
    Incomplete(u64),
    #[error("call {0} changed the length of its answer")]
    Changed(u64),
}

/// Ids are counted up; hashing them needs no defence.
#[derive(Default)]
pub(in crate::hosting) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only ids are hashed");
    }

    fn write_u64(&mut self, id: u64) {
        // Fibonacci hashing: the map looks at the upper bits.
        self.0 = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[derive(Default)]
pub(super) struct OpenCalls {
    open: HashMap<u64, OpenCall, BuildHasherDefault<IdHasher>>,
    last_id: u64,
}

pub(super) struct OpenCall {
    pub(super) reply: Reply,
    pub(super) request_id: Arc<str>,
    pub(super) secrets: Option<SecretGuard>,
    partial: Option<Partial>,
    /// It overstayed its time and its cancellation.
    overdue: bool,
}

struct Partial {
    total: u64,
    allowed: u64,
    bytes: Vec<u8>,
    received: u64,
    permit: Option<OwnedSemaphorePermit>,
    /// Nobody will read it: count, do not keep.
    discard: bool,
    /// It would never fit the budget of this many bytes.
    over: Option<u64>,
}

/// What the reader has to do about the first part of a large answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// Nothing: it is not the first.
    Already,
    /// Make room for an answer of so many bytes.
    Room(u64),
}

impl OpenCalls {
    /// Adds a call and returns its id. The first ones are below those of `create`.
    pub(super) fn add(&mut self, reply: Reply, request_id: Arc<str>, secrets: Option<SecretGuard>) -> u64 {
        self.last_id = self.last_id.max(crate::hosting::library::CREATE_CALL) + 1;
        let call = OpenCall {
            reply,
            request_id,
            secrets,
            partial: None,
            overdue: false,
        };
        self.open.insert(self.last_id, call);
        self.last_id
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The call will not end by itself, if it has not ended.
    pub(super) fn overdue(&mut self, call: u64) {
        if let Some(open) = self.open.get_mut(&call) {
            open.overdue = true;
        }
    }

    /// Whether there are calls, and none that may end by itself.
    pub(super) fn all_overdue(&self) -> bool {
        !self.open.is_empty() && self.open.values().all(|open| open.overdue)
    }

    /// How many there have been.
    pub(super) fn begun(&self) -> u64 {
        self.last_id
    }

    pub(super) fn request_id(&self, call: u64) -> Option<Arc<str>> {
        self.open.get(&call).map(|open| open.request_id.clone())
    }

    /// Takes part of a large answer.
    pub(super) fn chunk(&mut self, call: u64, total: u64, bytes: &[u8]) -> Result<Begun, AnswerError> {
        let open = self.open.get_mut(&call).ok_or(AnswerError::Unknown(call))?;
        let begun = match &open.partial {
            Some(_) => Begun::Already,
            None => Begun::Room(total),
        };
        let discard = open.reply.is_closed();
        let partial = open.partial.get_or_insert_with(|| Partial {
            total,
            allowed: INITIAL_WINDOW.min(total),
            bytes: Vec::new(),
            received: 0,
            permit: None,
            discard,
            over: None,
        });
        if partial.total != total {
            return Err(AnswerError::Changed(call));
        }
        partial.take(call, bytes)?;
        Ok(begun)
    }

    /// There is room for a large answer, or none is needed: returns the bytes that the host may now send more, if any.
    pub(super) fn room(&mut self, call: u64, room: Room) -> Option<u64> {
        let partial = self.open.get_mut(&call)?.partial.as_mut()?;
        match room {
            Room::Reserved(permit) => {
                partial.permit = Some(permit);
                let missing = partial.total - partial.received;
                partial.bytes.reserve_exact(usize::try_from(missing).ok()?);
            }
            Room::Never(limit) => {
                partial.over = Some(limit);
                partial.discard = true;
                partial.bytes = Vec::new();
            }
        }
        let more = partial.total - partial.allowed;
        partial.allowed = partial.total;
        (more > 0).then_some(more)
    }

    /// Ends a call: returns it with its outcome, for delivery when the lock is released.
    pub(super) fn done(
        &mut self,
        call: u64,
        outcome: Outcome,
        bytes: &[u8],
        max_response_bytes: u64,
    ) -> Result<(OpenCall, Result<Bytes, HostCallError>), AnswerError> {
        let mut open = self.open.remove(&call).ok_or(AnswerError::Unknown(call))?;
        let result = match (outcome, open.partial.take()) {
            (Outcome::Answer, None) => Ok(Bytes::copy_from_slice(bytes)),
            (Outcome::Answer, Some(partial)) => partial.end(call, bytes)?,
            (Outcome::Invalid, _) => Err(HostCallError::InvalidAnswer(
                String::from_utf8_lossy(bytes).into_owned(),
            )),
            (Outcome::TooLarge, _) => Err(HostCallError::TooLarge(max_response_bytes)),
        };
        Ok((open, result))
    }

    /// All calls, which end with the host.
    pub(super) fn take_all(&mut self) -> Vec<OpenCall> {
        self.open.drain().map(|(_, open)| open).collect()
    }
}

/// Whether the budget of held answers has room.
pub(super) enum Room {
    Reserved(OwnedSemaphorePermit),
    /// The answer is larger than the whole budget, which is this.
    Never(u64),
}

impl Partial {
    fn take(&mut self, call: u64, bytes: &[u8]) -> Result<(), AnswerError> {
        self.received += bytes.len() as u64;
        if self.received > self.allowed {
            return Err(AnswerError::Overrun(call));
        }
        if !self.discard {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(mut self, call: u64, bytes: &[u8]) -> Result<Result<Bytes, HostCallError>, AnswerError> {
        self.take(call, bytes)?;
        if self.received != self.total {
            return Err(AnswerError::Incomplete(call));
        }
        if let Some(limit) = self.over {
            return Ok(Err(HostCallError::TooLarge(limit)));
        }
        Ok(Ok(Bytes::from_owner(Held {
            bytes: self.bytes,
            _permit: self.permit,
        })))
    }
}

/// An answer that counts against the budget until its last copy is dropped.
pub(in crate::hosting) struct Held {
    pub(in crate::hosting) bytes: Vec<u8>,
    pub(in crate::hosting) _permit: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    fn one(calls: &mut OpenCalls) -> (u64, oneshot::Receiver<Result<Bytes, HostCallError>>) {
        let (reply, answer) = oneshot::channel();
        (calls.add(reply, "r".into(), None), answer)
    }

    #[test]
    fn an_answer_in_parts_is_put_together_and_holds_its_permit() {
        let budget = Arc::new(Semaphore::new(10));
        let mut calls = OpenCalls::default();
        let (call, _answer) = one(&mut calls);
        assert_eq!(calls.chunk(call, 6, b"ab"), Ok(Begun::Room(6)));
        let permit = budget.clone().try_acquire_many_owned(6).unwrap();
        assert_eq!(calls.room(call, Room::Reserved(permit)), None);
        assert_eq!(calls.chunk(call, 6, b"cd"), Ok(Begun::Already));
        let (_, result) = calls.done(call, Outcome::Answer, b"ef", 100).unwrap();
        let bytes = result.unwrap();
        assert_eq!(bytes, "abcdef");
        assert_eq!(budget.available_permits(), 4);
        drop(bytes);
        assert_eq!(budget.available_permits(), 10);
        assert_eq!(calls.len(), 0);
    }

    #[test]
    fn more_than_the_window_needs_room() {
        let mut calls = OpenCalls::default();
        let (call, _answer) = one(&mut calls);
        let total = INITIAL_WINDOW + 10;
        let part = vec![0; usize::try_from(INITIAL_WINDOW).unwrap()];
        assert_eq!(calls.chunk(call, total, &part), Ok(Begun::Room(total)));
        assert_eq!(calls.chunk(call, total, b"x"), Err(AnswerError::Overrun(call)));
        let (call, _answer) = one(&mut calls);
        assert_eq!(calls.chunk(call, total, &part), Ok(Begun::Room(total)));
        assert_eq!(calls.room(call, Room::Never(5)), Some(10));
        let (_, result) = calls.done(call, Outcome::Answer, &[0; 10], 100).unwrap();
        assert_eq!(result, Err(HostCallError::TooLarge(5)));
    }

    #[test]
    fn an_overdue_call_counts_only_while_it_is_open_and_alone() {
        let mut calls = OpenCalls::default();
        assert!(!calls.all_overdue());
        let (stuck, _answer) = one(&mut calls);
        let (sibling, _answer) = one(&mut calls);
        calls.overdue(stuck);
        assert!(!calls.all_overdue());
        drop(calls.done(sibling, Outcome::Answer, b"", 1).unwrap());
        assert!(calls.all_overdue());
        drop(calls.done(stuck, Outcome::Answer, b"", 1).unwrap());
        calls.overdue(stuck);
        assert!(!calls.all_overdue());
    }

    #[test]
    fn what_a_host_must_not_do() {
        let mut calls = OpenCalls::default();
        assert_eq!(calls.chunk(9, 5, b""), Err(AnswerError::Unknown(9)));
        assert!(calls.done(9, Outcome::Answer, b"", 1).is_err());
        let (call, _answer) = one(&mut calls);
        calls.chunk(call, 5, b"ab").unwrap();
        assert_eq!(calls.chunk(call, 6, b"c"), Err(AnswerError::Changed(call)));
        assert!(matches!(
            calls.done(call, Outcome::Answer, b"c", 9),
            Err(AnswerError::Incomplete(_))
        ));
    }
}
