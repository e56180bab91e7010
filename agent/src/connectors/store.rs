//! The private copies: content-addressed, so that what runs can neither be changed nor be replaced by whoever may write
//! to the connectors directory, and so that the last good content outlives its file.
//!
//! ```text
//!   {state_dir}/store/{sha256}.so      what hosts load
//!   {state_dir}/manifests/{sha256}.json  what inspecting it said
//!   {state_dir}/manifests/{sha256}.minisig  the signature that it came with
//! ```

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::Digest;
use tempfile::NamedTempFile;

use crate::domain::Sha256;
use crate::durable;
use crate::hosting::Manifest;

const END: &str = if cfg!(windows) { "dll" } else { "so" };

/// See the module. All of it blocks.
#[derive(Debug, Clone)]
pub(super) struct Store {
    libraries: PathBuf,
    manifests: PathBuf,
}

impl Store {
    /// Opens the store below `state_dir`, and makes it where it does not exist.
    ///
    /// # Errors
    /// If a directory cannot be made private.
    pub(super) fn open(state_dir: &Path) -> io::Result<Self> {
        let store = Store {
            libraries: state_dir.join("store"),
            manifests: state_dir.join("manifests"),
        };
        private_dir(&store.libraries)?;
        private_dir(&store.manifests)?;
        store.sweep_temporary()?;
        Ok(store)
    }

    /// A new file for a copy; gone if it is not kept.
    pub(super) fn fresh(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(".incoming-")
            .tempfile_in(&self.libraries)
    }

    /// Keeps `copy` as the content `sha256`, durably.
    pub(super) fn keep(&self, copy: NamedTempFile, sha256: Sha256) -> io::Result<PathBuf> {
        seal(copy.as_file())?;
        copy.as_file().sync_all()?;
        let path = self.library(sha256);
        // Replacing the same content does no harm to a host that maps it: the old inode lives on. Windows refuses to
        // replace a mapped file, which then is that content already.
        match copy.persist(&path) {
            Ok(_) => {}
            Err(error) if path.exists() => drop(error),
            Err(error) => return Err(error.error),
        }
        durable::sync_directory(&self.libraries)?;
        Ok(path)
    }

    /// The copy of `sha256`, if it is there and still has that content.
    pub(super) fn find(&self, sha256: Sha256) -> Option<PathBuf> {
        let path = self.library(sha256);
        let mut file = File::open(&path).ok()?;
        let mut hash = sha2::Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer).ok()? {
                0 => break,
                read => hash.update(&buffer[..read]),
            }
        }
        let digest: [u8; 32] = hash.finalize().into();
        (Sha256::from(digest) == sha256).then_some(path)
    }

    /// What inspecting `sha256` said earlier.
    pub(super) fn manifest(&self, sha256: Sha256) -> Option<Manifest> {
        let json = fs::read(self.manifest_path(sha256)).ok()?;
        Manifest::parse(&json).ok()
    }

    /// Remembers what inspecting `sha256` said.
    pub(super) fn remember(&self, sha256: Sha256, manifest: &Manifest) -> io::Result<()> {
        let json = serde_json::to_vec(manifest)?;
        durable::replace(&self.manifest_path(sha256), &json)
    }

    /// The signature that `sha256` came with. Whether it still counts is for the caller to check.
    pub(super) fn signature(&self, sha256: Sha256) -> Option<Vec<u8>> {
        fs::read(self.signature_path(sha256)).ok()
    }

    /// Remembers the signature that `sha256` came with.
    pub(super) fn remember_signature(&self, sha256: Sha256, text: &[u8]) -> io::Result<()> {
        durable::replace(&self.signature_path(sha256), text)
    }

    /// Deletes every content that is not in `needed`.
    pub(super) fn collect(&self, needed: &HashSet<Sha256>) -> io::Result<()> {
        for directory in [&self.libraries, &self.manifests] {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                let digest = path
                    .file_stem()
                    .and_then(|stem| stem.to_str())
                    .and_then(|stem| stem.parse().ok());
                if digest.is_some_and(|digest| !needed.contains(&digest)) {
                    fs::remove_file(&path).or_else(ignore_missing)?;
                }
            }
        }
        Ok(())
    }

    fn library(&self, sha256: Sha256) -> PathBuf {
        self.libraries.join(format!("{sha256}.{END}"))
    }

    fn manifest_path(&self, sha256: Sha256) -> PathBuf {
        self.manifests.join(format!("{sha256}.json"))
    }

    fn signature_path(&self, sha256: Sha256) -> PathBuf {
        self.manifests.join(format!("{sha256}{}", crate::signature::END))
    }

    /// Removes what an agent that was killed left half copied.
    fn sweep_temporary(&self) -> io::Result<()> {
        for directory in [&self.libraries, &self.manifests] {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(".incoming-") {
                    fs::remove_file(entry.path()).or_else(ignore_missing)?;
                }
            }
        }
        Ok(())
    }
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

/// Makes `path` a directory that only the agent's user can enter.
///
/// # Errors
/// If it cannot be made, or not be made private.
pub(super) fn private_dir(path: &Path) -> io::Result<()> {
    let context = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    fs::create_dir_all(path).map_err(context)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(context)?;
    }
    Ok(())
}

/// Nobody writes to a copy, its owner included.
fn seal(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o500))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn stored(store: &Store, bytes: &[u8]) -> (Sha256, PathBuf) {
        let mut copy = store.fresh().unwrap();
        copy.write_all(bytes).unwrap();
        let sha256 = Sha256::of(bytes);
        let path = store.keep(copy, sha256).unwrap();
        (sha256, path)
    }

    #[test]
    fn keeps_what_is_needed_and_notices_damage() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (a, path_a) = stored(&store, b"a");
        let (b, path_b) = stored(&store, b"b");
        stored(&store, b"a");
        store.collect(&HashSet::from([a])).unwrap();
        assert!(path_a.exists() && !path_b.exists());
        assert_eq!(store.find(a), Some(path_a.clone()));
        assert_eq!(store.find(b), None);
        fs::remove_file(&path_a).unwrap();
        fs::write(&path_a, b"tampered").unwrap();
        assert_eq!(store.find(a), None);
    }

    #[cfg(unix)]
    #[test]
    fn is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (_, path) = stored(&store, b"a");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o500);
        assert_eq!(
            fs::metadata(&store.libraries).unwrap().permissions().mode() & 0o7777,
            0o700
        );
    }

    #[test]
    fn sweeps_what_a_crash_left() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let left = store.libraries.join(".incoming-x");
        fs::write(&left, b"half").unwrap();
        Store::open(dir.path()).unwrap();
        assert!(!left.exists());
    }
}
