//! Files that commands write: with the right permissions from their first moment, and never half.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Who may read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The owner alone.
    Private,
    /// The owner, and the service's account where the directory is of its group.
    Service,
    /// Everybody.
    Public,
    /// Everybody, who may run it too.
    Executable,
}

impl Access {
    #[cfg(unix)]
    fn mode(self, directory: bool) -> u32 {
        match (self, directory) {
            (Access::Private | Access::Service, true) => 0o700,
            (Access::Private | Access::Service, false) => 0o600,
            (Access::Public, true) | (Access::Executable, _) => 0o755,
            (Access::Public, false) => 0o644,
        }
    }
}

/// Makes `path` and what is missing above it. A directory that exists keeps its permissions.
pub(super) fn directory(path: &Path, access: Access) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if access == Access::Private {
        return crate::os::create_private_dir(path);
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => set_directory_mode(path, access),
    }
}

/// Writes a file that must not exist yet.
pub(super) fn create(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mut file = match access {
        Access::Private => crate::os::create_private(path)?,
        Access::Service => {
            let file = crate::os::create_private(path)?;
            crate::os::share_with_service(&file, directory_of(path))?;
            file
        }
        Access::Public | Access::Executable => {
            let file = File::options().write(true).create_new(true).open(path)?;
            set_mode(&file, access)?;
            file
        }
    };
    file.write_all(content)?;
    file.sync_all()
}

/// Writes a file beside `path` and puts it in its place, so that readers see the old one or the new one.
pub(super) fn replace(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let directory = directory_of(path);
    // Dot files are no connectors, wherever this is.
    let mut file = tempfile::Builder::new()
        .prefix(".lumos-agent-")
        .suffix(".tmp")
        .tempfile_in(directory)?;
    file.write_all(content)?;
    set_mode(file.as_file(), access)?;
    if access == Access::Service {
        crate::os::share_with_service(file.as_file(), directory)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    crate::durable::sync_directory(directory)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// By the descriptor: whoever may write to the directory could put a link to another file in the path's place.
#[cfg(unix)]
fn set_mode(file: &File, access: Access) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(access.mode(false)))
}

#[cfg(unix)]
fn set_directory_mode(path: &Path, access: Access) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = crate::os::open_untrusted(path)?;
    directory.set_permissions(fs::Permissions::from_mode(access.mode(true)))
}

#[cfg(not(unix))]
fn set_directory_mode(_path: &Path, _access: Access) -> io::Result<()> {
    Ok(())
}

/// The access list is inherited from the installation's directory.
#[cfg(not(unix))]
fn set_mode(_file: &File, _access: Access) -> io::Result<()> {
    Ok(())
}
