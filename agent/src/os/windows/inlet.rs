//! The host's end of frames from the agent, for many threads to wait at.
//!
//! A pipe can only be waited for by reading it, so one idle thread reads and the others wait for their turn to.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::channel::HostReader;
use crate::os::InletEvent;

pub(crate) struct Inlet {
    reader: Mutex<HostReader>,
    turn: Mutex<Turn>,
    changed: Condvar,
}

#[derive(Default)]
struct Turn {
    reading: bool,
    rung: bool,
}

impl Inlet {
    /// # Errors
    /// Never here.
    pub(crate) fn new(reader: HostReader) -> io::Result<Self> {
        Ok(Inlet {
            reader: Mutex::new(reader),
            turn: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do. Any number of threads; each event is one thread's.
    pub(crate) fn wait(&self, patience: Duration) -> io::Result<InletEvent> {
        let idle = |turn: &mut Turn| turn.reading && !turn.rung;
        let (mut turn, _) = self
            .changed
            .wait_timeout_while(self.turn(), patience, idle)
            .unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut turn.rung) {
            return Ok(InletEvent::Bell);
        }
        if turn.reading {
            return Ok(InletEvent::Nothing);
        }
        turn.reading = true;
        Ok(InletEvent::Channel)
    }

    /// Waits for bytes; 0 when the agent is gone. Only after [`InletEvent::Channel`] and before [`Inlet::rearm`].
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.read(buffer)
    }

    /// Another thread may read.
    pub(crate) fn rearm(&self) -> io::Result<()> {
        self.turn().reading = false;
        self.changed.notify_one();
        Ok(())
    }

    /// Wakes one waiting thread; if none waits, the next one that would.
    pub(crate) fn ring(&self) -> io::Result<()> {
        self.turn().rung = true;
        self.changed.notify_one();
        Ok(())
    }
}
