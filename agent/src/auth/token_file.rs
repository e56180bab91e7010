//! The token file: `{"tokens": [{id, name, sha256, scopes, created_at, expires_at}]}`.
//!
//! Only the command line writes it, under a lock and by rename, so that a reader sees the old file or the new one. The agent
//! reads it and trusts what it says, so it may be written by nobody but its owner, who is root or the agent's own user.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::token;
use crate::domain::{Scopes, Sha256};

/// A larger file is no token file.
const MAX_BYTES: u64 = 8 << 20;

/// One token, without the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Eight hexadecimal digits.
    pub id: String,
    /// Given by whoever made it; unique in the file.
    pub name: String,
    /// SHA-256 of the token's text.
    pub sha256: Sha256,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; `None` for never.
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    tokens: Vec<TokenRecord>,
}

/// Why the token file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The operating system refused.
    #[error("cannot {action} the token file {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others may write it.
    #[error("the token file {} may be changed by others: {reason}", path.display())]
    Untrusted {
        /// Which file.
        path: PathBuf,
        /// Who.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It is not what it should be.
    #[error("the token file {} is damaged: {reason}", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong. Holds nothing of the file but a position.
        reason: String,
    },
    /// A token of that name exists.
    #[error("a token named `{0}` exists")]
    Exists(String),
    /// No such token.
    #[error("there is no token named `{0}`")]
    Unknown(String),
    /// A name that would not be readable in a log line.
    #[error("`{0}` is not a token's name")]
    BadName(String),
    /// No random numbers.
    #[error("the operating system gave no random numbers: {0}")]
    NoRandomness(String),
}

impl TokenFileError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            TokenFileError::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "make a token with `lumos-agent token create`",
                io::ErrorKind::PermissionDenied => "run the command as root or as the file's owner",
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "the disk is full and nothing was changed: make room, and try again"
                }
                io::ErrorKind::ReadOnlyFilesystem => {
                    "make the file system writable, and try again; nothing was changed"
                }
                _ => "check the disk and the path, and try again",
            },
            TokenFileError::Untrusted { remedy, .. } => remedy,
            TokenFileError::Invalid { .. } => {
                "restore it from a backup; or move it away and make new tokens with `lumos-agent token create`"
            }
            TokenFileError::Exists(_) => "choose another name, or revoke that one first",
            TokenFileError::Unknown(_) => "`lumos-agent token list` shows them all",
            TokenFileError::BadName(_) => "use 1 to 64 letters, digits, `.`, `_` or `-`",
            TokenFileError::NoRandomness(_) => "check the system",
        }
    }
}

