//! The logs of connectors for their authors: `dev` and `call --file` write them where the Connector SDK guide says, and show
//! what is added.
//!
//! `LUMOS_LOG_DIRECTORY`, else `logs` in the current directory; `LUMOS_LOG_LEVEL`, else what the command takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::output;
use crate::conditions::Conditions;
use crate::config::model::LogLevel;
use crate::config::value;
use crate::telemetry::files::{LogFiles, Retention};

/// Where to, and from which level on.
pub(super) struct AuthorLog {
    /// The directory, which need not exist.
    pub(super) directory: PathBuf,
    /// Lines below it are not written.
    pub(super) level: LogLevel,
}

impl AuthorLog {
    /// As the environment says; `level` where it says nothing.
    pub(super) fn from_environment(level: LogLevel) -> Result<Self, Failure> {
        let directory = std::env::var_os("LUMOS_LOG_DIRECTORY").unwrap_or_else(|| "logs".into());
        let directory = PathBuf::from(directory);
        let directory =
            std::path::absolute(&directory).map_err(|error| Failure::file("use", &directory, &error))?;
        let level = match std::env::var("LUMOS_LOG_LEVEL") {
            Ok(word) => value::level(&word).ok_or_else(|| unknown(&word))?,
            Err(_) => level,
        };
        Ok(AuthorLog { directory, level })
    }

    /// The files. Nothing there is ever deleted: the directory is somebody else's.
    pub(super) fn files(directory: &Path) -> LogFiles {
        LogFiles::new(directory, Retention::default(), Conditions::default())
    }
}

fn unknown(word: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("LUMOS_LOG_LEVEL is `{}`, which is no level", word.escape_debug()),
        "give DEBUG, INFO, WARNING, ERROR or CRITICAL",
    )
}

/// Shows what is added to the logs in a directory.
pub(super) struct Tail {
    directory: PathBuf,
    shown: BTreeMap<PathBuf, u64>,
}

impl Tail {
    /// Of `directory`; what is there already is not shown.
    pub(super) fn new(directory: &Path) -> Self {
        let mut tail = Tail {
            directory: directory.to_owned(),
            shown: BTreeMap::new(),
        };
        for path in tail.logs() {
            let length = std::fs::metadata(&path).map_or(0, |found| found.len());
            tail.shown.insert(path, length);
        }
        tail
    }

    /// Shows what is new, on standard error.
    pub(super) fn show(&mut self) {
        for path in self.logs() {
            let from = self.shown.entry(path.clone()).or_default();
            if let Ok(text) = read_from(&path, from) {
                text.lines()
                    .for_each(|line| output::note(output::printable(line)));
                *from += text.len() as u64;
            }
        }
    }

    fn logs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .collect()
    }
}

/// Whole lines of the file from a byte on, at most a mebibyte. A file that is shorter than that is another one.
fn read_from(path: &Path, from: &mut u64) -> std::io::Result<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    if file.metadata()?.len() < *from {
        *from = 0;
    }
    file.seek(SeekFrom::Start(*from))?;
    let mut bytes = Vec::new();
    file.take(1 << 20).read_to_end(&mut bytes)?;
    // Lines are cut at line ends, which no multi-byte character contains. What we write is UTF-8.
    let complete = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    bytes.truncate(complete);
    String::from_utf8(bytes).map_err(|error| std::io::Error::other(error.utf8_error()))
}
