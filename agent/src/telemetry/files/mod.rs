//! Log files: one for each day and writer, in one directory, with what is kept of them.
//!
//! ```text
//!   {app_id}_{day}.log ──full──▶ {app_id}_{day}.{n}.log ──too old, too much, no space left──▶ deleted, the oldest first
//! ```
//! Where files cannot be written, that is a condition, and the caller has another place for its lines.
#![forbid(unsafe_code)]

mod names;
mod retention;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Zoned;
use jiff::civil::Date;

pub(super) use names::Stem;

use crate::conditions::{Conditions, Name as Condition, is_full};
use crate::os;
use names::Name;
pub use retention::Retention;

/// A file that is not written to for this long is closed.
pub(super) const IDLE: Duration = Duration::from_secs(10);
/// How long a directory that cannot be written is left alone.
const PAUSE: Duration = Duration::from_secs(2);
/// Files that are deleted at most so that one text can be written.
const SACRIFICES: usize = 64;
/// The file that is being written to goes, too, when it is all that could, and has at least this much.
const WORTH_IT: u64 = 1 << 20;

/// The log files of one directory. Cheap to clone. All of it blocks.
#[derive(Clone)]
pub struct LogFiles(Arc<Mutex<Files>>);

struct Files {
    directory: PathBuf,
    retention: Retention,
    conditions: Conditions,
    open: HashMap<Stem, Open>,
    /// The day of the last clean-up, and what has been written since.
    swept: Option<Date>,
    written: u64,
    failed: Option<Instant>,
}

struct Open {
    day: Date,
    file: File,
    size: u64,
    used: Instant,
}

impl LogFiles {
    /// Those of `directory`, which is made when the first line comes. Troubles become `conditions`.
    #[must_use]
    pub fn new(directory: &Path, retention: Retention, conditions: Conditions) -> Self {
        LogFiles(Arc::new(Mutex::new(Files {
            directory: directory.to_owned(),
            retention,
            conditions,
            open: HashMap::new(),
            swept: None,
            written: 0,
            failed: None,
        })))
    }

    #[cfg(test)]
    pub(super) fn scratch(directory: &Path) -> Self {
        LogFiles::new(directory, Retention::default(), Conditions::default())
    }

    /// Changes what is kept, and deletes what is too much.
    pub fn set_retention(&self, retention: Retention) {
        let mut files = self.files();
        if files.retention != retention {
            files.retention = retention;
            files.sweep(&Zoned::now());
        }
    }

    /// Appends whole lines to the log of the day of `at`; `false` if that was not possible.
    pub(super) fn append(&self, stem: &Stem, at: &Zoned, lines: &[u8]) -> bool {
        self.files().append(stem, at, lines)
    }

    /// Closes what has not been written to for a while: a connector that is gone must not keep a file open. Deletes what is
    /// too old even if nothing is written.
    pub(super) fn rest(&self) {
        let mut files = self.files();
        files.open.retain(|_, open| open.used.elapsed() < IDLE);
        let now = Zoned::now();
        if files.swept != Some(now.date()) {
            files.sweep(&now);
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn append(&mut self, stem: &Stem, at: &Zoned, lines: &[u8]) -> bool {
        if self.failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
            return false;
        }
        let much = self.written > self.retention.bytes / 32;
        if self.swept != Some(at.date()) || much {
            self.sweep(at);
        }
        match self.write(stem, at.date(), lines) {
            Ok(()) => {
                self.failed = None;
                self.written += lines.len() as u64;
                self.conditions.clear(Condition::LogFilesUnavailable);
                true
            }
            Err(error) => {
                self.open.remove(stem);
                self.failed = Some(Instant::now());
                self.complain(&error);
                false
            }
        }
    }

    /// Writes all of `lines` or nothing; makes room where the disk is full.
    fn write(&mut self, stem: &Stem, day: Date, lines: &[u8]) -> io::Result<()> {
        let mut sacrifices = 0;
        loop {
            let Err(error) = self.try_write(stem, day, lines) else {
                return Ok(());
            };
            if !is_full(&error) || sacrifices == SACRIFICES {
                return Err(error);
            }
            let Some(gone) = self.delete_oldest(stem)? else {
                return Err(error);
            };
            sacrifices += 1;
            let (directory, file) = (self.directory.display(), gone.as_str());
            tracing::warn!(%directory, file, "the disk is full: the oldest log file was deleted to make room");
            self.conditions.write_failed(&self.directory, &error);
        }
    }

    fn try_write(&mut self, stem: &Stem, day: Date, lines: &[u8]) -> io::Result<()> {
        let part_size = self.retention.part();
        let full = |open: &Open| open.size > 0 && open.size + lines.len() as u64 > part_size;
        if self
            .open
            .get(stem)
            .is_some_and(|open| open.day == day && full(open))
        {
            self.number(stem, day)?;
        }
        let open = self.opened(stem, day)?;
        open.used = Instant::now();
        if let Err(error) = open.file.write_all(lines) {
            // No half lines: they would be joined to what comes next.
            let _ = open.file.set_len(open.size);
            return Err(error);
        }
        open.size += lines.len() as u64;
        Ok(())
    }

    /// The file to write to.
    fn opened(&mut self, stem: &Stem, day: Date) -> io::Result<&mut Open> {
        if self.open.get(stem).is_none_or(|open| open.day != day) {
            let name = Name {
                stem: stem.clone(),
                day,
                part: None,
            };
            let path = self.directory.join(name.to_string());
            let file = match os::open_append(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    std::fs::create_dir_all(&self.directory)?;
                    os::open_append(&path)?
                }
                other => other?,
            };
            let open = Open {
                day,
                size: file.metadata()?.len(),
                file,
                used: Instant::now(),
            };
            self.open.insert(stem.clone(), open);
        }
        Ok(self.open.get_mut(stem).expect("it is open or was just opened"))
    }

