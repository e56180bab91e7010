//! Opens a file of the connectors directory exactly once, so that what is judged is what is copied.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{MAX_BYTES, Owners, Refusal, too_large, unreadable};
use crate::os::{self, FileKind};

/// Opens `name` in `directory` for reading: no link is followed, nothing blocks, only a regular file of a trusted owner
/// passes.
pub(super) fn open(directory: &Path, name: &str, owners: &Owners) -> Result<File, Refusal> {
    let canonical = directory.canonicalize().map_err(|error| unreadable(&error))?;
    owners.check_ancestors(&canonical)?;
    let path = canonical.join(name);
    let file = os::open_untrusted(&path).map_err(|error| not_opened(&path, &error))?;
    let facts = os::file_facts(&file).map_err(|error| unreadable(&error))?;
    check_kind(facts.kind)?;
    // The sticky bit of a file means nothing.
    let facts = os::FileFacts {
        sticky: false,
        ..facts
    };
    owners.check_file(&facts, &path)?;
    if facts.stamp.size > MAX_BYTES {
        return Err(too_large());
    }
    Ok(file)
}

/// Says why opening failed; a link and a socket cannot even be opened.
fn not_opened(path: &Path, error: &io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::NotFound {
        return Refusal::Changing;
    }
    let kind = os::path_facts(path).map_or(FileKind::Regular, |facts| facts.kind);
    check_kind(kind).err().unwrap_or_else(|| unreadable(error))
}

fn check_kind(kind: FileKind) -> Result<(), Refusal> {
    let what = match kind {
        FileKind::Regular => return Ok(()),
        FileKind::Directory => "it is a directory, not a regular file; put the library itself there",
        FileKind::Link => {
            "it is a symbolic link, and links are not followed; copy the library itself into the directory"
        }
        FileKind::Other => {
            "it is a pipe, a socket or a device, not a regular file; put the library itself there"
        }
    };
    Err(Refusal::File(what.into()))
}
