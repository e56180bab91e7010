//! The threads of a host: they read frames and run `invoke`.
//!
//! All of them are alike. Who is idle waits for the channel; who is woken reads, and then runs the call that he has read
//! himself. A connector may block the thread it is called on for as long as it likes, so whoever is about to run a call
//! first makes sure that another thread waits for the channel in his place. That is why there may be one more than there
//! are calls at one time.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::os::{self, Inlet, InletEvent};

/// How long a thread waits for work before it ends. The last two stay.
const IDLE: Duration = Duration::from_secs(30);
/// What C code expects of a thread's stack; only touched pages cost memory.
const STACK: usize = 8 * 1024 * 1024;
/// One to run a call, one to wait meanwhile.
const FEWEST: usize = 2;

/// A call to run.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Reads the channel. Only one thread does at a time.
pub(super) trait Intake: Send {
    /// Deals with what has come; the calls in it are for the crew.
    fn take(&mut self, inlet: &Inlet) -> Vec<Job>;
}

pub(super) struct Crew<I> {
    inlet: Inlet,
    intake: Mutex<I>,
    state: Mutex<State>,
    /// Calls at one time.
    limit: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// Threads that run a call.
    running: usize,
    /// Threads that wait for the channel, or are on their way there.
    waiting: usize,
    /// The bell was rung and nobody has come yet.
    rung: bool,
}

impl<I: Intake + 'static> Crew<I> {
    /// Starts reading; at most `limit` calls are run at a time.
    ///
    /// # Errors
    /// If the system lets it start no threads.
    pub(super) fn start(inlet: Inlet, intake: I, limit: u32) -> std::io::Result<()> {
        let crew = Arc::new(Crew {
            inlet,
            intake: Mutex::new(intake),
            state: Mutex::default(),
            limit: (limit as usize).max(1),
        });
        let mut state = crew.lock();
        for _ in 0..FEWEST {
            crew.start_thread(&mut state)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The new thread counts as waiting from now on.
    fn start_thread(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        let crew = Arc::clone(self);
        std::thread::Builder::new()
            .name("lumos-invoke".into())
            .stack_size(STACK)
            .spawn(move || crew.work())?;
        state.threads += 1;
        state.waiting += 1;
        Ok(())
    }

    /// A thread's life. It begins as one that waits.
    fn work(self: Arc<Self>) {
        loop {
            let event = self.inlet.wait(IDLE).unwrap_or_else(|_| lost());
            let mut state = self.lock();
            state.waiting -= 1;
            match event {
                InletEvent::Channel => {
                    drop(state);
                    let jobs = self.read();
                    state = self.lock();
                    state.queue.extend(jobs);
                }
                InletEvent::Bell => state.rung = false,
                InletEvent::Nothing if state.waiting >= FEWEST => {
                    state.threads -= 1;
                    return;
                }
                InletEvent::Nothing => {}
            }
            while let Some(job) = self.next(&mut state) {
                drop(state);
                job();
                state = self.lock();
                state.running -= 1;
            }
            state.waiting += 1;
        }
    }

    fn read(&self) -> Vec<Job> {
        let mut intake = self.intake.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = intake.take(&self.inlet);
        drop(intake);
        self.inlet.rearm().unwrap_or_else(|_| lost());
        jobs
    }

    /// A call for this thread, if it may run one. Makes sure that somebody waits meanwhile, and that somebody comes for
    /// the next call.
    fn next(self: &Arc<Self>, state: &mut State) -> Option<Job> {
        if state.running == self.limit || state.queue.is_empty() {
            return None;
        }
        let crowded = state.threads > self.limit;
        if state.waiting == 0 && (crowded || self.start_thread(state).is_err()) && state.running > 0 {
            // This thread has to be the one that waits; whoever ends a call takes the next.
            return None;
        }
        state.running += 1;
        let job = state.queue.pop_front();
        if !state.queue.is_empty() && state.running < self.limit && !state.rung {
            state.rung = true;
            self.inlet.ring().unwrap_or_else(|_| lost());
        }
        job
    }
}

/// The channel cannot be waited for any more, so the agent is lost to this process.
fn lost() -> ! {
    os::exit_now(super::EXIT_LOST)
}
