//! The slots of one generation, and the queue before them: fair between callers.
//!
//! While nobody waits, taking and giving back a slot is one atomic operation each. As soon as somebody waits, slots are
//! handed on, one caller after the other, and within a caller in the order of arrival:
//!
//! ```text
//!   caller a │ 1 2 3 4 5 …         served: a1 b1 c1 a2 b2 a3 a4 …
//!   caller b │ 1 2
//!   caller c │ 1
//! ```
//!
//! The queue as a whole is bounded. When it is full, a caller who has less in it than the greediest takes the place of that
//! one's newest call, so that a caller within his share (the queue's length by the number of callers) is never turned away,
//! and one who is alone has the whole queue.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Somebody waits: the fast way is closed. Set and cleared under the lock only.
const WAITING: usize = 1;
/// No slot is given out any more.
const CLOSED: usize = 2;
/// One free slot.
const SLOT: usize = 4;

/// See the module.
pub(super) struct FairSlots {
    /// [`WAITING`], [`CLOSED`], and free slots in units of [`SLOT`].
    word: AtomicUsize,
    queue: Mutex<Queue>,
    queue_limit: usize,
}

/// The right to run one call; gives itself back.
pub(super) struct Slot(Option<Arc<FairSlots>>);

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// The queue has no room for this caller.
    Full,
    /// This generation takes no calls any more.
    Closed,
}

type Caller = Arc<str>;
type Answer = Result<Slot, Turned>;

/// Callers who wait. A caller is in `turns` exactly if he has an entry in `waiting`, and no entry is empty.
#[derive(Default)]
struct Queue {
    waiting: HashMap<Caller, VecDeque<Waiter>>,
    turns: VecDeque<Caller>,
    total: usize,
    next_id: u64,
}

struct Waiter {
    id: u64,
    answer: oneshot::Sender<Answer>,
}

impl FairSlots {
    /// `capacity` calls may run, `queue_limit` may wait.
    pub(super) fn new(capacity: u32, queue_limit: u32) -> Arc<Self> {
        Arc::new(FairSlots {
            word: AtomicUsize::new(capacity as usize * SLOT),
            queue: Mutex::default(),
            queue_limit: queue_limit as usize,
        })
    }

    /// A slot, if one is free and nobody waits for it; `Ok(None)` if there is none.
    pub(super) fn try_take(self: &Arc<Self>) -> Result<Option<Slot>, Turned> {
        let taken = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (word & (WAITING | CLOSED) == 0 && word >= SLOT).then(|| word - SLOT)
            });
        match taken {
            Ok(_) => Ok(Some(Slot(Some(Arc::clone(self))))),
            Err(word) if word & CLOSED != 0 => Err(Turned::Closed),
            Err(_) => Ok(None),
        }
    }

    /// Waits for `caller`'s turn. Dropped before, it leaves the queue.
    pub(super) async fn take(self: &Arc<Self>, caller: &Caller) -> Result<Slot, Turned> {
        let mut waiting = match self.enqueue(caller)? {
            Entered::Served(slot) => return Ok(slot),
            Entered::Waits(waiting) => waiting,
        };
        // A sender goes away without a word only with the queue itself, which this call keeps alive.
        (&mut waiting.answer).await.unwrap_or(Err(Turned::Closed))
    }

    /// Sends everybody who waits away, and whoever comes later.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        let word = self.word.fetch_or(CLOSED, Ordering::AcqRel);
        debug_assert!(word & WAITING == 0 || queue.total > 0);
        let all = std::mem::take(&mut *queue);
        self.word.fetch_and(!WAITING, Ordering::AcqRel);
        drop(queue);
        for waiter in all.waiting.into_values().flatten() {
            // Who went away meanwhile needs no answer.
            let _ = waiter.answer.send(Err(Turned::Closed));
        }
    }

    fn enqueue(self: &Arc<Self>, caller: &Caller) -> Result<Entered, Turned> {
        let mut queue = self.lock();
        // From here on nobody but the owner of the lock changes the word: slots that come back queue up for the lock.
        let word = self.word.fetch_or(WAITING, Ordering::AcqRel);
        let entered = if word & CLOSED != 0 {
            Err(Turned::Closed)
        } else if word >= SLOT {
            self.word.fetch_sub(SLOT, Ordering::AcqRel);
            Ok(Entered::Served(Slot(Some(Arc::clone(self)))))
        } else {
            queue.enter(caller, self.queue_limit).map(|(id, answer)| {
                Entered::Waits(Waiting {
                    slots: Arc::clone(self),
                    caller: Arc::clone(caller),
                    id,
                    answer,
                })
            })
        };
        self.reopen(&queue);
        entered
    }

    /// Opens the fast way if nobody waits.
    fn reopen(&self, queue: &MutexGuard<'_, Queue>) {
        if queue.total == 0 {
            self.word.fetch_and(!WAITING, Ordering::AcqRel);
        }
    }

    fn give_back(self: Arc<Self>) {
        let freed = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (word & WAITING == 0).then_some(word + SLOT)
            });
        if freed.is_ok() {
            return;
        }
        let mut queue = self.lock();
        let mut slot = Slot(Some(Arc::clone(&self)));
        while let Some(waiter) = queue.next() {
            match waiter.answer.send(Ok(slot)) {
                Ok(()) => return self.reopen(&queue),
                Err(Ok(back)) => slot = back,
                Err(Err(_)) => unreachable!("a slot was sent"),
            }
        }
        // Not dropped: that would come here again.
        slot.0 = None;
        self.word.fetch_add(SLOT, Ordering::AcqRel);
        self.reopen(&queue);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = self.0.take() {
            slots.give_back();
        }
    }
}

