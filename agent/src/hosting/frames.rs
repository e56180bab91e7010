//! The host protocol: what the agent and a host say to each other over their two one-way channels.
//!
//! Every frame is a header of 16 bytes, little-endian, and a payload of at most [`MAX_PAYLOAD`]:
//!
//! ```text
//!  0      4     5      6      8                16
//!  | length | kind | flags | 0    | call id        | payload ...
//! ```
//!
//! ```text
//!  host                                   agent
//!   HELLO (magic, version)           ->
//!                                    <-   START (settings as JSON)
//!   CONFINED (what is in force, JSON)->             before anything of the connector's runs
//!   MANIFEST (the library's own)     ->
//!   READY                            ->             not when only inspecting
//!                                    <-   CALL (meta, body), BODY (rest of a large body) ...
//!   CHUNK (part of a large answer)   ->
//!                                    <-   WINDOW (more of it may be sent)
//!   DONE (outcome, answer's end)     ->
//!   LOG, PONG                        ->
//!                                    <-   CANCEL, PING, DRAIN
//!   FAILED (text), then exit         ->             instead of MANIFEST or READY
//! ```
//!
//! An answer of up to [`CHUNK_BYTES`] is one DONE. Of a larger one the host sends [`INITIAL_WINDOW`] bytes on its own and the
//! rest as WINDOW frames allow. The codec is pure: decoding borrows from the buffer, never panics and never allocates.
#![forbid(unsafe_code)]

/// Bytes of a frame's header.
pub const HEADER: usize = 16;
/// The most bytes of a payload; a longer one is a protocol error.
pub const MAX_PAYLOAD: usize = 128 * 1024;
/// The most bytes of a body or an answer in one frame.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes of an answer that a host may send before a WINDOW frame.
pub const INITIAL_WINDOW: u64 = 512 * 1024;
/// The version of this protocol. Agent and host are the same executable, so they always agree; after an upgrade on disk
/// the running agent still starts itself.
pub const VERSION: u32 = 2;
const MAGIC: u32 = u32::from_le_bytes(*b"LHP\x01");

/// Set in a CALL's flags if the call may change something.
const WRITE: u8 = 1;
/// Set in a FAILED's flags if trying again is of no use.
const REFUSED: u8 = 1;
/// Set in a PONG's flags if a fresh host should take over.
const OUTDATED: u8 = 1;

/// What a host says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromHost<'a> {
    /// First of all: it is alive, restricted, and has loaded nothing.
    Hello {
        /// See [`VERSION`].
        version: u32,
    },
    /// The walls are up, and nothing of the connector's has run yet; what is in force, as JSON.
    Confined(&'a [u8]),
    /// The library is loaded and acceptable; its manifest.
    Manifest(&'a [u8]),
    /// The instance is made.
    Ready,
    /// It cannot serve and ends.
    Failed {
        /// Whether trying again is of no use.
        refused: bool,
        /// For people.
        text: &'a str,
    },
    /// A line of the connector's log.
    Log {
        /// Its call, 0 for none.
        call: u64,
        /// As the ABI numbers levels.
        level: i32,
        /// Lines dropped before this one.
        dropped: u32,
        /// The line.
        text: &'a [u8],
    },
    /// Part of a large answer.
    Chunk {
        /// Of this call.
        call: u64,
        /// Bytes of the whole answer.
        total: u64,
        /// The part.
        bytes: &'a [u8],
    },
    /// The call has ended.
    Done {
        /// Which.
        call: u64,
        /// How.
        outcome: Outcome,
        /// The answer's last part, or a text for people.
        bytes: &'a [u8],
    },
    /// Answers a PING.
    Pong {
        /// The PING's.
        token: u64,
        /// Late, double and unknown finishes so far.
        ignored_finishes: u64,
        /// Whether the walls no longer fit the system around them, so that a fresh host should take over.
        outdated: bool,
    },
}

/// How a call ended in the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer that is valid JSON.
    Answer,
    /// With something else.
    Invalid,
    /// With an answer over the limit.
    TooLarge,
}

