//! How failures of an exchange become errors of the API.
//!
//! The messages are part of what callers of connectors know, so they are the same whatever a connector is written in.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use lumos_connector_models::ErrorCode;
use reqwest::Url;
use serde_json::Value;
use serde_json::error::Category;

use super::request::HttpResponse;
use crate::error::{ConnectorError, ErrorKind};
use crate::pyrepr;

const CONNECT: &str = "Failed to connect to the API. Please verify the URL or try at a later time due to a potential temporary network issue.";
const READ_TIMEOUT: &str = "The upstream API did not respond in time.";
const CLOSED: &str = "The upstream API closed the connection unexpectedly.";
const ILLEGAL_HEADER: &str =
    "Illegal header constructed for API request. Please check the app configuration and try again.";
const PROXY: &str = "The proxy refuses the connection: it wants a user name and a password, or others.";
const HTML: &str = "Upstream HTML error response.";
/// Longest part of an answer that is not JSON, in characters, that an error repeats.
const MAX_TEXT: usize = 800;
/// The same for one that is JSON.
const MAX_JSON: usize = 8000;
const TRUNCATED: &str = "...(truncated)";

pub(super) fn parse_base_url(text: &str) -> Result<Url, ConnectorError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(
            ConnectorError::internal("Request URL is missing an 'http://' or 'https://' protocol.")
                .with_raised_by("UnsupportedProtocol"),
        ),
    }
}

/// `path` below `base`; a `path` with an origin of its own is taken only if that is the base's, since the credentials go
/// along.
pub(super) fn join(base: &Url, path: &str) -> Result<Url, ConnectorError> {
    if path.starts_with("http://") || path.starts_with("https://") {
        return match Url::parse(path) {
            Ok(url) if url.origin() == base.origin() => Ok(url),
            _ => Err(ConnectorError::internal(
                "the request would leave the API's origin and take the credentials with it",
            )),
        };
    }
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    let mut url = base.clone();
    let joined = format!(
        "{}/{}",
        base.path().trim_end_matches('/'),
        path.trim_start_matches('/')
    );
    url.set_path(&joined);
    url.set_query(query);
    url.set_fragment(None);
    Ok(url)
}

pub(super) fn illegal_header() -> ConnectorError {
    ConnectorError::bad_request(ILLEGAL_HEADER).with_raised_by("LocalProtocolError")
}

pub(super) fn too_long(response: &HttpResponse, limit: usize) -> ConnectorError {
    ConnectorError::invalid_response(format!(
        "[{}][{}] The response is longer than {limit} bytes.",
        response.status.as_u16(),
        without_query(&response.url)
    ))
}

pub(super) fn of_transport(error: &reqwest::Error) -> ConnectorError {
    if is_refused_by_proxy(error) {
        return ConnectorError::of(ErrorKind::InvalidConfiguration).with_message(PROXY);
    }
    if error.is_connect() {
        return ConnectorError::new(ErrorCode::ConnectionTimeout, CONNECT).with_raised_by("ConnectError");
    }
    if error.is_timeout() {
        return ConnectorError::new(ErrorCode::RequestTimeout, READ_TIMEOUT).with_raised_by("ReadTimeout");
    }
    if error.is_redirect() {
        return ConnectorError::invalid_response("The upstream API redirected too often.")
            .with_raised_by("TooManyRedirects");
    }
    if error.is_decode() && is_bad_data(error) {
        return ConnectorError::invalid_response("The upstream API's response could not be decoded.")
            .with_raised_by("DecodingError");
    }
    if error.is_builder() {
        return ConnectorError::internal("the HTTP request could not be built").with_raised_by("InvalidURL");
    }
    ConnectorError::new(ErrorCode::ConnectionClosed, CLOSED).with_raised_by("RemoteProtocolError")
}

