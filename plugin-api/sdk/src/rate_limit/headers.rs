//! What answers say about limits.
//!
//! There is no standard that is in use: each family of headers has the same three facts under other names, and the end of
//! the window as a duration or as a point in time.
#![forbid(unsafe_code)]

use crate::http::HttpResponse;

/// What an answer says about the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Observation {
    /// Requests allowed in a window.
    pub limit: Option<u64>,
    /// Requests left in this window.
    pub remaining: Option<u64>,
    /// Seconds until this window ends.
    pub reset_in: Option<f64>,
    /// Length of a window in seconds.
    pub window: Option<u64>,
}

/// Prefixes of the families, each followed by `limit`, `remaining`, `reset`.
const FAMILIES: [&str; 4] = ["x-ratelimit-", "x-rate-limit-", "ratelimit-", "rate-limit-"];
/// From here on a number of seconds is a point in time.
const POINTS_IN_TIME: f64 = 1e9;
/// The same in milliseconds.
const IN_MILLISECONDS: f64 = 1e12;
/// No window is longer.
const LONGEST: f64 = 31.0 * 86_400.0;

/// Reads the headers in common use: `X-RateLimit-…` (GitHub and many others), `X-Rate-Limit-…` (Okta), `RateLimit-…`, and
/// the structured `RateLimit` with `RateLimit-Policy` of the IETF's draft. The end of the window may be seconds from now,
/// seconds or milliseconds since 1970, or a date.
#[must_use]
pub fn common_headers(response: &HttpResponse) -> Option<Observation> {
    let date = response.header("date").and_then(date);
    read(&|name| response.header(name), date)
}

fn read<'a>(header: &dyn Fn(&str) -> Option<&'a str>, now: Option<f64>) -> Option<Observation> {
    for family in FAMILIES {
        let of = |name: &str| header(&format!("{family}{name}"));
        let found = Observation {
            limit: of("limit").and_then(first_number),
            remaining: of("remaining").and_then(first_number),
            reset_in: of("reset-after")
                .and_then(seconds)
                .or_else(|| of("reset").and_then(|text| reset_in(text, now))),
            window: of("limit").and_then(|text| parameter(text, "w")),
        };
        if found.limit.is_some() || found.remaining.is_some() {
            return Some(found);
        }
    }
    structured(header("ratelimit")?, header("ratelimit-policy"))
}

/// `limit=100, remaining=5, reset=7`, or `"default";r=5;t=7` with the policy `"default";q=100;w=60`.
fn structured(text: &str, policy: Option<&str>) -> Option<Observation> {
    let policy = |name| policy.and_then(|policy| parameter(policy, name));
    let any = |names: [&str; 2]| names.iter().find_map(|name| parameter(text, name));
    let found = Observation {
        limit: any(["limit", "q"]).or_else(|| policy("q")),
        remaining: any(["remaining", "r"]),
        #[allow(clippy::cast_precision_loss)] // seconds
        reset_in: any(["reset", "t"]).map(|seconds| seconds as f64),
        window: policy("w"),
    };
    found.remaining.is_some().then_some(found)
}

/// The first number of a list: `100, 100;w=60`.
fn first_number(text: &str) -> Option<u64> {
    let end = text.trim().split([',', ';']).next()?;
    end.trim().parse().ok()
}

/// The value of `name=` in a list of parameters.
fn parameter(text: &str, name: &str) -> Option<u64> {
    text.split([',', ';'])
        .filter_map(|part| part.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.trim().parse().ok())
}

fn seconds(text: &str) -> Option<f64> {
    let value: f64 = text.trim().parse().ok()?;
    value.is_finite().then(|| value.clamp(0.0, LONGEST))
}

/// Seconds until a reset. A point in time counts by the app's own clock, if it tells that.
fn reset_in(text: &str, now: Option<f64>) -> Option<f64> {
    let now = || now.unwrap_or_else(|| jiff::Timestamp::now().as_duration().as_secs_f64());
    let Ok(value) = text.trim().parse::<f64>() else {
        return date(text).map(|at| (at - now()).clamp(0.0, LONGEST));
    };
    if !value.is_finite() {
        return None;
    }
    let left = match value {
        value if value >= IN_MILLISECONDS => value / 1000.0 - now(),
        value if value >= POINTS_IN_TIME => value - now(),
        value => value,
    };
    Some(left.clamp(0.0, LONGEST))
}

#[allow(clippy::cast_precision_loss)] // seconds
fn date(text: &str) -> Option<f64> {
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(at.timestamp().as_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_800_000_000.0;

    fn of(headers: &[(&str, &str)]) -> Option<Observation> {
        let header = |name: &str| {
            headers
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        read(&header, Some(NOW))
    }

    #[test]
    fn every_family_is_read() {
        let expected = Observation {
            limit: Some(100),
            remaining: Some(5),
            reset_in: Some(7.0),
            window: None,
        };
        let with_window = Observation {
            window: Some(60),
            ..expected
        };
        for reset in [
            "7",
            "1800000007",
            "1800000007000",
            "Fri, 15 Jan 2027 08:00:07 GMT",
        ] {
            for family in FAMILIES {
                let names = ["limit", "remaining", "reset"].map(|name| format!("{family}{name}"));
                let headers = [(&*names[0], "100"), (&*names[1], "5"), (&*names[2], reset)];
                assert_eq!(of(&headers), Some(expected), "{family} {reset}");
            }
        }
        let draft = [
            ("ratelimit", r#""default";r=5;t=7"#),
            ("ratelimit-policy", r#""default";q=100;w=60"#),
        ];
        assert_eq!(of(&draft), Some(with_window));
        assert_eq!(
            of(&[("ratelimit", "limit=100, remaining=5, reset=7")]),
            Some(expected)
        );
        let quota = [
            ("ratelimit-limit", "100, 100;w=60"),
            ("ratelimit-remaining", "5"),
            ("ratelimit-reset", "7"),
        ];
        assert_eq!(of(&quota), Some(with_window));
    }

    #[test]
    fn nonsense_is_no_observation() {
        assert_eq!(of(&[]), None);
        assert_eq!(
            of(&[("x-ratelimit-limit", "many"), ("x-ratelimit-reset", "soon")]),
            None
        );
        let odd = of(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "-5")]).unwrap();
        assert_eq!(odd.reset_in, Some(0.0));
        let infinite = of(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "inf")]).unwrap();
        assert_eq!(infinite.reset_in, None);
    }
}
