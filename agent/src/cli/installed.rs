//! Who may use what of the installed package on Windows: Administrators and SYSTEM everything, the service's account what it
//! needs, others nothing.
//!
//! Everybody may make directories below `%ProgramData%`, and who owns one can change its access list at any time. So a
//! directory is made private from its first moment on, and one that is there already is used only if nobody else can have
//! prepared it.

use std::io;
use std::path::Path;

use super::exit::{Exit, Failure};
use crate::config::paths::Place;
use crate::os::{self, Audience, FileKind, give_to};

/// Makes the directories that are missing, and sets the access lists of all. Before anything is written there, and again
/// afterwards.
///
/// # Errors
/// If that is not permitted, or somebody else has made one of them.
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
    if let Some(above) = home.parent() {
        make(above)?;
        of_somebody_trusted(above, Audience::Administrators)?;
    }
    for (directory, audience) in directories {
        make(&directory)?;
        of_somebody_trusted(&directory, audience)?;
        not_filled_by_others(&directory)?;
        give(&directory, audience)?;
    }
    // Some were made private for who ran the command.
    secure_files(&home)?;
    secure_files(&tls)
}

fn make(directory: &Path) -> Result<(), Failure> {
    match os::path_facts(directory) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            os::create_private_dir(directory).map_err(|error| Failure::file("make", directory, &error))
        }
        Err(error) => Err(Failure::file("look at", directory, &error)),
    }
}

fn of_somebody_trusted(directory: &Path, audience: Audience) -> Result<(), Failure> {
    let facts = os::path_facts(directory).map_err(|error| Failure::file("look at", directory, &error))?;
    if facts.kind != FileKind::Directory {
        return Err(refused(directory, "is a link, or no directory"));
    }
    let service = audience == Audience::ServiceWrites && facts.owner.is_service();
    if facts.owner.is_system() || service || facts.owner == os::current_owner() {
        return Ok(());
    }
    Err(refused(
        directory,
        &format!(
            "belongs to {}, who could change at any time who may write to it",
            facts.owner
        ),
    ))
}

/// A directory that others could write to may hold a configuration or a connector of theirs.
fn not_filled_by_others(directory: &Path) -> Result<(), Failure> {
    let unreadable = |error: &io::Error| Failure::file("look at", directory, error);
    let facts = os::path_facts(directory).map_err(|error| unreadable(&error))?;
    if !facts.world_writable {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(directory).map_err(|error| unreadable(&error))?;
    if entries.next().is_none() {
        return Ok(());
    }
    Err(refused(directory, "is not empty, and others may write to it"))
}

fn refused(directory: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::NotPermitted,
        format!("{} {why}", directory.display()),
        "look at what is in it; move it away, or take it over and close it to others (takeown /A, icacls /inheritance:r), and try again",
    )
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
