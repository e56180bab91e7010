//! The log's line for a request.
//!
//! There is one for every request, and making it as an event took a fifth of all that the agent does for a call. So it is
//! put together here, in the form that events have.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::plain;
use crate::config::model::LogFormat;

/// What is told. What is `None` or empty is left out.
#[derive(Debug, Serialize)]
pub(crate) struct RequestLine<'a> {
    pub(crate) request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capability: Option<&'a str>,
    pub(crate) status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) error_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue_ms: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connector_ms: Option<Millis>,
    pub(crate) total_ms: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    pub(crate) observability: Pairs<'a>,
}

/// Written as milliseconds with three decimals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Millis(pub(crate) Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Numbers of 64 bits are written in half the time.
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_micros() as f64 / 1000.0)
    }
}

/// Written as `name=value,name=value`; both are of a narrow alphabet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pairs<'a>(pub(crate) &'a [(String, String)]);

impl Pairs<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, value)) in self.0.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl RequestLine<'_> {
    /// The line with its end, as of `now`.
    pub(super) fn formatted(&self, format: LogFormat, now: Timestamp) -> String {
        let line = match format {
            LogFormat::Text => self.text(now),
            LogFormat::Json => self.json(now),
        };
        let plain = match format {
            LogFormat::Text => plain::text(&line),
            LogFormat::Json => plain::json(&line),
        };
        let mut line = match plain {
            Cow::Borrowed(_) => line,
            Cow::Owned(plain) => plain,
        };
        line.push('\n');
        line
    }

    fn text(&self, now: Timestamp) -> String {
        let mut line = String::with_capacity(320);
        self.write_text(&mut line, now)
            .expect("writing to a String does not fail");
        line
    }

    fn write_text(&self, line: &mut String, now: Timestamp) -> fmt::Result {
        write!(line, "{now:.6}  INFO request request_id=")?;
        line.push_str(self.request_id);
        if let Some(caller) = self.caller {
            // Chosen by whoever made the credential: quoted, so that it ends where it ends.
            write!(line, " caller={caller:?}")?;
        }
        for (name, value) in [("app_id", self.app_id), ("capability", self.capability)] {
            if let Some(value) = value {
                line.extend([" ", name, "=", value]);
            }
        }
        write!(line, " status={}", self.status)?;
        if !self.error_code.is_empty() {
            line.extend([" error_code=", self.error_code]);
        }
        for (name, value) in [("queue_ms", self.queue_ms), ("connector_ms", self.connector_ms)] {
            if let Some(value) = value {
                write!(line, " {name}={value}")?;
            }
        }
        write!(line, " total_ms={}", self.total_ms)?;
        for (name, value) in [
            ("request_bytes", self.request_bytes),
            ("answer_bytes", self.answer_bytes),
        ] {
            if let Some(value) = value {
                write!(line, " {name}={value}")?;
            }
        }
        if !self.observability.is_empty() {
            write!(line, " observability={}", self.observability)?;
        }
        Ok(())
    }

    fn json(&self, now: Timestamp) -> String {
        #[derive(Serialize)]
        struct Event<'a> {
            timestamp: String,
            level: &'static str,
            message: &'static str,
            #[serde(flatten)]
            line: &'a RequestLine<'a>,
        }
        let event = Event {
            timestamp: format!("{now:.6}"),
            level: "INFO",
            message: "request",
            line: self,
        };
        serde_json::to_string(&event).expect("a line is always JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(caller: &'a str, observability: &'a [(String, String)]) -> RequestLine<'a> {
        RequestLine {
            request_id: "r1",
            caller: Some(caller),
            app_id: Some("mockapp"),
            capability: Some("info"),
            status: 200,
            error_code: "",
            queue_ms: Some(Millis(Duration::from_micros(7))),
            connector_ms: Some(Millis(Duration::from_micros(12_345))),
            total_ms: Millis(Duration::from_millis(2000)),
            request_bytes: Some(2),
            answer_bytes: Some(300),
            observability: Pairs(observability),
        }
    }

    fn noon() -> Timestamp {
        "2026-01-02T12:00:00.5Z".parse().unwrap()
    }

    #[test]
    fn a_line_of_text() {
        let pairs = [("trace".to_owned(), "t1".to_owned()), ("x".into(), "y".into())];
        insta::assert_snapshot!(line("the cloud", &pairs).formatted(LogFormat::Text, noon()).trim_end(), @r#"2026-01-02T12:00:00.500000Z  INFO request request_id=r1 caller="the cloud" app_id=mockapp capability=info status=200 queue_ms=0.007 connector_ms=12.345 total_ms=2000.000 request_bytes=2 answer_bytes=300 observability=trace=t1,x=y"#);
    }

    #[test]
    fn a_line_of_json_leaves_out_what_is_not_there() {
        let refused = RequestLine {
            caller: None,
            app_id: None,
            capability: None,
            status: 401,
            error_code: "unauthorized",
            queue_ms: None,
            connector_ms: None,
            request_bytes: None,
            answer_bytes: None,
            ..line("", &[])
        };
        insta::assert_snapshot!(refused.formatted(LogFormat::Json, noon()).trim_end(), @r#"{"timestamp":"2026-01-02T12:00:00.500000Z","level":"INFO","message":"request","request_id":"r1","status":401,"error_code":"unauthorized","total_ms":2000.0}"#);
    }

    #[test]
    fn a_name_forges_no_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = line("a\nINFO \u{1b}[31m\" status=200", &[]).formatted(format, noon());
            assert!(!text.trim_end_matches('\n').contains(char::is_control), "{text}");
        }
    }
}
