//! Query parameters with the messages of FastAPI's validation.

use std::collections::HashMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::reply::{self, Refusal};

/// The query: of a name given twice, the last counts.
pub(crate) type Query = HashMap<String, String>;

/// The part of a list that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) limit: u64,
    pub(crate) offset: u64,
}

/// `limit` from 1 to 10,000 (100 if absent) and `offset` from 0 (0 if absent). Every problem is reported at once.
pub(crate) fn slice(query: &Query) -> Result<Slice, Refusal> {
    let mut problems = Vec::new();
    let limit = integer(query, "limit", 100, 1, Some(10_000), &mut problems);
    let offset = integer(query, "offset", 0, 0, None, &mut problems);
    if problems.is_empty() {
        return Ok(Slice { limit, offset });
    }
    Err(reply::refuse(StatusCode::UNPROCESSABLE_ENTITY, problems))
}

/// A parameter that must be there; it may be empty.
pub(crate) fn required<'query>(query: &'query Query, name: &str) -> Result<&'query str, Refusal> {
    query.get(name).map(String::as_str).ok_or_else(|| {
        let problem =
            json!({"type": "missing", "loc": ["query", name], "msg": "Field required", "input": null});
        reply::refuse(StatusCode::UNPROCESSABLE_ENTITY, [problem])
    })
}

fn integer(
    query: &Query,
    name: &str,
    default: u64,
    least: u64,
    most: Option<u64>,
    problems: &mut Vec<Value>,
) -> u64 {
    let Some(text) = query.get(name) else {
        return default;
    };
    let mut problem = |kind: &str, msg: String, ctx: Option<Value>| {
        let mut problem = json!({"type": kind, "loc": ["query", name], "msg": msg, "input": text});
        if let Some(ctx) = ctx {
            problem["ctx"] = ctx;
        }
        problems.push(problem);
        default
    };
    match parse(text) {
        None => {
            let msg = "Input should be a valid integer, unable to parse string as an integer".to_owned();
            problem("int_parsing", msg, None)
        }
        Some(value) if value < i128::from(least) => {
            let msg = format!("Input should be greater than or equal to {least}");
            problem("greater_than_equal", msg, Some(json!({ "ge": least })))
        }
        Some(value) => match most {
            Some(most) if value > i128::from(most) => {
                let msg = format!("Input should be less than or equal to {most}");
                problem("less_than_equal", msg, Some(json!({ "le": most })))
            }
            _ => u64::try_from(value).unwrap_or(u64::MAX),
        },
    }
}

/// Pydantic's idea of an integer in text: blanks around it, a sign, single underscores between digits, `.0` behind it.
/// A number too large for the result counts as the largest.
fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let text = text.split_once('.').map_or(Some(text), |(whole, fraction)| {
        let zeros = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
        zeros.then_some(whole)
    })?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let groups_are_digits = digits
        .split('_')
        .all(|group| !group.is_empty() && group.bytes().all(|digit| digit.is_ascii_digit()));
    if !groups_are_digits {
        return None;
    }
    let value = digits.replace('_', "").parse().unwrap_or(i128::MAX);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_pydantic_reads_them() {
        let cases = [
            ("5", Some(5)),
            (" 5_0 ", Some(50)),
            ("+3.0", Some(3)),
            ("-1", Some(-1)),
            ("007", Some(7)),
            ("", None),
            ("abc", None),
            ("1.5", None),
            ("5.", None),
            ("1__0", None),
            ("_1", None),
            ("0x5", None),
            ("+-1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text:?}");
        }
        assert!(parse(&"9".repeat(60)).is_some_and(|value| value > i128::from(u64::MAX)));
    }
}
