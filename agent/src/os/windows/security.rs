//! Owners and access lists.

use std::ffi::{OsStr, c_void};
use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, GetSecurityInfo, SE_FILE_OBJECT, SE_KERNEL_OBJECT, SE_OBJECT_TYPE,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACL, DACL_SECURITY_INFORMATION, GetAce, GetTokenInformation, LookupAccountNameW,
    OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, TOKEN_ELEVATION, TOKEN_QUERY, TOKEN_USER,
    TokenElevation, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_APPEND_DATA, FILE_DELETE_CHILD, FILE_GENERIC_READ, FILE_READ_DATA, FILE_WRITE_DATA,
    WRITE_DAC, WRITE_OWNER,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::process::wide;
use crate::os::Owner;

const ACCESS_ALLOWED: u8 = 0;
/// The entry is only for what is made below.
const INHERIT_ONLY: u8 = 8;
const GENERIC_READ: u32 = 0x8000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const GENERIC_ALL: u32 = 0x1000_0000;

/// Whose a file is, and what others may do to it.
pub(super) struct Rights {
    pub(super) owner: Owner,
    pub(super) others_read: bool,
    pub(super) others_write: bool,
}

/// Frees what the system allocated.
struct Local(*mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: the system allocated it with LocalAlloc; freed once.
        unsafe { LocalFree(self.0) };
    }
}

pub(super) fn rights(file: &File) -> io::Result<Rights> {
    rights_of(file.as_raw_handle(), SE_FILE_OBJECT)
}

/// Whose the other end of a pipe is.
pub(super) fn owner_of_pipe(pipe: RawHandle) -> io::Result<Owner> {
    rights_of(pipe, SE_KERNEL_OBJECT).map(|rights| rights.owner)
}

