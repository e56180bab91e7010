//! Where two JSON documents differ.

use std::fmt;

use serde_json::{Map, Value};

/// One place where an answer is not the expected one.
#[derive(Debug)]
pub(super) struct Difference {
    /// Member names and indexes from the root, joined by dots. `@order` at the end: same members, another order.
    pub(super) place: String,
    /// `None` where the expected answer has something and ours has nothing.
    pub(super) ours: Option<Value>,
    expected: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), cut);
        write!(
            f,
            "{}\n    expected {}\n    ours     {}",
            self.place,
            shown(&self.expected),
            shown(&self.ours)
        )
    }
}

/// All places, each as deep as it goes.
pub(super) fn compare(expected: &Value, ours: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", expected, ours, &mut found);
    found
}

fn walk(place: &str, expected: &Value, ours: &Value, found: &mut Vec<Difference>) {
    match (expected, ours) {
        (Value::Object(expected), Value::Object(ours)) => walk_members(place, expected, ours, found),
        (Value::Array(expected), Value::Array(ours)) => {
            for index in 0..expected.len().max(ours.len()) {
                walk_both(
                    &below(place, &index.to_string()),
                    expected.get(index),
                    ours.get(index),
                    found,
                );
            }
        }
        _ if expected == ours => {}
        _ => found.push(difference(place, Some(expected), Some(ours))),
    }
}

fn walk_members(
    place: &str,
    expected: &Map<String, Value>,
    ours: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    for (name, value) in expected {
        walk_both(&below(place, name), Some(value), ours.get(name), found);
    }
    for (name, value) in ours.iter().filter(|(name, _)| !expected.contains_key(*name)) {
        walk_both(&below(place, name), None, Some(value), found);
    }
    let same_names = expected.len() == ours.len() && expected.keys().all(|name| ours.contains_key(name));
    if same_names && !expected.keys().eq(ours.keys()) {
        let names = |members: &Map<String, Value>| members.keys().cloned().map(Value::from).collect();
        let place = below(place, "@order");
        found.push(Difference {
            place,
            expected: Some(names(expected)),
            ours: Some(names(ours)),
        });
    }
}

fn walk_both(place: &str, expected: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    match (expected, ours) {
        (Some(expected), Some(ours)) => walk(place, expected, ours, found),
        (None, None) => {}
        _ => found.push(difference(place, expected, ours)),
    }
}

fn difference(place: &str, expected: Option<&Value>, ours: Option<&Value>) -> Difference {
    Difference {
        place: place.to_owned(),
        expected: expected.cloned(),
        ours: ours.cloned(),
    }
}

fn below(place: &str, name: &str) -> String {
    if place.is_empty() {
        name.to_owned()
    } else {
        format!("{place}.{name}")
    }
}

fn cut(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[test]
fn every_kind_of_difference_is_found() {
    use serde_json::json;
    let places = |expected: Value, ours: Value| -> Vec<String> {
        compare(&expected, &ours)
            .into_iter()
            .map(|difference| difference.place)
            .collect()
    };
    assert!(places(json!({"a": [1, {"b": null}]}), json!({"a": [1, {"b": null}]})).is_empty());
    assert_eq!(
        places(json!({"a": [1, {"b": null}]}), json!({"a": [2, {"b": 0}]})),
        ["a.0", "a.1.b"]
    );
    assert_eq!(
        places(json!({"a": 1, "b": 2}), json!({"b": 2, "c": 3})),
        ["a", "c"]
    );
    assert_eq!(places(json!([1, 2]), json!([1])), ["1"]);
    assert_eq!(
        places(json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1})),
        ["@order"]
    );
    assert_eq!(places(json!({"a": null}), json!({})), ["a"]);
}
