//! Windows' Event Log: an application's source of events.

use std::ffi::OsStr;
use std::io;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE,
    RegisterEventSourceW, ReportEventW,
};

use super::process::wide;
use crate::os::EventKind;

/// The most UTF-16 units of a text that an event takes.
const MOST: usize = 31_839;

/// An open source. Closed when dropped.
pub(crate) struct EventSource(HANDLE);

// SAFETY: the handle is used by system calls alone, which may come from any thread.
unsafe impl Send for EventSource {}

impl EventSource {
    /// Opens the source `name`. One that is not registered works too, but its events have no texts.
    ///
    /// # Errors
    /// Those of `RegisterEventSource`.
    pub(crate) fn open(name: &str) -> io::Result<Self> {
        let name = wide(OsStr::new(name));
        // SAFETY: the name is NUL-terminated; no name of a server means this machine.
        let handle = unsafe { RegisterEventSourceW(std::ptr::null(), name.as_ptr()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(EventSource(handle))
    }

    /// Writes an event; `text` takes the place of `%1` in its message.
    ///
    /// # Errors
    /// Those of `ReportEvent`.
    pub(crate) fn report(&self, kind: EventKind, id: u32, text: &str) -> io::Result<()> {
        let mut units: Vec<u16> = text.encode_utf16().filter(|unit| *unit != 0).take(MOST).collect();
        units.push(0);
        let texts = [units.as_ptr()];
        let kind = match kind {
            EventKind::Information => EVENTLOG_INFORMATION_TYPE,
            EventKind::Warning => EVENTLOG_WARNING_TYPE,
            EventKind::Error => EVENTLOG_ERROR_TYPE,
        };
        // SAFETY: an open source; one NUL-terminated text; no data and no user.
        let outcome = unsafe {
            ReportEventW(
                self.0,
                kind,
                0,
                id,
                std::ptr::null_mut(),
                1,
                0,
                texts.as_ptr(),
                std::ptr::null(),
            )
        };
        if outcome == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

impl Drop for EventSource {
    fn drop(&mut self) {
        // SAFETY: opened by open; closed once.
        unsafe { DeregisterEventSource(self.0) };
    }
}
