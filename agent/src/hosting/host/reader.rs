//! The reader task: frames from a host, and what they cause.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::calls::{Begun, Room};
use super::{Inner, Phase};
use crate::config::model::LogLevel;
use crate::hosting::buffer::FrameBuffer;
use crate::hosting::frames::{FromHost, INITIAL_WINDOW, ToHost, decode_from_host};
use crate::os::Inbound;

/// Bytes read after the host's end: a process that it forked may hold the channel.
const LAST_BYTES: usize = 64 * 1024 * 1024;
/// How long a host may live on without its channel.
const CHANNEL_GRACE: Duration = Duration::from_secs(2);

/// Reads until the channel ends or the process has. A breach of the protocol kills the host.
pub(super) async fn run(host: Arc<Inner>, mut inbound: Inbound, phases: mpsc::Sender<Phase>) {
    let mut buffer = FrameBuffer::new();
    let ended = host.ended.clone();
    let ended = ended.cancelled();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            // The end comes first: what the host forked may write for ever.
            biased;
            () = &mut ended => {
                read_the_rest(&host, &mut inbound, &mut buffer, &phases);
                return;
            }
            read = inbound.read(buffer.space()) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => buffer.filled(count),
            },
        }
        if !take_frames(&host, &mut buffer, &phases) {
            return;
        }
        // Bytes that are always there already would never give the thread back to others.
        tokio::task::coop::consume_budget().await;
    }
    if tokio::time::timeout(CHANNEL_GRACE, ended).await.is_err() {
        host.kill("protocol error: it closed its channel to the agent", false);
    }
}

/// Takes what the host had said before it ended.
fn read_the_rest(
    host: &Arc<Inner>,
    inbound: &mut Inbound,
    buffer: &mut FrameBuffer,
    phases: &mpsc::Sender<Phase>,
) {
    let mut left = LAST_BYTES;
    loop {
        match inbound.try_read(buffer.space()) {
            Ok(count @ 1..) if count <= left => {
                left -= count;
                buffer.filled(count);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            _ => return,
        }
        if !take_frames(host, buffer, phases) {
            return;
        }
    }
}

/// Takes the complete frames; `false` if the host has been killed for one of them.
fn take_frames(host: &Arc<Inner>, buffer: &mut FrameBuffer, phases: &mpsc::Sender<Phase>) -> bool {
    host.liveness().heard();
    loop {
        let problem = match decode_from_host(buffer.bytes()) {
            Ok(None) => return true,
            Ok(Some((frame, length))) => match take(host, frame, phases) {
                Ok(()) => {
                    buffer.consume(length);
                    continue;
                }
                Err(problem) => problem,
            },
            Err(error) => error.to_string(),
        };
        host.kill(&format!("protocol error: {problem}"), false);
        return false;
    }
}

fn take(host: &Arc<Inner>, frame: FromHost<'_>, phases: &mpsc::Sender<Phase>) -> Result<(), String> {
    match frame {
        FromHost::Hello { version } => phase(phases, Phase::Hello(version)),
        FromHost::Confined(json) => phase(phases, Phase::Confined(Bytes::copy_from_slice(json))),
        FromHost::Manifest(json) => phase(phases, Phase::Manifest(Bytes::copy_from_slice(json))),
        FromHost::Ready => phase(phases, Phase::Ready),
        FromHost::Failed { refused, text } => {
            let text = text.to_owned();
            phase(phases, Phase::Failed { refused, text })
        }
        FromHost::Log {
            call,
            level,
            dropped,
            text,
        } => {
            log(host, call, level, dropped, text);
            Ok(())
        }
        FromHost::Chunk { call, total, bytes } => chunk(host, call, total, bytes),
        FromHost::Done { call, outcome, bytes } => {
            let limit = host.attach.max_response_bytes;
            let (ended, hopeless) = {
                let mut state = host.state();
                let ended = state.open.done(call, outcome, bytes, limit);
                (ended, state.is_hopeless())
            };
            let (open, result) = ended.map_err(|error| error.to_string())?;
            if hopeless {
                host.give_up();
            }
            drop(open.secrets);
            // Nobody may wait any more; then the outcome is forgotten.
            let _ = open.reply.send(result);
            Ok(())
        }
        FromHost::Pong {
            ignored_finishes,
            outdated,
            ..
        } => {
            host.ignored_finishes.store(ignored_finishes, Ordering::Relaxed);
            host.outdated
                .send_if_modified(|told| outdated && !std::mem::replace(told, true));
            Ok(())
        }
    }
}

fn phase(phases: &mpsc::Sender<Phase>, phase: Phase) -> Result<(), String> {
    match phases.try_send(phase) {
        Ok(()) | Err(mpsc::error::TrySendError::Closed(Phase::Failed { .. })) => Ok(()),
        Err(_) => Err("a frame of the start came twice".into()),
    }
}

fn log(host: &Inner, call: u64, level: i32, dropped: u32, text: &[u8]) {
    let Some(log) = &host.attach.log else { return };
    if dropped > 0 {
        log.dropped(u64::from(dropped));
    }
    let level = level_of(level);
    if !log.takes(level) {
        return;
    }
    let request_id = if call == 0 {
        None
    } else {
        host.state().open.request_id(call)
    };
    let text = String::from_utf8_lossy(text);
    log.line(level, request_id.as_deref(), &text);
}

/// A level of the ABI; an unknown one counts as the next lower.
pub(in crate::hosting) fn level_of(level: i32) -> LogLevel {
    match level {
        50.. => LogLevel::Critical,
        40.. => LogLevel::Error,
        30.. => LogLevel::Warning,
        20.. => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

fn chunk(host: &Arc<Inner>, call: u64, total: u64, bytes: &[u8]) -> Result<(), String> {
    if total > host.attach.max_response_bytes {
        return Err(format!(
            "call {call} announced an answer of {total} bytes, over the limit"
        ));
    }
    let begun = host.state().open.chunk(call, total, bytes);
    match begun.map_err(|error| error.to_string())? {
        Begun::Already => {}
        Begun::Room(total) => make_room(host, call, total),
    }
    Ok(())
}

/// Reserves room for a large answer; if there is none now, the host waits with what goes over its window.
fn make_room(host: &Arc<Inner>, call: u64, total: u64) {
    let budget = host.attach.budget.clone();
    let units = u32::try_from(total.div_ceil(1024)).unwrap_or(u32::MAX);
    if units > budget.total_units {
        let limit = u64::from(budget.total_units) * 1024;
        return room(host, call, Room::Never(limit));
    }
    if let Ok(permit) = budget.units.clone().try_acquire_many_owned(units) {
        return room(host, call, Room::Reserved(permit));
    }
    if total <= INITIAL_WINDOW {
        // It is on its way already. Such overruns are bounded by the window and the number of calls in flight.
        return;
    }
    let host = host.clone();
    host.attach.tasks.clone().spawn(async move {
        tokio::select! {
            permit = budget.units.acquire_many_owned(units) => {
                if let Ok(permit) = permit {
                    room(&host, call, Room::Reserved(permit));
                }
            }
            () = host.ended.cancelled() => {}
        }
    });
}

fn room(host: &Inner, call: u64, with: Room) {
    let more = host.state().open.room(call, with);
    if let Some(bytes) = more {
        host.wire.send(&ToHost::Window { call, bytes });
    }
}
