//! The written list of intended differences, and which of its entries still apply.

use serde::Deserialize;
use serde_json::Value;

use super::compare::Difference;

const LIST: &str = include_str!("../../reference/differences.toml");

/// The list, with a mark on what has been needed.
pub(super) struct Differences(Vec<Entry>);

#[derive(Deserialize)]
struct List {
    difference: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    capability: String,
    /// Names of cases.
    cases: Vec<String>,
    /// The place in the answer.
    field: String,
    /// Ours, if it is to be held to a value.
    ours: Option<Value>,
    reason: String,
}

struct Entry {
    written: Written,
    /// For each of the cases, whether it has been needed.
    needed: Vec<bool>,
}

impl Differences {
    pub(super) fn read() -> Self {
        let list: List = toml::from_str(LIST).expect("differences.toml is well-formed");
        let entry = |written: Written| {
            assert!(!written.reason.is_empty(), "{} has no reason", written.field);
            Entry {
                needed: vec![false; written.cases.len()],
                written,
            }
        };
        Self(list.difference.into_iter().map(entry).collect())
    }

    /// Whether a difference is written down.
    pub(super) fn allow(&mut self, capability: &str, case: &str, difference: &Difference) -> bool {
        let mut allowed = false;
        for Entry { written, needed } in &mut self.0 {
            let covers = written.capability == capability
                && written.field == difference.place
                && (written.ours.is_none() || written.ours == difference.ours);
            for (name, needed) in written.cases.iter().zip(needed) {
                if covers && name == case {
                    *needed = true;
                    allowed = true;
                }
            }
        }
        allowed
    }

    /// What is written down and does not apply.
    pub(super) fn unused(&self) -> Vec<String> {
        let mut unused = Vec::new();
        for Entry { written, needed } in &self.0 {
            for (case, _) in written.cases.iter().zip(needed).filter(|(_, needed)| !**needed) {
                let Written {
                    capability, field, ..
                } = written;
                unused.push(format!(
                    "differences.toml: {capability} {case}, {field}: no longer differs so"
                ));
            }
        }
        unused
    }
}