/// What the agent says to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToHost<'a> {
    /// Limits are in force: load.
    Start(&'a [u8]),
    /// Run a capability.
    Call {
        /// Its id, never used twice.
        call: u64,
        /// Whether it may change something.
        write: bool,
        /// Milliseconds left, `u64::MAX` for no limit.
        timeout_ms: u64,
        /// Bytes of the whole body.
        total: u64,
        /// The capability's name.
        capability: &'a str,
        /// W3C traceparent, or empty.
        trace: &'a str,
        /// The body's first part.
        bytes: &'a [u8],
    },
    /// More of a call's body.
    Body {
        /// Of this call.
        call: u64,
        /// The part.
        bytes: &'a [u8],
    },
    /// Nobody waits any more.
    Cancel {
        /// For this call.
        call: u64,
        /// As the ABI numbers reasons.
        reason: i32,
    },
    /// More of an answer may be sent.
    Window {
        /// Of this call.
        call: u64,
        /// So many bytes more.
        bytes: u64,
    },
    /// Are you there?
    Ping {
        /// Returned in the PONG.
        token: u64,
    },
    /// No call will follow: finish those in flight, quiesce, destroy, end.
    Drain,
}

/// The bytes are not what the protocol allows. The connection cannot be used any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header announces too much.
    #[error("a frame of {0} bytes; at most {MAX_PAYLOAD} are allowed")]
    TooLong(usize),
    /// No such kind in this direction.
    #[error("a frame of the unknown kind {0}")]
    UnknownKind(u8),
    /// The payload does not fit the kind.
    #[error("a malformed {0} frame")]
    Malformed(&'static str),
}

struct Raw<'a> {
    kind: u8,
    flags: u8,
    call: u64,
    payload: &'a [u8],
}

impl Raw<'_> {
    fn length(&self) -> usize {
        HEADER + self.payload.len()
    }
}

/// The first frame in `buffer` and its length; `None` if it is not complete yet.
///
/// # Errors
/// If the bytes cannot become a valid frame.
pub fn decode_from_host(buffer: &[u8]) -> Result<Option<(FromHost<'_>, usize)>, FrameError> {
    let Some(raw) = split(buffer)? else {
        return Ok(None);
    };
    let mut fields = Fields::of(&raw);
    let frame = match raw.kind {
        1 => fields.hello()?,
        2 => FromHost::Manifest(fields.rest()),
        3 => FromHost::Ready,
        4 => FromHost::Failed {
            refused: raw.flags & REFUSED != 0,
            text: fields.text("FAILED")?,
        },
        5 => FromHost::Log {
            call: raw.call,
            level: fields.u32("LOG")?.cast_signed(),
            dropped: fields.u32("LOG")?,
            text: fields.rest(),
        },
        6 => FromHost::Chunk {
            call: raw.call,
            total: fields.u64("CHUNK")?,
            bytes: fields.rest(),
        },
        7 => FromHost::Done {
            call: raw.call,
            outcome: match raw.flags {
                0 => Outcome::Answer,
                1 => Outcome::Invalid,
                2 => Outcome::TooLarge,
                _ => return Err(FrameError::Malformed("DONE")),
            },
            bytes: fields.rest(),
        },
        8 => FromHost::Pong {
            token: fields.u64("PONG")?,
            ignored_finishes: fields.u64("PONG")?,
            outdated: raw.flags & OUTDATED != 0,
        },
        9 => FromHost::Confined(fields.rest()),
        kind => return Err(FrameError::UnknownKind(kind)),
    };
    fields.end()?;
    Ok(Some((frame, raw.length())))
}

