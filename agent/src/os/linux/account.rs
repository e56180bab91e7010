//! The account in which root tries connectors: code that nobody vouches for is not to run as root, whatever the kernel or
//! the configuration leaves of its walls.

use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use rustix::thread::CapabilitySet;

use super::files::{current_user_is_privileged, resolve_owner, service_group};
use crate::os::Owner;

/// `nobody`, where the system has no such name.
const NOBODY: u32 = 65_534;

/// Another user than root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// The service's account, where there is one, or `nobody`. `None` where this process is not root, or a root that can become
/// nobody else (in a container that has a single user, say).
#[must_use]
pub(crate) fn lesser_account() -> Option<Account> {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::CHOWN | CapabilitySet::KILL;
    let held = rustix::thread::capabilities(None).ok()?.effective;
    if !current_user_is_privileged() || !held.contains(needed) {
        return None;
    }
    let user = |name: &str| match resolve_owner(name) {
        Ok(Some(Owner::User(user))) if user != 0 => Some(user),
        _ => None,
    };
    let account = match (user("lumos-agent"), service_group()) {
        (Some(user), Some(group)) => Account { user, group },
        _ => Account {
            user: user("nobody").unwrap_or(NOBODY),
            group: NOBODY,
        },
    };
    let there =
        is_mapped("/proc/self/uid_map", account.user) && is_mapped("/proc/self/gid_map", account.group);
    there.then_some(account)
}

/// Whether this user namespace has the id: each line says from which one on, to what, and how many.
fn is_mapped(map: &str, id: u32) -> bool {
    let text = std::fs::read_to_string(map).unwrap_or_default();
    text.lines().any(|line| {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        matches!(numbers[..], [first, _, count] if (first..first + count).contains(&u64::from(id)))
    })
}

impl Account {
    /// Lets it read the file `path`, or pass through the directory, but not change it.
    ///
    /// # Errors
    /// Those of `chown` and `chmod`.
    pub(crate) fn let_in(self, path: &Path) -> io::Result<()> {
        chown(path, None, Some(self.group))?;
        let mode = if path.is_dir() { 0o710 } else { 0o640 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    }

    /// Makes `path` its own.
    ///
    /// # Errors
    /// Those of `chown`.
    pub(crate) fn give(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.user), Some(self.group))
    }

    /// Whether it gets to what is in the directory `path`.
    #[must_use]
    pub(crate) fn reaches(self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else {
            return false;
        };
        path.ancestors().all(|above| {
            above
                .metadata()
                .is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
        })
    }
}
