//! The supervisor task of a host: knows that it lives, and what to do when it does not.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::liveness::INTERVAL;
use super::{Inner, Intent};
use crate::hosting::frames::ToHost;
use crate::hosting::{Exit, HostCallError};
use crate::os::ProcessEnd;

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
    if let Some(resident) = host.process.resident_bytes().filter(|resident| *resident > limit) {
        let size = |bytes| bytesize::ByteSize(bytes).display().iec();
        let reason = format!(
            "it used {} of memory, over its memory_limit of {}",
            size(resident),
            size(limit)
        );
        host.kill(&reason, false);
    }
}

/// How the end is told: what the agent did, unless the process ended in another way first.
fn told(host: &Inner, end: ProcessEnd) -> Exit {
    let by_itself = match end {
        ProcessEnd::Signal(number) => number != 9,
        ProcessEnd::Code(_) => cfg!(unix),
        ProcessEnd::Unknown => false,
    };
    match host.intent().clone() {
        Some(Intent::Kill { reason, expected }) if !by_itself => Exit { reason, expected },
        Some(Intent::Drain) if end == ProcessEnd::Code(0) => Exit {
            reason: "drained".into(),
            expected: true,
        },
        Some(Intent::Drain) => Exit {
            reason: format!("{end} while it was draining"),
            expected: false,
        },
        Some(Intent::Kill { expected, .. }) => Exit {
            reason: end.to_string(),
            expected,
        },
        None => Exit {
            reason: end.to_string(),
            expected: false,
        },
    }
}
