//! When a file is complete enough to be looked at, and when it is really gone. Pure: the caller brings listings and time.
//!
//! A file is settled once two looks at least [`QUIET`] apart found the same stamps, its own and
//! its signature's; it is reported once for these.
//! A file is gone once two successful listings at least [`QUIET`] apart lacked it. A listing that failed says nothing. That
//! holds for files that an earlier agent knew, too.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::scan::{Listing, Look};

/// How long a file must not change.
pub(super) const QUIET: Duration = Duration::from_millis(300);

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connectors) enum Change {
    /// Its name is new.
    Seen(String),
    /// It has not changed for a while. Reported again after every change.
    Settled(String),
    /// It is no longer there.
    Gone(String),
}

#[derive(Debug)]
struct Entry {
    stamp: Look,
    /// Since when it looks like this.
    since: Instant,
    reported: Option<Look>,
    /// To be reported at the next look, whenever that is.
    again: bool,
    missing_since: Option<Instant>,
}

/// What is known of the directory.
#[derive(Debug, Default)]
pub(super) struct Settle {
    entries: BTreeMap<String, Entry>,
    /// Files that should be there and have not been seen yet; since when they have been missed.
    expected: BTreeMap<String, Option<Instant>>,
}

impl Settle {
    /// `expected` are files that were there when somebody last looked.
    pub(super) fn new(expected: Vec<String>) -> Self {
        Settle {
            entries: BTreeMap::new(),
            expected: expected.into_iter().map(|name| (name, None)).collect(),
        }
    }

    /// Takes a complete listing in, made at `now`.
    pub(super) fn observe(&mut self, listing: &Listing, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut gone = |name: &String, missing_since: &mut Option<Instant>| {
            let since = *missing_since.get_or_insert(now);
            let gone = now.duration_since(since) >= QUIET;
            if gone {
                changes.push(Change::Gone(name.clone()));
            }
            gone
        };
        self.entries
            .retain(|name, entry| listing.contains_key(name) || !gone(name, &mut entry.missing_since));
        self.expected
            .retain(|name, missing_since| !listing.contains_key(name) && !gone(name, missing_since));
        for (name, stamp) in listing {
            self.observe_file(name, *stamp, now, &mut changes);
        }
        changes
    }

    fn observe_file(&mut self, name: &str, stamp: Look, now: Instant, changes: &mut Vec<Change>) {
        let Some(entry) = self.entries.get_mut(name) else {
            changes.push(Change::Seen(name.to_owned()));
            let entry = Entry {
                stamp,
                since: now,
                reported: None,
                again: false,
                missing_since: None,
            };
            self.entries.insert(name.to_owned(), entry);
            return;
        };
        entry.missing_since = None;
        if entry.stamp != stamp {
            entry.stamp = stamp;
            entry.since = now;
        }
        let fresh = entry.again || entry.reported != Some(stamp);
        if fresh && now.duration_since(entry.since) >= QUIET {
            entry.reported = Some(stamp);
            entry.again = false;
            changes.push(Change::Settled(name.to_owned()));
        }
    }

