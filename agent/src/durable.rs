//! Files that hold state: whole after a crash or a power cut, and put aside, not lost, where they are damaged.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::conditions::{Conditions, Name};
use crate::os::{self, FileKind, Owner};

/// Replaces `path` by `bytes`, so that after a crash or a power cut it is either the old or the new. Mode 0600.
///
/// # Errors
/// If it cannot be written; the old one is untouched then.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".incoming-")
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Reads a small file of a directory in which another user may put what he likes: follows no link, waits for nobody, and
/// takes no more than `most` bytes. Says whose it is, too.
///
/// # Errors
/// If it cannot be read, is no regular file, or is larger.
pub(crate) fn read_small(path: &Path, most: u64) -> io::Result<(Vec<u8>, Owner)> {
    let file = os::open_untrusted(path)?;
    let facts = os::file_facts(&file)?;
    let unfit = |what: &str| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is {what}", path.display()),
        )
    };
    if facts.kind != FileKind::Regular {
        return Err(unfit("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(unfit("too large"));
    }
    Ok((bytes, facts.owner))
}

/// Makes what was renamed in `directory` last. Windows has no such call, and needs none.
///
/// # Errors
/// Those of `fsync`.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _: (&Path, Option<File>) = (directory, None);
    Ok(())
}

/// Renames the damaged file `path`, so that it can be looked into and another can take its place. `instead` says what
/// becomes of what it held.
pub(crate) fn set_aside(path: &Path, damage: &str, instead: &str, conditions: &Conditions) {
    let aside = aside(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let what = match std::fs::rename(path, &aside) {
        Ok(()) => format!("it is now {}", aside.display()),
        Err(error) => format!("it cannot be renamed ({error}) and will be overwritten"),
    };
    conditions.raise_about(
        Name::StateFileDamaged,
        &name,
        format!("{} was damaged: {damage}; {what}; {instead}", path.display()),
        "see whether the disk is sound; delete the renamed file when it is of no use any more",
    );
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(
        Timestamp::now()
            .strftime(".damaged-%Y%m%dT%H%M%S%.3fZ")
            .to_string(),
    );
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_others_put_there_is_read_only_where_it_is_a_small_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("small"), "1234").unwrap();
        std::os::unix::fs::symlink(path("small"), path("link")).unwrap();
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            path("fifo"),
            rustix::fs::Mode::from_raw_mode(0o600),
        )
        .unwrap();
        let (bytes, owner) = read_small(&path("small"), 4).unwrap();
        assert_eq!((&*bytes, owner), (&b"1234"[..], os::current_owner()));
        assert!(read_small(&path("small"), 3).is_err());
        for other in ["link", "fifo", "."] {
            assert!(read_small(&path(other), 4).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_damaged_is_kept_under_another_name_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        let conditions = Conditions::default();
        for content in ["one", "two"] {
            replace(&path, content.as_bytes()).unwrap();
            set_aside(&path, "it is not JSON", "nothing is lost", &conditions);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert!(!path.exists());
        let mut kept: Vec<_> = dir
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        kept.sort();
        assert_eq!(kept, ["one", "two"]);
        assert!(conditions.list()[0].message.contains("state.json.damaged-"));
    }
}
