//! Where two answers differ.
//!
//! Members are compared by name, not by their order. Three things are compared only for being there: where in the source an
//! error was raised, how long something took, and descriptions, which are prose; ours may have one where the reference has
//! none, except in a form. A description that begins with "Fixture" is the connector's own and has to be the same.

use std::fmt;

use serde_json::{Map, Value};

/// One place where an answer is not the expected one.
pub(super) struct Difference {
    /// Member names and indexes from the root, joined by `/`.
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
    walk("", Some(expected), Some(ours), &mut found);
    found
}

fn walk(place: &str, expected: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    match (expected, ours) {
        (Some(Value::Object(expected)), Some(Value::Object(ours))) => members(place, expected, ours, found),
        (Some(Value::Array(expected)), Some(Value::Array(ours))) => {
            for index in 0..expected.len().max(ours.len()) {
                walk(
                    &format!("{place}/{index}"),
                    expected.get(index),
                    ours.get(index),
                    found,
                );
            }
        }
        _ if expected == ours || is_only_to_be_there(place, expected, ours) => {}
        _ => found.push(Difference {
            place: place.trim_start_matches('/').to_owned(),
            ours: ours.cloned(),
            expected: expected.cloned(),
        }),
    }
}

fn members(
    place: &str,
    expected: &Map<String, Value>,
    ours: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    for (name, value) in expected {
        walk(&format!("{place}/{name}"), Some(value), ours.get(name), found);
    }
    for (name, value) in ours.iter().filter(|(name, _)| !expected.contains_key(*name)) {
        walk(&format!("{place}/{name}"), None, Some(value), found);
    }
}

fn is_only_to_be_there(place: &str, expected: Option<&Value>, ours: Option<&Value>) -> bool {
    let (Some(expected), Some(ours)) = (expected, ours) else {
        // Our models leave no field without a description. In what a form shows it would be seen.
        return expected.is_none() && place.ends_with("/description") && !is_of_a_form(place);
    };
    match place.rsplit('/').next() {
        Some("description") => match (expected.as_str(), ours.as_str()) {
            (Some(expected), Some(ours)) => !expected.starts_with("Fixture") && !ours.is_empty(),
            _ => false,
        },
        Some("raised_in") => expected.is_string() && ours.is_string(),
        Some("duration_ms") => expected.is_number() && ours.is_number(),
        _ => false,
    }
}

fn is_of_a_form(place: &str) -> bool {
    let forms = [
        "/response/request_settings_schema",
        "/response/authentication_schema",
        "/response/credentials_schema",
        "/response/app_schema/components/schemas/Settings",
        "/response/app_schema/components/schemas/Auth/",
        "/response/app_schema/components/schemas/Credentials",
    ];
    forms.iter().any(|form| place.starts_with(form))
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(400).collect()
}

#[test]
fn prose_is_compared_for_being_there() {
    use serde_json::json;
    let places = |expected: Value, ours: Value| -> Vec<String> {
        compare(&expected, &ours)
            .into_iter()
            .map(|difference| difference.place)
            .collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(
        places(json!({"description": "a"}), json!({"description": "b"})),
        none
    );
    assert_eq!(places(json!({"description": "a"}), json!({})), ["description"]);
    assert_eq!(
        places(
            json!({"description": "Fixture a"}),
            json!({"description": "Fixture b"})
        ),
        ["description"]
    );
    assert_eq!(
        places(json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 3}]})),
        ["a/1/b"]
    );
}
