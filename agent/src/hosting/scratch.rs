//! A host's directory for temporary files: its own, and gone with it.
#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::os;

/// Removed when dropped. [`Scratch::remove`] does it without holding up a thread of the runtime.
pub(super) struct Scratch(Mutex<Option<PathBuf>>);

impl Scratch {
    /// Makes it anew, readable by nobody else.
    pub(super) async fn make(path: PathBuf) -> io::Result<Self> {
        let made = tokio::task::spawn_blocking(move || {
            remove(&path)?;
            os::create_private_dir(&path)?;
            Ok(Scratch(Mutex::new(Some(path))))
        });
        made.await.map_err(io::Error::other)?
    }

    /// Once: the name may be another host's by the time that this is dropped.
    fn take(&self) -> Option<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Removes it with all that is in it. What resists (a process that the host left behind still writes there) is left to
    /// the agent's next start.
    pub(super) async fn remove(&self) {
        let Some(path) = self.take() else { return };
        let _ = tokio::task::spawn_blocking(move || remove(&path)).await;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = self.take() {
            let _ = remove(&path);
        }
    }
}

/// Removes a directory that need not be there, following no link.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
