//! The archive in the making: each text cleaned, all of it within bounds.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::redact::Redactor;
use crate::telemetry::plain;

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
        let from = start(text, room);
        let cut = if from > 0 {
            format!("({from} bytes left out)\n")
        } else {
            String::new()
        };
        let clean = format!("{cut}{}", harmless(&self.redactor.clean(&text[from..])));
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

/// Where the last `room` bytes begin, or the first whole line of them: half a secret would not be known as one.
fn start(text: &str, room: usize) -> usize {
    let mut from = text.len().saturating_sub(room);
    if from == 0 {
        return 0;
    }
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].find('\n').map_or(text.len(), |end| from + end + 1)
}

/// `text` as a terminal may show it, whoever wrote the file that it comes from.
fn harmless(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let cells: Vec<_> = line.split('\t').map(plain::text).collect();
        cells.join("\t")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_begins_with_a_whole_line() {
        assert_eq!(&"one\ntwo\n"[start("one\ntwo\n", 8)..], "one\ntwo\n");
        assert_eq!(&"token=ü12\ntwo\n"[start("token=ü12\ntwo\n", 7)..], "two\n");
        assert_eq!(start("all of it is one line", 7), 21);
    }

    #[test]
    fn no_file_steers_the_terminal_that_shows_it() {
        assert_eq!(
            harmless("a\tb\n\u{1b}]0;x\u{7}\u{9b}31m\n"),
            "a\tb\n\\u{1b}]0;x\\u{7}\\u{9b}31m\n"
        );
    }
}
