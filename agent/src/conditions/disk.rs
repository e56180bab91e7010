//! Room on the disks that the agent writes to: noticed when a write fails, and by looking before one does.
//!
//! What the file system says it has left knows nothing of quotas. So while a directory counts as full or not writable, a
//! small file is written to see whether that is over.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Conditions, Name};

/// How often disks are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Less than this is nothing.
const LITTLE: u64 = 256 * 1024;
/// What is written to see whether there is room again.
const TRIAL: usize = 512 * 1024;

/// Whether an error says that there is no room.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl Conditions {
    /// Something could not be written to `directory`.
    pub fn write_failed(&self, directory: &Path, error: &io::Error) {
        let shown = directory.display().to_string();
        if is_full(error) {
            return self.full(&shown);
        }
        self.raise_about(
            Name::StateUnwritable,
            &shown,
            format!("{shown} cannot be written: {error}; what changes is not remembered"),
            "let the agent's user write there",
        );
    }

    fn full(&self, directory: &str) {
        self.raise_about(
            Name::DiskFull,
            directory,
            format!("no space is left in {directory}: calls go on, but nothing new can be stored"),
            "make room on that file system; `df` and `du` show what takes it",
        );
    }
}

/// Looks until `stop` fires. `directories` are those that the agent writes to. A thread of its own looks: a network file system
/// that hangs holds up nothing else.
pub(crate) async fn watch(conditions: Conditions, directories: Vec<PathBuf>, stop: CancellationToken) {
    let directories: BTreeSet<PathBuf> = directories.into_iter().collect();
    // Nothing is sent: the thread ends when this end of the channel goes.
    let (_alive, ended) = mpsc::channel::<()>();
    let look = move || {
        while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            for directory in &directories {
                look_at(&conditions, directory);
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("disk".into()).spawn(look) {
        tracing::warn!(%error, "the room on the disks is not watched: no thread can be started");
    }
    stop.cancelled().await;
}

fn look_at(conditions: &Conditions, directory: &Path) {
    let shown = directory.display().to_string();
    let troubles = [Name::DiskFull, Name::StateUnwritable];
    let troubled = troubles.iter().any(|name| conditions.holds_about(*name, &shown));
    if troubled && try_out(directory).is_ok() {
        for name in troubles {
            conditions.clear_about(name, &shown);
        }
    }
    let little = crate::os::free_space(directory).is_ok_and(|free| free < LITTLE);
    if !troubled && little {
        conditions.full(&shown);
    }
}

fn try_out(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".incoming-")
        .tempfile_in(directory)?;
    file.write_all(&vec![0x5a; TRIAL])?;
    file.as_file().sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let conditions = Conditions::default();
        let full = io::Error::from(io::ErrorKind::StorageFull);
        conditions.write_failed(dir.path(), &full);
        assert_eq!(conditions.list()[0].name, Name::DiskFull);
        look_at(&conditions, dir.path());
        assert_eq!(conditions.list(), []);
        let gone = dir.path().join("gone");
        conditions.write_failed(&gone, &io::ErrorKind::NotFound.into());
        look_at(&conditions, &gone);
        assert_eq!(conditions.list()[0].name, Name::StateUnwritable);
    }
}
