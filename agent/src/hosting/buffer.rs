//! A receive buffer that frames are decoded from in place.
#![forbid(unsafe_code)]

use super::frames::{HEADER, MAX_PAYLOAD};

const SMALL: usize = 16 * 1024;
/// Holds the longest frame and what follows it, so that one read can bring many frames.
const LARGE: usize = 2 * (HEADER + MAX_PAYLOAD);

/// Bytes that were received and not consumed. Starts small, since most hosts only exchange small frames, and grows once.
pub(super) struct FrameBuffer {
    data: Vec<u8>,
    start: usize,
    end: usize,
}

impl FrameBuffer {
    pub(super) fn new() -> Self {
        FrameBuffer {
            data: vec![0; SMALL],
            start: 0,
            end: 0,
        }
    }

    /// Where to read into; never empty as long as complete frames are consumed.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.start > 0 && self.end == self.data.len() {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.data.len() {
            self.data.resize(LARGE, 0);
        }
        &mut self.data[self.end..]
    }

    /// `count` bytes were read into `space`.
    pub(super) fn filled(&mut self, count: usize) {
        self.end += count;
        debug_assert!(self.end <= self.data.len());
    }

    /// What was received.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }

    /// The first `count` of them are dealt with.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_and_the_longest_frame_fits() {
        let mut buffer = FrameBuffer::new();
        let sent: Vec<u8> = (0..HEADER + MAX_PAYLOAD).map(|n| (n % 251) as u8).collect();
        let mut left = &sent[..];
        while !left.is_empty() {
            let space = buffer.space();
            let count = space.len().min(left.len()).min(10_000);
            space[..count].copy_from_slice(&left[..count]);
            buffer.filled(count);
            left = &left[count..];
        }
        assert_eq!(buffer.bytes(), sent);
        buffer.consume(5);
        assert_eq!(buffer.bytes(), &sent[5..]);
        buffer.consume(sent.len() - 5);
        assert!(!buffer.space().is_empty());
        assert!(buffer.bytes().is_empty());
    }
}
