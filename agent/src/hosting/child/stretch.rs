//! Several frames of a large answer, to be written in one go from where the answer lies.
#![forbid(unsafe_code)]

use std::io::IoSlice;

use crate::hosting::frames::{CHUNK_BYTES, FromHost, Outcome};

/// Where an answer stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) call: u64,
    /// Bytes of the whole answer.
    pub(super) total: u64,
    /// Those that are sent.
    pub(super) sent: u64,
    /// Those that the agent takes.
    pub(super) allowed: u64,
}

impl Progress {
    /// Whether the agent takes the next frame.
    pub(super) fn may_go_on(&self) -> bool {
        self.sent + self.next() as u64 <= self.allowed
    }

    fn next(&self) -> usize {
        usize::try_from(self.total - self.sent).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES))
    }
}

/// See the module.
pub(super) struct Stretch<'a> {
    frames: Vec<(Vec<u8>, &'a [u8])>,
}

impl<'a> Stretch<'a> {
    /// At most `most` frames of `rest`, which is what of the answer is not sent.
    pub(super) fn of(mut progress: Progress, mut rest: &'a [u8], most: usize) -> Self {
        let mut frames = Vec::with_capacity(most);
        while frames.len() < most && !rest.is_empty() && progress.may_go_on() {
            let (bytes, after) = rest.split_at(progress.next());
            rest = after;
            progress.sent += bytes.len() as u64;
            let (call, total) = (progress.call, progress.total);
            let frame = if progress.sent == total {
                FromHost::Done {
                    call,
                    outcome: Outcome::Answer,
                    bytes,
                }
            } else {
                FromHost::Chunk { call, total, bytes }
            };
            let mut head = Vec::with_capacity(64);
            let trailing = frame.encode_head(&mut head);
            frames.push((head, trailing));
        }
        Stretch { frames }
    }

    /// Bytes of the answer in it.
    pub(super) fn length(&self) -> usize {
        self.frames.iter().map(|(_, part)| part.len()).sum()
    }

    pub(super) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(2 * self.frames.len());
        for (head, part) in &self.frames {
            slices.extend([IoSlice::new(head), IoSlice::new(part)]);
        }
        slices
    }

    /// After `written` bytes of all of it: the bytes of the answer whose frames were begun, and what of the last of these
    /// frames has to follow before any other.
    pub(super) fn after(&self, mut written: usize) -> (usize, Vec<u8>) {
        let mut begun = 0;
        for (head, part) in &self.frames {
            if written == 0 {
                break;
            }
            begun += part.len();
            let whole = head.len() + part.len();
            if written < whole {
                let frame = [head.as_slice(), part].concat();
                return (begun, frame[written..].to_vec());
            }
            written -= whole;
        }
        (begun, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn progress(total: usize, allowed: usize) -> Progress {
        Progress {
            call: 7,
            total: total as u64,
            sent: 0,
            allowed: allowed as u64,
        }
    }

    fn written(stretch: &Stretch<'_>) -> Vec<u8> {
        stretch.slices().iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn frames_stop_at_the_window_and_at_the_most() {
        let body = vec![b'x'; 5 * CHUNK_BYTES + 1];
        let all = Stretch::of(progress(body.len(), body.len()), &body, 100);
        assert_eq!((all.frames.len(), all.length()), (6, body.len()));
        let window = Stretch::of(progress(body.len(), 3 * CHUNK_BYTES), &body, 100);
        assert_eq!(window.length(), 3 * CHUNK_BYTES);
        let most = Stretch::of(progress(body.len(), body.len()), &body, 2);
        assert_eq!(most.length(), 2 * CHUNK_BYTES);
    }

    proptest! {
        /// Wherever the channel stops taking bytes, what follows continues the frames.
        #[test]
        fn nothing_is_lost_or_sent_twice(length in 1..4 * CHUNK_BYTES, at in any::<prop::sample::Index>()) {
            let body: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let stretch = Stretch::of(progress(length, length), &body, 100);
            let expected = written(&stretch);
            let at = at.index(expected.len() + 1);
            let (begun, rest) = stretch.after(at);
            let mut sent = expected[..at].to_vec();
            sent.extend(rest);
            let after = Progress { sent: begun as u64, ..progress(length, length) };
            sent.extend(written(&Stretch::of(after, &body[begun..], 100)));
            prop_assert_eq!(sent, expected);
        }
    }
}
