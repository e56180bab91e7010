//! The files of the connectors directory, judged as intake would, but without keeping or loading anything: for `doctor`,
//! which works without an agent.

use std::io;

use super::intake::{self, Owners, Refusal, Signers};
use super::watch::{Name, classify};
use crate::config::Config;

/// One file that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inspected {
    /// Its name in the directory.
    pub(crate) name: String,
    /// Why it would not be taken.
    pub(crate) refusal: Option<String>,
}

/// Judges every file that counts, by name. Blocks.
///
/// # Errors
/// If the directory cannot be listed to its end.
pub(crate) fn inspect(config: &Config) -> io::Result<Vec<Inspected>> {
    let directory = &config.connectors.directory;
    let (owners, signers) = (Owners::of(config), Signers::of(config));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        let refusal = match classify(&name) {
            Name::Ignored => continue,
            Name::Unsupported(kind) => Some(format!("this version does not run {kind}; remove it")),
            Name::Library => match intake::judge(directory, &name, &owners, &signers) {
                // Gone or growing: the next look tells.
                Ok(()) | Err(Refusal::Changing) => None,
                Err(refusal) => Some(refusal.to_string()),
            },
        };
        found.push(Inspected { name, refusal });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Whether the directory, and everything above it, can be changed by trusted owners alone.
///
/// # Errors
/// Who else could change it, and what to do about it. A directory that is not there is none of this.
pub(crate) fn trusts_directory(config: &Config) -> Result<(), String> {
    let Ok(directory) = config.connectors.directory.canonicalize() else {
        return Ok(());
    };
    let judged = Owners::of(config).check_ancestors(&directory);
    judged.map_err(|refusal| refusal.to_string())
}
