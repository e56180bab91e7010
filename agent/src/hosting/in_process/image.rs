//! A file of its own for every image that the daemon maps.
//!
//! The loader gives a file that is mapped already a second time as the first image, with all its static data: a generation
//! would share its state with the one before it, and be created twice. So each generation maps a copy under a name that is
//! used once.
#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Removed when dropped, where the system lets a mapped file be removed; otherwise when the agent starts next.
pub(super) struct Image(PathBuf);

impl Image {
    /// Copies `library` next to itself. Blocks.
    pub(super) fn of(library: &Path) -> io::Result<Self> {
        static COPIES: AtomicU64 = AtomicU64::new(0);
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        // The prefix is the store's for what an earlier agent left behind.
        let name = format!(".incoming-{}-{number}", std::process::id());
        let mut path = library.with_file_name(name);
        if let Some(end) = library.extension() {
            path.set_extension(end);
        }
        let image = Image(path);
        std::fs::copy(library, &image.0)?;
        Ok(image)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A mapped file cannot be removed on Windows; the store does it at the next start.
        drop(std::fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_a_file_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("x.so");
        std::fs::write(&library, "bytes").unwrap();
        let (one, two) = (Image::of(&library).unwrap(), Image::of(&library).unwrap());
        assert_ne!(one.path(), two.path());
        assert_eq!(std::fs::read(two.path()).unwrap(), b"bytes");
        drop((one, two));
        assert_eq!(directory.path().read_dir().unwrap().count(), 1);
    }
}
