//! The environment: `LUMOS_AGENT__SECTION__KEY`, and the variables that Lumos documents.

use std::borrow::Cow;
use std::net::SocketAddr;

use toml::Spanned;
use toml::de::DeValue;

use super::check::check;
use super::file::{Walk, chosen, unknown};
use super::keys::{self, Key, Kind, SECTIONS};
use super::report::{Origin, Problem};
use crate::domain::AppId;

const PREFIX: &str = "LUMOS_AGENT__";
const ADMIN_PORT: &str = "LUMOS_ON_PREMISE_AGENT_HTTP_SERVER_PORT";
const MORE_REDACTED_KEYS: &str = "LUMOS_ADDITIONAL_REDACTED_LOG_KEYS";

/// One value from the environment.
#[derive(Debug, Clone)]
pub(super) struct Setting<'v> {
    /// Path of the key.
    pub(super) path: Vec<String>,
    /// Its value.
    pub(super) value: Spanned<DeValue<'v>>,
    /// The variable.
    pub(super) variable: String,
}

/// What the environment says.
#[derive(Default)]
pub(super) struct Environment<'v> {
    /// In rising precedence.
    pub(super) settings: Vec<Setting<'v>>,
    /// Sets the port of `admin.listen` alone.
    pub(super) admin_port: Option<u16>,
    /// Adds to `log.redacted_keys`.
    pub(super) more_redacted_keys: Vec<String>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
}

/// Reads `variables`; `file` says how the names in the file are spelt.
pub(super) fn read<'v>(variables: &'v [(String, String)], file: &Walk) -> Environment<'v> {
    let mut environment = Environment::default();
    for (name, value) in variables {
        environment.documented(name, value);
    }
    for (name, value) in variables {
        if let Some(rest) = strip_prefix(name) {
            environment.own(name, rest, value, file);
        }
    }
    environment
}

fn strip_prefix(name: &str) -> Option<&str> {
    let (head, rest) = name.split_at_checked(PREFIX.len())?;
    head.eq_ignore_ascii_case(PREFIX).then_some(rest)
}

impl<'v> Environment<'v> {
    fn documented(&mut self, name: &str, value: &'v str) {
        match name {
            ADMIN_PORT => match value.trim().parse() {
                Ok(port) => self.admin_port = Some(port),
                Err(_) => self.problem(
                    name,
                    format!("{name} is not a port"),
                    "give a number from 0 to 65535",
                ),
            },
            MORE_REDACTED_KEYS => self.more_redacted_keys = words(value).map(str::to_owned).collect(),
            _ => {
                let known = SECTIONS
                    .iter()
                    .flat_map(|section| section.keys.iter().map(move |key| (section, key)));
                for (section, key) in known {
                    if key.variable == Some(name) {
                        let path = section.path.iter().map(|part| (*part).to_owned()).collect();
                        self.set(name, path, key, value);
                    }
                }
            }
        }
    }

    fn own(&mut self, variable: &str, rest: &str, value: &'v str, file: &Walk) {
        let parts: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        let Some((key, section)) = parts.split_last() else {
            return;
        };
        let path: Vec<&str> = section.iter().map(String::as_str).collect();
        let mut spelt = Vec::new();
        for (index, part) in path.iter().enumerate() {
            if chosen(&path[..=index]).is_none() {
                spelt.push((*part).to_owned());
                continue;
            }
            if let Err(error) = part.parse::<AppId>() {
                self.problem(
                    variable,
                    format!("{variable} names no connector or tenant: {error}"),
                    "correct the variable's name",
                );
                return;
            }
            spelt.push(spelling(&path[..index], part, file));
        }
        match keys::section(&path).and_then(|section| section.key(key)) {
            Some(key) => self.set(variable, spelt, key, value),
            None => self.unknown(variable, &path, key),
        }
    }

    fn unknown(&mut self, variable: &str, path: &[&str], key: &str) {
        if keys::section(path).is_none() {
            // The section itself is wrong: name the first part that is.
            let good = (0..path.len())
                .take_while(|&at| keys::leads_to_section(&path[..=at]))
                .count();
            let part = path.get(good).copied().unwrap_or(key);
            let (_, help) = unknown(&path[..good], part);
            self.problem(
                variable,
                format!("{variable} sets nothing: there is no section or key `{part}`"),
                &help,
            );
            return;
        }
        let (message, help) = unknown(path, key);
        self.problem(variable, format!("{variable} sets nothing: {message}"), &help);
    }

    fn set(&mut self, variable: &str, mut path: Vec<String>, key: &Key, raw: &'v str) {
        path.push(key.name.to_owned());
        if matches!(key.kind, Kind::Scopes | Kind::Variables | Kind::Free) {
            let help = format!("put `{}` into the file and delete the variable", path.join("."));
            self.problem(
                variable,
                format!("{variable} can't be set by a variable: it is a table"),
                &help,
            );
            return;
        }
        let value = parse(key.kind, raw);
        let faults = check(key.kind, &value);
        for fault in &faults {
            let message = format!("`{}` {}", path.join("."), fault.what);
            self.problem(variable, message, &fault.help);
        }
        if faults.is_empty() {
            self.settings.push(Setting {
                path,
                value,
                variable: variable.to_owned(),
            });
        }
    }

    fn problem(&mut self, variable: &str, message: String, help: &str) {
        self.problems.push(Problem::error(
            Origin::Variable(variable.to_owned()),
            message,
            help,
        ));
    }

    /// `admin.listen` with the port that the documented variable sets.
    pub(super) fn admin_listen(&self, listen: SocketAddr) -> SocketAddr {
        let port = self.admin_port.unwrap_or(listen.port());
        SocketAddr::new(listen.ip(), port)
    }
}

/// A name as the file spells it; a variable's name says nothing about case, and can't hold `-`.
fn spelling(parents: &[&str], name: &str, file: &Walk) -> String {
    let prefix = format!("{}.", parents.join("."));
    let direct = file.names.get(&format!("{prefix}{name}"));
    let dashed = || {
        let mut same = file.names.iter().filter(|(path, _)| {
            path.strip_prefix(&prefix)
                .is_some_and(|rest| rest.replace('-', "_") == name)
        });
        same.next().map(|(_, spelt)| spelt)
    };
    direct.or_else(dashed).cloned().unwrap_or_else(|| name.to_owned())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// The text of a variable as a value of `kind`, or as a text where it does not look like one.
fn parse(kind: Kind, raw: &str) -> Spanned<DeValue<'_>> {
    let raw = raw.trim();
    let value = match kind {
        Kind::Boolean => match raw.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => DeValue::Boolean(true),
            "false" | "0" | "no" | "off" => DeValue::Boolean(false),
            _ => text(raw),
        },
        Kind::Count { .. } => match DeValue::parse(raw).map(Spanned::into_inner) {
            Ok(number @ DeValue::Integer(_)) => number,
            _ => text(raw),
        },
        Kind::Texts | Kind::Paths | Kind::Digests | Kind::Keys => {
            DeValue::Array(words(raw).map(|word| Spanned::new(0..0, text(word))).collect())
        }
        _ => text(raw),
    };
    Spanned::new(0..0, value)
}

fn text(text: &str) -> DeValue<'_> {
    DeValue::String(Cow::Borrowed(text))
}
