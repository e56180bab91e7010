//! Writes the commented default from the table of keys. `config/agent.toml` in the repository is this, which a test keeps
//! true; `init` writes it with a few lines of its own.

use std::fmt::Write as _;

use super::keys::{Default, Key, SECTIONS, Section};

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
        let name = section_name(section);
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
pub(super) fn section_name(section: &Section) -> String {
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

pub(super) fn shown(key: &Key) -> String {
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

/// Default paths of a private installation, for [`config_file`].
pub(crate) fn private_paths() -> Vec<(&'static str, String)> {
    let relative = [
        ("agent.state_dir", "\"state\""),
        ("connectors.directory", "\"connectors\""),
        ("log.directory", "\"logs\""),
    ];
    relative.map(|(key, value)| (key, value.to_owned())).to_vec()
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
        let text = serde_json::to_string_pretty(&crate::config::schema::schema()).unwrap();
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
