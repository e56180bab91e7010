//! The files: one open for each connector, a new one each day, old ones deleted, none larger than [`MAX_FILE`].

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{ToSpan, Zoned};

use crate::domain::AppId;
use crate::os;

/// Bytes after which a connector's log of the day is full: a connector that writes without end costs no more disk.
const MAX_FILE: u64 = 256 * 1024 * 1024;
/// How often a failing disk is mentioned in the agent's own log.
const COMPLAIN: Duration = Duration::from_secs(60);

pub(super) struct Files {
    directory: PathBuf,
    retention_days: u32,
    open: HashMap<AppId, Open>,
    /// The day of the last clean-up.
    cleaned: Option<Date>,
    complained: Option<Instant>,
}

struct Open {
    day: Date,
    file: File,
    size: u64,
    used: Instant,
}

impl Files {
    pub(super) fn new(directory: PathBuf, retention_days: u32) -> Self {
        Files {
            directory,
            retention_days,
            open: HashMap::new(),
            cleaned: None,
            complained: None,
        }
    }

    pub(super) fn set_retention(&mut self, days: u32, now: &Zoned) {
        self.retention_days = days;
        self.delete_old(now);
    }

    /// Appends `text` to the log of the day of `at`; `false` if that was not possible.
    pub(super) fn append(&mut self, app_id: &AppId, at: &Zoned, text: &[u8]) -> bool {
        let day = at.date();
        if self.cleaned != Some(day) {
            self.delete_old(at);
        }
        match self.try_append(app_id, day, text) {
            Ok(written) => written,
            Err(error) => {
                self.open.remove(app_id);
                self.complain(&error);
                false
            }
        }
    }

    fn try_append(&mut self, app_id: &AppId, day: Date, text: &[u8]) -> std::io::Result<bool> {
        let open = match self.open.get_mut(app_id) {
            Some(open) if open.day == day => open,
            _ => {
                let file = os::open_append(&self.directory.join(format!("{app_id}_{day}.log")))?;
                let size = file.metadata()?.len();
                let used = Instant::now();
                let open = Open {
                    day,
                    file,
                    size,
                    used,
                };
                self.open.insert(app_id.clone(), open);
                self.open.get_mut(app_id).expect("just inserted")
            }
        };
        if open.size + text.len() as u64 > MAX_FILE {
            return Ok(false);
        }
        open.file.write_all(text)?;
        open.size += text.len() as u64;
        open.used = Instant::now();
        Ok(true)
    }

    /// Closes what has not been written to for `idle`: a connector that is gone must not keep a file open.
    pub(super) fn close_idle(&mut self, idle: Duration) {
        self.open.retain(|_, open| open.used.elapsed() < idle);
    }

    fn complain(&mut self, error: &std::io::Error) {
        let now = Instant::now();
        if self
            .complained
            .is_none_or(|last| now.duration_since(last) > COMPLAIN)
        {
            self.complained = Some(now);
            tracing::warn!(directory = %self.directory.display(), %error, "connector logs cannot be written; lines are dropped");
        }
    }

    /// Deletes logs that are older than the retention, closes those of other days. Touches nothing that is not named
    /// like a connector's log.
    pub(super) fn delete_old(&mut self, now: &Zoned) {
        let today = now.date();
        self.cleaned = Some(today);
        self.open.retain(|_, open| open.day == today);
        let Ok(oldest) = today.checked_sub(i64::from(self.retention_days).days()) else {
            return;
        };
        let Ok(entries) = self.directory.read_dir() else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let day = name.to_str().and_then(day_of);
            let regular = entry.file_type().is_ok_and(|kind| kind.is_file());
            if regular && day.is_some_and(|day| day < oldest) {
                // Whatever hinders it now may not tomorrow.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// The day in the name of a connector's log; `None` for other files.
fn day_of(name: &str) -> Option<Date> {
    let (app_id, day) = name.strip_suffix(".log")?.rsplit_once('_')?;
    app_id.parse::<AppId>().ok()?;
    if day.len() != 10 {
        return None;
    }
    day.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_have_a_day() {
        assert_eq!(
            day_of("mock_app_2026-11-21.log"),
            Some(jiff::civil::date(2026, 11, 21))
        );
        for other in [
            "mockapp.log",
            "a_2026-11-21.txt",
            "_2026-11-21.log",
            "a_2026-13-21.log",
            "a_21.log",
        ] {
            assert_eq!(day_of(other), None, "{other}");
        }
    }

    #[test]
    fn old_logs_go_and_the_rest_stays() {
        let directory = tempfile::tempdir().unwrap();
        let names = [
            "a_2026-11-01.log",
            "a_2026-11-14.log",
            "a_2026-11-21.log",
            "notes_2020-01-01.txt",
        ];
        for name in names {
            std::fs::write(directory.path().join(name), "x").unwrap();
        }
        let now: Zoned = "2026-11-21T12:00:00+00:00[UTC]".parse().unwrap();
        Files::new(directory.path().to_owned(), 7).delete_old(&now);
        let left = |name: &str| directory.path().join(name).exists();
        assert_eq!(names.map(left), [false, true, true, true]);
    }

    #[test]
    fn a_new_day_is_a_new_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Files::new(directory.path().to_owned(), 7);
        let app_id: AppId = "app".parse().unwrap();
        let late: Zoned = "2026-11-21T23:59:59+00:00[UTC]".parse().unwrap();
        assert!(files.append(&app_id, &late, b"one\n"));
        assert!(files.append(&app_id, &late, b"two\n"));
        assert!(files.append(&app_id, &(late + 2.seconds()), b"three\n"));
        let read = |day| std::fs::read_to_string(directory.path().join(format!("app_{day}.log"))).unwrap();
        assert_eq!(read("2026-11-21"), "one\ntwo\n");
        assert_eq!(read("2026-11-22"), "three\n");
    }
}
