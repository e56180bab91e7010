//! What the head of a request must be beyond what hyper insists on, so that this agent and a proxy before it never see
//! different requests in the same bytes (RFC 9112 sections 3.2, 6.1 and 11.2; RFC 9113 section 8.3.1).
//!
//! hyper refuses by itself: lines that are continued, a CR alone, white space before a colon, a length that is no number or
//! given twice with different values, a transfer coding of HTTP/1.0, connection-specific headers in HTTP/2. A request with
//! both a length and a transfer coding arrives here without the length; such a connection may not be used again, and nobody
//! can tell it from one with the coding alone, so none with a transfer coding is. An LF alone ends a line for hyper, as
//! RFC 9112 section 2.2 allows; it cannot be seen here.

use axum::extract::Request;
use http::header::{HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};

use super::connection::MAX_HEADER_BYTES;
use super::envelope::Problem;
use super::headers;

/// Bytes of path and query; RFC 9112 section 3 asks for 8000 at least.
const MAX_TARGET_BYTES: usize = 8192;

/// Whether the connection has to end with this request, whatever the answer.
pub(super) fn last_of_connection(request: &Request) -> bool {
    request.version() < Version::HTTP_2 && request.headers().contains_key(TRANSFER_ENCODING)
}

/// Refuses what is ambiguous or too long. Looks at no credential.
pub(crate) fn check(request: &Request) -> Result<(), Problem> {
    // hyper bounds what it buffers, and so refuses only what comes in more than one part.
    if headers::len(request.headers()) > MAX_HEADER_BYTES {
        return Err(Problem::bad_request(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            format!("the headers have more than {MAX_HEADER_BYTES} bytes"),
        ));
    }
    let target = request.uri().path_and_query();
    if target.is_some_and(|target| target.as_str().len() > MAX_TARGET_BYTES) {
        return Err(Problem::bad_request(
            StatusCode::URI_TOO_LONG,
            format!("the request target has more than {MAX_TARGET_BYTES} bytes"),
        ));
    }
    let wrong = |text| Problem::bad_request(StatusCode::BAD_REQUEST, text);
    if !request.uri().path().starts_with('/') || request.method() == Method::CONNECT {
        return Err(wrong("the request target is no path"));
    }
    host(request).map_err(wrong)?;
    coding(request.headers()).map_err(wrong)
}

/// One host, and the same one wherever it is named. An absolute target is taken, as RFC 9112 section 3.2.2 demands.
fn host(request: &Request) -> Result<(), &'static str> {
    let mut all = request.headers().get_all(HOST).iter();
    let host = all.next().map(HeaderValue::as_bytes);
    if all.next().is_some() {
        return Err("the request has more than one Host header");
    }
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    if [host, authority].into_iter().flatten().any(|host| !is_host(host)) {
        return Err("the Host header or the request target names no host");
    }
    match (host, authority) {
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
            Err("the Host header and the request target name different hosts")
        }
        (None, _) if request.version() == Version::HTTP_11 => Err("the request has no Host header"),
        (None, None) if request.version() > Version::HTTP_11 => Err("the request names no host"),
        _ => Ok(()),
    }
}

/// A host and perhaps a port, by their alphabet: without a user, a path or a list.
fn is_host(text: &[u8]) -> bool {
    let alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_~:[]%".contains(byte);
    !text.is_empty() && text.iter().all(alphabet)
}

/// No coding but `chunked`, once.
fn coding(headers: &HeaderMap) -> Result<(), &'static str> {
    let mut all = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = all.next() else { return Ok(()) };
    if all.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Err("the only transfer coding is `chunked`, once");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http::request::Builder;

    fn status(request: Builder) -> u16 {
        match check(&request.body(Body::empty()).unwrap()) {
            Ok(()) => 200,
            Err(problem) => problem.status.as_u16(),
        }
    }

    fn to(target: &str) -> Builder {
        Request::post(target)
    }

    #[test]
    fn one_host_is_named() {
        for (request, expected) in [
            (to("/a").header("host", "h:1"), 200),
            (to("/a").header("host", "[::1]:8443"), 200),
            (to("/a"), 400),
            (to("/a").header("host", ""), 400),
            (to("/a").header("host", "h").header("host", "h"), 400),
            (to("/a").header("host", "u@h"), 400),
            (to("/a").header("host", "h/x"), 400),
            (to("/a").header("host", "h, i"), 400),
            (to("/a").version(Version::HTTP_10), 200),
            (to("https://h/a").header("host", "H"), 200),
            (to("https://h/a").header("host", "i"), 400),
            (to("https://h/a"), 400),
            (to("https://h/a").version(Version::HTTP_2), 200),
            (to("https://u@h/a").version(Version::HTTP_2), 400),
            (
                to("https://h/a").version(Version::HTTP_2).header("host", "i"),
                400,
            ),
            (to("/a").version(Version::HTTP_2), 400),
            (to("/a").version(Version::HTTP_2).header("host", "h"), 200),
        ] {
            let shown = format!("{request:?}");
            assert_eq!(status(request), expected, "{shown}");
        }
    }

    #[test]
    fn a_target_is_a_path_of_reasonable_length() {
        assert_eq!(status(Request::options("*").header("host", "h")), 400);
        assert_eq!(
            status(
                Request::builder()
                    .method("CONNECT")
                    .uri("h:1")
                    .header("host", "h:1")
            ),
            400
        );
        let long = |bytes: usize| to(&format!("/{}", "a".repeat(bytes - 1))).header("host", "h");
        assert_eq!(status(long(MAX_TARGET_BYTES)), 200);
        assert_eq!(status(long(MAX_TARGET_BYTES + 1)), 414);
    }

    #[test]
    fn a_transfer_coding_is_chunked_and_ends_the_connection() {
        let with = |coding: &str| to("/a").header("host", "h").header("transfer-encoding", coding);
        assert_eq!(status(with("Chunked")), 200);
        for bad in [
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "xchunked",
            "chunked;x=1",
            "",
        ] {
            assert_eq!(status(with(bad)), 400, "{bad}");
        }
        assert_eq!(
            status(with("chunked").header("transfer-encoding", "chunked")),
            400
        );
        assert!(last_of_connection(&with("chunked").body(Body::empty()).unwrap()));
        assert!(!last_of_connection(&to("/a").body(Body::empty()).unwrap()));
    }
}
