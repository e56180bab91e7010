//! When each token was last used: for `token list`, so that nobody has to keep a token that nobody needs. Kept apart from
//! the token file, which the agent never writes, and written lazily: losing a minute of it costs nothing.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

const FILE: &str = "token-use.json";
/// More ids than this are not remembered; revoked tokens' entries are dropped with them.
const MAX: usize = 10_000;

pub(super) struct LastUse {
    path: PathBuf,
    seen: Mutex<HashMap<Arc<str>, i64>>,
    dirty: AtomicBool,
}

impl LastUse {
    pub(super) fn new(state_dir: &Path) -> Self {
        LastUse {
            path: state_dir.join(FILE),
            seen: Mutex::default(),
            dirty: AtomicBool::new(false),
        }
    }

    pub(super) fn touch(&self, id: &Arc<str>) {
        let now = Timestamp::now().as_second();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.get(id).copied();
        if known == Some(now) || (known.is_none() && seen.len() >= MAX) {
            return;
        }
        seen.insert(id.clone(), now);
        self.dirty.store(true, Ordering::Release);
    }

    /// Writes down what is new. Blocks for one small file.
    pub(super) fn flush(&self) {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut all = read_file(&self.path);
        {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let recent = seen
                .iter()
                .filter_map(|(id, at)| Some((id.to_string(), Timestamp::from_second(*at).ok()?)));
            all.extend(recent);
        }
        if let Err(error) = write_file(&self.path, &all) {
            tracing::warn!(path = %self.path.display(), %error, "the last use of tokens could not be written");
        }
    }
}

/// Token id → last use, as the agent with this state directory wrote it down; empty if it never did.
#[must_use]
pub fn read_last_use(state_dir: &Path) -> BTreeMap<String, Timestamp> {
    read_file(&state_dir.join(FILE))
}

fn read_file(path: &Path) -> BTreeMap<String, Timestamp> {
    let text = std::fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn write_file(path: &Path, all: &BTreeMap<String, Timestamp>) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    new.write_all(&serde_json::to_vec(all)?)?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}
