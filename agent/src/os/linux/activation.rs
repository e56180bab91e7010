//! Sockets that the service manager has bound and handed over, by the variables of `sd_listen_fds(3)`.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// From here on descriptors are out of the way of those that hosts get at fixed places.
const ABOVE: i32 = 10;

/// What was handed over to this process, each with its name. Once: the descriptors are gone from their places then. None
/// is inherited by what this process starts.
///
/// # Errors
/// If the variables make no sense, or name descriptors that are not open.
pub(crate) fn inherited_sockets() -> io::Result<Vec<(String, OwnedFd)>> {
    let mut sockets = Vec::new();
    for (number, name) in sd_notify::listen_fds_with_names()? {
        // SAFETY: it is open, or `listen_fds_with_names` would have failed; the variables say that it is for this process,
        // and nothing else in it takes it.
        let inherited = unsafe { OwnedFd::from_raw_fd(number) };
        sockets.push((name, rustix::io::fcntl_dupfd_cloexec(&inherited, ABOVE)?));
    }
    Ok(sockets)
}
