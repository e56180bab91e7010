//! Which paths to allow so that no closed one becomes reachable. Landlock allows trees and cannot take anything out of
//! one, so a tree with something closed in it is taken apart along the way to it.
#![forbid(unsafe_code)]

use std::fs::{self, FileType, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The closed paths, without symbolic links in them.
pub(super) struct Closed(Vec<PathBuf>);

impl Closed {
    pub(super) fn new<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        Closed(
            paths
                .into_iter()
                .filter(|path| path.is_absolute())
                .map(real)
                .collect(),
        )
    }

    /// Whether `path` is a closed one or lies in one.
    pub(super) fn covers(&self, path: &Path) -> bool {
        self.0.iter().any(|closed| path.starts_with(closed))
    }

    fn lies_in(&self, directory: &Path) -> bool {
        self.0.iter().any(|closed| closed.starts_with(directory))
    }

    /// The largest trees and single files that make up all of `root` except what is closed. Empty if it does not exist.
    ///
    /// Of a directory that is taken apart, entries that not everybody may read are left out (they are somebody's secrets,
    /// and a host is a stranger), and symbolic links too (what they lead to is allowed in its own right, or not at all).
    pub(super) fn open_parts(&self, root: &Path) -> Vec<PathBuf> {
        let mut parts = Vec::new();
        if let Ok(root) = root.canonicalize() {
            self.collect(root, &mut parts);
        }
        parts
    }

    fn collect(&self, path: PathBuf, parts: &mut Vec<PathBuf>) {
        if self.covers(&path) {
            return;
        }
        if !self.lies_in(&path) {
            parts.push(path);
            return;
        }
        let Ok(entries) = fs::read_dir(&path) else { return };
        for entry in entries.flatten() {
            // Not following links: metadata() of an entry is that of the entry itself.
            if entry.metadata().is_ok_and(|metadata| is_public(&metadata)) {
                self.collect(entry.path(), parts);
            }
        }
    }
}

fn is_public(metadata: &Metadata) -> bool {
    let kind: FileType = metadata.file_type();
    match metadata.mode() & 0o7 {
        others if kind.is_dir() => others & 0o5 == 0o5,
        others if kind.is_file() => others & 0o4 == 0o4,
        _ => false,
    }
}

/// `path` without symbolic links, as far as it exists.
pub(super) fn real(path: &Path) -> PathBuf {
    let found = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    let Some((ancestor, resolved)) = found else {
        return path.to_owned();
    };
    match path.strip_prefix(ancestor) {
        Ok(rest) if rest.as_os_str().is_empty() => resolved,
        Ok(rest) => resolved.join(rest),
        Err(_) => resolved,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/x", "a/secret/deep", "a/y", "b", "private"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        for name in ["a/file", "a/hidden", "a/secret/key"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        symlink("secret", dir.path().join("a/link")).unwrap();
        let set = |name: &str, mode| {
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        set("a/hidden", 0o600);
        set("private", 0o700);
        dir
    }

    fn parts(dir: &Path, closed: &[&str]) -> Vec<String> {
        let closed: Vec<PathBuf> = closed.iter().map(|name| dir.join(name)).collect();
        let closed = Closed::new(closed.iter().map(PathBuf::as_path));
        let root = dir.canonicalize().unwrap();
        let name = |part: &PathBuf| part.strip_prefix(&root).unwrap().display().to_string();
        let mut parts: Vec<String> = closed.open_parts(dir).iter().map(name).collect();
        parts.sort();
        parts
    }

    #[test]
    fn a_tree_without_anything_closed_stays_whole() {
        assert_eq!(parts(tree().path(), &["../elsewhere"]), [""]);
    }

    #[test]
    fn a_tree_is_taken_apart_along_the_way_to_a_closed_path() {
        assert_eq!(parts(tree().path(), &["a/secret"]), ["a/file", "a/x", "a/y", "b"]);
        assert_eq!(
            parts(tree().path(), &["a/secret/key"]),
            ["a/file", "a/secret/deep", "a/x", "a/y", "b"]
        );
    }

    #[test]
    fn a_closed_path_need_not_exist_and_may_be_reached_by_a_link() {
        assert_eq!(
            parts(tree().path(), &["a/x/not-yet"]),
            ["a/file", "a/secret", "a/y", "b"]
        );
        assert_eq!(parts(tree().path(), &["a/link"]), ["a/file", "a/x", "a/y", "b"]);
    }

    #[test]
    fn below_a_closed_path_nothing_is_open() {
        assert!(parts(tree().path(), &["."]).is_empty());
        assert!(parts(tree().path(), &[".."]).is_empty());
    }
}
