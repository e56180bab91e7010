//! One look at the connectors directory.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::names::{self, Name};
use crate::os::{self, Stamp};
use crate::signature;

/// What tells one state of a file from another. Its signature counts as part of it: when that comes, changes or goes, the
/// file is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) file: Stamp,
    pub(super) signature: Option<Stamp>,
}

/// The names that count, each as it is now.
pub(super) type Listing = BTreeMap<String, Look>;

/// Lists `directory`, without following links.
///
/// # Errors
/// If it cannot be listed to its end. A partial listing is none: what is missing from it would look deleted.
pub(super) fn scan(directory: &Path) -> io::Result<Listing> {
    let mut listing = Listing::new();
    let mut signatures: BTreeMap<String, Stamp> = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let signed = name
            .strip_suffix(signature::END)
            .filter(|signed| names::classify(signed) == Name::Library)
            .map(str::to_owned);
        if signed.is_none() && names::classify(&name) == Name::Ignored {
            continue;
        }
        match os::path_facts(&entry.path()) {
            Ok(facts) => match signed {
                Some(signed) => drop(signatures.insert(signed, facts.stamp)),
                None => {
                    let look = Look {
                        file: facts.stamp,
                        signature: None,
                    };
                    listing.insert(name, look);
                }
            },
            // Gone since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    for (signed, stamp) in signatures {
        if let Some(look) = listing.get_mut(&signed) {
            look.signature = Some(stamp);
        }
    }
    Ok(listing)
}
