//! hyper refuses what it cannot read as a request with a status and nothing else, before any other code sees it. Its answer
//! is recognised when it is written, and given the envelope and the headers that every error of the agent has.
//!
//! That is so for HTTP/1.1. In HTTP/2 a stream that breaks the rules is reset, a flood ends the connection, and headers over
//! the limit get a 431 without a body: those are frames, in which nothing can be put by anybody but their writer.

use http::StatusCode;

use super::envelope::Problem;
use super::frame::NO_TIMING;
use super::headers;

/// How every such answer begins, how it says that it has no body, and how it ends.
const BEGIN: &str = "HTTP/1.1 4";
const NO_BODY: &str = "content-length: 0\r\n";
const END: &[u8] = b"\r\n\r\n";
/// None is longer.
const LONGEST: usize = 200;

/// Where in `written` an answer begins that hyper made. It is always the last, for the connection ends with it. No other
/// answer is without a body and without a request id; and text that looks like one cannot stand in JSON.
pub(super) fn begins_at(written: &[u8]) -> Option<usize> {
    if !written.ends_with(END) {
        return None;
    }
    let from = written.len().saturating_sub(LONGEST);
    let last = &written[from..];
    let at = last
        .windows(BEGIN.len())
        .rposition(|part| part == BEGIN.as_bytes())?;
    let head = std::str::from_utf8(&last[at..]).ok()?;
    let whole = head.find("\r\n\r\n") == Some(head.len() - END.len());
    let own = whole && head.contains(NO_BODY) && !head.contains(headers::X_REQUEST_ID.as_str());
    own.then_some(from + at)
}

/// What to write in the place of `answer`, which hyper made.
pub(super) fn instead_of(answer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let (before, after) = text.split_once(NO_BODY).unwrap_or((&text, ""));
    let status = before.get(9..12).and_then(|status| status.parse().ok());
    let status = status.unwrap_or(StatusCode::BAD_REQUEST);
    let body = Problem::bad_request(status, message(status)).to_json();
    let id = headers::new_request_id();
    tracing::debug!(request_id = %id, status = status.as_u16(), "refused bytes that are no HTTP request");
    let mut answer = format!(
        "{before}content-type: application/json\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         server-timing: {NO_TIMING}\r\n{}: {id}\r\n{after}",
        body.len(),
        headers::X_REQUEST_ID,
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}

fn message(status: StatusCode) -> &'static str {
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the request line and the headers are too large",
        StatusCode::URI_TOO_LONG => "the request target is too long",
        _ => "this is no HTTP request: the request line, a header or the length of the body is malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";

    #[test]
    fn an_answer_without_a_body_gets_the_envelope() {
        let own = OWN.as_bytes();
        assert_eq!(begins_at(own), Some(0));
        assert_eq!(
            begins_at(&[b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", own].concat()),
            Some(40)
        );
        let answer = String::from_utf8(instead_of(own)).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"),
            "{head}"
        );
        assert!(
            head.ends_with("\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT"),
            "{head}"
        );
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["error_code"], "bad_request");
    }

    #[test]
    fn every_other_answer_is_left_as_it_is() {
        for other in [
            OWN.replace("400 Bad Request", "200 OK"),
            OWN.replace("date:", "x-request-id: abc\r\ndate:"),
            OWN.replace("content-length: 0", "content-length: 2") + "{}",
            OWN.trim_end().to_owned(),
            format!("[\"HTTP/1.1 400\"]{}", "\r\n".repeat(200)),
            format!("{OWN}\r\n\r\n"),
        ] {
            assert_eq!(begins_at(other.as_bytes()), None, "{other}");
        }
    }
}
