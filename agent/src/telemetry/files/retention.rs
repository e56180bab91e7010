//! What is kept of log files: so many days, so many bytes, and less when the disk is full.

use std::collections::HashSet;
use std::fs;
use std::io;

use jiff::civil::Date;
use jiff::{ToSpan as _, Zoned};

use super::names::{Name, Stem};
use super::{Files, WORTH_IT};

/// Largest part of a day's log.
const PART: u64 = 16 << 20;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days after which a file is deleted.
    pub days: u32,
    /// Bytes of all log files together.
    pub bytes: u64,
}

impl Default for Retention {
    /// Everything.
    fn default() -> Self {
        Retention {
            days: 36_500,
            bytes: u64::MAX,
        }
    }
}

impl Retention {
    /// Bytes after which a file is continued in another.
    pub(super) fn part(self) -> u64 {
        PART.min(self.bytes / 16).max(1)
    }

    /// Bytes of one writer: however much it writes, what others wrote is not lost for it.
    fn share(self, stem: &Stem) -> u64 {
        match stem {
            Stem::Agent => self.bytes / 2,
            Stem::Connector(_) => self.bytes / 4,
        }
    }
}

struct Found {
    name: Name,
    size: u64,
}

impl Files {
    /// Deletes what is too old or too much, closes what is of another day. Touches nothing that is not named like a log.
    pub(super) fn sweep(&mut self, now: &Zoned) {
        let today = now.date();
        self.swept = Some(today);
        self.written = 0;
        self.open.retain(|_, open| open.day == today);
        let oldest = today.checked_sub(i64::from(self.retention.days).days()).ok();
        let mut found = self.found();
        found.retain(|file| {
            let keep = oldest.is_none_or(|oldest| file.name.day >= oldest);
            // Whatever hinders it now may not tomorrow.
            keep || self.delete(&file.name).is_err()
        });
        let stems: HashSet<Stem> = found.iter().map(|file| file.name.stem.clone()).collect();
        for stem in stems {
            let share = self.retention.share(&stem);
            self.shrink(&mut found, share, |file| file.name.stem == stem);
        }
        self.shrink(&mut found, self.retention.bytes, |_| true);
    }

    /// Deletes the oldest of those that count until they are no more than `limit` bytes together. What is being written
    /// stays.
    fn shrink(&mut self, found: &mut Vec<Found>, limit: u64, counts: impl Fn(&Found) -> bool) {
        let mut total: u64 = found
            .iter()
            .filter(|file| counts(file))
            .map(|file| file.size)
            .sum();
        found.retain(|file| {
            let open = file.name.part.is_none() && self.open.contains_key(&file.name.stem);
            if total <= limit || open || !counts(file) || self.delete(&file.name).is_err() {
                return true;
            }
            total -= file.size;
            false
        });
    }

    /// Makes room for `writer` and says which file went; `None` if there is nothing to delete.
    pub(super) fn delete_oldest(&mut self, writer: &Stem) -> io::Result<Option<String>> {
        let found = self.found();
        let own = |file: &Found| {
            file.name.part.is_none() && file.name.stem == *writer && self.open.contains_key(writer)
        };
        let others = found.iter().find(|file| file.size > 0 && !own(file));
        let gone = others.or_else(|| found.iter().find(|file| file.size >= WORTH_IT));
        let Some(gone) = gone else { return Ok(None) };
        self.open.remove(&gone.name.stem);
        self.delete(&gone.name)?;
        Ok(Some(gone.name.to_string()))
    }

    /// Gives the file that is being written to a number, so that the next line begins another.
    pub(super) fn number(&mut self, stem: &Stem, day: Date) -> io::Result<()> {
        self.open.remove(stem);
        let same = |file: &Found| file.name.stem == *stem && file.name.day == day;
        let last = self
            .found()
            .iter()
            .filter(|file| same(file))
            .filter_map(|file| file.name.part)
            .max();
        let of = |part| {
            let stem = stem.clone();
            self.directory.join(Name { stem, day, part }.to_string())
        };
        fs::rename(of(None), of(Some(last.map_or(1, |last| last.saturating_add(1)))))
    }

    fn delete(&self, name: &Name) -> io::Result<()> {
        fs::remove_file(self.directory.join(name.to_string()))
    }

    /// All log files, the oldest first.
    fn found(&self) -> Vec<Found> {
        let entries = self.directory.read_dir().into_iter().flatten().flatten();
        let mut found: Vec<Found> = entries
            .filter_map(|entry| {
                let name = Name::parse(entry.file_name().to_str()?)?;
                let facts = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                let size = facts.len();
                Some(Found { name, size })
            })
            .collect();
        found.sort_by(|a, b| a.name.by_age(&b.name));
        found
    }
}
