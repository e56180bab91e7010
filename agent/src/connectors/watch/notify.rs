//! Hints that the directory may have changed. They may be missing, late, doubled or wrong: whoever gets one looks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::os;

/// A watch on one directory, which is made anew when the directory is replaced.
pub(super) struct Hints {
    directory: PathBuf,
    hint: Arc<Notify>,
    enabled: bool,
    watcher: Option<(RecommendedWatcher, Option<Identity>)>,
    complained: bool,
}

/// Device and inode; times and size are left out, since they change with every file.
type Identity = (u64, u64);

impl Hints {
    /// Watches `directory`; where `enabled` is false there are no hints at all.
    pub(super) fn new(directory: &Path, enabled: bool) -> Self {
        Hints {
            directory: directory.to_owned(),
            hint: Arc::new(Notify::new()),
            enabled: enabled && !on_network(directory),
            watcher: None,
            complained: false,
        }
    }

    /// Waits for a hint. Cancel-safe.
    pub(super) async fn next(&self) {
        self.hint.notified().await;
    }

    /// Whether hints can be expected.
    pub(super) fn working(&self) -> bool {
        self.watcher.is_some()
    }

    /// Makes the watch if there is none, or the directory is another one by now. Blocks on the file system.
    pub(super) fn renew(&mut self) {
        if !self.enabled {
            return;
        }
        let identity = identity(&self.directory);
        if self
            .watcher
            .as_ref()
            .is_some_and(|(_, watched)| *watched == identity && identity.is_some())
        {
            return;
        }
        self.watcher = None;
        match self.watch() {
            Ok(watcher) => {
                self.watcher = Some((watcher, identity));
                self.complained = false;
                // What happened before the watch was made gave no hint.
                self.hint.notify_one();
            }
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(
                    directory = %self.directory.display(),
                    reason = %error,
                    "the connectors directory cannot be watched; it is listed at intervals instead"
                );
            }
            Err(_) => {}
        }
    }

    fn watch(&self) -> notify::Result<RecommendedWatcher> {
        let hint = Arc::clone(&self.hint);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if matters(&event) {
                hint.notify_one();
            }
        })?;
        watcher.watch(&self.directory, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }
}

/// Whether a look is worth while. Reading is not (the look itself reads); an error is, an overflow of the queue included,
/// since the listing that follows finds out.
fn matters(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(event) => match event.kind {
            EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
            _ => true,
        },
        Err(_) => true,
    }
}

fn identity(directory: &Path) -> Option<Identity> {
    let facts = os::path_facts(&directory.canonicalize().ok()?).ok()?;
    Some((facts.stamp.device, facts.stamp.inode))
}

/// File systems whose changes made elsewhere never become events here.
#[cfg(target_os = "linux")]
fn on_network(directory: &Path) -> bool {
    const NFS: i64 = 0x6969;
    const SMB: i64 = 0x517B;
    const SMB2: i64 = 0xFE53_4D42;
    const CIFS: i64 = 0xFF53_4D42;
    const NINE_P: i64 = 0x0102_1997;
    const FUSE: i64 = 0x6573_5546;
    const CEPH: i64 = 0x00C3_6400;
    const AFS: i64 = 0x5346_414F;
    rustix::fs::statfs(directory)
        .is_ok_and(|facts| [NFS, SMB, SMB2, CIFS, NINE_P, FUSE, CEPH, AFS].contains(&facts.f_type))
}

#[cfg(not(target_os = "linux"))]
fn on_network(_directory: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use notify::event::CreateKind;

    use super::*;

    #[test]
    fn a_look_is_no_reason_to_look_again() {
        for access in [
            AccessKind::Open(AccessMode::Any),
            AccessKind::Read,
            AccessKind::Close(AccessMode::Read),
        ] {
            assert!(!matters(&Ok(Event::new(EventKind::Access(access)))));
        }
        for kind in [
            EventKind::Create(CreateKind::Any),
            EventKind::Any,
            EventKind::Other,
        ] {
            assert!(matters(&Ok(Event::new(kind))));
        }
        assert!(matters(&Ok(Event::new(EventKind::Access(AccessKind::Close(
            AccessMode::Write
        ))))));
        assert!(matters(&Err(notify::Error::generic("overflow"))));
    }
}
