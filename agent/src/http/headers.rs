//! What the agent takes from request headers. A value that is echoed, logged or passed on matches a narrow pattern or is
//! replaced: headers are the one part of a request that is read before anybody has proved who they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};

/// Taken, made, echoed, logged, passed on.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// How long the caller waits, in milliseconds.
const X_LUMOS_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-lumos-timeout-ms");
/// What the caller's own tracing calls this request.
const OBSERVABILITY_PREFIX: &str = "x-lumos-observability-";
/// The most of those that are passed on.
const MAX_OBSERVABILITY: usize = 16;

/// Bytes of names and values.
pub(crate) fn len(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

/// Whether `text` may be echoed and logged: `[A-Za-z0-9._-]{1,128}`.
pub(crate) fn is_safe(text: &[u8]) -> bool {
    let alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=128).contains(&text.len()) && text.iter().all(alphabet)
}

fn safe<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get(name)?;
    is_safe(value.as_bytes()).then(|| value.to_str().ok()).flatten()
}

/// The caller's request id if it may be echoed, otherwise a new one of 32 hexadecimal digits.
pub(crate) fn request_id(headers: &HeaderMap) -> Arc<str> {
    safe(headers, &X_REQUEST_ID).map_or_else(new_request_id, Arc::from)
}

/// Of 32 hexadecimal digits. Unique, not secret: a random part for each run of the agent, and a number.
pub(super) fn new_request_id() -> Arc<str> {
    static RUN: LazyLock<String> = LazyLock::new(|| {
        let mut bytes = [0; 8];
        // Without randomness an id is still an id.
        let _ = getrandom::fill(&mut bytes);
        hex::encode(bytes)
    });
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}{number:016x}", *RUN).into()
}

/// The trace that the request belongs to: version 00 of W3C Trace Context, section 3.2.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = safe(headers, &TRACEPARENT)?;
    let mut parts = text.split('-');
    let mut next = |len: usize| {
        let part = parts.next()?;
        let hex = part
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (part.len() == len && hex).then_some(part)
    };
    let (version, trace, parent, _flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    let whole = parts.next().is_none();
    (version == "00" && whole && !zero(trace) && !zero(parent)).then(|| text.into())
}

/// `X-Lumos-Observability-*`: names without the prefix, and values. Those outside the pattern are left out.
pub(crate) fn observability(headers: &HeaderMap) -> Arc<[(String, String)]> {
    let named = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(OBSERVABILITY_PREFIX)?;
        let value = value.to_str().ok()?;
        (is_safe(name.as_bytes()) && is_safe(value.as_bytes())).then(|| (name.to_owned(), value.to_owned()))
    });
    named.take(MAX_OBSERVABILITY).collect()
}

/// `X-Lumos-Timeout-Ms`; `Err` if it is there but no positive number.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, ()> {
    let Some(value) = headers.get(&X_LUMOS_TIMEOUT_MS) else {
        return Ok(None);
    };
    let millis = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    match millis {
        Some(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
        _ => Err(()),
    }
}

/// What `Content-Type` says about the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/json`, in UTF-8.
    Json,
    /// Nothing is said.
    Absent,
    /// Anything else.
    Other,
}

/// Reads `Content-Type` (RFC 9110 section 8.3); the only parameter that matters is `charset`.
pub(crate) fn media_type(headers: &HeaderMap) -> MediaType {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return MediaType::Absent;
    };
    let Ok(text) = value.to_str() else {
        return MediaType::Other;
    };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if essence.eq_ignore_ascii_case("application/json") && utf8 {
        MediaType::Json
    } else {
        MediaType::Other
    }
}

/// Whether the caller takes gzip (RFC 9110 section 12.5.3).
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|v| v.to_str().ok());
    let mut any = None;
    for item in values.flat_map(|value| value.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let wanted = parts
            .find_map(|parameter| parameter.strip_prefix("q="))
            .is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0));
        if coding.eq_ignore_ascii_case("gzip") {
            return wanted;
        }
        if coding == "*" {
            any = Some(wanted);
        }
    }
    any.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )])
    }

    proptest! {
        #[test]
        fn what_is_echoed_is_always_safe(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(X_REQUEST_ID, value.clone());
                headers.insert(HeaderName::from_static("x-lumos-observability-run.id"), value);
            }
            let id = request_id(&headers);
            prop_assert!(is_safe(id.as_bytes()));
            if is_safe(&value) {
                prop_assert_eq!(id.as_bytes(), &value[..]);
            }
            for (name, value) in observability(&headers).iter() {
                prop_assert!(is_safe(name.as_bytes()) && is_safe(value.as_bytes()));
            }
        }

        #[test]
        fn the_pattern_is_the_alphabet(text in "[A-Za-z0-9._-]{1,128}") {
            prop_assert!(is_safe(text.as_bytes()));
            let with_newline = format!("{text}\n");
            prop_assert!(!is_safe(with_newline.as_bytes()));
        }
    }

    #[test]
    fn traceparents() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(&with("traceparent", good)).as_deref(), Some(good));
        for bad in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "nonsense",
        ] {
            assert_eq!(traceparent(&with("traceparent", bad)), None, "{bad}");
        }
    }

    #[test]
    fn media_types() {
        for (text, expected) in [
            ("application/json", MediaType::Json),
            ("Application/JSON; charset=\"UTF-8\"", MediaType::Json),
            ("application/json;charset=utf-8", MediaType::Json),
            ("application/json; charset=latin1", MediaType::Other),
            ("text/plain", MediaType::Other),
            ("application/json-seq", MediaType::Other),
        ] {
            assert_eq!(media_type(&with("content-type", text)), expected, "{text}");
        }
        assert_eq!(media_type(&HeaderMap::new()), MediaType::Absent);
    }

    #[test]
    fn encodings() {
        for (text, expected) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("*;q=0", false),
            ("br", false),
            ("identity, *;q=0", false),
        ] {
            assert_eq!(accepts_gzip(&with("accept-encoding", text)), expected, "{text}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn timeouts() {
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
        assert_eq!(
            timeout(&with("x-lumos-timeout-ms", "1500")),
            Ok(Some(Duration::from_millis(1500)))
        );
        for bad in ["0", "-1", "1.5", "soon", ""] {
            assert_eq!(timeout(&with("x-lumos-timeout-ms", bad)), Err(()), "{bad}");
        }
    }
}
