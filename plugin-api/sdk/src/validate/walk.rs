//! Walks a document along its schema.
#![forbid(unsafe_code)]

use lumos_connector_models::{DateTime, JsonObject};
use serde_json::Value;

use super::bounds;
use super::report::{Mistake, Step};
use crate::{pyrepr, schema};

/// Schemas of connectors are small; a document cannot make the walk deeper than its schema unless that is recursive.
const MAX_DEPTH: usize = 64;
/// A list of a million wrong items would make an error of a hundred megabytes.
const MAX_MISTAKES: usize = 100;

/// Every mistake of `document` against the root schema, in the order of the schema's fields.
/// Below the member `lenient`, values were [turned](super::coerce) before.
pub(super) fn check(root: &JsonObject, document: &Value, lenient: Option<&str>) -> Vec<Mistake> {
    let mut walk = Walk {
        root,
        lenient,
        path: Vec::new(),
        mistakes: Vec::new(),
    };
    walk.value(root, document);
    walk.mistakes
}

struct Walk<'a> {
    root: &'a JsonObject,
    lenient: Option<&'a str>,
    path: Vec<Step>,
    mistakes: Vec<Mistake>,
}

impl<'a> Walk<'a> {
    fn mistake(&mut self, kind: &'static str, message: impl Into<String>) {
        if self.mistakes.len() < MAX_MISTAKES {
            self.mistakes.push(Mistake::new(kind, &self.path, message));
        }
    }

    fn value(&mut self, schema: &'a JsonObject, value: &Value) {
        if self.path.len() > MAX_DEPTH {
            self.mistake(
                "recursion_loop",
                "Recursion error - the value is nested too deeply",
            );
            return;
        }
        if let Some(target) = schema::behind(self.root, schema) {
            self.value(target, value);
            return;
        }
        if let Some(Value::Array(variants)) = schema.get("anyOf") {
            self.any_of(variants, value);
            return;
        }
        if let Some(Value::Array(allowed)) = schema.get("enum") {
            self.one_of(allowed, value);
            return;
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => self.object(schema, value),
            Some("array") => self.array(schema, value),
            Some("string") if !value.is_string() => {
                self.mistake("string_type", "Input should be a valid string");
            }
            Some("string") if is_no_time(schema, value) => {
                self.mistake("datetime_parsing", "Input should be a valid datetime");
            }
            Some("integer") if !is_integer(value) => self.no_integer(value),
            Some("number") if !value.is_number() => self.no_number(value),
            Some("boolean") if !value.is_boolean() => self.no_boolean(value),
            Some("null") if !value.is_null() => self.mistake("none_required", "Input should be None"),
            _ => self.bounds(schema, value),
        }
    }

    /// Whether a value of another type could have stood for one of this.
    fn is_lenient(&self) -> bool {
        let first = self.path.first();
        self.lenient
            .is_some_and(|name| matches!(first, Some(Step::Field(first)) if first == name))
    }

    fn no_integer(&mut self, value: &Value) {
        match value {
            Value::String(_) if self.is_lenient() => self.mistake(
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer",
            ),
            Value::Number(_) if self.is_lenient() => self.mistake(
                "int_from_float",
                "Input should be a valid integer, got a number with a fractional part",
            ),
            _ => self.mistake("int_type", "Input should be a valid integer"),
        }
    }

    fn no_number(&mut self, value: &Value) {
        if value.is_string() && self.is_lenient() {
            self.mistake(
                "float_parsing",
                "Input should be a valid number, unable to parse string as a number",
            );
        } else {
            self.mistake("float_type", "Input should be a valid number");
        }
    }

    fn no_boolean(&mut self, value: &Value) {
        if (value.is_string() || value.is_number()) && self.is_lenient() {
            self.mistake(
                "bool_parsing",
                "Input should be a valid boolean, unable to interpret input",
            );
        } else {
            self.mistake("bool_type", "Input should be a valid boolean");
        }
    }

    fn bounds(&mut self, schema: &JsonObject, value: &Value) {
        if let Some(broken) = bounds::check(schema, value) {
            self.mistake(broken.kind, broken.message);
            if let Some(mistake) = self.mistakes.last_mut() {
                mistake.context = broken.context;
            }
        }
    }

