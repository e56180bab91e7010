//! Whether one value has the form that its key wants.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::keys::{Kind, LEVELS};
use super::value;
use crate::domain::{Scope, Sha256, TrustedKey};

/// What is wrong with a value, and with which part of the text.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where in the text that the value came from.
    pub(super) span: Range<usize>,
    /// To follow the key's name.
    pub(super) what: String,
    /// The remedy.
    pub(super) help: String,
}

/// Everything that is wrong with `value` as one of `kind`.
pub(super) fn check(kind: Kind, value: &Spanned<DeValue<'_>>) -> Vec<Fault> {
    match kind {
        Kind::Boolean => as_faults(value, kind, value.get_ref().is_bool()),
        Kind::Count { min, max } => count(kind, value, min, max),
        Kind::Duration { min, max } => duration(kind, value, min, max),
        Kind::Size { min } => size(kind, value, min),
        Kind::Text | Kind::Path => text(kind, value, |text| !text.trim().is_empty()),
        Kind::Address => text(kind, value, |text| value::address(text).is_some()),
        Kind::Choice(words) => choice(kind, value, words, |text| words.contains(&text)),
        Kind::Level => choice(kind, value, LEVELS, |text| value::level(text).is_some()),
        Kind::Texts | Kind::Paths => list(kind, value, |text| (!text.is_empty()).then_some(()).ok_or(None)),
        Kind::Digests => list(kind, value, |text| {
            text.parse::<Sha256>()
                .map(drop)
                .map_err(|error| Some(error.to_string()))
        }),
        Kind::Keys => list(kind, value, |text| {
            text.parse::<TrustedKey>()
                .map(drop)
                .map_err(|error| Some(error.to_string()))
        }),
        Kind::Scopes => scopes(kind, value),
        Kind::Variables => variables(kind, value),
        Kind::Free => as_faults(value, kind, value.get_ref().is_table()),
    }
}

fn wrong(value: &Spanned<DeValue<'_>>, what: String, help: impl Into<String>) -> Vec<Fault> {
    vec![Fault {
        span: value.span(),
        what,
        help: help.into(),
    }]
}

fn as_faults(value: &Spanned<DeValue<'_>>, kind: Kind, fits: bool) -> Vec<Fault> {
    if fits {
        return Vec::new();
    }
    wrong_type(kind, value)
}

fn wrong_type(kind: Kind, value: &Spanned<DeValue<'_>>) -> Vec<Fault> {
    let wanted = kind.wanted();
    let given = type_name(value.get_ref());
    wrong(
        value,
        format!("must be {wanted}, not {given}"),
        remedy_for_type(kind, value.get_ref()),
    )
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The value as it should have been written, where that can be guessed.
fn remedy_for_type(kind: Kind, value: &DeValue<'_>) -> String {
    match (kind, value) {
        (Kind::Boolean | Kind::Count { .. }, DeValue::String(text))
            if text.parse::<i64>().is_ok() || text.parse::<bool>().is_ok() =>
        {
            format!("write it without quotation marks: {text}")
        }
        (Kind::Texts | Kind::Paths | Kind::Digests | Kind::Keys, DeValue::String(text)) => {
            format!("put it into a list: [\"{text}\"]")
        }
        (Kind::Text | Kind::Path | Kind::Choice(_), DeValue::Integer(number)) => {
            format!("put it between quotation marks: \"{}\"", number.as_str())
        }
        (Kind::Text | Kind::Path | Kind::Choice(_), DeValue::Float(number)) => {
            format!("put it between quotation marks: \"{}\"", number.as_str())
        }
        _ => format!("give {}", kind.wanted()),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn count(kind: Kind, value: &Spanned<DeValue<'_>>, min: u32, max: u32) -> Vec<Fault> {
    if !value.get_ref().is_integer() {
        return wrong_type(kind, value);
    }
    match integer(value.get_ref()) {
        Some(number) if (i64::from(min)..=i64::from(max)).contains(&number) => Vec::new(),
        Some(number) if number < 0 => wrong(
            value,
            format!("must not be negative, but is {number}"),
            format!("give {}", kind.wanted()),
        ),
        _ => wrong(
            value,
            format!("must be {}", kind.wanted()),
            format!("give {}", kind.wanted()),
        ),
    }
}

/// A number or a text, as text.
fn number_or_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        _ => integer(value).map(|number| number.to_string()),
    }
}

fn duration(kind: Kind, value: &Spanned<DeValue<'_>>, min: u64, max: u64) -> Vec<Fault> {
    let Some(text) = number_or_text(value.get_ref()) else {
        return wrong_type(kind, value);
    };
    if text.starts_with('-') {
        let help = format!("give {}", kind.wanted());
        return wrong(value, format!("must not be negative, but is {text}"), help);
    }
    match value::duration(&text) {
        None => wrong(
            value,
            "is not a duration".into(),
            format!("give {}; a bare number means seconds", kind.wanted()),
        ),
        Some(span) if span.as_secs() < min || span.as_secs() > max => {
            let (min, max) = (human(min), human(max));
            wrong(
                value,
                format!("must be from {min} to {max}"),
                format!("give a duration from {min} to {max}"),
            )
        }
        Some(_) => Vec::new(),
    }
}

fn human(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

fn size(kind: Kind, value: &Spanned<DeValue<'_>>, min: u64) -> Vec<Fault> {
    let Some(text) = number_or_text(value.get_ref()) else {
        return wrong_type(kind, value);
    };
    if text.starts_with('-') {
        let help = format!("give {}", kind.wanted());
        return wrong(value, format!("must not be negative, but is {text}"), help);
    }
    match value::size(&text) {
        None => wrong(
            value,
            "is not a size".into(),
            format!("give {}; a bare number means bytes", kind.wanted()),
        ),
        Some(bytes) if bytes < min => {
            let least = bytesize::ByteSize::b(min);
            wrong(
                value,
                format!("must be at least {least}"),
                format!("give {least} or more"),
            )
        }
        Some(_) => Vec::new(),
    }
}

fn text(kind: Kind, value: &Spanned<DeValue<'_>>, fits: impl Fn(&str) -> bool) -> Vec<Fault> {
    match value.get_ref().as_str() {
        None => wrong_type(kind, value),
        Some(text) if fits(text) => Vec::new(),
        Some(text) if matches!(kind, Kind::Address) => wrong(
            value,
            "is not an IP address with a port".into(),
            address_remedy(text),
        ),
        Some(_) => wrong(
            value,
            format!("must be {}", kind.wanted()),
            "give a value or delete the line",
        ),
    }
}

fn address_remedy(text: &str) -> String {
    let wanted = Kind::Address.wanted();
    if text.parse::<std::net::IpAddr>().is_ok() {
        return format!("add a port: give {wanted}");
    }
    if text.parse::<u16>().is_ok() {
        return format!("add an address: give {wanted}");
    }
    format!("give {wanted}; names are not looked up")
}

fn choice(
    kind: Kind,
    value: &Spanned<DeValue<'_>>,
    words: &[&str],
    fits: impl Fn(&str) -> bool,
) -> Vec<Fault> {
    let Some(text) = value.get_ref().as_str() else {
        return wrong_type(kind, value);
    };
    if fits(text) {
        return Vec::new();
    }
    let help = match super::nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean \"{word}\"?"),
        None => format!("write {}", kind.wanted()),
    };
    wrong(value, format!("must be {}", kind.wanted()), help)
}

