//! The file: every table, key and value of it is held against the table of keys, with its position.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::check;
use super::keys::{self, Key};
use super::report::{Origin, Problem};
use crate::domain::AppId;

/// Dotted key, names in lower case, to where it was given.
pub(super) type Origins = BTreeMap<String, Origin>;

/// What a walk through the file found.
#[derive(Default)]
pub(super) struct Walk {
    /// Where each key stands.
    pub(super) origins: Origins,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// Names that the administrator chose (`connectors.settings.mockapp`), as they are spelt.
    pub(super) names: BTreeMap<String, String>,
}

/// Parses and checks `text`.
pub(super) fn walk(text: &str) -> Walk {
    let mut walk = Walk::default();
    let (document, errors) = DeTable::parse_recoverable(text);
    walk.problems
        .extend(errors.iter().map(|error| syntax(text, error)));
    if walk.problems.is_empty() {
        walk.table(&[], document.get_ref());
    }
    walk
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(text.len()..text.len());
    let span = span.start.min(text.len())..span.end.min(text.len());
    let message = error.message().lines().collect::<Vec<_>>().join("; ");
    if message.contains("duplicate key") {
        return duplicate(text, span);
    }
    let help = if message.contains("string values must be quoted") {
        "put texts between quotation marks: key = \"value\""
    } else {
        "correct the line; TOML is explained at https://toml.io"
    };
    Problem::error(Origin::File(span), format!("this is not TOML: {message}"), help)
}

fn duplicate(text: &str, span: Range<usize>) -> Problem {
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default().trim();
    let name = text.get(span.clone()).unwrap_or_default();
    let message = match line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
        Some(section) if section.starts_with("connectors.tenants.") => {
            format!("tenant `{name}` is given twice: [{section}]")
        }
        Some(section) => format!("section [{section}] is given twice"),
        None => format!("key `{name}` is given twice"),
    };
    Problem::error(
        Origin::File(span),
        message,
        "keep one of the two, with the keys of both",
    )
}

impl Walk {
    fn table(&mut self, path: &[&str], table: &DeTable<'_>) {
        for (name, value) in table {
            self.entry(path, name, value);
        }
    }

    fn entry(&mut self, path: &[&str], name: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) {
        let text = name.get_ref().as_ref();
        let section = keys::section(path);
        if let Some(key) = section.and_then(|section| section.key(text)) {
            self.value(path, key, value);
            return;
        }
        let inner: Vec<&str> = path.iter().copied().chain([text]).collect();
        if !keys::leads_to_section(&inner) {
            let (message, help) = unknown(path, text);
            self.problem(name.span(), message, help);
            return;
        }
        if !self.name(&inner, name.span()) {
            return;
        }
        match value.get_ref().as_table() {
            Some(table) => {
                self.origins.insert(dotted(&inner), Origin::File(name.span()));
                self.table(&inner, table);
            }
            None => self.problem(
                value.span(),
                format!("`{}` is a section, not a key", inner.join(".")),
                format!(
                    "write [{}] on a line of its own, and its keys below",
                    inner.join(".")
                ),
            ),
        }
    }

    fn value(&mut self, path: &[&str], key: &Key, value: &Spanned<DeValue<'_>>) {
        let full: Vec<&str> = path.iter().copied().chain([key.name]).collect();
        self.origins.insert(dotted(&full), Origin::File(value.span()));
        for fault in check(key.kind, value) {
            self.problems.push(Problem {
                private: key.kind.is_private(),
                ..Problem::error(
                    Origin::File(fault.span),
                    format!("`{}` {}", full.join("."), fault.what),
                    fault.help,
                )
            });
        }
    }

    /// Checks a name that the administrator chose, if the last part of `path` is one.
    fn name(&mut self, path: &[&str], span: Range<usize>) -> bool {
        let Some((&name, parents)) = path.split_last() else {
            return true;
        };
        let Some(kind) = chosen(path) else {
            return true;
        };
        if let Err(error) = name.parse::<AppId>() {
            let text = error.to_string().replacen("app_id", kind, 1);
            self.problem(span, text, format!("give the {kind} another name"));
            return false;
        }
        match self.names.insert(dotted(path), name.to_owned()) {
            None => true,
            Some(other) => {
                self.problem(
                    span,
                    format!("{kind} `{name}` is given twice in [{}], the other time as `{other}`", parents.join(".")),
                    "names differ by more than upper and lower case; keep one of the two, with the keys of both",
                );
                false
            }
        }
    }

    fn problem(&mut self, span: Range<usize>, message: String, help: impl Into<String>) {
        self.problems
            .push(Problem::error(Origin::File(span), message, help));
    }
}

/// What the last part of `path` names, if the administrator chooses it.
pub(super) fn chosen(path: &[&str]) -> Option<&'static str> {
    match path {
        ["connectors", "settings" | "tenants", _] => Some("app_id"),
        ["connectors", "tenants", _, _] => Some("tenant"),
        _ => None,
    }
}

/// The parts as one text; names do not differ by case.
pub(super) fn dotted(path: &[&str]) -> String {
    path.join(".").to_lowercase()
}

/// What to say about a key that the section does not have.
pub(super) fn unknown(path: &[&str], name: &str) -> (String, String) {
    let place = match path {
        [] => "at the top of the file".to_owned(),
        _ => format!("in [{}]", path.join(".")),
    };
    let message = match path {
        [] => format!("unknown section or key `{name}` {place}"),
        _ => format!("unknown key `{name}` {place}"),
    };
    let mut valid: Vec<&str> = keys::section(path)
        .map(|section| section.keys.iter().map(|key| key.name).collect())
        .unwrap_or_default();
    valid.extend(keys::subsections(path));
    if let Some(near) = super::nearest(name, valid.iter().copied()) {
        return (message, format!("did you mean `{near}`?"));
    }
    let homes: Vec<_> = keys::SECTIONS
        .iter()
        .filter(|section| section.key(name).is_some())
        .map(|section| {
            format!(
                "[{}]",
                section
                    .dotted()
                    .replace(".*.*", ".APP_ID.NAME")
                    .replace('*', "APP_ID")
            )
        })
        .collect();
    if !homes.is_empty() {
        return (
            message,
            format!("this key belongs to {}; move it there", homes.join(" or ")),
        );
    }
    (message, format!("valid here: {}", valid.join(", ")))
}
