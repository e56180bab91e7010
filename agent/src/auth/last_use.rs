//! When each token was last used: for `token list`, so that nobody has to keep a token that nobody needs. Kept apart from
//! the token file, which the agent never writes, and written lazily: losing a minute of it costs nothing.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::conditions::Conditions;
use crate::durable;

const FILE: &str = "token-use.json";
/// More ids than this are not remembered; revoked tokens' entries are dropped with them.
const MAX: usize = 10_000;
/// So many bytes they never take.
const MOST: u64 = 4 << 20;

pub(super) struct LastUse {
    path: PathBuf,
    conditions: Conditions,
    seen: Mutex<HashMap<Arc<str>, i64>>,
    dirty: AtomicBool,
}

impl LastUse {
    /// A damaged file is put aside.
    pub(super) fn new(state_dir: &Path, conditions: Conditions) -> Self {
        let path = state_dir.join(FILE);
        if let Err(damage) = read(&path) {
            let instead = "when tokens were last used is noted anew; the tokens themselves are not in it";
            durable::set_aside(&path, &damage, instead, &conditions);
        }
        LastUse {
            path,
            conditions,
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
            self.dirty.store(true, Ordering::Release);
            let directory = self.path.parent().unwrap_or(Path::new("."));
            self.conditions.write_failed(directory, &error);
        }
    }
}

/// Token id → last use, as the agent with this state directory wrote it down; empty if it never did.
#[must_use]
pub fn read_last_use(state_dir: &Path) -> BTreeMap<String, Timestamp> {
    read_file(&state_dir.join(FILE))
}

fn read_file(path: &Path) -> BTreeMap<String, Timestamp> {
    read(path).unwrap_or_default()
}

/// What it holds, or what is wrong with it.
fn read(path: &Path) -> Result<BTreeMap<String, Timestamp>, String> {
    match durable::read_small(path, MOST) {
        Ok((text, _)) => serde_json::from_slice(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error.to_string()),
    }
}

fn write_file(path: &Path, all: &BTreeMap<String, Timestamp>) -> io::Result<()> {
    durable::replace(path, &serde_json::to_vec(all)?)
}
