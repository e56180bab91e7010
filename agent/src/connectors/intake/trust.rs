//! Whose files may become code.
//!
//! Trusted are root, the owners that are configured, and the service's own user where it owns the configuration too (a
//! private installation): whoever may write there could run code as the agent anyway. Everyone who could replace the
//! file, directly or by renaming a directory above it, counts.

use std::path::Path;

use super::Refusal;
use crate::config::Config;

/// The trusted owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connectors) struct Owners {
    #[cfg(unix)]
    ids: Vec<u32>,
    /// Names in the configuration that nobody has.
    unknown: Vec<String>,
}

#[cfg(unix)]
mod imp {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const GROUP_OR_WORLD_WRITABLE: u32 = 0o022;
    const STICKY: u32 = 0o1000;

    impl Owners {
        /// Works out who is trusted under `config`.
        pub(in crate::connectors) fn of(config: &Config) -> Self {
            let mut owners = Owners {
                ids: vec![0],
                unknown: Vec::new(),
            };
            let own = rustix::process::geteuid().as_raw();
            if std::fs::metadata(&config.file).is_ok_and(|metadata| metadata.uid() == own) {
                owners.ids.push(own);
            }
            let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
            for owner in &config.connectors.trusted_owners {
                match owner.parse().ok().or_else(|| user_id(&users, owner)) {
                    Some(id) => owners.ids.push(id),
                    None => owners.unknown.push(owner.clone()),
                }
            }
            owners
        }

        #[cfg(test)]
        pub(in crate::connectors) fn only(ids: &[u32]) -> Self {
            Owners {
                ids: ids.to_vec(),
                unknown: Vec::new(),
            }
        }

        pub(super) fn trusts(&self, id: u32) -> bool {
            self.ids.contains(&id)
        }

        /// Judges an opened file; `path` is for the message.
        pub(in crate::connectors::intake) fn check_file(
            &self,
            metadata: &Metadata,
            path: &Path,
        ) -> Result<(), Refusal> {
            if !self.trusts(metadata.uid()) {
                return Err(Refusal::File(format!(
                    "it belongs to user {}, who is not a trusted owner; run `chown root {path}`, or add the user to connectors.trusted_owners",
                    user_name(metadata.uid()),
                    path = path.display()
                )));
            }
            if metadata.mode() & GROUP_OR_WORLD_WRITABLE != 0 {
                return Err(Refusal::File(format!(
                    "others than its owner may write to it (mode {:04o}); run `chmod go-w {}`",
                    metadata.mode() & 0o7777,
                    path.display()
                )));
            }
            Ok(())
        }

        /// Judges `directory` and everything above it.
        pub(in crate::connectors::intake) fn check_ancestors(&self, directory: &Path) -> Result<(), Refusal> {
            for ancestor in directory.ancestors() {
                let metadata = std::fs::symlink_metadata(ancestor).map_err(|error| {
                    Refusal::Surroundings(format!("{} cannot be examined: {error}", ancestor.display()))
                })?;
                self.check_directory(&metadata, ancestor)?;
            }
            Ok(())
        }

        fn check_directory(&self, metadata: &Metadata, path: &Path) -> Result<(), Refusal> {
            if !self.trusts(metadata.uid()) {
                return Err(Refusal::Surroundings(format!(
                    "its directory {path} belongs to user {}, who is not a trusted owner; run `chown root {path}`, or add the user to connectors.trusted_owners",
                    user_name(metadata.uid()),
                    path = path.display()
                )));
            }
            let open = metadata.mode() & GROUP_OR_WORLD_WRITABLE != 0 && metadata.mode() & STICKY == 0;
            if open {
                return Err(Refusal::Surroundings(format!(
                    "others than its owner may write to its directory {path} (mode {:04o}); run `chmod go-w {path}`",
                    metadata.mode() & 0o7777,
                    path = path.display()
                )));
            }
            Ok(())
        }
    }

    fn user_id(users: &str, name: &str) -> Option<u32> {
        let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        lines
            .find(|fields| fields.first() == Some(&name))?
            .get(2)?
            .parse()
            .ok()
    }

    fn user_name(id: u32) -> String {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let id_text = id.to_string();
        lines
            .find(|fields| fields.get(2) == Some(&id_text.as_str()))
            .and_then(|fields| fields.first().map(|name| format!("`{name}` ({id})")))
            .unwrap_or(id_text)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn names_become_ids() {
            let users = "root:x:0:0::/root:/bin/sh\nadmin:x:1000:1000::/home/admin:/bin/sh\n";
            assert_eq!(user_id(users, "admin"), Some(1000));
            assert_eq!(user_id(users, "adm"), None);
        }
    }
}

/// Windows protects the directory by its access list, which `init` and the installer set; owners of single files are not
/// examined here.
#[cfg(windows)]
mod imp {
    use std::fs::Metadata;

    use super::*;

    impl Owners {
        /// Works out who is trusted under `config`.
        pub(in crate::connectors) fn of(config: &Config) -> Self {
            let _ = config;
            Owners { unknown: Vec::new() }
        }

        #[expect(
            clippy::unnecessary_wraps,
            clippy::unused_self,
            reason = "the other system's signature"
        )]
        pub(in crate::connectors::intake) fn check_file(
            &self,
            _: &Metadata,
            _: &Path,
        ) -> Result<(), Refusal> {
            Ok(())
        }

        #[expect(
            clippy::unnecessary_wraps,
            clippy::unused_self,
            reason = "the other system's signature"
        )]
        pub(in crate::connectors::intake) fn check_ancestors(&self, _: &Path) -> Result<(), Refusal> {
            Ok(())
        }
    }
}

impl Owners {
    /// Names in `connectors.trusted_owners` that nobody has.
    pub(in crate::connectors) fn unknown(&self) -> &[String] {
        &self.unknown
    }
}