    fn complain(&self, error: &io::Error) {
        if is_full(error) {
            return self.conditions.write_failed(&self.directory, error);
        }
        self.conditions.raise(
            Condition::LogFilesUnavailable,
            format!(
                "no log files can be written to log.directory = {}: {error}; the log goes to standard error only",
                self.directory.display()
            ),
            "let the agent's user write there, or name another directory; or write log.files = false",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan as _;

    fn files(directory: &Path, days: u32, bytes: u64) -> Files {
        let conditions = Conditions::default();
        let logs = LogFiles::new(directory, Retention { days, bytes }, conditions);
        Arc::into_inner(logs.0).unwrap().into_inner().unwrap()
    }

    fn connector(name: &str) -> Stem {
        Stem::Connector(name.parse().unwrap())
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = directory.read_dir().unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn noon() -> Zoned {
        "2026-11-21T12:00:00+00:00[UTC]".parse().unwrap()
    }

    #[test]
    fn old_logs_go_and_the_rest_stays() {
        let directory = tempfile::tempdir().unwrap();
        let all = [
            "a_2026-11-01.log",
            "a_2026-11-13.7.log",
            "a_2026-11-14.log",
            "a_2026-11-21.log",
            "lumos-agent.2026-11-01.log",
            "notes_2020-01-01.txt",
        ];
        for name in all {
            std::fs::write(directory.path().join(name), "x").unwrap();
        }
        files(directory.path(), 7, 1 << 30).sweep(&noon());
        assert_eq!(
            names(directory.path()),
            ["a_2026-11-14.log", "a_2026-11-21.log", "notes_2020-01-01.txt"]
        );
    }

    #[test]
    fn a_new_day_is_a_new_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = files(directory.path(), 7, 1 << 30);
        let late: Zoned = "2026-11-21T23:59:59+00:00[UTC]".parse().unwrap();
        assert!(files.append(&connector("app"), &late, b"one\n"));
        assert!(files.append(&connector("app"), &late, b"two\n"));
        assert!(files.append(&connector("app"), &(late + 2.seconds()), b"three\n"));
        let read = |day| std::fs::read_to_string(directory.path().join(format!("app_{day}.log"))).unwrap();
        assert_eq!(read("2026-11-21"), "one\ntwo\n");
        assert_eq!(read("2026-11-22"), "three\n");
    }

    #[test]
    fn what_is_too_much_goes_the_oldest_first_and_no_writer_takes_all() {
        let directory = tempfile::tempdir().unwrap();
        let limit = 4 << 20;
        let mut files = files(directory.path(), 7, limit);
        std::fs::write(directory.path().join("quiet_2026-11-20.log"), "kept").unwrap();
        std::fs::write(directory.path().join("older_2026-11-19.log"), vec![b'x'; 3 << 20]).unwrap();
        let line = [b'y'; 1023].iter().copied().chain(*b"\n").collect::<Vec<_>>();
        for n in 0..8 * 1024 {
            assert!(files.append(&connector("noisy"), &noon(), &line), "{n}");
        }
        files.sweep(&noon());
        let names = names(directory.path());
        assert!(names.contains(&"quiet_2026-11-20.log".to_owned()), "{names:?}");
        assert!(!names.contains(&"older_2026-11-19.log".to_owned()), "{names:?}");
        let sizes = names
            .iter()
            .map(|name| directory.path().join(name).metadata().unwrap().len());
        assert!(sizes.sum::<u64>() <= limit, "{names:?}");
        let mut parts = names.iter().filter_map(|name| Name::parse(name)?.part);
        let first = parts.next().unwrap();
        assert!(first > 1, "the oldest parts are gone: {names:?}");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_a_condition_until_it_can() {
        let directory = tempfile::tempdir().unwrap();
        let blocked = directory.path().join("logs");
        std::fs::write(&blocked, "a file").unwrap();
        let mut files = files(&blocked, 7, 1 << 30);
        assert!(!files.append(&Stem::Agent, &noon(), b"lost\n"));
        assert!(files.conditions.holds(Condition::LogFilesUnavailable));
        std::fs::remove_file(&blocked).unwrap();
        files.failed = None;
        assert!(files.append(&Stem::Agent, &noon(), b"kept\n"));
        assert!(!files.conditions.holds(Condition::LogFilesUnavailable));
    }
}
