//! Files, their owners and rights.

use std::ffi::CString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::os::{FileFacts, FileKind, Owner, Stamp};

/// Opens a file that somebody else may control: follows no link at the last component and never waits, whatever it is
/// (opening a FIFO would otherwise hang). Look at [`file_facts`] before reading.
///
/// # Errors
/// Those of `open`; a symbolic link is `ELOOP`.
pub fn open_untrusted(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

/// What is known of an open file.
///
/// # Errors
/// Those of `fstat`.
pub fn file_facts(file: &File) -> io::Result<FileFacts> {
    file.metadata().map(|metadata| facts(&metadata))
}

/// What is known of a path, without following a link at its last component.
///
/// # Errors
/// Those of `lstat`.
pub fn path_facts(path: &Path) -> io::Result<FileFacts> {
    path.symlink_metadata().map(|metadata| facts(&metadata))
}

fn facts(metadata: &Metadata) -> FileFacts {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => FileKind::Regular,
        kind if kind.is_dir() => FileKind::Directory,
        kind if kind.is_symlink() => FileKind::Link,
        kind => {
            debug_assert!(
                kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device()
            );
            FileKind::Other
        }
    };
    let mode = metadata.mode();
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    FileFacts {
        kind,
        owner: Owner::User(metadata.uid()),
        group_writable: mode & 0o020 != 0,
        world_writable: mode & 0o002 != 0,
        group_readable: mode & 0o040 != 0,
        world_readable: mode & 0o004 != 0,
        sticky: mode & 0o1000 != 0,
        stamp: Stamp {
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
        },
    }
}

/// Creates a file that only its owner may read (0600). It must not exist: neither a file nor a link in its place is used.
///
/// # Errors
/// Those of `open`; `AlreadyExists` if there is something of that name.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Creates a directory that only its owner may enter (0700), and missing parents with the same rights. One that exists is
/// left as it is.
///
/// # Errors
/// Those of `mkdir`.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a log file for appending, created with 0640, following no link.
///
/// # Errors
/// Those of `open`.
pub fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

/// Bytes that this user may still write to the file system of `path`, as far as it knows; 0 where it takes no more files.
///
/// # Errors
/// Those of `statvfs`.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    // Some file systems count no files at all.
    let no_more_files = found.f_files > 0 && found.f_favail == 0;
    Ok(if no_more_files {
        0
    } else {
        found.f_bavail.saturating_mul(found.f_frsize)
    })
}

/// Who runs this process.
#[must_use]
pub fn current_owner() -> Owner {
    Owner::User(rustix::process::geteuid().as_raw())
}

/// Whether this process is root's.
#[must_use]
pub fn current_user_is_privileged() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user of that name or number; `None` if there is none.
///
/// # Errors
/// If the user database cannot be read.
pub fn resolve_owner(name: &str) -> io::Result<Option<Owner>> {
    if let Ok(id) = name.parse() {
        return Ok(Some(Owner::User(id)));
    }
    let Ok(name) = CString::new(name) else {
        return Ok(None);
    };
    let mut buffer = vec![0_u8; 16 * 1024];
    let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
    let mut found = std::ptr::null_mut();
    // SAFETY: name is NUL-terminated; entry, buffer (with its own length) and found are valid for writing and outlive the
    // call.
    let code = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut found,
        )
    };
    if code != 0 && code != libc::ENOENT && code != libc::ESRCH {
        return Err(io::Error::from_raw_os_error(code));
    }
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: getpwnam_r set `found` to `entry`, which means that it filled it.
    let entry = unsafe { entry.assume_init() };
    Ok(Some(Owner::User(entry.pw_uid)))
}

/// Lets the group of the service's account read `file`, which root has made in a `directory` of that group. Elsewhere nothing
/// is changed.
///
/// # Errors
/// Those of `chown` and `chmod`.
pub fn share_with_service(file: &File, directory: &Path) -> io::Result<()> {
    if !current_user_is_privileged() {
        return Ok(());
    }
    let group = directory.metadata()?.gid();
    if group == 0 || service_group() != Some(group) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, None, Some(group))?;
    file.set_permissions(Permissions::from_mode(0o640))
}

/// The group that packages and `service install` make; `None` without it.
pub(super) fn service_group() -> Option<u32> {
    const NAME: &std::ffi::CStr = c"lumos-agent";
    let mut buffer = vec![0_u8; 64 * 1024];
    let mut entry = std::mem::MaybeUninit::<libc::group>::uninit();
    let mut found = std::ptr::null_mut();
    // SAFETY: the name is NUL-terminated; entry, buffer (with its own length) and found are valid for writing and outlive the
    // call.
    let code = unsafe {
        libc::getgrnam_r(
            NAME.as_ptr(),
            entry.as_mut_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut found,
        )
    };
    if code != 0 || found.is_null() {
        return None;
    }
    // SAFETY: getgrnam_r set `found` to `entry`, which means that it filled it.
    let entry = unsafe { entry.assume_init() };
    Some(entry.gr_gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_files_are_private_and_never_reused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let facts = file_facts(&create_private(&path).unwrap()).unwrap();
        assert!(facts.is_private());
        assert_eq!(facts.kind, FileKind::Regular);
        assert_eq!(facts.owner, current_owner());
        assert_eq!(
            create_private(&path).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn a_link_is_not_followed_and_a_fifo_does_not_hang() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert!(open_untrusted(&link).is_err());
        assert_eq!(path_facts(&link).unwrap().kind, FileKind::Link);
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let open = open_untrusted(&fifo).unwrap();
        assert_eq!(file_facts(&open).unwrap().kind, FileKind::Other);
    }

    #[test]
    fn owners_are_found_by_name_and_number() {
        assert_eq!(resolve_owner("root").unwrap(), Some(Owner::User(0)));
        assert_eq!(resolve_owner("1234").unwrap(), Some(Owner::User(1234)));
        assert_eq!(resolve_owner("no-such-user-here").unwrap(), None);
        assert!(Owner::User(0).is_system());
    }
}