/// The token file, for the command line. Reading and writing block.
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        TokenFile { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a token and returns it; it is stored nowhere.
    ///
    /// # Errors
    /// If the name is taken or unfit, or the file cannot be read or written.
    pub fn create(
        &self,
        name: &str,
        scopes: Scopes,
        expires_at: Option<Timestamp>,
    ) -> Result<SecretString, TokenFileError> {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fit) {
            let shown: String = name.chars().take(80).collect();
            return Err(TokenFileError::BadName(shown.escape_debug().to_string()));
        }
        let random = |error: getrandom::Error| TokenFileError::NoRandomness(error.to_string());
        let secret = token::generate().map_err(random)?;
        let mut id = [0; 4];
        getrandom::fill(&mut id).map_err(random)?;
        self.change(|document| {
            if document.tokens.iter().any(|record| record.name == name) {
                return Err(TokenFileError::Exists(name.to_owned()));
            }
            document.tokens.push(TokenRecord {
                id: hex::encode(id),
                name: name.to_owned(),
                sha256: token::digest(secret.expose_secret()).into(),
                scopes,
                created_at: Timestamp::now(),
                expires_at,
            });
            Ok(())
        })?;
        Ok(secret)
    }

    /// All tokens, oldest first; none if there is no file.
    ///
    /// # Errors
    /// If the file cannot be read or trusted.
    pub fn list(&self) -> Result<Vec<TokenRecord>, TokenFileError> {
        match load(&self.path) {
            Ok(tokens) => Ok(tokens),
            Err(TokenFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the token with this name or id and says which it was. A running agent refuses it from then on.
    ///
    /// # Errors
    /// If there is none, or the file cannot be read or written.
    pub fn revoke(&self, name_or_id: &str) -> Result<TokenRecord, TokenFileError> {
        let mut gone = None;
        self.change(|document| {
            let position = document
                .tokens
                .iter()
                .position(|record| record.name == name_or_id)
                .or_else(|| document.tokens.iter().position(|record| record.id == name_or_id))
                .ok_or_else(|| TokenFileError::Unknown(name_or_id.to_owned()))?;
            gone = Some(document.tokens.remove(position));
            Ok(())
        })?;
        Ok(gone.expect("a token was removed or an error returned"))
    }

    fn change(
        &self,
        edit: impl FnOnce(&mut Document) -> Result<(), TokenFileError>,
    ) -> Result<(), TokenFileError> {
        let io = |action| {
            move |source| TokenFileError::Io {
                action,
                path: self.path.clone(),
                source,
            }
        };
        let lock = self.lock().map_err(io("lock"))?;
        let mut document = Document { tokens: self.list()? };
        edit(&mut document)?;
        let json = serde_json::to_vec_pretty(&document).expect("records are always JSON");
        self.replace(&json).map_err(io("write"))?;
        drop(lock);
        Ok(())
    }

    /// Held while the file is read, changed and replaced; released when dropped.
    fn lock(&self) -> io::Result<File> {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        // Whoever may open it could hold the lock, and with it every `token revoke`.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(name)?;
        file.lock()?;
        Ok(file)
    }

    /// Writes beside the file and renames. Keeps the old file's owner, group and mode; a new file is its
    /// owner's alone, or the service's to read.
    fn replace(&self, json: &[u8]) -> io::Result<()> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut new = tempfile::Builder::new()
            .prefix(".tokens-")
            .tempfile_in(directory)?;
        new.write_all(json)?;
        new.write_all(b"\n")?;
        match fs::metadata(&self.path) {
            Ok(old) => keep_access(new.as_file(), &old)?,
            Err(_) => crate::os::share_with_service(new.as_file(), directory)?,
        }
        new.as_file().sync_all()?;
        new.persist(&self.path).map_err(|error| error.error)?;
        crate::durable::sync_directory(directory)
    }
}

#[cfg(unix)]
fn keep_access(new: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    new.set_permissions(old.permissions())?;
    let own = new.metadata()?;
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        fchown(new, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

/// On Windows a new file inherits its directory's access list, as the old one did.
#[cfg(not(unix))]
fn keep_access(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Reads and checks the file at `path`.
pub(super) fn load(path: &Path) -> Result<Vec<TokenRecord>, TokenFileError> {
    let io = |action| {
        move |source| TokenFileError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    };
    let file = File::open(path).map_err(io("open"))?;
    let metadata = file.metadata().map_err(io("read"))?;
    trusted(path, &metadata)?;
    let invalid = |reason: String| TokenFileError::Invalid {
        path: path.to_owned(),
        reason,
    };
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(invalid(format!("it is no file of at most {MAX_BYTES} bytes")));
    }
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text).map_err(io("read"))?;
    let document: Document = serde_json::from_slice(&text).map_err(|error| {
        invalid(format!(
            "line {}, column {} is not as expected",
            error.line(),
            error.column()
        ))
    })?;
    Ok(document.tokens)
}

#[cfg(unix)]
fn trusted(path: &Path, metadata: &Metadata) -> Result<(), TokenFileError> {
    use std::os::unix::fs::MetadataExt;
    let untrusted = |reason, remedy| TokenFileError::Untrusted {
        path: path.to_owned(),
        reason,
        remedy,
    };
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != own {
        return Err(untrusted(
            format!("it belongs to user {}", metadata.uid()),
            "make root or the agent's user its owner with `chown`",
        ));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(untrusted(
            format!("its mode is {:03o}", metadata.mode() & 0o777),
            "set it with `chmod 0600`, or 0640 where the agent's group reads it",
        ));
    }
    Ok(())
}

#[cfg(windows)]
fn trusted(path: &Path, _: &Metadata) -> Result<(), TokenFileError> {
    let untrusted = |reason, remedy| TokenFileError::Untrusted {
        path: path.to_owned(),
        reason,
        remedy,
    };
    let facts = crate::os::path_facts(path).map_err(|source| TokenFileError::Io {
        action: "examine",
        path: path.to_owned(),
        source,
    })?;
    let owner = &facts.owner;
    if !owner.is_system() && *owner != crate::os::current_owner() {
        return Err(untrusted(
            format!("it belongs to {owner}"),
            "make the Administrators its owner with `icacls FILE /setowner Administrators`",
        ));
    }
    if facts.world_writable {
        return Err(untrusted(
            "others may write it".into(),
            "take that right from them with `icacls`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes() -> Scopes {
        Scopes(vec!["mockapp:*".parse().unwrap()])
    }

    #[test]
    fn tokens_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.json"));
        assert!(file.list().unwrap().is_empty());
        let secret = file.create("one", scopes(), None).unwrap();
        file.create("two", scopes(), Some(Timestamp::UNIX_EPOCH)).unwrap();
        let listed = file.list().unwrap();
        assert_eq!(
            listed.iter().map(|r| &*r.name).collect::<Vec<_>>(),
            ["one", "two"]
        );
        assert_eq!(listed[0].id.len(), 8);
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains(secret.expose_secret()));

        assert!(matches!(
            file.create("one", scopes(), None),
            Err(TokenFileError::Exists(_))
        ));
        assert!(matches!(
            file.create("a b", scopes(), None),
            Err(TokenFileError::BadName(_))
        ));
        assert_eq!(file.revoke("one").unwrap().name, "one");
        assert_eq!(file.revoke(&listed[1].id).unwrap().name, "two");
        assert!(matches!(file.revoke("one"), Err(TokenFileError::Unknown(_))));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.json"));
        file.create("one", scopes(), None).unwrap();
        let mode = |file: &TokenFile| fs::metadata(file.path()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        file.create("two", scopes(), None).unwrap();
        assert_eq!(mode(&file), 0o640);
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o660)).unwrap();
        let error = file.list().unwrap_err();
        assert!(error.to_string().contains("its mode is 660"), "{error}");
    }

    #[test]
    fn a_broken_file_is_named_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.json"));
        file.create("one", scopes(), None).unwrap();
        fs::write(file.path(), "{\"tokens\": \"hush\"}").unwrap();
        let text = file.list().unwrap_err().to_string();
        assert!(text.contains("line 1") && !text.contains("hush"), "{text}");
    }

    #[test]
    fn concurrent_changes_are_all_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.json");
        std::thread::scope(|scope| {
            for n in 0..8 {
                let file = TokenFile::new(&path);
                scope.spawn(move || file.create(&format!("t{n}"), scopes(), None).unwrap());
            }
        });
        assert_eq!(TokenFile::new(&path).list().unwrap().len(), 8);
    }
}
