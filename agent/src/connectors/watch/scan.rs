//! One look at the connectors directory.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::names::{self, Name};
use crate::os::{self, Stamp};

/// The names that count, with what tells one state of a file from another.
pub(super) type Listing = BTreeMap<String, Stamp>;

/// Lists `directory`, without following links.
///
/// # Errors
/// If it cannot be listed to its end. A partial listing is none: what is missing from it would look deleted.
pub(super) fn scan(directory: &Path) -> io::Result<Listing> {
    let mut listing = Listing::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if names::classify(&name) == Name::Ignored {
            continue;
        }
        match os::path_facts(&entry.path()) {
            Ok(facts) => {
                listing.insert(name, facts.stamp);
            }
            // Gone since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listing)
}
