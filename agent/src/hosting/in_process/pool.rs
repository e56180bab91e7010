//! The threads that run `invoke`. A connector may block the thread it is called on, so there can be as many as calls are
//! allowed at once; they are started when needed and end when idle for a while.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a thread waits for work before it ends. The last one stays.
const IDLE: Duration = Duration::from_secs(30);
/// What C code expects of a thread's stack; only touched pages cost memory.
pub(super) const STACK: usize = 8 * 1024 * 1024;

/// Work for a thread.
pub(super) type Job = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    limit: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    waiting: usize,
    /// A thread was woken and has not come yet. It wakes the next one if there is more to do, so that many short calls at
    /// once do not wake a thread each.
    woken: bool,
    /// No further job is taken; threads end when they have nothing to do.
    closed: bool,
}

impl Pool {
    /// At most `limit` threads.
    pub(super) fn new(limit: u32) -> Self {
        Pool(Arc::new(Inner {
            limit: (limit as usize).max(1),
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    /// Starts the first thread, so that there is one whatever happens later.
    ///
    /// # Errors
    /// If the system lets it start none.
    pub(super) fn warm(&self) -> std::io::Result<()> {
        let mut state = self.0.lock();
        if state.threads == 0 {
            self.0.start_thread()?;
            state.threads = 1;
        }
        Ok(())
    }

    /// Drops the jobs that have not begun, and ends the threads when theirs return.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.queue);
        self.0.work.notify_all();
        drop(state);
        drop(left);
    }

    /// Runs `job` on a thread, at once if one is free or may be started.
    pub(super) fn run(&self, job: Job) {
        let mut state = self.0.lock();
        if state.closed {
            return;
        }
        state.queue.push_back(job);
        self.0.muster(state);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that a thread comes for what is in the queue.
    fn muster(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.queue.is_empty() || state.woken {
            return;
        }
        if state.waiting > 0 {
            state.woken = true;
            // Whoever wakes first needs the lock.
            drop(state);
            self.work.notify_one();
        } else if state.threads < self.limit && self.start_thread().is_ok() {
            // Otherwise the next thread that ends a job takes it.
            state.threads += 1;
        }
    }

    fn start_thread(self: &Arc<Self>) -> std::io::Result<()> {
        let inner = Arc::clone(self);
        std::thread::Builder::new()
            .name("lumos-invoke".into())
            .stack_size(STACK)
            .spawn(move || inner.work_until_idle())
            .map(drop)
    }

    fn work_until_idle(self: &Arc<Self>) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                self.muster(state);
                job();
                state = self.lock();
                continue;
            }
            if state.closed {
                state.threads -= 1;
                return;
            }
            state.waiting += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.waiting -= 1;
            state.woken = false;
            if timeout.timed_out() && state.queue.is_empty() && state.threads > 1 {
                state.threads -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn as_many_run_at_once_as_are_allowed_and_the_rest_waits() {
        let pool = Pool::new(3);
        let (started_tx, started) = mpsc::channel();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        for number in 0..5 {
            let (started, gate) = (started_tx.clone(), gate.clone());
            pool.run(Box::new(move || {
                started.send(number).unwrap();
                let mut open = gate.0.lock().unwrap();
                while !*open {
                    open = gate.1.wait(open).unwrap();
                }
            }));
        }
        let first: Vec<_> = (0..3).map(|_| started.recv().unwrap()).collect();
        assert_eq!(first.len(), 3);
        assert!(started.try_recv().is_err());
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        let rest: Vec<_> = (0..2).map(|_| started.recv().unwrap()).collect();
        assert_eq!(rest, [3, 4]);
    }

    #[test]
    fn a_closed_pool_takes_no_job_and_its_threads_end() {
        let pool = Pool::new(2);
        pool.warm().unwrap();
        let (ran_tx, ran) = mpsc::channel();
        let in_job = ran_tx.clone();
        pool.run(Box::new(move || in_job.send(()).unwrap()));
        ran.recv().unwrap();
        pool.close();
        pool.run(Box::new(move || ran_tx.send(()).unwrap()));
        assert!(ran.recv().is_err(), "the job was dropped unrun");
        while Arc::strong_count(&pool.0) > 1 {
            std::thread::yield_now();
        }
        assert_eq!(pool.0.lock().threads, 0);
    }
}
