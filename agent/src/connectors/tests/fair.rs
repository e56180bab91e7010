//! The queue's promises, over random histories of callers who come, go away and are served.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::task::noop_waker_ref;
use proptest::prelude::*;

use super::*;

const CALLERS: usize = 4;
const LIMIT: u32 = 8;

type Pending = Pin<Box<dyn Future<Output = Answer>>>;

fn poll(future: &mut Pending) -> Poll<Answer> {
    future.as_mut().poll(&mut Context::from_waker(noop_waker_ref()))
}

fn name(caller: usize) -> Caller {
    format!("caller-{caller}").into()
}

#[derive(Debug, Clone)]
enum Step {
    Ask(usize),
    Leave(usize),
    Finish(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => Just(0).prop_map(Step::Ask),
        3 => (0..CALLERS).prop_map(Step::Ask),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => any::<usize>().prop_map(Step::Finish),
    ];
    proptest::collection::vec(step, 0..200)
}

/// What is known from outside.
struct Model {
    slots: Arc<FairSlots>,
    capacity: u32,
    held: Vec<Slot>,
    waiting: Vec<(usize, Pending)>,
    /// For each waiting caller: how often others were served since it last was, or began to wait.
    passed_over: HashMap<usize, HashMap<usize, u32>>,
}

impl Model {
    fn ask(&mut self, caller: usize) {
        let slots = Arc::clone(&self.slots);
        let (before, others) = (self.count(caller), self.callers_with(caller));
        let mut future: Pending = Box::pin(async move {
            match slots.try_take()? {
                Some(slot) => Ok(slot),
                None => slots.take(&name(caller)).await,
            }
        });
        match poll(&mut future) {
            Poll::Ready(Ok(slot)) => {
                assert!(self.waiting.is_empty(), "nobody overtakes the queue");
                self.held.push(slot);
            }
            Poll::Ready(Err(turned)) => {
                assert_eq!(turned, Turned::Full);
                assert!(
                    before >= LIMIT as usize / others,
                    "turned away with {before} of {LIMIT} among {others} callers"
                );
            }
            Poll::Pending => {
                if before == 0 {
                    self.passed_over.insert(caller, HashMap::new());
                }
                self.waiting.push((caller, future));
            }
        }
    }

    fn count(&self, caller: usize) -> usize {
        self.waiting.iter().filter(|(other, _)| *other == caller).count()
    }

    fn callers_with(&self, caller: usize) -> usize {
        (0..CALLERS)
            .filter(|other| *other == caller || self.count(*other) > 0)
            .count()
    }

    /// Takes note of who got a slot and who was turned away.
    fn settle(&mut self) {
        let mut waiting = Vec::new();
        let (mut served, mut turned) = (Vec::new(), Vec::new());
        for (caller, mut future) in std::mem::take(&mut self.waiting) {
            match poll(&mut future) {
                Poll::Pending => waiting.push((caller, future)),
                Poll::Ready(Ok(slot)) => {
                    self.held.push(slot);
                    served.push(caller);
                }
                Poll::Ready(Err(why)) => turned.push((caller, why)),
            }
        }
        self.waiting = waiting;
        for (caller, why) in turned {
            assert_eq!(why, Turned::Full);
            assert!(
                self.count(caller) > 0,
                "a caller's only waiting call is never turned away"
            );
        }
        for caller in served {
            self.passed_over.insert(caller, HashMap::new());
            let others = (0..CALLERS).filter(|other| *other != caller && self.count(*other) > 0);
            for other in others.collect::<Vec<_>>() {
                let passed = self.passed_over.entry(other).or_default();
                let times = passed.entry(caller).or_insert(0);
                *times += 1;
                assert!(*times <= 1, "caller {caller} was served twice before {other}");
            }
        }
    }

    fn check(&self) {
        assert!(self.held.len() <= self.capacity as usize);
        assert!(self.waiting.len() <= LIMIT as usize);
        assert!(
            self.waiting.is_empty() || self.held.len() == self.capacity as usize,
            "somebody waits beside a free slot"
        );
    }
}

