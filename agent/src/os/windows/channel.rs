//! The channels between the agent and a host: anonymous pipes. They cannot be waited for without a thread, so each end in the
//! agent has one, which ends with the pipe.

use std::io::{self, IoSlice, PipeReader, PipeWriter, Read, Write};
use std::os::windows::io::{FromRawHandle, OwnedHandle, RawHandle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};

/// Bytes handed from or to a pipe's thread at once.
const PIECE: usize = 64 * 1024;

/// The agent's end of a pipe that it reads.
pub(crate) struct Inbound {
    pieces: mpsc::Receiver<Vec<u8>>,
    current: Vec<u8>,
    start: usize,
}

/// The agent's end of a host's standard output or error.
pub(crate) type Output = Inbound;

impl Inbound {
    pub(super) fn new(mut pipe: PipeReader) -> io::Result<Self> {
        let (sender, pieces) = mpsc::channel(4);
        std::thread::Builder::new()
            .name("pipe-reader".into())
            .spawn(move || {
                let mut buffer = vec![0; PIECE];
                while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                    if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Inbound {
            pieces,
            current: Vec::new(),
            start: 0,
        })
    }

    /// Waits for bytes; 0 at the end. Cancel-safe.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.current.len() {
            let Some(piece) = self.pieces.recv().await else {
                return Ok(0);
            };
            self.current = piece;
            self.start = 0;
        }
        Ok(self.copy(buffer))
    }

    /// Reads what is there; `WouldBlock` if there is nothing.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.current.len() {
            match self.pieces.try_recv() {
                Ok(piece) => self.current = piece,
                Err(mpsc::error::TryRecvError::Empty) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(mpsc::error::TryRecvError::Disconnected) => return Ok(0),
            }
            self.start = 0;
        }
        Ok(self.copy(buffer))
    }

    fn copy(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.current[self.start..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.start += count;
        count
    }
}

/// The agent's end of frames to a host.
pub(crate) struct Outbound(Arc<Slot>);

/// What the writing thread has to write; one piece at a time.
#[derive(Default)]
struct Slot {
    state: Mutex<Piece>,
    filled: Condvar,
    emptied: Notify,
}

#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    busy: bool,
    closed: bool,
}

impl Outbound {
    pub(super) fn new(mut pipe: PipeWriter) -> io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let own = slot.clone();
        std::thread::Builder::new()
            .name("pipe-writer".into())
            .spawn(move || {
                while let Some(bytes) = own.wait() {
                    let failed = pipe.write_all(&bytes).is_err();
                    if own.written(bytes, failed) {
                        return;
                    }
                }
            })?;
        Ok(Outbound(slot))
    }

    /// Writes what fits; `WouldBlock` if nothing does. Any thread, but one at a time.
    pub(crate) fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut piece = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if piece.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if piece.busy {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for part in parts {
            let room = PIECE - piece.bytes.len();
            piece.bytes.extend_from_slice(&part[..part.len().min(room)]);
        }
        piece.busy = true;
        self.0.filled.notify_one();
        Ok(piece.bytes.len())
    }

    /// Waits until [`Outbound::try_write`] may succeed.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        loop {
            let emptied = self.0.emptied.notified();
            let mut emptied = std::pin::pin!(emptied);
            emptied.as_mut().enable();
            if !self.0.state.lock().unwrap_or_else(PoisonError::into_inner).busy {
                return Ok(());
            }
            emptied.await;
        }
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.filled.notify_one();
    }
}

impl Slot {
    /// What is to be written; `None` when the agent's end is gone.
    fn wait(&self) -> Option<Vec<u8>> {
        let mut piece = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !piece.busy && !piece.closed {
            piece = self.filled.wait(piece).unwrap_or_else(PoisonError::into_inner);
        }
        piece.busy.then(|| std::mem::take(&mut piece.bytes))
    }

    /// Whether the pipe is closed.
    fn written(&self, mut bytes: Vec<u8>, failed: bool) -> bool {
        let mut piece = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.clear();
        piece.bytes = bytes;
        piece.busy = false;
        piece.closed |= failed;
        let closed = piece.closed;
        drop(piece);
        self.emptied.notify_waiters();
        closed
    }
}

/// The host's end of frames from the agent. Blocks.
pub(crate) struct HostReader(PipeReader);

/// The host's end of frames to the agent.
pub(crate) struct HostWriter {
    pipe: Mutex<PipeWriter>,
    /// Whether there is a thread that may wait for the pipe.
    attended: AtomicBool,
}

/// Takes the channels that the agent left in this process; their handles are on the command line.
///
/// # Errors
/// If there are none: the process was not started by an agent.
pub(crate) fn inherited_channels() -> io::Result<(HostReader, HostWriter)> {
    let mut handles = std::env::args().skip(2);
    let mut next = || {
        let number: usize = handles
            .next()
            .and_then(|text| text.parse().ok())
            .ok_or(io::ErrorKind::InvalidInput)?;
        super::process::check_pipe(number)?;
        // SAFETY: it is an open pipe, as just seen, that the agent left for this purpose; nobody else owns it.
        Ok::<_, io::Error>(unsafe { OwnedHandle::from_raw_handle(number as RawHandle) })
    };
    let reader = PipeReader::from(next()?);
    let writer = PipeWriter::from(next()?);
    let writer = HostWriter {
        pipe: Mutex::new(writer),
        attended: AtomicBool::new(false),
    };
    Ok((HostReader(reader), writer))
}

impl HostReader {
    /// Waits for bytes; 0 when the agent is gone.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl HostWriter {
    /// From now on a thread of its own calls [`HostWriter::write`].
    pub(crate) fn attend(&self) {
        self.attended.store(true, Ordering::Release);
    }

    /// A pipe cannot say whether it has room: `WouldBlock`, once there is a thread that may wait. Until then the few small
    /// frames of a start have to go out from here.
    pub(crate) fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.attended.load(Ordering::Acquire) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.write(parts)
    }

    /// Writes some of it, waiting as long as it takes.
    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        match parts.iter().find(|part| !part.is_empty()) {
            Some(part) => pipe.write(part),
            None => Ok(0),
        }
    }
}
