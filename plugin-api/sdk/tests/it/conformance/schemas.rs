//! Field by field: our schemas against those of the reference.
//!
//! Both are brought into one form first, because the two sides write the same thing in different ways. Descriptions are
//! left out: ours are our own. Titles are the business of the SDK's dialect, which makes them from the names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::differences::Differences;
use super::{ask, fail_unless_empty, types};

/// A model or an enumeration, each as lines to compare: `field.aspect` with what it is.
type Lines = BTreeMap<String, String>;

fn describe(schema: &Value) -> Lines {
    let mut lines = Lines::new();
    lines.insert("type".to_owned(), type_of(schema));
    lines.insert("extensions".to_owned(), extensions(schema));
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = required.iter().any(|required| *required == name);
        // What is neither required nor has a default is null when it is absent.
        let default = match field.get("default") {
            _ if is_required => "none: it is required".to_owned(),
            Some(default) => default.to_string(),
            None => "null".to_owned(),
        };
        lines.insert(format!("{name}: type"), type_of(field));
        lines.insert(format!("{name}: default"), default);
        lines.insert(format!("{name}: extensions"), extensions(field));
    }
    lines
}

fn extensions(schema: &Value) -> String {
    let members = schema.as_object().into_iter().flatten();
    let found: BTreeMap<&String, &Value> = members.filter(|(key, _)| key.starts_with("x-")).collect();
    json!(found).to_string()
}

/// The type in one line, as in `[FoundAccountData]`, `{string}`, `null or string`.
fn type_of(schema: &Value) -> String {
    let Some(object) = schema.as_object() else {
        return "anything".to_owned();
    };
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(variants)) = object.get(key) {
            return one_of(variants.iter().map(type_of));
        }
    }
    if let Some(constant) = object.get("const") {
        return constant.to_string();
    }
    if let Some(Value::Array(values)) = object.get("enum") {
        return one_of(values.iter().map(Value::to_string));
    }
    match object.get("type") {
        Some(Value::Array(types)) => one_of(
            types
                .iter()
                .map(|one| simple(one.as_str().unwrap_or_default(), object)),
        ),
        Some(Value::String(one)) => simple(one, object),
        _ => "anything".to_owned(),
    }
}

fn one_of(types: impl Iterator<Item = String>) -> String {
    let types: BTreeSet<String> = types
        .flat_map(|one| one.split(" or ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    if types.contains("anything") {
        return "anything".to_owned();
    }
    types.into_iter().collect::<Vec<_>>().join(" or ")
}

fn simple(name: &str, schema: &Map<String, Value>) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    match (name, format) {
        ("string", Some(format)) => format!("string ({format})"),
        ("array", _) => {
            let items = schema.get("items").map_or_else(|| "anything".to_owned(), type_of);
            let unique = schema.get("uniqueItems").is_some_and(|unique| unique == true);
            format!("[{items}]{}", if unique { " without repetition" } else { "" })
        }
        ("object", _) => match schema.get("additionalProperties") {
            Some(values) => format!("{{{}}}", type_of(values)),
            None => "object".to_owned(),
        },
        _ => name.to_owned(),
    }
}

/// Every model that we have, by its name: those of our types and all that they refer to.
fn ours() -> BTreeMap<String, Lines> {
    let mut models = BTreeMap::new();
    for (name, one) in types::all() {
        let schema = (one.schema)();
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            add(&mut models, name, describe(definition));
        }
        add(&mut models, &name, describe(&schema));
    }
    models
}

fn add(models: &mut BTreeMap<String, Lines>, name: &str, lines: Lines) {
    if let Some(before) = models.insert(name.to_owned(), lines) {
        assert_eq!(before, models[name], "two models of ours are called {name}");
    }
}

fn theirs(reference: &Value) -> BTreeMap<String, Lines> {
    let mut models: BTreeMap<String, Lines> = reference["models"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, schema)| (name.clone(), describe(schema)))
        .collect();
    for (name, values) in reference["enums"].as_object().unwrap() {
        models.insert(name.clone(), describe(&json!({"enum": values, "type": "string"})));
    }
    // Either of two models; that it is these two is looked at below.
    models.retain(|name, _| name == "ListConnectorAppIds200Response" || !name.ends_with("200Response"));
    models
}

/// What the reference says of itself, asked for once.
fn reference() -> &'static Value {
    static REFERENCE: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(&ask("schemas", String::new())[0]).unwrap());
    &REFERENCE
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn every_model_is_as_in_the_reference() {
    let reference = reference();
    let (ours, theirs) = (ours(), theirs(reference));
    let mut differences = Differences::read("schemas");
    let mut wrong = Vec::new();
    for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let (Some(ours), Some(theirs)) = (ours.get(name), theirs.get(name)) else {
            let who = if ours.contains_key(name) {
                "the reference"
            } else {
                "our side"
            };
            if !differences.is_meant(name, "schema") {
                wrong.push(format!("{name}: {who} has no such model"));
            }
            continue;
        };
        for line in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            let (one, other) = (ours.get(line), theirs.get(line));
            let at = match line.split_once(": ") {
                Some((field, _)) => format!("{name}.{field}"),
                None => name.clone(),
            };
            if one != other && !differences.is_meant(&at, "schema") {
                let show = |text: Option<&String>| text.map_or("not there", String::as_str).to_owned();
                wrong.push(format!(
                    "{name}.{line}: ours {}, theirs {}",
                    show(one),
                    show(other)
                ));
            }
        }
    }
    for name in reference["documented"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        if !ours.contains_key(name) && !theirs.contains_key(name) && !differences.is_meant(name, "schema") {
            wrong.push(format!("{name}: stands in the API's document and nowhere else"));
        }
    }
    wrong.extend(differences.forgotten());
    fail_unless_empty("our models differ from the reference's", &wrong);
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn every_operation_has_a_capability_with_its_models() {
    let reference = reference();
    let capabilities = types::capabilities();
    let ours: BTreeMap<&str, Value> = capabilities
        .iter()
        .map(|capability| {
            let request = capability.request.as_ref().map(|request| &request.name);
            let answers = [&capability.response.name, "ErrorResponse"];
            (capability.name, json!({"request": request, "answers": answers}))
        })
        .collect();
    assert_eq!(json!(ours), reference["operations"]);

    let names: BTreeSet<&str> = capabilities.iter().map(|capability| capability.name).collect();
    let enumeration = reference["enums"]["StandardCapabilityName"].as_array().unwrap();
    assert_eq!(names, enumeration.iter().filter_map(Value::as_str).collect());
    let table = lumos_connector_sdk::models::capability::CAPABILITIES;
    assert_eq!(names, table.iter().map(|info| info.name).collect());
}

/// What the documentation of our models says of theirs. Where it no longer holds, ours have to follow.
#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn the_reference_keeps_no_unknown_member_and_takes_no_unknown_value() {
    let reference = reference();
    assert_eq!(reference["keeping_unknown_members"], json!([]));
    assert_eq!(reference["taking_unknown_values"], json!([]));
}
