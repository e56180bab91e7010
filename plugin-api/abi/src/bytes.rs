//! Borrowed bytes that cross the ABI.

use core::fmt;

/// `lumos_bytes`: a borrowed run of UTF-8 bytes, not NUL-terminated; the pointer may be null where the length is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    /// First byte, or null if `len` is 0.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: u64,
}

/// The bytes are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utf8Error {
    /// Offset of the first byte that is not part of valid UTF-8.
    pub valid_up_to: usize,
}

impl fmt::Display for Utf8Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not UTF-8 from byte {} on", self.valid_up_to)
    }
}

impl core::error::Error for Utf8Error {}

impl Bytes {
    /// No bytes.
    pub const EMPTY: Bytes = Bytes {
        ptr: core::ptr::null(),
        len: 0,
    };

    /// Borrows `bytes`. The result carries no lifetime: it must not outlive `bytes`.
    #[must_use]
    pub const fn borrow(bytes: &[u8]) -> Bytes {
        Bytes {
            ptr: bytes.as_ptr(),
            len: bytes.len() as u64,
        }
    }

    /// The bytes as a slice; empty where the pointer is null.
    ///
    /// # Safety
    /// `ptr` is null, or points to `len` initialised bytes that stay valid and unchanged for `'a`.
    #[must_use]
    pub const unsafe fn as_slice<'a>(self) -> &'a [u8] {
        if self.ptr.is_null() || self.len == 0 {
            return &[];
        }
        // SAFETY: not null, and the caller vouches for `len` readable bytes for 'a. The ABI is 64-bit only (asserted in
        // `table`), so the cast loses nothing.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len as usize) }
    }

    /// The bytes as text.
    ///
    /// # Safety
    /// As for [`Bytes::as_slice`].
    ///
    /// # Errors
    /// If they are not UTF-8.
    pub const unsafe fn as_str<'a>(self) -> Result<&'a str, Utf8Error> {
        // SAFETY: the same contract.
        match core::str::from_utf8(unsafe { self.as_slice() }) {
            Ok(text) => Ok(text),
            Err(error) => Err(Utf8Error {
                valid_up_to: error.valid_up_to(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_pointer_is_empty() {
        let bytes = Bytes {
            ptr: core::ptr::null(),
            len: 7,
        };
        // SAFETY: null is allowed, whatever the length says.
        assert_eq!(unsafe { bytes.as_slice() }, b"");
        // SAFETY: EMPTY is null.
        assert_eq!(unsafe { Bytes::EMPTY.as_str() }, Ok(""));
    }

    #[test]
    fn text_survives_the_crossing() {
        let text = String::from("tökén");
        // SAFETY: `text` outlives the borrow.
        assert_eq!(unsafe { Bytes::borrow(text.as_bytes()).as_str() }, Ok("tökén"));
    }

    #[test]
    fn bad_utf8_says_where() {
        // SAFETY: a static slice.
        let error = unsafe { Bytes::borrow(b"ab\xff").as_str() }.unwrap_err();
        assert_eq!(error.valid_up_to, 2);
        assert_eq!(error.to_string(), "not UTF-8 from byte 2 on");
    }
}
