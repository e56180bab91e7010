//! Where two answers differ.
//!
//! Three things are compared only for being there: where in the source an error was raised, how long something took, and
//! descriptions, which are prose; ours may have one where the reference has none, except in a form. A description that begins
//! with "Fixture" is the connector's own and has to be the same.

use std::fmt;

use serde_json::{Map, Value};

/// One place where an answer is not the expected one.
pub(crate) struct Difference {
    /// Member names and indexes from the root, joined by `/`. `@order` at the end: the same members in another order.
    pub(crate) place: String,
    /// `None` where the expected answer has something and ours has nothing.
    pub(crate) ours: Option<Value>,
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

/// All places, each as deep as it goes. The order of members does not count.
pub(crate) fn compare(expected: &Value, ours: &Value) -> Vec<Difference> {
    Comparison::default().of(expected, ours)
}

/// The same where the order of members counts, but for descriptions of a connector: those are schemas.
pub(crate) fn compare_with_order(expected: &Value, ours: &Value) -> Vec<Difference> {
    let with_order = Comparison {
        order: true,
        ..Comparison::default()
    };
    with_order.of(expected, ours)
}

#[derive(Default)]
struct Comparison {
    order: bool,
    found: Vec<Difference>,
}

impl Comparison {
    fn of(mut self, expected: &Value, ours: &Value) -> Vec<Difference> {
        self.walk("", Some(expected), Some(ours));
        self.found
    }

    fn walk(&mut self, place: &str, expected: Option<&Value>, ours: Option<&Value>) {
        match (expected, ours) {
            (Some(Value::Object(expected)), Some(Value::Object(ours))) => self.members(place, expected, ours),
            (Some(Value::Array(expected)), Some(Value::Array(ours))) => {
                for index in 0..expected.len().max(ours.len()) {
                    self.walk(&format!("{place}/{index}"), expected.get(index), ours.get(index));
                }
            }
            _ if expected == ours || is_only_to_be_there(place, expected, ours) => {}
            _ => self.add(place, expected.cloned(), ours.cloned()),
        }
    }

    fn members(&mut self, place: &str, expected: &Map<String, Value>, ours: &Map<String, Value>) {
        for (name, value) in expected {
            self.walk(&format!("{place}/{name}"), Some(value), ours.get(name));
        }
        for (name, value) in ours.iter().filter(|(name, _)| !expected.contains_key(*name)) {
            self.walk(&format!("{place}/{name}"), None, Some(value));
        }
        let same_names = expected.len() == ours.len() && expected.keys().all(|name| ours.contains_key(name));
        if self.order && same_names && !expected.keys().eq(ours.keys()) && !is_of_a_schema(place) {
            let names = |members: &Map<String, Value>| members.keys().cloned().map(Value::from).collect();
            self.add(
                &format!("{place}/@order"),
                Some(names(expected)),
                Some(names(ours)),
            );
        }
    }

    fn add(&mut self, place: &str, expected: Option<Value>, ours: Option<Value>) {
        self.found.push(Difference {
            place: place.trim_start_matches('/').to_owned(),
            ours,
            expected,
        });
    }
}

fn is_of_a_schema(place: &str) -> bool {
    let schemas = [
        "/response/capability_schema",
        "/response/request_settings_schema",
        "/response/authentication_schema",
        "/response/credentials_schema",
        "/response/app_schema",
    ];
    schemas.iter().any(|schema| place.starts_with(schema))
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
fn prose_is_compared_for_being_there_and_all_else_for_what_it_is() {
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
    let (one, other) = (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}));
    assert_eq!(places(one.clone(), other.clone()), none);
    assert_eq!(compare_with_order(&one, &other)[0].place, "@order");
}