    /// Has `name` reported again at the next look, changed or not. Does not itself make a look due: what was tried in vain
    /// is tried again at the pace of the directory, not in a circle.
    pub(super) fn forget(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.again = true;
        }
    }

    /// When the next look can find something even if no event comes; `None` if only a change could.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let due = |entry: &Entry| match entry.missing_since {
            Some(since) => Some(since + QUIET),
            None if entry.reported != Some(entry.stamp) => Some(entry.since + QUIET),
            None => None,
        };
        let missing = self.expected.values().flatten().map(|since| *since + QUIET);
        self.entries.values().filter_map(due).chain(missing).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::os::Stamp;

    const STEP: Duration = Duration::from_millis(100);

    fn stamp(size: u64, modified: i128) -> Look {
        let file = Stamp {
            size,
            modified,
            changed: modified,
            device: 1,
            inode: 1,
        };
        Look {
            file,
            signature: None,
        }
    }

    fn listing(files: &[(&str, u64)]) -> Listing {
        files
            .iter()
            .map(|(name, size)| ((*name).to_owned(), stamp(*size, 0)))
            .collect()
    }

    #[test]
    fn a_growing_file_is_not_settled() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        for tick in 0..20_u64 {
            let now = start + STEP * u32::try_from(tick).unwrap();
            let changes = settle.observe(&listing(&[("a.so", tick)]), now);
            assert!(!changes.contains(&Change::Settled("a.so".into())));
        }
        let end = start + STEP * 30;
        assert_eq!(
            settle.observe(&listing(&[("a.so", 19)]), end),
            [Change::Settled("a.so".into())]
        );
        assert_eq!(settle.next_look(), None);
        assert_eq!(settle.observe(&listing(&[("a.so", 19)]), end + QUIET), []);
    }

    #[test]
    fn a_short_absence_is_not_a_deletion() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.observe(&listing(&[("a.so", 1)]), start);
        settle.observe(&listing(&[]), start + STEP);
        assert_eq!(settle.next_look(), Some(start + STEP + QUIET));
        settle.observe(&listing(&[("a.so", 1)]), start + STEP * 2);
        assert_eq!(settle.observe(&listing(&[]), start + STEP * 5), []);
        assert_eq!(
            settle.observe(&listing(&[]), start + STEP * 8),
            [Change::Gone("a.so".into())]
        );
    }

    #[test]
    fn a_signature_that_comes_later_has_its_file_reported_again() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        let mut files = listing(&[("a.so", 1)]);
        settle.observe(&files, start);
        let settled = [Change::Settled("a.so".into())];
        assert_eq!(settle.observe(&files, start + QUIET), settled);
        for signature in [Some(stamp(9, 1).file), Some(stamp(9, 2).file), None] {
            files.get_mut("a.so").unwrap().signature = signature;
            let now = Instant::now() + QUIET * 10;
            assert_eq!(settle.observe(&files, now), []);
            assert_eq!(settle.observe(&files, now + QUIET), settled);
        }
    }

    #[test]
    fn a_file_that_an_earlier_agent_knew_is_gone_after_two_looks_too() {
        let expected = vec!["a.so".to_owned(), "b.so".to_owned()];
        let (mut settle, start) = (Settle::new(expected), Instant::now());
        assert_eq!(
            settle.next_look(),
            None,
            "only a look that succeeds says something"
        );
        let files = listing(&[("a.so", 1)]);
        assert_eq!(settle.observe(&files, start), [Change::Seen("a.so".into())]);
        assert_eq!(settle.next_look(), Some(start + QUIET));
        let changes = settle.observe(&files, start + QUIET);
        assert_eq!(
            changes,
            [Change::Gone("b.so".into()), Change::Settled("a.so".into())]
        );
        assert_eq!(settle.next_look(), None);
    }

    #[test]
    fn a_forgotten_file_is_reported_again() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        let files = listing(&[("a.so", 1)]);
        settle.observe(&files, start);
        assert_eq!(
            settle.observe(&files, start + QUIET),
            [Change::Settled("a.so".into())]
        );
        settle.forget("a.so");
        assert_eq!(
            settle.observe(&files, start + QUIET * 2),
            [Change::Settled("a.so".into())]
        );
    }

    proptest! {
        /// Whatever the directory did: after it has been left alone, exactly what is in it has been reported.
        #[test]
        fn ends_with_the_truth(history in proptest::collection::vec(
            (proptest::collection::btree_map("[a-c]", 0_u64..3, 0..3), 0_u64..500), 1..40),
            mut expected in proptest::collection::btree_set("[a-d]", 0..3)
        ) {
            let names = expected.iter().cloned().collect();
            let (mut settle, mut now) = (Settle::new(names), Instant::now());
            let mut known: BTreeMap<String, Option<u64>> = BTreeMap::new();
            let last = history.last().map(|(files, _)| files.clone()).unwrap_or_default();
            let quiet = std::iter::repeat_n((last.clone(), 300), 3);
            for (files, pause) in history.into_iter().chain(quiet) {
                now += Duration::from_millis(pause);
                let listed = files.iter().map(|(name, size)| (name.clone(), stamp(*size, 0))).collect();
                for change in settle.observe(&listed, now) {
                    match change {
                        Change::Seen(name) => {
                            expected.remove(&name);
                            prop_assert!(known.insert(name, None).is_none());
                        }
                        Change::Settled(name) => {
                            prop_assert!(known.contains_key(&name));
                            let size = files[&name];
                            known.insert(name, Some(size));
                        }
                        Change::Gone(name) => {
                            prop_assert!(!files.contains_key(&name));
                            prop_assert!(known.remove(&name).is_some() || expected.remove(&name));
                        }
                    }
                }
            }
            let truth: BTreeMap<_, _> = last.into_iter().map(|(name, size)| (name, Some(size))).collect();
            prop_assert_eq!(known, truth);
            prop_assert!(expected.is_empty());
            prop_assert_eq!(settle.next_look(), None);
        }
    }
}
