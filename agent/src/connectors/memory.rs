//! What a restart needs to know: which file was which connector, and what of it served well.
//!
//! `{state_dir}/connectors.json`, written anew at every change. One that is damaged is put aside, and the agent starts from
//! nothing but the directory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;
use crate::domain::{AppId, Generation, Sha256};
use crate::durable;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) app_id: AppId,
    /// Its content when it was last accepted.
    pub(super) sha256: Sha256,
    /// The content that last served well, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) good: Option<Sha256>,
    /// The last of its generations, should its history be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<Generation>,
}

/// All files by name.
pub(super) type Files = BTreeMap<String, Remembered>;

/// The form of the file that this program writes, and the newest that it reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    version: u32,
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

    /// What it holds; a damaged file is put aside.
    pub(super) fn load(&self, conditions: &Conditions) -> Files {
        self.read().unwrap_or_else(|damage| {
            let instead = "what there is now is found in the connectors directory";
            durable::set_aside(&self.path, &damage, instead, conditions);
            Files::new()
        })
    }

    /// What it holds, or what is wrong with it.
    pub(super) fn read(&self) -> Result<Files, String> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Files::new()),
            Err(error) => return Err(error.to_string()),
        };
        let document: Document = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if document.version > VERSION {
            return Err(format!(
                "it is of version {}, from a newer agent",
                document.version
            ));
        }
        Ok(document.files)
    }

    pub(super) fn save(&self, files: &Files) -> io::Result<()> {
        let document = Document {
            version: VERSION,
            files: files.clone(),
        };
        durable::replace(&self.path, &serde_json::to_vec_pretty(&document)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_survives_rubbish() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(dir.path());
        let conditions = Conditions::default();
        assert_eq!(memory.load(&conditions), Files::new());
        let remembered = Remembered {
            app_id: "mockapp".parse().unwrap(),
            sha256: Sha256::of(b"a"),
            good: None,
            generation: Some(Generation(7)),
        };
        let files = Files::from([("m.so".to_owned(), remembered)]);
        memory.save(&files).unwrap();
        assert_eq!(memory.load(&conditions), files);
        assert_eq!(conditions.list(), []);
        for damaged in ["", "{", "{}", "[]", "\0\0\0\0", r#"{"version": 2, "files": {}}"#] {
            std::fs::write(dir.path().join("connectors.json"), damaged).unwrap();
            let conditions = Conditions::default();
            assert_eq!(memory.load(&conditions), Files::new());
            assert_eq!(conditions.list().len(), 1, "{damaged:?}");
            assert_eq!(memory.load(&Conditions::default()), Files::new());
        }
    }
}
