//! The host's end of frames from the agent, for many threads to wait at.
//!
//! Whoever is idle waits in the kernel, and each event wakes one of them, which then does the work itself. Handing it on
//! to another thread would cost a change of threads, which is most of what a small call costs. The channel is disarmed by
//! its event until [`Inlet::rearm`], so that one thread reads at a time.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::net::RecvFlags;

use super::channel::HostReader;
use crate::os::InletEvent;

const CHANNEL: u64 = 0;
const BELL: u64 = 1;

pub(crate) struct Inlet {
    stream: StdStream,
    epoll: OwnedFd,
    bell: OwnedFd,
}

impl Inlet {
    /// # Errors
    /// If the system gives no descriptors.
    pub(crate) fn new(reader: HostReader) -> io::Result<Self> {
        let stream = reader.into_stream();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &stream, epoll::EventData::new_u64(CHANNEL), armed())?;
        // Edge-triggered: a ring wakes one thread, and nobody has to read it.
        let rings = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &bell, epoll::EventData::new_u64(BELL), rings)?;
        Ok(Inlet { stream, epoll, bell })
    }

    /// Waits for something to do. Any number of threads; each event is one thread's.
    pub(crate) fn wait(&self, patience: Duration) -> io::Result<InletEvent> {
        let patience =
            rustix::event::Timespec::try_from(patience).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 1];
        match epoll::wait(&self.epoll, &mut events, Some(&patience)) {
            Ok((filled, _)) => Ok(match filled.first().map(|event| event.data.u64()) {
                None => InletEvent::Nothing,
                Some(CHANNEL) => InletEvent::Channel,
                Some(_) => InletEvent::Bell,
            }),
            Err(rustix::io::Errno::INTR) => Ok(InletEvent::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is there; 0 when the agent is gone, `WouldBlock` if there is nothing. Only after
    /// [`InletEvent::Channel`] and before [`Inlet::rearm`].
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::net::recv(&self.stream, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((count, _)) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next bytes wake a thread again.
    pub(crate) fn rearm(&self) -> io::Result<()> {
        epoll::modify(
            &self.epoll,
            &self.stream,
            epoll::EventData::new_u64(CHANNEL),
            armed(),
        )?;
        Ok(())
    }

    /// Wakes one waiting thread; if none waits, the next one that would.
    pub(crate) fn ring(&self) -> io::Result<()> {
        rustix::io::write(&self.bell, &1_u64.to_ne_bytes())?;
        Ok(())
    }
}

fn armed() -> epoll::EventFlags {
    epoll::EventFlags::IN | epoll::EventFlags::ONESHOT
}
