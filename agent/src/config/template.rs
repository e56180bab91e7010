//! Writes the commented default and the JSON schema from the table of keys. `config/agent.toml` and
//! `config/agent.schema.json` in the repository are these, which a test keeps true; `init` writes the former with a few
//! lines of its own.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::keys::{Default, Key, Kind, LEVELS, SECTIONS, Section};
use super::paths::Place;

const HEAD: &str = "\
# Configuration of lumos-agent.
#
# Lines that begin with `#` show the default, or an example where there is none. Every key can also be set by a variable,
# LUMOS_AGENT__SECTION__KEY, which wins over this file: LUMOS_AGENT__DISPATCH__MAX_IN_FLIGHT=64.
# Relative paths are relative to this file's directory. Time spans: \"30s\", \"5m\", \"1h 30m\", or seconds.
# Sizes: \"512KiB\", \"16MiB\", or bytes.
#
# `lumos-agent check-config` checks it. A running agent reads it again when it changes; keys marked [restart] count from
# its next start on.
";

/// The commented default, with `set` (dotted key, TOML value) in force.
pub(crate) fn config_file(set: &[(&str, String)]) -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        let name = display_name(section);
        let chosen = section.path.contains(&"*");
        let mark = if chosen { "# " } else { "" };
        let _ = write!(text, "\n# {}\n{mark}[{name}]\n", section.doc);
        for key in section.keys {
            let dotted = format!("{name}.{}", key.name);
            let value = set
                .iter()
                .find(|(wanted, _)| *wanted == dotted)
                .map(|(_, value)| value.as_str());
            write_key(&mut text, key, value);
        }
    }
    text
}

/// The section's path with examples for the names.
fn display_name(section: &Section) -> String {
    let mut parts = Vec::new();
    for part in section.path {
        parts.push(match (*part, parts.len()) {
            ("*", 2) => "mockapp",
            ("*", _) => "acme",
            (part, _) => part,
        });
    }
    parts.join(".")
}

fn write_key(text: &mut String, key: &Key, value: Option<&str>) {
    let restart = if key.reload { "" } else { " [restart]" };
    let variable = key
        .variable
        .map(|name| format!(" Also set by {name}."))
        .unwrap_or_default();
    for line in wrap(&format!("{}{variable}{restart}", key.doc), 116) {
        let _ = writeln!(text, "# {line}");
    }
    let _ = match value {
        Some(value) => writeln!(text, "{} = {value}", key.name),
        None => writeln!(text, "# {} = {}", key.name, shown(key)),
    };
}

fn shown(key: &Key) -> String {
    match key.default {
        Default::None(example) | Default::Toml(example) => example.to_owned(),
        Default::Place(place) => format!("\"{}\"", place.on_linux()),
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

/// A path as a TOML string.
pub(crate) fn quoted(path: &std::path::Path) -> String {
    toml::Value::String(path.to_string_lossy().into_owned()).to_string()
}

/// Default paths of a private installation, for [`config_file`].
pub(crate) fn private_paths() -> Vec<(&'static str, String)> {
    let relative = [
        ("agent.state_dir", "\"state\""),
        ("connectors.directory", "\"connectors\""),
        ("log.directory", "\"logs\""),
    ];
    relative.map(|(key, value)| (key, value.to_owned())).to_vec()
}

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
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Digests => {
            json!({ "type": "array", "items": { "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" } })
        }
        Kind::Scopes => json!({
            "type": "object",
            "additionalProperties": { "type": "array", "items": { "type": "string" } },
        }),
        Kind::Variables => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Free => json!({ "type": "object" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, wanted: &str) {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../config")
            .join(name);
        if std::env::var_os("LUMOS_UPDATE_CONFIG").is_some() {
            std::fs::write(&file, wanted).unwrap();
        }
        let there = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            there == wanted,
            "config/{name} is not what the table of keys says; run `LUMOS_UPDATE_CONFIG=1 cargo test -p lumos-agent --lib config::template`"
        );
    }

    #[test]
    fn the_commented_default_is_current() {
        check("agent.toml", &config_file(&[]));
    }

    #[test]
    fn the_schema_is_current() {
        let text = serde_json::to_string_pretty(&schema()).unwrap();
        check("agent.schema.json", &format!("{text}\n"));
    }

    #[test]
    fn every_line_of_the_default_is_valid_when_uncommented() {
        let text: String = config_file(&[])
            .lines()
            .filter_map(|line| line.strip_prefix("# ").or(Some(line)))
            .filter(|line| {
                line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
            })
            .fold(String::new(), |text, line| text + line + "\n");
        let walk = super::super::file::walk(&text);
        assert!(walk.problems.is_empty(), "{:#?}\n{text}", walk.problems);
        let keys: usize = SECTIONS.iter().map(|section| section.keys.len()).sum();
        assert!(walk.origins.len() >= keys);
    }
}
