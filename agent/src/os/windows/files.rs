//! Files, their owners and rights.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle};
use std::path::Path;

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CREATE_NEW, CreateDirectoryW, CreateFileW, FILE_ATTRIBUTE_NORMAL,
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_SHARE_READ,
    FILE_TYPE_DISK, GetDiskFreeSpaceExW, GetFileInformationByHandle, GetFileType,
};

use super::descriptor::Descriptor;
use super::process::wide;
use super::security::rights;
use crate::os::{FileFacts, FileKind, Stamp};

/// 100 ns intervals between 1601 and 1970.
const EPOCH: i128 = 116_444_736_000_000_000;

/// Opens a file that somebody else may control: follows no link or other reparse point at the last component. Look at
/// [`file_facts`] before reading.
///
/// # Errors
/// Those of `CreateFile`.
pub fn open_untrusted(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

/// What is known of an open file.
///
/// # Errors
/// Those of the system calls.
pub fn file_facts(file: &File) -> io::Result<FileFacts> {
    let metadata = file.metadata()?;
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: an open handle, and a place for the answer.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: an open handle.
    let on_disk = unsafe { GetFileType(file.as_raw_handle()) } == FILE_TYPE_DISK;
    let kind = if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        FileKind::Link
    } else if metadata.is_dir() {
        FileKind::Directory
    } else if on_disk {
        FileKind::Regular
    } else {
        FileKind::Other
    };
    let rights = rights(file)?;
    let nanoseconds = |time: u64| (i128::from(time) - EPOCH) * 100;
    Ok(FileFacts {
        kind,
        owner: rights.owner,
        group_writable: false,
        world_writable: rights.others_write,
        group_readable: false,
        world_readable: rights.others_read,
        sticky: false,
        stamp: Stamp {
            size: metadata.file_size(),
            modified: nanoseconds(metadata.last_write_time()),
            changed: nanoseconds(metadata.creation_time()),
            device: u64::from(information.dwVolumeSerialNumber),
            inode: u64::from(information.nFileIndexHigh) << 32 | u64::from(information.nFileIndexLow),
        },
    })
}

/// What is known of a path, without following a link at its last component.
///
/// # Errors
/// Those of the system calls.
pub fn path_facts(path: &Path) -> io::Result<FileFacts> {
    file_facts(&open_untrusted(path)?)
}

/// Creates a file that only its owner, SYSTEM and the Administrators may read. It must not exist.
///
/// # Errors
/// Those of `CreateFile`; `AlreadyExists` if there is something of that name.
pub fn create_private(path: &Path) -> io::Result<File> {
    let descriptor = Descriptor::private()?;
    let attributes = descriptor.attributes();
    let path = wide(path.as_os_str());
    // SAFETY: the path is NUL-terminated; the attributes and their descriptor outlive the call.
    let handle = unsafe {
        CreateFileW(
            path.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ,
            &raw const attributes,
            CREATE_NEW,
            FILE_ATTRIBUTE_NORMAL,
            std::ptr::null_mut(),
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, owned by nobody else.
    Ok(unsafe { File::from_raw_handle(handle) })
}

/// Creates a directory that only its owner, SYSTEM and the Administrators may enter, and missing parents. One that exists
/// is left as it is.
///
/// # Errors
/// Those of `CreateDirectory`.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_private_dir(parent)?;
    }
    let descriptor = Descriptor::private()?;
    let attributes = descriptor.attributes();
    let wide_path = wide(path.as_os_str());
    // SAFETY: the path is NUL-terminated; the attributes and their descriptor outlive the call.
    if unsafe { CreateDirectoryW(wide_path.as_ptr(), &raw const attributes) } == 0 && !path.is_dir() {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Opens a log file for appending; its rights are those of the directory.
///
/// # Errors
/// Those of `CreateFile`.
pub fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// Access lists are inherited from the directory, which the service may read.
///
/// # Errors
/// Never.
pub fn share_with_service(_file: &File, _directory: &Path) -> io::Result<()> {
    Ok(())
}

/// Bytes that this user may still write to the volume of `path`, its quota taken into account.
///
/// # Errors
/// Those of `GetDiskFreeSpaceEx`.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let wide_path = wide(path.as_os_str());
    let mut free = 0;
    let (total, all_free) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the path is NUL-terminated; the number outlives the call, and the others may be absent.
    if unsafe { GetDiskFreeSpaceExW(wide_path.as_ptr(), &raw mut free, total, all_free) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(free)
}
