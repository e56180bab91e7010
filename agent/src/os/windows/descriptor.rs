//! Security descriptors, written as text (SDDL) and put on files, directories and pipes.

use std::ffi::{OsStr, c_void};
use std::io;
use std::path::Path;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1, SE_FILE_OBJECT,
    SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, OBJECT_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    SECURITY_ATTRIBUTES, SetFileSecurityW,
};

use super::process::wide;
use crate::os::{Audience, SERVICE_SID};

/// Everything for the owner, SYSTEM and the Administrators; nothing inherited.
const PRIVATE: &str = "D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
/// The same without the owner: whoever made it has no more rights than other administrators.
const ADMINISTRATORS: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
/// Not one of them alone, so that an upgrade by another finds its own kind.
const OWNED_BY_ADMINISTRATORS: &str = "O:BA";
/// To list and read, and to run.
const READ: &str = "0x1200a9";
/// The same, and to write and delete, but not to change access lists.
const MODIFY: &str = "0x1301bf";

/// A security descriptor made from text.
pub(super) struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    pub(super) fn of(text: &str) -> io::Result<Self> {
        let text = wide(OsStr::new(text));
        let mut descriptor = std::ptr::null_mut();
        // SAFETY: the text is NUL-terminated; a place for the answer; its size is not asked for.
        let outcome = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                std::ptr::null_mut(),
            )
        };
        if outcome == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Descriptor(descriptor))
    }

    pub(super) fn private() -> io::Result<Self> {
        Descriptor::of(PRIVATE)
    }

    /// What system calls that make something take; borrows the descriptor.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).expect("a small struct"),
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        }
    }

    /// Its access list; borrows the descriptor.
    fn list(&self) -> io::Result<*mut ACL> {
        let mut list = std::ptr::null_mut();
        let (mut present, mut defaulted) = (0, 0);
        // SAFETY: a valid descriptor, and places for the answers.
        let outcome =
            unsafe { GetSecurityDescriptorDacl(self.0, &raw mut present, &raw mut list, &raw mut defaulted) };
        if outcome == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(list)
    }

    fn put_on(&self, path: &Path, what: OBJECT_SECURITY_INFORMATION) -> io::Result<()> {
        let path = wide(path.as_os_str());
        let list = self.list()?;
        // SAFETY: the path is NUL-terminated; the list is part of the descriptor, which outlives the call.
        let code = unsafe {
            SetNamedSecurityInfoW(
                path.as_ptr(),
                SE_FILE_OBJECT,
                what,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                list,
                std::ptr::null(),
            )
        };
        if code != ERROR_SUCCESS {
            return Err(io::Error::from_raw_os_error(code.cast_signed()));
        }
        // The call above hands the list down to what is in a directory. Systems that do not heed its protection (Wine) do
        // heed that of the descriptor.
        // SAFETY: the path is NUL-terminated; the descriptor outlives the call.
        if unsafe { SetFileSecurityW(path.as_ptr(), what, self.0) } == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system allocated it with LocalAlloc; freed once.
        unsafe { LocalFree(self.0.cast::<c_void>()) };
    }
}

/// Gives a file or directory of the installed package to `audience`, and to nobody else. What is in a directory and has no
/// list of its own follows.
///
/// # Errors
/// Those of the system calls.
pub(crate) fn give_to(path: &Path, audience: Audience) -> io::Result<()> {
    let service = |rights: &str| format!("{ADMINISTRATORS}(A;OICI;{rights};;;{SERVICE_SID})");
    let text = match audience {
        Audience::Administrators => ADMINISTRATORS.to_owned(),
        Audience::ServiceReads => service(READ),
        Audience::ServiceWrites => service(MODIFY),
    };
    let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    Descriptor::of(&text)?.put_on(path, what)?;
    let owner = Descriptor::of(OWNED_BY_ADMINISTRATORS)?;
    let path = wide(path.as_os_str());
    // Whose it was, callers have looked at. A system on which this fails leaves it an administrator's, if not everybody's.
    // SAFETY: the path is NUL-terminated; the descriptor outlives the call.
    unsafe { SetFileSecurityW(path.as_ptr(), OWNER_SECURITY_INFORMATION, owner.0) };
    Ok(())
}