fn list(
    kind: Kind,
    value: &Spanned<DeValue<'_>>,
    fits: impl Fn(&str) -> Result<(), Option<String>>,
) -> Vec<Fault> {
    let Some(items) = value.get_ref().as_array() else {
        return wrong_type(kind, value);
    };
    let mut faults = Vec::new();
    for item in items {
        let Some(text) = item.get_ref().as_str() else {
            let what = format!(
                "must be {}; one entry is {}",
                kind.wanted(),
                type_name(item.get_ref())
            );
            faults.extend(wrong(item, what, "put each entry between quotation marks"));
            continue;
        };
        if let Err(why) = fits(text) {
            let what = why.map_or("has an empty entry".into(), |why| {
                format!("has a wrong entry: {why}")
            });
            faults.extend(wrong(item, what, format!("give {}", kind.wanted())));
        }
    }
    faults
}

fn scopes(kind: Kind, value: &Spanned<DeValue<'_>>) -> Vec<Fault> {
    let Some(table) = value.get_ref().as_table() else {
        return wrong_type(kind, value);
    };
    let mut faults = Vec::new();
    for item in table.values() {
        let Some(scopes) = item.get_ref().as_array() else {
            faults.extend(wrong(
                item,
                format!("must hold lists of scopes, not {}", type_name(item.get_ref())),
                "put the scopes into a list: [\"mockapp:read\"]",
            ));
            continue;
        };
        for scope in scopes {
            let parsed = scope.get_ref().as_str().map(str::parse::<Scope>);
            if matches!(parsed, Some(Ok(_))) {
                continue;
            }
            faults.extend(wrong(
                scope,
                "has an entry that is not a scope".into(),
                SCOPE_REMEDY,
            ));
        }
    }
    faults
}

/// How a scope is written.
pub(crate) const SCOPE_REMEDY: &str = "write \"admin\", or \"CONNECTOR:LEVEL\" where CONNECTOR is an app_id (`*` and `?` are wild) and LEVEL is read, write or *, for example \"mockapp:read\"";

fn variables(kind: Kind, value: &Spanned<DeValue<'_>>) -> Vec<Fault> {
    let Some(table) = value.get_ref().as_table() else {
        return wrong_type(kind, value);
    };
    let mut faults = Vec::new();
    for (name, item) in table {
        let good_name = !name.get_ref().is_empty() && !name.get_ref().contains(['=', '\0']);
        if !good_name {
            faults.push(Fault {
                span: name.span(),
                what: "has a name that no variable can have".into(),
                help: "give a name without `=`".into(),
            });
        }
        if item.get_ref().as_str().is_none_or(|text| text.contains('\0')) {
            let what = format!(
                "must hold texts; `{}` is {}",
                name.get_ref(),
                type_name(item.get_ref())
            );
            faults.extend(wrong(item, what, "put the value between quotation marks"));
        }
    }
    faults
}
