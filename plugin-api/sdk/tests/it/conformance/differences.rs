//! Where the models are meant to differ, as written in `tests/reference/differences.toml`.
//!
//! The tests fail where there is a difference that does not stand there, and where one stands there that is none any more.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
struct List {
    model: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at: String,
    cases: Vec<String>,
    /// The tests in which it shows.
    parts: Vec<String>,
    reason: String,
}

/// The differences by place and case, each with whether it was met.
pub(super) struct Differences(BTreeMap<(String, String), bool>);

impl Differences {
    /// Those of `schemas`, `documents` or `requests`.
    pub(super) fn read(part: &str) -> Self {
        let text = include_str!("../../reference/differences.toml");
        let list: List = toml::from_str(text).expect("differences.toml is well-formed");
        let mut found = BTreeMap::new();
        for Written {
            at,
            cases,
            parts,
            reason,
        } in list.model
        {
            assert!(!reason.is_empty(), "{at} has no reason");
            for case in cases.into_iter().filter(|_| parts.iter().any(|one| one == part)) {
                let twice = found.insert((at.clone(), case), false);
                assert!(
                    twice.is_none(),
                    "{at} stands twice in differences.toml for the same case"
                );
            }
        }
        Self(found)
    }

    /// Whether that difference is meant.
    pub(super) fn is_meant(&mut self, at: &str, case: &str) -> bool {
        let met = self.0.get_mut(&(at.to_owned(), case.to_owned()));
        met.map(|met| *met = true).is_some()
    }

    /// Those that are none any more.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .filter(|(_, met)| !**met)
            .map(|((at, case), _)| format!("differences.toml: {at}, {case}: does not differ any more"))
    }
}
