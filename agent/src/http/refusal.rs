//! hyper refuses what it cannot read as a request with a status and nothing else, before any other code sees it. Its answer
//! is recognised when it is written, and given the envelope and the headers that every error of the agent has.

use http::StatusCode;

use super::envelope::Problem;
use super::frame::NO_TIMING;
use super::headers;

/// How every such answer begins, and how it says that it has no body.
const BEGIN: &[u8] = b"HTTP/1.1 4";
const NO_BODY: &str = "content-length: 0\r\n";

/// What to write in the place of `written`, if that is an answer that hyper made. No other answer has an empty body, and
/// none is without a request id.
pub(super) fn instead_of(written: &[u8]) -> Option<Vec<u8>> {
    if !written.starts_with(BEGIN) {
        return None;
    }
    let head = std::str::from_utf8(written).ok()?.strip_suffix("\r\n\r\n")?;
    let (before, after) = format!("{head}\r\n")
        .split_once(NO_BODY)
        .map(|(before, after)| (before.to_owned(), after.to_owned()))?;
    if head.contains("\r\n\r\n") || head.contains(headers::X_REQUEST_ID.as_str()) {
        return None;
    }
    let status = StatusCode::from_bytes(head.get(9..12)?.as_bytes()).ok()?;
    let body = Problem::bad_request(status, message(status)).to_json();
    let id = headers::new_request_id();
    let mut answer = format!(
        "{before}{after}content-type: application/json\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         server-timing: {NO_TIMING}\r\n{}: {id}\r\n\r\n",
        body.len(),
        headers::X_REQUEST_ID,
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    tracing::debug!(request_id = %id, status = status.as_u16(), "refused bytes that are no HTTP request");
    Some(answer)
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
        let answer = String::from_utf8(instead_of(OWN.as_bytes()).unwrap()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ndate: "),
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
            OWN.repeat(2),
            "[\"HTTP/1.1 400\"]".to_owned(),
        ] {
            assert_eq!(instead_of(other.as_bytes()), None, "{other}");
        }
    }
}
