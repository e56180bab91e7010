//! Opens a file of the connectors directory exactly once, so that what is judged is what is copied.

use std::fs::File;
use std::path::Path;

use super::{MAX_BYTES, Owners, Refusal, too_large, unreadable};

/// Opens `name` in `directory` for reading: no link is followed, nothing blocks, only a regular file of a trusted owner
/// passes.
pub(super) fn open(directory: &Path, name: &str, owners: &Owners) -> Result<File, Refusal> {
    let canonical = directory.canonicalize().map_err(|error| unreadable(&error))?;
    owners.check_ancestors(&canonical)?;
    let file = open_entry(&canonical, name)?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(Refusal::File(format!(
            "it is {}, not a regular file; put the library itself there",
            kind(&metadata)
        )));
    }
    owners.check_file(&metadata, &canonical.join(name))?;
    if metadata.len() > MAX_BYTES {
        return Err(too_large());
    }
    Ok(file)
}

fn link() -> Refusal {
    Refusal::File(
        "it is a symbolic link, and links are not followed; copy the library itself into the directory"
            .into(),
    )
}

fn gone() -> Refusal {
    Refusal::Changing
}

#[cfg(unix)]
fn open_entry(directory: &Path, name: &str) -> Result<File, Refusal> {
    use rustix::fs::{Mode, OFlags, open, openat};
    use rustix::io::Errno;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let parent = open(directory, flags | OFlags::DIRECTORY, Mode::empty())
        .map_err(|error| unreadable(&error.into()))?;
    match openat(
        &parent,
        name,
        flags | OFlags::NONBLOCK | OFlags::NOCTTY,
        Mode::empty(),
    ) {
        Ok(file) => Ok(file.into()),
        Err(Errno::LOOP) => Err(link()),
        Err(Errno::NOENT) => Err(gone()),
        Err(Errno::NXIO) => Err(Refusal::File(
            "it is a socket, not a regular file; put the library itself there".into(),
        )),
        Err(error) => Err(unreadable(&error.into())),
    }
}

/// A reparse point is opened itself, not what it points to, and refused.
#[cfg(windows)]
fn open_entry(directory: &Path, name: &str) -> Result<File, Refusal> {
    use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
    const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    const BACKUP_SEMANTICS: u32 = 0x0200_0000;
    const ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
    let opened = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(OPEN_REPARSE_POINT | BACKUP_SEMANTICS)
        .open(directory.join(name));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(gone()),
        Err(error) => return Err(unreadable(&error)),
    };
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if metadata.file_attributes() & ATTRIBUTE_REPARSE_POINT != 0 {
        return Err(link());
    }
    Ok(file)
}

#[cfg(unix)]
fn kind(metadata: &std::fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "a special file"
    }
}

#[cfg(windows)]
fn kind(metadata: &std::fs::Metadata) -> &'static str {
    if metadata.is_dir() {
        "a directory"
    } else {
        "a special file"
    }
}
