//! One look at the connectors directory.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::names::{self, Name};

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connectors) struct Facts {
    size: u64,
    /// Nanoseconds; on Windows in the file system's own unit.
    modified: i128,
    changed: i128,
    device: u64,
    inode: u64,
}

#[cfg(test)]
impl Facts {
    pub(super) fn fake(size: u64, modified: i128) -> Self {
        Facts {
            size,
            modified,
            changed: modified,
            device: 1,
            inode: 1,
        }
    }
}

/// The names that count, with their facts.
pub(super) type Listing = BTreeMap<String, Facts>;

/// Lists `directory`, without following links.
///
/// # Errors
/// If it cannot be listed to its end. A partial listing is none: what is missing from it would look deleted.
pub(super) fn scan(directory: &Path) -> io::Result<Listing> {
    let mut listing = Listing::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if names::classify(&name) == Name::Ignored {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => {
                listing.insert(name, facts(&metadata));
            }
            // Gone since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listing)
}

#[cfg(unix)]
pub(in crate::connectors) fn facts(metadata: &std::fs::Metadata) -> Facts {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Facts {
        size: metadata.size(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

/// Windows gives no change time and no file id without opening the file; the creation time tells a replaced file apart.
#[cfg(windows)]
pub(in crate::connectors) fn facts(metadata: &std::fs::Metadata) -> Facts {
    use std::os::windows::fs::MetadataExt;
    Facts {
        size: metadata.file_size(),
        modified: i128::from(metadata.last_write_time()),
        changed: i128::from(metadata.creation_time()),
        device: 0,
        inode: 0,
    }
}

impl Facts {
    /// The same with nothing but the place: what tells a directory from the one that replaced it.
    pub(super) fn place(self) -> Self {
        Facts {
            size: 0,
            modified: 0,
            changed: 0,
            ..self
        }
    }
}
