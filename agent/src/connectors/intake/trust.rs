//! Whose files may become code.
//!
//! Trusted are the system (root; on Windows SYSTEM and the Administrators), the owners that are configured, and the
//! service's own user where it owns the configuration too (a private installation): whoever may write there could run code
//! as the agent anyway. Everyone who could replace the file, directly or by renaming a directory above it, counts.

use std::path::Path;

use super::Refusal;
use crate::config::Config;
use crate::os::{self, FileFacts, Owner};

/// The trusted owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connectors) struct Owners {
    trusted: Vec<Owner>,
    /// Names in the configuration that nobody has.
    unknown: Vec<String>,
    /// Off in tests that are about a stranger's files.
    system: bool,
}

impl Owners {
    /// Works out who is trusted under `config`.
    pub(in crate::connectors) fn of(config: &Config) -> Self {
        let own = os::current_owner();
        let private = os::path_facts(&config.file).is_ok_and(|facts| facts.owner == own);
        let mut owners = Owners {
            trusted: private.then_some(own).into_iter().collect(),
            unknown: Vec::new(),
            system: true,
        };
        for name in &config.connectors.trusted_owners {
            match os::resolve_owner(name) {
                Ok(Some(owner)) => owners.trusted.push(owner),
                Ok(None) | Err(_) => owners.unknown.push(name.clone()),
            }
        }
        owners
    }

    #[cfg(test)]
    pub(super) fn only(trusted: &[Owner]) -> Self {
        Owners {
            trusted: trusted.to_vec(),
            unknown: Vec::new(),
            system: false,
        }
    }

    /// Names in `connectors.trusted_owners` that nobody has.
    pub(in crate::connectors) fn unknown(&self) -> &[String] {
        &self.unknown
    }

    fn trusts(&self, owner: &Owner) -> bool {
        (self.system && owner.is_system()) || self.trusted.contains(owner)
    }

    /// Judges an opened file; `path` is for the message.
    pub(super) fn check_file(&self, facts: &FileFacts, path: &Path) -> Result<(), Refusal> {
        let what = "it";
        self.check(facts, what, path).map_err(Refusal::File)
    }

    /// Judges `directory` and everything above it. On Windows the access list of the directory alone decides: it does not
    /// inherit from what is above a protected one, and a drive's root lets everybody make directories.
    pub(in crate::connectors) fn check_ancestors(&self, directory: &Path) -> Result<(), Refusal> {
        let levels = if cfg!(windows) { 1 } else { usize::MAX };
        for ancestor in directory.ancestors().take(levels) {
            let facts = os::path_facts(ancestor).map_err(|error| {
                Refusal::Surroundings(format!("{} cannot be examined: {error}", ancestor.display()))
            })?;
            let what = format!("its directory {}", ancestor.display());
            self.check(&facts, &what, ancestor)
                .map_err(Refusal::Surroundings)?;
        }
        Ok(())
    }

    fn check(&self, facts: &FileFacts, what: &str, path: &Path) -> Result<(), String> {
        let path = path.display();
        if !self.trusts(&facts.owner) {
            let remedy = if cfg!(windows) {
                format!("run `icacls \"{path}\" /setowner Administrators`")
            } else {
                format!("run `chown root {path}`")
            };
            let owner = &facts.owner;
            return Err(format!(
                "{what} belongs to {owner}, who is not a trusted owner; {remedy}, or add the owner to connectors.trusted_owners"
            ));
        }
        if (facts.group_writable || facts.world_writable) && !facts.sticky {
            let remedy = if cfg!(windows) {
                format!("take the right to write from everyone else with `icacls \"{path}\"`")
            } else {
                format!("run `chmod go-w {path}`")
            };
            return Err(format!("others than its owner may write to {what}; {remedy}"));
        }
        Ok(())
    }
}
