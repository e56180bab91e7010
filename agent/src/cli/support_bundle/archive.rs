//! The archive in the making: each text cleaned, all of it within bounds.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::redact::Redactor;

/// Bytes of one file.
const FILE: usize = 2 << 20;
/// Bytes of all of them.
const ALL: usize = 24 << 20;

pub(super) struct Archive<W: Write> {
    tar: tar::Builder<GzEncoder<W>>,
    redactor: Redactor,
    at: u64,
    size: usize,
    root: String,
    /// Name and size of what is in it.
    pub(super) contents: Vec<(String, usize)>,
}

impl<W: Write> Archive<W> {
    /// Below `root`, dated `at` (seconds since the epoch).
    pub(super) fn new(out: W, redactor: Redactor, root: &str, at: u64) -> Self {
        Archive {
            tar: tar::Builder::new(GzEncoder::new(out, Compression::default())),
            redactor,
            at,
            size: 0,
            root: root.to_owned(),
            contents: Vec::new(),
        }
    }

    /// Adds a text under `name`. What is too long loses its beginning: the end of a log is what counts.
    pub(super) fn add(&mut self, name: &str, text: &str) -> std::io::Result<()> {
        let room = FILE.min(ALL.saturating_sub(self.size));
        let mut from = text.len().saturating_sub(room);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        let cut = if from > 0 {
            format!("({from} bytes left out)\n")
        } else {
            String::new()
        };
        let clean = format!("{cut}{}", self.redactor.clean(&text[from..]));
        let mut header = tar::Header::new_gnu();
        header.set_size(clean.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.at);
        let path = format!("{}/{name}", self.root);
        self.tar.append_data(&mut header, path, clean.as_bytes())?;
        self.size += clean.len();
        self.contents.push((name.to_owned(), clean.len()));
        Ok(())
    }

    /// Writes the end.
    pub(super) fn finish(self) -> std::io::Result<W> {
        self.tar.into_inner()?.finish()
    }
}