    /// A value that may be null is reported as its other variant; of several variants one must fit.
    fn any_of(&mut self, variants: &'a [Value], value: &Value) {
        let is_null = |variant: &&Value| variant.get("type").is_some_and(|kind| kind == "null");
        if value.is_null() && variants.iter().any(|variant| is_null(&variant)) {
            return;
        }
        let others: Vec<&'a JsonObject> = variants
            .iter()
            .filter(|variant| !is_null(variant))
            .filter_map(Value::as_object)
            .collect();
        if let [only] = others[..] {
            self.value(only, value);
            return;
        }
        let before = self.mistakes.len();
        let mut fewest: Option<Vec<Mistake>> = None;
        for variant in others {
            self.value(variant, value);
            let found = self.mistakes.split_off(before);
            if found.is_empty() {
                return;
            }
            if fewest.as_ref().is_none_or(|fewest| found.len() < fewest.len()) {
                fewest = Some(found);
            }
        }
        self.mistakes.extend(fewest.into_iter().flatten());
    }

    fn one_of(&mut self, allowed: &[Value], value: &Value) {
        if allowed.contains(value) {
            return;
        }
        let names: Vec<String> = allowed.iter().map(pyrepr::python_repr).collect();
        let expected = match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => names.join(", "),
        };
        self.mistake("enum", format!("Input should be {expected}"));
        if let Some(mistake) = self.mistakes.last_mut() {
            mistake.context = vec![("expected", expected.into())];
        }
    }

    fn object(&mut self, schema: &'a JsonObject, value: &Value) {
        let Value::Object(members) = value else {
            self.not_an_object(schema);
            return;
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        for (name, property) in properties.into_iter().flatten() {
            let property = property.as_object();
            self.path.push(Step::Field(name.clone()));
            match (members.get(name), property) {
                (Some(member), Some(property)) => self.value(property, member),
                (None, _) if required.is_some_and(|names| names.iter().any(|n| n == name)) => {
                    self.mistake("missing", "Field required");
                    self.name_last(name, property);
                }
                _ => {}
            }
            self.path.pop();
        }
        self.other_members(schema, properties, members);
    }

    /// A title that the author chose names the field better than the field's own name.
    fn name_last(&mut self, name: &str, property: Option<&JsonObject>) {
        let title = property
            .and_then(|property| property.get("title"))
            .and_then(Value::as_str);
        if let (Some(mistake), Some(title)) = (self.mistakes.last_mut(), title)
            && title != schema::words(name)
        {
            mistake.title = Some(title.to_owned());
        }
    }

    fn not_an_object(&mut self, schema: &JsonObject) {
        // A model has a name; a plain dictionary has none.
        match schema
            .get("properties")
            .and(schema.get("title"))
            .and_then(Value::as_str)
        {
            Some(name) => {
                let name = name.to_owned();
                self.mistake("model_type", "Input should be an object");
                if let Some(mistake) = self.mistakes.last_mut() {
                    mistake.context = vec![("class_name", name.into())];
                }
            }
            None => self.mistake("dict_type", "Input should be an object"),
        }
    }

    fn other_members(
        &mut self,
        schema: &'a JsonObject,
        properties: Option<&JsonObject>,
        members: &JsonObject,
    ) {
        let others = || {
            members
                .iter()
                .filter(|(name, _)| properties.is_none_or(|properties| !properties.contains_key(*name)))
        };
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => {
                for (name, _) in others() {
                    self.path.push(Step::Field(name.clone()));
                    self.mistake("extra_forbidden", "Extra inputs are not permitted");
                    self.path.pop();
                }
            }
            Some(Value::Object(schema)) => {
                for (name, member) in others() {
                    self.path.push(Step::Field(name.clone()));
                    self.value(schema, member);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn array(&mut self, schema: &'a JsonObject, value: &Value) {
        let Value::Array(items) = value else {
            self.mistake("list_type", "Input should be a valid array");
            return;
        };
        self.bounds(schema, value);
        let Some(schema) = schema.get("items").and_then(Value::as_object) else {
            return;
        };
        for (index, item) in items.iter().enumerate() {
            self.path.push(Step::Index(index));
            self.value(schema, item);
            self.path.pop();
            if self.mistakes.len() >= MAX_MISTAKES {
                return;
            }
        }
    }
}

/// Whether a date and time is asked for and this is none.
fn is_no_time(schema: &JsonObject, value: &Value) -> bool {
    let is_time = schema.get("format").is_some_and(|format| format == "date-time");
    is_time
        && value
            .as_str()
            .is_none_or(|text| text.parse::<DateTime>().is_err())
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}
