//! What we write we read again, and no document makes us panic.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::generate::{anything, document};
use super::types;

fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
}

#[test]
fn what_is_written_reads_as_the_same() {
    for (name, one) in types::all() {
        let documents = document(&(one.schema)());
        runner(24)
            .run(&documents, |document| {
                let once = (one.reread)(&document.to_string())
                    .map_err(|error| TestCaseError::fail(format!("{name} does not read: {error}")))?;
                let twice = (one.reread)(&once)
                    .map_err(|error| TestCaseError::fail(format!("{name} does not read its own: {error}")))?;
                prop_assert_eq!(once, twice);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn no_document_makes_a_type_panic() {
    let types = types::all();
    let inputs = prop_oneof![
        anything().prop_map(|value| value.to_string()),
        any::<String>(),
        "[\\[\\]{}:,\"a-z0-9.eE+\\-\\\\ ]{0,40}",
    ];
    runner(64)
        .run(&inputs, |text| {
            for one in types.values() {
                let _ = (one.reread)(&text);
            }
            Ok(())
        })
        .unwrap();
}

/// A document of the type in which one value was replaced by something else.
#[test]
fn a_broken_document_is_read_or_refused_but_never_half_read() {
    for (name, one) in types::all() {
        let broken = (
            document(&(one.schema)()),
            any::<proptest::sample::Index>(),
            anything(),
        );
        runner(16)
            .run(&broken, |(mut document, place, value)| {
                replace(&mut document, place, value);
                if let Ok(once) = (one.reread)(&document.to_string()) {
                    prop_assert_eq!((one.reread)(&once), Ok(once));
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn replace(document: &mut Value, place: proptest::sample::Index, value: Value) {
    let place = place.index(count(document));
    if let Some(found) = nth(document, &mut { place }) {
        *found = value;
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(members) => members.values_mut().find_map(|member| nth(member, left)),
        _ => None,
    }
}
