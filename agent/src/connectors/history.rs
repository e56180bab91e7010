//! What each generation of a connector went through, across restarts: one JSON line a transition.
//!
//! `{state_dir}/history/{app_id}.jsonl`, lower case. Lines are appended; when there are twice as many as are kept, the file
//! is written anew. A last line that was torn by a crash is skipped; where others cannot be read either, the file is damaged,
//! and what can be read of it goes on in a new one.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::listing::Transition;
use crate::conditions::Conditions;
use crate::domain::{AppId, Generation};
use crate::durable;

/// Transitions kept.
pub(super) const KEPT: usize = 500;

/// The history of one connector. Appending blocks on the file system.
#[derive(Debug)]
pub(super) struct History {
    path: PathBuf,
    transitions: VecDeque<Transition>,
    lines: usize,
    /// The file does not end with a whole line.
    torn: bool,
    /// Lines that are none.
    damaged: usize,
    /// No generation has a number up to this.
    taken: Generation,
}

impl History {
    /// Reads the history of `app_id` below `directory`; an unreadable file is an empty history.
    pub(super) fn open(directory: &Path, app_id: &AppId) -> Self {
        let path = directory.join(format!("{}.jsonl", app_id.as_str().to_ascii_lowercase()));
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let torn = !bytes.is_empty() && !bytes.ends_with(b"\n");
        let lines = text.lines().count();
        let mut transitions: VecDeque<Transition> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let torn_line = torn && text.lines().last().is_some_and(|line| line.starts_with('{'));
        let damaged = (lines - transitions.len()).saturating_sub(usize::from(torn_line));
        let excess = transitions.len().saturating_sub(KEPT);
        transitions.drain(..excess);
        History {
            path,
            transitions,
            lines,
            torn,
            damaged,
            taken: Generation(0),
        }
    }

    /// Puts a damaged file aside and goes on with what could be read of it. `known` is the last generation that is known from
    /// elsewhere.
    pub(super) fn mend(&mut self, known: Option<Generation>, conditions: &Conditions) {
        self.taken = known.unwrap_or(Generation(0));
        if self.damaged == 0 {
            return;
        }
        let damage = format!("{} lines of it are not JSON", self.damaged);
        let instead = format!("{} transitions could be read", self.transitions.len());
        durable::set_aside(&self.path, &damage, &instead, conditions);
        self.damaged = 0;
        if let (Err(error), Some(directory)) = (self.rewrite(), self.path.parent()) {
            conditions.write_failed(directory, &error);
        }
    }

    /// Adds `transition`.
    ///
    /// # Errors
    /// If it cannot be written; it is remembered for this run all the same.
    pub(super) fn append(&mut self, transition: Transition) -> io::Result<()> {
        let line = serde_json::to_string(&transition)?;
        self.transitions.push_back(transition);
        if self.transitions.len() > KEPT {
            self.transitions.pop_front();
        }
        self.lines += 1;
        if self.lines > 2 * KEPT {
            return self.rewrite();
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let start = if std::mem::take(&mut self.torn) { "\n" } else { "" };
        file.write_all(format!("{start}{line}\n").as_bytes())
            .inspect_err(|_| self.torn = true)
    }

    /// All that is kept, oldest first.
    pub(super) fn transitions(&self) -> Vec<Transition> {
        self.transitions.iter().cloned().collect()
    }

    /// The number for the next generation.
    pub(super) fn next_generation(&self) -> Generation {
        let last = self
            .transitions
            .iter()
            .filter_map(|transition| transition.generation)
            .max();
        last.map_or(self.taken, |last| last.max(self.taken)).next()
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        for transition in &self.transitions {
            serde_json::to_writer(&mut bytes, transition)?;
            bytes.push(b'\n');
        }
        durable::replace(&self.path, &bytes)?;
        self.lines = self.transitions.len();
        self.torn = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::connectors::listing::State;

    fn transition(generation: u64) -> Transition {
        Transition {
            at: Timestamp::UNIX_EPOCH,
            generation: Some(Generation(generation)),
            state: State::Starting,
            reason: "because".into(),
            sha256: None,
        }
    }

    #[test]
    fn survives_a_restart_and_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let app: AppId = "MockApp".parse().unwrap();
        let mut history = History::open(dir.path(), &app);
        assert_eq!(history.next_generation(), Generation(1));
        history.append(transition(1)).unwrap();
        let path = dir.path().join("mockapp.jsonl");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"at\":\"19");
        std::fs::write(&path, text).unwrap();
        let mut history = History::open(dir.path(), &app);
        assert_eq!(history.next_generation(), Generation(2));
        history.append(transition(2)).unwrap();
        assert_eq!(
            History::open(dir.path(), &app).transitions(),
            [transition(1), transition(2)]
        );
    }

    #[test]
    fn a_damaged_file_is_put_aside_and_numbers_go_on() {
        let app: AppId = "a".parse().unwrap();
        for damage in ["garbage\n", "\0\0\0\n", "{}\n"] {
            let dir = tempfile::tempdir().unwrap();
            let mut history = History::open(dir.path(), &app);
            history.append(transition(3)).unwrap();
            let path = dir.path().join("a.jsonl");
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, format!("{damage}{text}")).unwrap();

            let conditions = Conditions::default();
            let mut history = History::open(dir.path(), &app);
            history.mend(None, &conditions);
            assert_eq!(conditions.list().len(), 1, "{damage:?}");
            assert_eq!(history.next_generation(), Generation(4));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(dir.path().read_dir().unwrap().count(), 2);
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.jsonl"), "").unwrap();
        let mut history = History::open(dir.path(), &app);
        history.mend(Some(Generation(9)), &Conditions::default());
        assert_eq!(history.next_generation(), Generation(10));
    }

    #[test]
    fn is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let app: AppId = "a".parse().unwrap();
        let mut history = History::open(dir.path(), &app);
        for generation in 0..1300 {
            history.append(transition(generation)).unwrap();
        }
        let again = History::open(dir.path(), &app);
        assert_eq!(again.transitions().len(), KEPT);
        assert_eq!(again.next_generation(), Generation(1300));
        assert!(again.lines <= 2 * KEPT);
    }
}
