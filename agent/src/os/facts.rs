//! What is known of a file without reading it.

use std::fmt;

/// A user who owns files: a numeric id on Linux, a security identifier on Windows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// `uid`
    User(u32),
    /// `S-1-…`
    Sid(String),
}

/// The security identifier of `NT SERVICE\LumosAgent`, which Windows derives from the service's name.
#[cfg_attr(not(windows), allow(dead_code, reason = "Windows alone has such accounts"))]
pub(crate) const SERVICE_SID: &str = "S-1-5-80-3591740114-798136609-1152638335-4220950236-2758208332";

/// Who besides SYSTEM and the Administrators may use a file or directory of a package installed on Windows.
#[cfg(windows)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Nobody.
    Administrators,
    /// The service's account may read.
    ServiceReads,
    /// The service's account may read, write and delete.
    ServiceWrites,
}

impl Owner {
    /// Whether it is the account that the installed service runs as.
    #[must_use]
    pub fn is_service(&self) -> bool {
        matches!(self, Owner::Sid(sid) if sid == SERVICE_SID)
    }

    /// Whether it is the system itself: root; on Windows SYSTEM, the Administrators or the TrustedInstaller.
    #[must_use]
    pub fn is_system(&self) -> bool {
        match self {
            Owner::User(id) => *id == 0,
            Owner::Sid(sid) => {
                matches!(
                    sid.as_str(),
                    "S-1-5-18"
                        | "S-1-5-32-544"
                        | "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
                )
            }
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::User(id) => write!(f, "user {id}"),
            Owner::Sid(sid) => f.write_str(sid),
        }
    }
}

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link, or another reparse point on Windows.
    Link,
    /// A device, a pipe, a socket.
    Other,
}

/// Changes whenever a file's content, place or rights change. Two equal stamps some time apart mean that it has settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Modification, in nanoseconds since the epoch.
    pub modified: i128,
    /// Change of content or rights, in nanoseconds since the epoch; the creation time on Windows.
    pub changed: i128,
    /// File system.
    pub device: u64,
    /// Number in the file system.
    pub inode: u64,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// What it is.
    pub kind: FileKind,
    /// Whose it is.
    pub owner: Owner,
    /// Whether its group may write. On Windows always false: there the access list says who may.
    pub group_writable: bool,
    /// Whether anybody may write. On Windows: whether anybody but its owner, SYSTEM and the Administrators may.
    pub world_writable: bool,
    /// Whether its group may read. On Windows always false.
    pub group_readable: bool,
    /// Whether anybody may read. On Windows: whether anybody but its owner, SYSTEM and the Administrators may.
    pub world_readable: bool,
    /// Whether only the owner of an entry may rename or delete it (`/tmp`).
    pub sticky: bool,
    /// See [`Stamp`].
    pub stamp: Stamp,
}

impl FileFacts {
    /// Whether nobody but the owner (and the system) may read or write it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        !(self.group_readable || self.group_writable || self.world_readable || self.world_writable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_identifier_is_derived_from_its_name() {
        let name: Vec<u8> = "LUMOSAGENT".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &name);
        let parts: Vec<String> = digest
            .as_ref()
            .chunks_exact(4)
            .map(|part| u32::from_le_bytes(part.try_into().unwrap()).to_string())
            .collect();
        assert_eq!(SERVICE_SID, format!("S-1-5-80-{}", parts.join("-")));
    }
}
