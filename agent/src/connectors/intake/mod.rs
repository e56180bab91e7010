//! From a settled file to a private copy that may be loaded: opened once, judged, copied, verified.
//!
//! ```text
//!   open without following or blocking ─► owner and permissions of the descriptor and all ancestors
//!     ─► copy and hash, unchanged meanwhile? ─► tables of the copy fit, right machine? ─► signed? ─► {sha256}.so
//! ```
//! Nothing here loads anything: a library that is looked at by the dynamic loader has already run.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::Digest;

use super::store::Store;
use crate::domain::{KeyId, Sha256};
use crate::os;

mod elf;
mod open;
mod pe;
mod signed;
mod trust;
mod verify;

#[cfg(test)]
pub(super) mod tests;

pub(super) use signed::Signers;
pub(super) use trust::Owners;

/// The largest library.
pub(super) const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Why a file is not taken. Texts are for people and name the remedy; none begins with the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Not acceptable as it is; a change of the file is needed.
    #[error("{0}")]
    File(String),
    /// Not acceptable for a reason outside the file (a directory above it, the disk): it is tried again at every rescan.
    #[error("{0}")]
    Surroundings(String),
    /// Not all of it is there yet.
    #[error("{0}")]
    Incomplete(String),
    /// It was written to while it was copied: it will settle again.
    #[error("the file changed while it was read; waiting until it is left alone")]
    Changing,
}

/// What of a file was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) sha256: Sha256,
    /// The private copy.
    pub(super) library: PathBuf,
    /// The trusted key that its signature is by.
    pub(super) signed_by: Option<KeyId>,
}

/// Takes `name` of `directory` into `store`. Blocks.
///
/// # Errors
/// See [`Refusal`].
pub(super) fn take(
    directory: &Path,
    name: &str,
    owners: &Owners,
    signers: &Signers,
    store: &Store,
) -> Result<Taken, Refusal> {
    let mut source = open::open(directory, name, owners)?;
    let before = stamp(&source)?;
    let copy = store.fresh().map_err(|error| disk(&error))?;
    let mut target = copy.as_file();
    let (sha256, size) = copy_bytes(&mut source, &mut target)?;
    let after = stamp(&source)?;
    if before != after {
        return Err(Refusal::Changing);
    }
    if size == 0 {
        return Err(Refusal::Incomplete(
            "the file is empty; waiting for its content".into(),
        ));
    }
    target.seek(SeekFrom::Start(0)).map_err(|error| disk(&error))?;
    verify::verify(target, size)?;
    let signature = signers.check(directory, name, owners, target)?;
    if let Some(signature) = &signature {
        let kept = store.remember_signature(sha256, &signature.text);
        kept.map_err(|error| disk(&error))?;
    }
    let library = store.keep(copy, sha256).map_err(|error| disk(&error))?;
    Ok(Taken {
        sha256,
        library,
        signed_by: signature.map(|signature| signature.by),
    })
}

/// Judges `name` of `directory` as [`take`] does, and keeps nothing of it. Blocks.
///
/// # Errors
/// See [`Refusal`].
pub(super) fn judge(directory: &Path, name: &str, owners: &Owners, signers: &Signers) -> Result<(), Refusal> {
    let source = open::open(directory, name, owners)?;
    let size = os::file_facts(&source)
        .map_err(|error| unreadable(&error))?
        .stamp
        .size;
    verify::verify(&source, size)?;
    signers.check(directory, name, owners, &source).map(drop)
}

fn stamp(source: &std::fs::File) -> Result<os::Stamp, Refusal> {
    os::file_facts(source)
        .map(|facts| facts.stamp)
        .map_err(|error| unreadable(&error))
}

fn copy_bytes(source: &mut impl Read, target: &mut impl Write) -> Result<(Sha256, u64), Refusal> {
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0_u64;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(&error)),
        };
        size += read as u64;
        if size > MAX_BYTES {
            return Err(too_large());
        }
        hash.update(&buffer[..read]);
        target.write_all(&buffer[..read]).map_err(|error| disk(&error))?;
    }
    let digest: [u8; 32] = hash.finalize().into();
    Ok((digest.into(), size))
}

fn too_large() -> Refusal {
    Refusal::File(format!(
        "the file is larger than {} MiB, the most that a connector may have; build it stripped (`strip --strip-debug`)",
        MAX_BYTES / 1024 / 1024
    ))
}

fn unreadable(error: &io::Error) -> Refusal {
    Refusal::Surroundings(format!(
        "the file cannot be read: {error}; make it readable for the service's user (for example `chmod 644`)"
    ))
}

fn disk(error: &io::Error) -> Refusal {
    let remedy = match crate::conditions::is_full(error) {
        true => "its disk is full: make room, and the file is tried again",
        false => "check its free space and permissions",
    };
    Refusal::Surroundings(format!(
        "the file cannot be copied into the state directory: {error}; {remedy}"
    ))
}
