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
    inode: u64,
}

impl Stamp {
    /// Of an open file or a path's target.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Stamp {
            modified: metadata.modified().ok(),
            created: metadata.created().ok(),
            len: metadata.len(),
            inode: inode(metadata),
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

/// Windows gives a replaced file a new creation time, but for the 15 seconds of its name tunnelling; then the change time
/// tells.
#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}