proptest! {
    #[test]
    fn everybody_gets_his_turn_and_his_share(capacity in 1..4_u32, steps in steps()) {
        let mut model = Model {
            slots: FairSlots::new(capacity, LIMIT),
            capacity,
            held: Vec::new(),
            waiting: Vec::new(),
            passed_over: HashMap::new(),
        };
        for step in steps {
            match step {
                Step::Ask(caller) => model.ask(caller),
                Step::Leave(nth) if !model.waiting.is_empty() => {
                    let nth = nth % model.waiting.len();
                    drop(model.waiting.remove(nth));
                }
                Step::Finish(nth) if !model.held.is_empty() => {
                    let nth = nth % model.held.len();
                    drop(model.held.swap_remove(nth));
                }
                Step::Leave(_) | Step::Finish(_) => {}
            }
            model.settle();
            model.check();
        }
        let slots = Arc::clone(&model.slots);
        drop(model);
        // Whatever happened: all slots have come back, and the fast way is open.
        assert_eq!(slots.word.load(Ordering::Acquire), capacity as usize * SLOT);
        assert_eq!(slots.lock().total, 0);
    }
}

#[tokio::test]
async fn one_caller_alone_has_the_whole_queue_and_gives_way_to_others() {
    let slots = FairSlots::new(1, 4);
    let slot = slots.try_take().unwrap().unwrap();
    let mut greedy: Vec<Pending> = Vec::new();
    for _ in 0..4 {
        let slots = Arc::clone(&slots);
        let mut one: Pending = Box::pin(async move { slots.take(&name(0)).await });
        assert!(poll(&mut one).is_pending());
        greedy.push(one);
    }
    assert_eq!(slots.take(&name(0)).await.err(), Some(Turned::Full));
    let other = Arc::clone(&slots);
    let mut other: Pending = Box::pin(async move { other.take(&name(1)).await });
    assert!(poll(&mut other).is_pending());
    assert_eq!(greedy.pop().unwrap().await.err(), Some(Turned::Full));
    drop(slot);
    let first = greedy.remove(0).await;
    assert!(poll(&mut other).is_pending() && poll(&mut greedy[0]).is_pending());
    drop(first);
    assert!(poll(&mut greedy[0]).is_pending());
    drop(other.await);
    assert!(greedy.remove(0).await.is_ok());
}

#[tokio::test]
async fn closing_sends_everybody_away() {
    let slots = FairSlots::new(1, 4);
    let slot = slots.try_take().unwrap().unwrap();
    let mut waiting: Pending = Box::pin({
        let slots = Arc::clone(&slots);
        async move { slots.take(&name(0)).await }
    });
    assert!(poll(&mut waiting).is_pending());
    slots.close();
    assert_eq!(waiting.await.err(), Some(Turned::Closed));
    assert_eq!(slots.try_take().err(), Some(Turned::Closed));
    assert_eq!(slots.take(&name(0)).await.err(), Some(Turned::Closed));
    drop(slot);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_slot_is_lost_between_threads() {
    let slots = FairSlots::new(3, 1000);
    let running = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16 {
        let (slots, running) = (Arc::clone(&slots), Arc::clone(&running));
        tasks.spawn(async move {
            for turn in 0..500 {
                let slot = match slots.try_take().unwrap() {
                    Some(slot) => slot,
                    None if turn % 7 == 0 => {
                        // Somebody who goes away, perhaps just as the slot comes.
                        let caller = name(task % 3);
                        tokio::select! {
                            biased;
                            () = tokio::task::yield_now() => continue,
                            slot = slots.take(&caller) => slot.unwrap(),
                        }
                    }
                    None => slots.take(&name(task % 3)).await.unwrap(),
                };
                assert!(running.fetch_add(1, Ordering::SeqCst) < 3);
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
                drop(slot);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!(slots.word.load(Ordering::Acquire), 3 * SLOT);
}
