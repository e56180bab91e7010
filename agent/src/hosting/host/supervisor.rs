//! The supervisor task of a host: knows that it lives, and what to do when it does not.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::liveness::INTERVAL;
use super::{Inner, Intent};
use crate::hosting::frames::ToHost;
use crate::hosting::{Exit, HostCallError};
use crate::os::{MemoryGuard, ProcessEnd};

/// How often to look whether a ping is due.
const TICK: Duration = Duration::from_secs(1);
/// How often the memory of a host with a limit is looked at.
const SAMPLE: Duration = Duration::from_millis(250);
/// How long the other tasks may take to read what the host left behind.
const LEFTOVERS: Duration = Duration::from_secs(5);

pub(super) async fn run(host: Arc<Inner>, reader: JoinHandle<()>, output: JoinHandle<()>) {
    let end = tokio::select! {
        end = host.process.wait() => end,
        end = watch(&host) => end,
    };
    host.ended.cancel();
    for task in [reader, output] {
        let abort = task.abort_handle();
        if tokio::time::timeout(LEFTOVERS, task).await.is_err() {
            abort.abort();
        }
    }
    let exit = told(&host, end);
    let open = {
        let mut state = host.state();
        state.takes_calls = false;
        state.open.take_all()
    };
    for call in open {
        let _ = call.reply.send(Err(HostCallError::Died(exit.reason.clone())));
    }
    host.attach.scratch.remove().await;
    host.exit.send_replace(Some(exit));
}

/// Pings, and looks at memory, for as long as it is polled.
async fn watch(host: &Inner) -> ProcessEnd {
    let limited = host.attach.memory_limit.is_some();
    let mut ticks = tokio::time::interval(if limited { SAMPLE } else { TICK });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pinged = Instant::now();
    let mut token = 0;
    loop {
        ticks.tick().await;
        check_memory(host);
        let since = pinged.elapsed();
        if since < INTERVAL {
            continue;
        }
        pinged = Instant::now();
        if host.liveness().tick(since) {
            host.kill("it did not answer for 15 s", false);
        }
        token += 1;
        host.wire.send(&ToHost::Ping { token });
    }
}

fn check_memory(host: &Inner) {
    let Some(limit) = host.attach.memory_limit else {
        return;
    };
    if host.process.memory_guard() == MemoryGuard::Cgroup {
        return;
    }
    if let Some(resident) = host.process.resident_bytes().filter(|resident| *resident > limit) {
        let reason = format!(
            "it used {} of memory, over its memory_limit of {}",
            size(resident),
            size(limit)
        );
        host.kill(&reason, false);
    }
}

fn size(bytes: u64) -> impl std::fmt::Display {
    bytesize::ByteSize(bytes).display().iec()
}

/// How a process ended that the agent did not end.
fn by_itself(host: &Inner, end: ProcessEnd) -> String {
    match host.attach.memory_limit {
        Some(limit) if host.process.ran_out_of_memory() => {
            format!("it reached its memory_limit of {}: {end}", size(limit))
        }
        _ => end.to_string(),
    }
}

/// How the end is told: what the agent did, unless the process ended in another way first.
fn told(host: &Inner, end: ProcessEnd) -> Exit {
    let not_by_us = match end {
        ProcessEnd::Signal(number) => number != 9,
        ProcessEnd::Code(_) => cfg!(unix),
        ProcessEnd::Unknown => false,
    };
    match host.intent().clone() {
        Some(Intent::Kill { reason, expected }) if !not_by_us => Exit { reason, expected },
        Some(Intent::Drain) if end == ProcessEnd::Code(0) => Exit {
            reason: "drained".into(),
            expected: true,
        },
        Some(Intent::Drain) => Exit {
            reason: format!("{} while it was draining", by_itself(host, end)),
            expected: false,
        },
        Some(Intent::Kill { expected, .. }) => Exit {
            reason: by_itself(host, end),
            expected,
        },
        None => Exit {
            reason: by_itself(host, end),
            expected: false,
        },
    }
}