enum Entered {
    Served(Slot),
    Waits(Waiting),
}

/// A call in the queue.
struct Waiting {
    slots: Arc<FairSlots>,
    caller: Caller,
    id: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Drop for Waiting {
    /// A slot that was handed over in the same moment gives itself back with the receiver.
    fn drop(&mut self) {
        let mut queue = self.slots.lock();
        if queue.leave(&self.caller, self.id) {
            self.slots.reopen(&queue);
        }
    }
}

impl Queue {
    fn enter(&mut self, caller: &Caller, limit: usize) -> Result<(u64, oneshot::Receiver<Answer>), Turned> {
        if self.total >= limit {
            self.make_room(caller)?;
        }
        let (answer, receiver) = oneshot::channel();
        let id = self.next_id;
        self.next_id += 1;
        let own = self.waiting.entry(Arc::clone(caller)).or_default();
        if own.is_empty() {
            self.turns.push_back(Arc::clone(caller));
        }
        own.push_back(Waiter { id, answer });
        self.total += 1;
        Ok((id, receiver))
    }

    /// Turns the newest call of the greediest caller away, if that leaves him no worse off than `caller`.
    fn make_room(&mut self, caller: &Caller) -> Result<(), Turned> {
        let own = self.waiting.get(caller).map_or(0, VecDeque::len);
        let greediest = self
            .waiting
            .iter()
            .max_by_key(|(_, waiters)| waiters.len())
            .filter(|(_, waiters)| waiters.len() > own + 1)
            .map(|(name, _)| Arc::clone(name))
            .ok_or(Turned::Full)?;
        let waiters = self.waiting.get_mut(&greediest).ok_or(Turned::Full)?;
        if let Some(newest) = waiters.pop_back() {
            self.total -= 1;
            let _ = newest.answer.send(Err(Turned::Full));
        }
        Ok(())
    }

    /// Whose turn it is.
    fn next(&mut self) -> Option<Waiter> {
        let caller = self.turns.pop_front()?;
        let waiters = self.waiting.get_mut(&caller)?;
        let waiter = waiters.pop_front()?;
        self.total -= 1;
        if waiters.is_empty() {
            self.waiting.remove(&caller);
        } else {
            self.turns.push_back(caller);
        }
        Some(waiter)
    }

    /// Whether it was still there.
    fn leave(&mut self, caller: &Caller, id: u64) -> bool {
        let Some(waiters) = self.waiting.get_mut(caller) else {
            return false;
        };
        let Some(place) = waiters.iter().position(|waiter| waiter.id == id) else {
            return false;
        };
        waiters.remove(place);
        self.total -= 1;
        if waiters.is_empty() {
            self.waiting.remove(caller);
            self.turns.retain(|other| other != caller);
        }
        true
    }
}

#[cfg(test)]
#[path = "tests/fair.rs"]
mod tests;
