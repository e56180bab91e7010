//! The written list of intended differences, and which of its entries still apply.

use serde::Deserialize;
use serde_json::Value;

use super::compare::Difference;

const LIST: &str = include_str!("differences.toml");

/// The list, with a mark on what has been needed.
pub(super) struct Differences(Vec<Entry>);

#[derive(Deserialize)]
struct List {
    difference: Vec<Written>,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Names of records; `*` stands for any run of characters.
    cases: Vec<String>,
    /// The place in the answer; `*` stands for one name or index, `**` for any number of them.
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

    /// Whether a difference is written down; every entry that covers it counts as needed.
    pub(super) fn allow(&mut self, case: &str, difference: &Difference) -> bool {
        let mut allowed = false;
        for entry in &mut self.0 {
            if !entry.covers(difference) {
                continue;
            }
            for (pattern, needed) in entry.written.cases.iter().zip(&mut entry.needed) {
                if matches_text(pattern, case) {
                    *needed = true;
                    allowed = true;
                }
            }
        }
        allowed
    }

    /// Takes what is written for a case that was not run as needed.
    pub(super) fn excuse(&mut self, case: &str) {
        for entry in &mut self.0 {
            for (pattern, needed) in entry.written.cases.iter().zip(&mut entry.needed) {
                *needed |= pattern == case;
            }
        }
    }

    /// What is written down and does not apply.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = |entry: &Entry| -> Vec<String> {
            let cases = entry.written.cases.iter().zip(&entry.needed);
            cases
                .filter(|(_, needed)| !**needed)
                .map(|(case, _)| {
                    format!(
                        "differences.toml: {case}, {}: no longer differs so",
                        entry.written.field
                    )
                })
                .collect()
        };
        self.0.iter().flat_map(unused).collect()
    }
}

impl Entry {
    fn covers(&self, difference: &Difference) -> bool {
        let place: Vec<&str> = difference.place.split('.').collect();
        let field: Vec<&str> = self.written.field.split('.').collect();
        let value_is_right = self.written.ours.is_none() || self.written.ours == difference.ours;
        value_is_right && matches_place(&field, &place)
    }
}

fn matches_place(field: &[&str], place: &[&str]) -> bool {
    match (field.split_first(), place.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            matches_place(rest, place)
                || place
                    .split_first()
                    .is_some_and(|(_, place)| matches_place(field, place))
        }
        (Some((pattern, field)), Some((name, place))) => {
            (*pattern == "*" || pattern == name) && matches_place(field, place)
        }
        _ => false,
    }
}

fn matches_text(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| matches_text(rest, &text[at..]))
        }),
    }
}

#[test]
fn patterns_match_names_and_places() {
    for (pattern, text, expected) in [
        ("a*c", "abc", true),
        ("a*", "a", true),
        ("a*c", "ab", false),
        ("a", "ab", false),
        ("*", "", true),
    ] {
        assert_eq!(matches_text(pattern, text), expected, "{pattern} {text}");
    }
    for (field, place, expected) in [
        ("a.*.c", "a.b.c", true),
        ("a.*", "a.b.c", false),
        ("a.**", "a.b.c", true),
        ("**.c", "c", true),
        ("**.c", "a.b", false),
        ("a.**.c", "a.c", true),
    ] {
        let split = |text: &'static str| text.split('.').collect::<Vec<_>>();
        assert_eq!(
            matches_place(&split(field), &split(place)),
            expected,
            "{field} {place}"
        );
    }
}
