//! Has a file been replaced or written to? Cheaper than reading it, and independent of file events, which some file
//! systems never send.
#![forbid(unsafe_code)]

use std::fs::Metadata;
use std::time::SystemTime;

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    created: Option<SystemTime>,
    len: u64,
    identity: Identity,
}

/// Number of the file, and when its content, owner or mode last changed, in nanoseconds.
type Identity = (u64, i128);

impl Stamp {
    /// Of an open file or a path's target.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Stamp {
            modified: metadata.modified().ok(),
            created: metadata.created().ok(),
            len: metadata.len(),
            identity: identity(metadata),
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    (metadata.ino(), changed)
}

/// Windows gives a replaced file a new creation time (but for 15 s of name tunnelling, when the write time tells).
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    (0, 0)
}
