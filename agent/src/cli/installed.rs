//! Who may use what of the installed package on Windows: Administrators and SYSTEM everything, the service's account what it
//! needs, others nothing.

use std::path::Path;

use super::exit::Failure;
use crate::config::paths::Place;
use crate::os::{Audience, give_to};

/// Makes the directories that are missing, and sets the access lists of all.
///
/// # Errors
/// If that is not permitted.
pub(super) fn secure() -> Result<(), Failure> {
    let home = Place::Configuration.path();
    let tls = home.join("tls");
    let directories = [
        (home.clone(), Audience::ServiceReads),
        (tls.clone(), Audience::ServiceReads),
        (Place::Connectors.path(), Audience::ServiceReads),
        (Place::State.path(), Audience::ServiceWrites),
        (Place::Logs.path(), Audience::ServiceWrites),
    ];
    for (directory, audience) in directories {
        std::fs::create_dir_all(&directory).map_err(|error| Failure::file("make", &directory, &error))?;
        give(&directory, audience)?;
    }
    // Some were made private for who ran the command.
    secure_files(&home)?;
    secure_files(&tls)
}

/// Files as their directory, but for the keys of authorities, which only the command line uses.
fn secure_files(directory: &Path) -> Result<(), Failure> {
    let entries = std::fs::read_dir(directory).map_err(|error| Failure::file("list", directory, &error))?;
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
    {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let audience = if name.ends_with("ca.key") {
            Audience::Administrators
        } else {
            Audience::ServiceReads
        };
        give(&path, audience)?;
    }
    Ok(())
}

fn give(path: &Path, audience: Audience) -> Result<(), Failure> {
    give_to(path, audience).map_err(|error| Failure::file("set the access list of", path, &error))
}
