//! A written list of intended differences, and which of its entries still apply.

use serde::Deserialize;
use serde_json::Value;

use super::compare::Difference;

/// The list, with a mark on what has been needed.
pub(crate) struct Differences(Vec<Entry>);

#[derive(Deserialize)]
struct List {
    difference: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    capability: Capabilities,
    /// Names of cases.
    cases: Vec<String>,
    /// The place in the answer.
    field: String,
    /// Ours, if it is to be held to a value.
    ours: Option<Value>,
    /// The tests in which it shows; without any, in all.
    #[serde(default)]
    parts: Vec<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Capabilities {
    One(String),
    Many(Vec<String>),
}

struct Entry {
    capability: String,
    case: String,
    field: String,
    ours: Option<Value>,
    needed: bool,
}

impl Differences {
    /// Those of the list that show in the test `part`.
    pub(crate) fn read(list: &str, part: &str) -> Self {
        let list: List = toml::from_str(list).expect("the list is well-formed");
        let mut entries = Vec::new();
        for written in list.difference {
            assert!(!written.reason.is_empty(), "{} has no reason", written.field);
            if written.parts.is_empty() || written.parts.iter().any(|one| one == part) {
                entries.extend(written.entries());
            }
        }
        Self(entries)
    }

    /// Whether a difference is written down.
    pub(crate) fn allow(&mut self, capability: &str, case: &str, difference: &Difference) -> bool {
        let mut allowed = false;
        for entry in &mut self.0 {
            if entry.covers(capability, case, difference) {
                entry.needed = true;
                allowed = true;
            }
        }
        allowed
    }

    /// Takes what is written for a case that was not run as needed.
    pub(crate) fn excuse(&mut self, case: &str) {
        for entry in self.0.iter_mut().filter(|entry| entry.case == case) {
            entry.needed = true;
        }
    }

    /// What is written down and does not apply.
    pub(crate) fn unused(&self) -> Vec<String> {
        let unused = self.0.iter().filter(|entry| !entry.needed);
        unused
            .map(|entry| {
                format!(
                    "differences.toml: {} {}, {}: no longer differs so",
                    entry.capability, entry.case, entry.field
                )
            })
            .collect()
    }
}

impl Written {
    /// One for each capability and case: each of them has to differ.
    fn entries(self) -> Vec<Entry> {
        let capabilities = match self.capability {
            Capabilities::One(one) => vec![one],
            Capabilities::Many(many) => many,
        };
        let mut entries = Vec::new();
        for capability in &capabilities {
            for case in &self.cases {
                entries.push(Entry {
                    capability: capability.clone(),
                    case: case.clone(),
                    field: self.field.clone(),
                    ours: self.ours.clone(),
                    needed: false,
                });
            }
        }
        entries
    }
}

impl Entry {
    fn covers(&self, capability: &str, case: &str, difference: &Difference) -> bool {
        self.capability == capability
            && self.case == case
            && self.field == difference.place
            && (self.ours.is_none() || self.ours == difference.ours)
    }
}