/// The first frame in `buffer` and its length; `None` if it is not complete yet.
///
/// # Errors
/// If the bytes cannot become a valid frame.
pub fn decode_to_host(buffer: &[u8]) -> Result<Option<(ToHost<'_>, usize)>, FrameError> {
    let Some(raw) = split(buffer)? else {
        return Ok(None);
    };
    let mut fields = Fields::of(&raw);
    let frame = match raw.kind {
        65 => ToHost::Start(fields.rest()),
        66 => fields.call(&raw)?,
        67 => ToHost::Body {
            call: raw.call,
            bytes: fields.rest(),
        },
        68 => ToHost::Cancel {
            call: raw.call,
            reason: fields.u32("CANCEL")?.cast_signed(),
        },
        69 => ToHost::Window {
            call: raw.call,
            bytes: fields.u64("WINDOW")?,
        },
        70 => ToHost::Ping {
            token: fields.u64("PING")?,
        },
        71 => ToHost::Drain,
        kind => return Err(FrameError::UnknownKind(kind)),
    };
    fields.end()?;
    Ok(Some((frame, raw.length())))
}

fn split(buffer: &[u8]) -> Result<Option<Raw<'_>>, FrameError> {
    let Some((header, rest)) = buffer.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let (length, after) = header.split_first_chunk::<4>().expect("the header has 16 bytes");
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_PAYLOAD {
        return Err(FrameError::TooLong(length));
    }
    let call = after.last_chunk::<8>().expect("the header has 16 bytes");
    Ok(rest.get(..length).map(|payload| Raw {
        kind: after[0],
        flags: after[1],
        call: u64::from_le_bytes(*call),
        payload,
    }))
}

/// Takes a payload apart from the front.
struct Fields<'a> {
    left: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(raw: &Raw<'a>) -> Self {
        Fields { left: raw.payload }
    }

    fn array<const N: usize>(&mut self, kind: &'static str) -> Result<[u8; N], FrameError> {
        let (taken, left) = self
            .left
            .split_first_chunk::<N>()
            .ok_or(FrameError::Malformed(kind))?;
        self.left = left;
        Ok(*taken)
    }

    fn u16(&mut self, kind: &'static str) -> Result<u16, FrameError> {
        self.array(kind).map(u16::from_le_bytes)
    }

    fn u32(&mut self, kind: &'static str) -> Result<u32, FrameError> {
        self.array(kind).map(u32::from_le_bytes)
    }

    fn u64(&mut self, kind: &'static str) -> Result<u64, FrameError> {
        self.array(kind).map(u64::from_le_bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    fn text(&mut self, kind: &'static str) -> Result<&'a str, FrameError> {
        std::str::from_utf8(self.rest()).map_err(|_| FrameError::Malformed(kind))
    }

    fn short_text(&mut self, length: u16, kind: &'static str) -> Result<&'a str, FrameError> {
        let (taken, left) = self
            .left
            .split_at_checked(usize::from(length))
            .ok_or(FrameError::Malformed(kind))?;
        self.left = left;
        std::str::from_utf8(taken).map_err(|_| FrameError::Malformed(kind))
    }

    fn hello(&mut self) -> Result<FromHost<'a>, FrameError> {
        if self.u32("HELLO")? != MAGIC {
            return Err(FrameError::Malformed("HELLO"));
        }
        Ok(FromHost::Hello {
            version: self.u32("HELLO")?,
        })
    }

    fn call(&mut self, raw: &Raw<'a>) -> Result<ToHost<'a>, FrameError> {
        let timeout_ms = self.u64("CALL")?;
        let total = self.u64("CALL")?;
        let capability = self.u16("CALL")?;
        let trace = self.u16("CALL")?;
        let capability = self.short_text(capability, "CALL")?;
        let trace = self.short_text(trace, "CALL")?;
        let bytes = self.rest();
        if total < bytes.len() as u64 {
            return Err(FrameError::Malformed("CALL"));
        }
        Ok(ToHost::Call {
            call: raw.call,
            write: raw.flags & WRITE != 0,
            timeout_ms,
            total,
            capability,
            trace,
            bytes,
        })
    }

    fn end(&self) -> Result<(), FrameError> {
        if self.left.is_empty() {
            return Ok(());
        }
        Err(FrameError::Malformed("over-long"))
    }
}

mod encode;
#[cfg(test)]
mod tests;
