//! Processes that a connector has left behind. Who forks twice and starts a new session leaves its parent and its group,
//! and would outlive its host.
//!
//! ```text
//! host, a subreaper:   what loses its parent becomes the host's child          for as long as the host lives
//! agent, a subreaper:  what loses its host becomes the agent's child           and is then ended by `end_all`
//! ```
//!
//! The agent starts no other processes than hosts, so a child that it did not start is one that a host left. That does not
//! hold in tests, whose processes start others too: only who says [`adopt_orphans`] gets this.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// Rounds of killing: a process may have forked once more before it was killed.
const ROUNDS: u32 = 100;
const ROUND: Duration = Duration::from_millis(10);

static ADOPTING: AtomicBool = AtomicBool::new(false);
static HOSTS: Mutex<Option<HashSet<i32>>> = Mutex::new(None);

/// From now on processes that hosts leave behind become children of this one, and are ended with their host. Only for a
/// process whose only children are hosts.
///
/// # Errors
/// Those of `prctl`.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    become_subreaper()?;
    ADOPTING.store(true, Ordering::SeqCst);
    Ok(())
}

/// Makes this process the parent of every descendant that loses its own.
pub(super) fn become_subreaper() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// The hosts of this process. While it is held, none is started and none reaped.
pub(super) struct Hosts(MutexGuard<'static, Option<HashSet<i32>>>);

/// Waits for its turn.
pub(super) fn hosts() -> Hosts {
    Hosts(HOSTS.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Hosts {
    /// A host was started.
    pub(super) fn add(&mut self, pid: u32) {
        self.0.get_or_insert_with(HashSet::new).insert(pid.cast_signed());
    }

    /// A host was reaped.
    pub(super) fn remove(&mut self, pid: u32) {
        if let Some(hosts) = self.0.as_mut() {
            hosts.remove(&pid.cast_signed());
        }
    }

    /// Kills and reaps the children that are no hosts; whether there were any.
    fn end_others(&self) -> bool {
        let known = |pid: &Pid| {
            self.0
                .as_ref()
                .is_some_and(|hosts| hosts.contains(&pid.as_raw_nonzero().get()))
        };
        let others: Vec<Pid> = children().into_iter().filter(|pid| !known(pid)).collect();
        for pid in &others {
            // As a child that has not been reaped it keeps its number: nobody else can be hit.
            let _ = rustix::process::kill_process(*pid, Signal::KILL);
            let _ = rustix::process::waitid(WaitId::Pid(*pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
        !others.is_empty()
    }
}

/// Ends what hosts that are gone have left behind.
pub(super) async fn end_all() {
    if !ADOPTING.load(Ordering::SeqCst) {
        return;
    }
    for _ in 0..ROUNDS {
        if !hosts().end_others() {
            return;
        }
        tokio::time::sleep(ROUND).await;
    }
    tracing::warn!("processes that a connector left behind do not end");
}

/// The children of every thread of this process; none where the kernel does not list them.
fn children() -> Vec<Pid> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |list: String| {
        let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.filter_map(Pid::from_raw).collect::<Vec<_>>()
    };
    lists.flat_map(numbers).collect()
}
