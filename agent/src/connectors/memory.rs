//! What a restart needs to know: which file was which connector, and what of it served well.
//!
//! `{state_dir}/connectors.json`, written anew at every change. A file that cannot be read means starting from nothing but
//! the directory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::store::write_atomically;
use crate::domain::{AppId, Sha256};

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) app_id: AppId,
    /// Its content when it was last accepted.
    pub(super) sha256: Sha256,
    /// The content that last served well, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) good: Option<Sha256>,
}

/// All files by name.
pub(super) type Files = BTreeMap<String, Remembered>;

#[derive(Serialize, Deserialize, Default)]
struct Document {
    #[serde(default)]
    files: Files,
}

/// The file. All of it blocks.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    path: PathBuf,
}

impl Memory {
    pub(super) fn new(state_dir: &Path) -> Self {
        Memory {
            path: state_dir.join("connectors.json"),
        }
    }

    pub(super) fn load(&self) -> Files {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Files::new(),
            Err(error) => {
                tracing::warn!(file = %self.path.display(), reason = %error, "what served before cannot be read");
                return Files::new();
            }
        };
        serde_json::from_slice::<Document>(&bytes).map(|document| document.files).unwrap_or_else(|error| {
            tracing::warn!(file = %self.path.display(), reason = %error, "what served before cannot be read");
            Files::new()
        })
    }

    pub(super) fn save(&self, files: &Files) -> io::Result<()> {
        let document = Document { files: files.clone() };
        write_atomically(&self.path, &serde_json::to_vec_pretty(&document)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_survives_rubbish() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(dir.path());
        assert_eq!(memory.load(), Files::new());
        let remembered = Remembered {
            app_id: "mockapp".parse().unwrap(),
            sha256: Sha256::of(b"a"),
            good: None,
        };
        let files = Files::from([("m.so".to_owned(), remembered)]);
        memory.save(&files).unwrap();
        assert_eq!(memory.load(), files);
        std::fs::write(dir.path().join("connectors.json"), "{").unwrap();
        assert_eq!(memory.load(), Files::new());
    }
}
