//! Writes the JSON schema of `agent.toml` from the table of keys. Editors use it, the agent does not: this is compiled for
//! the test that keeps `config/agent.schema.json` true.

use serde_json::{Map, Value, json};

use super::keys::{Default, Key, Kind, LEVELS, SECTIONS};
use super::paths::Place;

/// The JSON schema of `agent.toml`, for editors.
pub(crate) fn schema() -> Value {
    let mut root = object("Configuration of lumos-agent");
    for section in SECTIONS {
        let table = descend(&mut root, section.path);
        table["description"] = json!(section.doc);
        for key in section.keys {
            table["properties"][key.name] = property(key);
        }
    }
    let mut document = Map::new();
    document.insert(
        "$schema".into(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    let Value::Object(root) = root else {
        return Value::Null;
    };
    document.extend(root);
    Value::Object(document)
}

fn object(description: &str) -> Value {
    json!({
        "description": description,
        "type": "object",
        "additionalProperties": false,
        "properties": {},
    })
}

/// The schema of the table at `path`, made on the way.
fn descend<'s>(root: &'s mut Value, path: &[&str]) -> &'s mut Value {
    path.iter().fold(root, |table, part| {
        let named = *part == "*";
        if named && !table["patternProperties"].is_object() {
            table["patternProperties"] = json!({ NAME: object("") });
        }
        let slot = if named {
            &mut table["patternProperties"][NAME]
        } else {
            &mut table["properties"][*part]
        };
        if slot.is_null() {
            *slot = object("");
        }
        slot
    })
}

const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";

fn property(key: &Key) -> Value {
    let mut schema = form(key.kind);
    schema["description"] = json!(key.doc);
    match key.default {
        Default::Toml(text) => schema["default"] = default_json(text),
        Default::Place(place) => schema["default"] = json!(Place::on_linux(place)),
        Default::None(_) => {}
    }
    schema["x-restart"] = json!(!key.reload);
    schema
}

fn default_json(text: &str) -> Value {
    let table: Option<Map<String, Value>> = toml::from_str(&format!("value = {text}")).ok();
    table
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_default()
}

fn form(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Path | Kind::Address => json!({ "type": "string", "minLength": 1 }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Count { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Duration { min, .. } | Kind::Size { min } => {
            json!({ "type": ["string", "integer"], "minimum": min })
        }
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Level => json!({ "enum": LEVELS }),
        Kind::Texts | Kind::Paths => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Digests => {
            json!({ "type": "array", "items": { "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" } })
        }
        Kind::Keys => {
            json!({ "type": "array", "items": { "type": "string", "pattern": "^RW[0-9A-Za-z+/]{54}$" } })
        }
        Kind::Scopes => json!({
            "type": "object",
            "additionalProperties": { "type": "array", "items": { "type": "string" } },
        }),
        Kind::Variables => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Free => json!({ "type": "object" }),
    }
}