/// Whether the proxy wants credentials, or others. The tunnel's error has no type that can be named.
pub(super) fn is_refused_by_proxy(error: &reqwest::Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        if error.to_string().contains("proxy authorization required") {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether the body arrived but its compression is broken; a connection that breaks in the body is not that.
fn is_bad_data(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            )
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// A body that is not JSON, or not of the expected shape.
pub(super) fn of_json(error: &serde_json::Error, body: &[u8]) -> ConnectorError {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        // serde's message would repeat values of the answer.
        Category::Data => format!("unexpected shape: line {line} column {column}"),
        _ if serde_json::from_slice::<serde::de::IgnoredAny>(body.trim_ascii()).is_err()
            && starts_no_value(body) =>
        {
            "Expecting value: line 1 column 1 (char 0)".to_owned()
        }
        _ => format!("invalid syntax: line {line} column {column}"),
    };
    ConnectorError::invalid_response(format!("Failed to parse JSON response: {what}"))
        .with_raised_by("JSONDecodeError")
}

fn starts_no_value(body: &[u8]) -> bool {
    !matches!(
        body.trim_ascii_start().first(),
        Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9')
    )
}

/// An answer with an error status: `[404][https://app.example/users/7] {'detail': 'User not found'}`.
pub(super) fn of_status(response: &HttpResponse) -> ConnectorError {
    let status = response.status.as_u16();
    let place = format!("[{status}][{}]", without_query(&response.url));
    let message = match describe(response) {
        Some(description) => format!("{place} {description}"),
        // httpx says the same of an answer without a body.
        None => bare(response, &place),
    };
    let error = ConnectorError::new(ErrorCode::of_http_status(status), message)
        .with_status(status)
        .with_raised_by("HTTPStatusError");
    match response.header("retry-after").and_then(retry_after) {
        Some(seconds) if matches!(status, 429 | 503) => error.with_retry_after(seconds),
        _ => error,
    }
}

fn bare(response: &HttpResponse, place: &str) -> String {
    let reason = response.status.canonical_reason().unwrap_or("no reason given");
    format!("{place} {reason}")
}

/// What an answer says went wrong, as text of one line; nothing if it says nothing.
pub(crate) fn describe(response: &HttpResponse) -> Option<String> {
    if let Ok(value) = serde_json::from_slice::<Value>(&response.body)
        && is_filled(&value)
    {
        let text = match value {
            Value::String(text) => text,
            value => pyrepr::python_repr(&value),
        };
        return Some(cut(&text, MAX_JSON));
    }
    let text = response.text();
    if text.trim().is_empty() {
        return None;
    }
    if is_html(&text, response.header("content-type")) {
        return Some(HTML.to_owned());
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(cut(&line, MAX_TEXT))
}

/// Whether the reference would take a JSON value for a message, which is what Python takes for true.
fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn is_html(text: &str, content_type: Option<&str>) -> bool {
    if content_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("text/html")) {
        return true;
    }
    let start: String = text
        .trim_start()
        .chars()
        .take(9)
        .collect::<String>()
        .to_ascii_lowercase();
    start.starts_with("<!doctype") || start.starts_with("<html")
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}{TRUNCATED}", &text[..end]),
        None => text.to_owned(),
    }
}

/// Queries may hold credentials.
pub(crate) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Neither may user names and passwords go into messages; both calls fail only for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// How long the app asks to wait.
pub(crate) fn retry_after_of(response: &HttpResponse) -> Option<Duration> {
    let seconds = retry_after(response.header("retry-after")?)?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// Seconds from a `Retry-After` header (RFC 9110, section 10.2.3): a number, or a date.
fn retry_after(value: &str) -> Option<i64> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(i64::from(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    let wait = at.timestamp().as_second() - jiff::Timestamp::now().as_second();
    Some(wait.max(0))
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn answer(status: u16, body: &str, headers: &[(&'static str, &str)]) -> HttpResponse {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        HttpResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            url: Url::parse("https://u:p@app.example/api/users?key=s3cret#x").unwrap(),
            body: body.into(),
        }
    }

    #[test]
    fn messages_are_those_of_the_reference() {
        let cases = [
            (
                404,
                r#"{"detail":"User not found"}"#,
                "[404][https://app.example/api/users] {'detail': 'User not found'}",
            ),
            (
                502,
                "<HTML>oops",
                "[502][https://app.example/api/users] Upstream HTML error response.",
            ),
            (400, "a\n  b", "[400][https://app.example/api/users] a b"),
            (
                500,
                "",
                "[500][https://app.example/api/users] Internal Server Error",
            ),
            (500, "{}", "[500][https://app.example/api/users] {}"),
        ];
        for (status, body, message) in cases {
            let error = of_status(&answer(status, body, &[]));
            assert_eq!(error.message(), message);
            assert_eq!(error.status(), Some(status));
        }
    }

    #[test]
    fn retry_after_reaches_the_caller() {
        let error = of_status(&answer(429, "slow down", &[("retry-after", "7")]));
        let metadata = error.metadata();
        assert_eq!(metadata.retry_after_seconds, Some(7));
        assert!(metadata.throttled && metadata.retryable);
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        assert_eq!(retry_after("soon"), None);
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let error = of_status(&answer(400, &"é".repeat(2000), &[]));
        assert!(error.message().ends_with("é...(truncated)"));
    }

    #[test]
    fn a_shape_error_does_not_repeat_the_answer() {
        let error = serde_json::from_str::<u8>(r#""s3cret""#).unwrap_err();
        assert!(!of_json(&error, br#""s3cret""#).message().contains("s3cret"));
    }

    #[test]
    fn paths_are_appended_and_other_origins_refused() {
        let base = Url::parse("https://app.example/v1/").unwrap();
        assert_eq!(
            join(&base, "/users?a=b").unwrap().as_str(),
            "https://app.example/v1/users?a=b"
        );
        assert_eq!(
            join(&base, "https://app.example/x?y").unwrap().as_str(),
            "https://app.example/x?y"
        );
        assert!(join(&base, "https://evil.example/x").is_err());
    }

    #[test]
    fn a_base_needs_a_scheme() {
        assert!(parse_base_url("not a url").is_err());
        assert!(parse_base_url("ftp://x").is_err());
        assert!(parse_base_url("http://x").is_ok());
    }
}
