//! The channels between the agent and a host: one-way socket pairs. In the host they are descriptors 3 (from the agent) and
//! 4 (to the agent), so that nothing a connector prints can end up in them.

use std::io::{self, IoSlice};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdStream;

use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// Descriptor of frames from the agent, in the host.
pub(super) const FROM_AGENT: RawFd = 3;
/// Descriptor of frames to the agent, in the host.
pub(super) const TO_AGENT: RawFd = 4;

/// The agent's end of frames from a host.
pub(crate) struct Inbound(UnixStream);

/// The agent's end of frames to a host.
pub(crate) struct Outbound(UnixStream);

/// The agent's end of a host's standard output or error.
pub(crate) struct Output(pipe::Receiver);

impl Inbound {
    /// Must be called within the runtime.
    pub(super) fn new(stream: StdStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream).map(Inbound)
    }

    /// Waits for bytes; 0 at the end. Cancel-safe.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.0.readable().await?,
                outcome => return outcome,
            }
        }
    }

    /// Reads what is there; `WouldBlock` if there is nothing.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Outbound {
    /// Must be called within the runtime.
    pub(super) fn new(stream: StdStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream).map(Outbound)
    }

    /// Writes what fits; `WouldBlock` if nothing does. Any thread, but one at a time.
    pub(crate) fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    /// Waits until [`Outbound::try_write`] may succeed.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }
}

impl Output {
    /// Must be called within the runtime.
    pub(super) fn new(end: OwnedFd) -> io::Result<Self> {
        pipe::Receiver::from_owned_fd(end).map(Output)
    }

    /// Waits for bytes; 0 at the end. Cancel-safe.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.0.readable().await?,
                outcome => return outcome,
            }
        }
    }

    /// Reads what is there; `WouldBlock` if there is nothing.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

/// The host's end of frames from the agent. Blocks.
pub(crate) struct HostReader(StdStream);

/// The host's end of frames to the agent.
pub(crate) struct HostWriter(StdStream);

/// Takes the channels that the agent left in this process; they are not inherited further.
///
/// # Errors
/// If there are none: the process was not started by an agent.
pub(crate) fn inherited_channels() -> io::Result<(HostReader, HostWriter)> {
    Ok((HostReader(take(FROM_AGENT)?), HostWriter(take(TO_AGENT)?)))
}

fn take(descriptor: RawFd) -> io::Result<StdStream> {
    // SAFETY: only borrowed to look at it; if it is closed, the calls below fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    rustix::net::sockopt::socket_type(borrowed)?;
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: it is an open socket, as just seen. Called once, before any other thread, so nobody else owns it.
    let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Ok(StdStream::from(owned))
}

impl HostReader {
    /// Waits for bytes; 0 when the agent is gone.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| io::Read::read(&mut self.0, buffer))
    }

    pub(super) fn into_stream(self) -> StdStream {
        self.0
    }
}

impl HostWriter {
    /// From now on a thread of its own calls [`HostWriter::write`]; nothing depends on that here.
    #[expect(clippy::unused_self, reason = "the same as on Windows")]
    pub(crate) fn attend(&self) {}

    /// Writes what fits at once; `WouldBlock` if nothing does.
    pub(crate) fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(parts, rustix::net::SendFlags::DONTWAIT)
    }

    /// Writes some of it, waiting as long as it takes.
    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(parts, rustix::net::SendFlags::empty())
    }

    fn send(&self, parts: &[IoSlice<'_>], flags: rustix::net::SendFlags) -> io::Result<usize> {
        let mut no_ancillary = rustix::net::SendAncillaryBuffer::default();
        retry(|| {
            Ok(rustix::net::sendmsg(
                &self.0,
                parts,
                &mut no_ancillary,
                flags | rustix::net::SendFlags::NOSIGNAL,
            )?)
        })
    }
}

fn retry(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