fn rights_of(handle: RawHandle, kind: SE_OBJECT_TYPE) -> io::Result<Rights> {
    let mut owner: PSID = std::ptr::null_mut();
    let mut list: *mut ACL = std::ptr::null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = std::ptr::null_mut();
    // SAFETY: an open handle; owner and list point into the descriptor, which lives until `_descriptor` is dropped.
    let code = unsafe {
        GetSecurityInfo(
            handle,
            kind,
            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
            &raw mut owner,
            std::ptr::null_mut(),
            &raw mut list,
            std::ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    let _descriptor = Local(descriptor);
    let owner = Owner::Sid(sid_text(owner)?);
    if list.is_null() {
        // No list means that everybody may do everything.
        return Ok(Rights {
            owner,
            others_read: true,
            others_write: true,
        });
    }
    let others = others_mask(list, &owner)?;
    let write = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER;
    Ok(Rights {
        owner,
        others_read: others & (FILE_READ_DATA | GENERIC_READ | GENERIC_ALL) != 0,
        others_write: others & (write | GENERIC_WRITE | GENERIC_ALL) != 0,
    })
}

/// All that the list allows to anybody but the owner, the system, the service's account and who runs this process. Denials
/// are not subtracted: they only make it safer.
fn others_mask(list: *const ACL, owner: &Owner) -> io::Result<u32> {
    // SAFETY: the list is part of a valid descriptor.
    let count = unsafe { (*list).AceCount };
    let mut mask = 0;
    let own = current_owner();
    // S-1-3-4 stands for the owner.
    let known = |who: &Owner| {
        who == owner
            || who == &own
            || who.is_system()
            || who.is_service()
            || *who == Owner::Sid("S-1-3-4".into())
    };
    for index in 0..u32::from(count) {
        let mut entry: *mut c_void = std::ptr::null_mut();
        // SAFETY: the index is below the count.
        if unsafe { GetAce(list, index, &raw mut entry) } == 0 {
            return Err(io::Error::last_os_error());
        }
        let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
        // SAFETY: every entry begins with a header.
        let header = unsafe { (*entry).Header };
        if header.AceType != ACCESS_ALLOWED || header.AceFlags & INHERIT_ONLY != 0 {
            continue;
        }
        // SAFETY: an entry of this type ends with a SID that begins at SidStart.
        let sid = unsafe { &raw mut (*entry).SidStart };
        let who = Owner::Sid(sid_text(sid.cast())?);
        if known(&who) {
            continue;
        }
        // SAFETY: an entry of this type has a mask.
        mask |= unsafe { (*entry).Mask };
    }
    Ok(mask & !(FILE_GENERIC_READ & !FILE_READ_DATA))
}

fn sid_text(sid: PSID) -> io::Result<String> {
    let mut text: *mut u16 = std::ptr::null_mut();
    // SAFETY: callers pass a valid SID.
    if unsafe { ConvertSidToStringSidW(sid, &raw mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let _text = Local(text.cast());
    let mut length = 0;
    loop {
        // SAFETY: the string is NUL-terminated, and this stops at the NUL.
        let unit = unsafe { text.add(length) };
        // SAFETY: within the string or its NUL, as above.
        if unsafe { unit.read() } == 0 {
            break;
        }
        length += 1;
    }
    // SAFETY: so many units stand before the NUL.
    let units = unsafe { std::slice::from_raw_parts(text, length) };
    Ok(String::from_utf16_lossy(units))
}

fn own_token() -> io::Result<OwnedHandle> {
    let mut token = std::ptr::null_mut();
    // SAFETY: a constant pseudo handle.
    let own = unsafe { GetCurrentProcess() };
    // SAFETY: a place for the handle.
    if unsafe { OpenProcessToken(own, TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, owned by nobody else.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

/// Who runs this process.
#[must_use]
pub fn current_owner() -> Owner {
    // A process can always read its own token; the fallback names nobody.
    Owner::Sid(own_sid().unwrap_or_default())
}

fn own_sid() -> io::Result<String> {
    let token = own_token()?;
    let mut buffer = [0_u64; 64];
    let mut length = 0;
    let size = u32::try_from(size_of_val(&buffer)).expect("a small buffer");
    // SAFETY: the buffer is aligned and has the given size.
    let outcome = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size,
            &raw mut length,
        )
    };
    if outcome == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call filled the buffer with a TOKEN_USER, whose SID lies in the buffer too.
    let user = unsafe { buffer.as_ptr().cast::<TOKEN_USER>().read() };
    sid_text(user.User.Sid)
}

/// Whether this process runs elevated.
#[must_use]
pub fn current_user_is_privileged() -> bool {
    let Ok(token) = own_token() else {
        return false;
    };
    let mut elevation = TOKEN_ELEVATION::default();
    let mut length = 0;
    let size = u32::try_from(size_of_val(&elevation)).expect("a small struct");
    // SAFETY: the struct is the one that the class asks for, with its size.
    let outcome = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenElevation,
            (&raw mut elevation).cast(),
            size,
            &raw mut length,
        )
    };
    outcome != 0 && elevation.TokenIsElevated != 0
}

/// The account of that name, or the SID itself; `None` if there is none.
///
/// # Errors
/// Never at present.
pub fn resolve_owner(name: &str) -> io::Result<Option<Owner>> {
    if name.starts_with("S-1-") {
        return Ok(Some(Owner::Sid(name.to_owned())));
    }
    let name = wide(OsStr::new(name));
    let mut sid = [0_u64; 16];
    let mut sid_size = u32::try_from(size_of_val(&sid)).expect("a small buffer");
    let mut domain = [0_u16; 256];
    let mut domain_size = 256;
    let mut usage = 0;
    // SAFETY: the name is NUL-terminated; both buffers have the given sizes.
    let outcome = unsafe {
        LookupAccountNameW(
            std::ptr::null(),
            name.as_ptr(),
            sid.as_mut_ptr().cast(),
            &raw mut sid_size,
            domain.as_mut_ptr(),
            &raw mut domain_size,
            &raw mut usage,
        )
    };
    if outcome == 0 {
        return Ok(None);
    }
    sid_text(sid.as_mut_ptr().cast()).map(|sid| Some(Owner::Sid(sid)))
}
