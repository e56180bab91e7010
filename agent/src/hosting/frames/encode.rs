//! Writing frames.

use super::{FromHost, MAGIC, MAX_PAYLOAD, OUTDATED, REFUSED, ToHost, WRITE};

/// Writes a header for `meta` followed by `trailing` bytes that the caller sends after what this wrote.
fn head(out: &mut Vec<u8>, kind: u8, flags: u8, call: u64, meta: &[&[u8]], trailing: usize) {
    let length = meta.iter().map(|part| part.len()).sum::<usize>() + trailing;
    debug_assert!(length <= MAX_PAYLOAD, "a frame of kind {kind} has {length} bytes");
    let length = u32::try_from(length).expect("callers keep payloads within the cap");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[kind, flags, 0, 0]);
    out.extend_from_slice(&call.to_le_bytes());
    for part in meta {
        out.extend_from_slice(part);
    }
}

impl<'a> FromHost<'a> {
    /// Appends the frame but for its trailing bytes, which are returned: they can be sent from where they lie.
    #[must_use = "the frame is not complete without its trailing bytes"]
    pub fn encode_head(&self, out: &mut Vec<u8>) -> &'a [u8] {
        match *self {
            FromHost::Hello { version } => {
                let meta = [&MAGIC.to_le_bytes()[..], &version.to_le_bytes()];
                head(out, 1, 0, 0, &meta, 0);
                &[]
            }
            FromHost::Confined(bytes) => {
                head(out, 9, 0, 0, &[], bytes.len());
                bytes
            }
            FromHost::Manifest(bytes) => {
                head(out, 2, 0, 0, &[], bytes.len());
                bytes
            }
            FromHost::Ready => {
                head(out, 3, 0, 0, &[], 0);
                &[]
            }
            FromHost::Failed { refused, text } => {
                head(out, 4, if refused { REFUSED } else { 0 }, 0, &[], text.len());
                text.as_bytes()
            }
            FromHost::Log {
                call,
                level,
                dropped,
                text,
            } => {
                let meta = [&level.to_le_bytes()[..], &dropped.to_le_bytes()];
                head(out, 5, 0, call, &meta, text.len());
                text
            }
            FromHost::Chunk { call, total, bytes } => {
                head(out, 6, 0, call, &[&total.to_le_bytes()], bytes.len());
                bytes
            }
            FromHost::Done { call, outcome, bytes } => {
                head(out, 7, outcome as u8, call, &[], bytes.len());
                bytes
            }
            FromHost::Pong {
                token,
                ignored_finishes,
                outdated,
            } => {
                let meta = [&token.to_le_bytes()[..], &ignored_finishes.to_le_bytes()];
                head(out, 8, if outdated { OUTDATED } else { 0 }, 0, &meta, 0);
                &[]
            }
        }
    }

    /// Appends the whole frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let trailing = self.encode_head(out);
        out.extend_from_slice(trailing);
    }
}

impl<'a> ToHost<'a> {
    /// Appends the frame but for its trailing bytes, which are returned: they can be sent from where they lie.
    #[must_use = "the frame is not complete without its trailing bytes"]
    pub fn encode_head(&self, out: &mut Vec<u8>) -> &'a [u8] {
        match *self {
            ToHost::Start(settings) => {
                head(out, 65, 0, 0, &[], settings.len());
                settings
            }
            ToHost::Call {
                call,
                write,
                timeout_ms,
                total,
                capability,
                trace,
                bytes,
            } => {
                let length = |text: &str| {
                    u16::try_from(text.len())
                        .expect("names and traces are short")
                        .to_le_bytes()
                };
                let meta = [
                    &timeout_ms.to_le_bytes()[..],
                    &total.to_le_bytes(),
                    &length(capability),
                    &length(trace),
                    capability.as_bytes(),
                    trace.as_bytes(),
                ];
                head(out, 66, if write { WRITE } else { 0 }, call, &meta, bytes.len());
                bytes
            }
            ToHost::Body { call, bytes } => {
                head(out, 67, 0, call, &[], bytes.len());
                bytes
            }
            ToHost::Cancel { call, reason } => {
                head(out, 68, 0, call, &[&reason.to_le_bytes()], 0);
                &[]
            }
            ToHost::Window { call, bytes } => {
                head(out, 69, 0, call, &[&bytes.to_le_bytes()], 0);
                &[]
            }
            ToHost::Ping { token } => {
                head(out, 70, 0, 0, &[&token.to_le_bytes()], 0);
                &[]
            }
            ToHost::Drain => {
                head(out, 71, 0, 0, &[], 0);
                &[]
            }
        }
    }

    /// Appends the whole frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let trailing = self.encode_head(out);
        out.extend_from_slice(trailing);
    }
}
