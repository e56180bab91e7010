//! The bearer token, and the failures that can be had by asking for them with a token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::{State, VALID_TOKEN, reply};

/// Proof that the request carries the valid token. First argument of every handler that needs one, so that nothing
/// else about the request is looked at before.
pub(crate) struct Authorized;

impl FromRequestParts<State> for Authorized {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        if !state.options.delay.is_zero() {
            tokio::time::sleep(state.options.delay).await;
        }
        let header = parts
            .headers
            .get(header::AUTHORIZATION)
            .map(HeaderValue::as_bytes);
        match header.and_then(|value| value.strip_prefix(b"Bearer ")) {
            None => Err(reply::detail(StatusCode::UNAUTHORIZED, "Missing bearer token")),
            Some(token) if token == VALID_TOKEN.as_bytes() => Ok(Self),
            Some(token) => Err(canned(token)),
        }
    }
}

fn canned(token: &[u8]) -> Response {
    match token {
        b"html-502" => {
            let page = Html("<!DOCTYPE html><html><body>Bad gateway</body></html>");
            (StatusCode::BAD_GATEWAY, page).into_response()
        }
        b"garbage" => "this is not json".into_response(),
        b"empty-500" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => match forced_status(token) {
            Some(status) => forced(status),
            None => reply::detail(StatusCode::UNAUTHORIZED, "Invalid token"),
        },
    }
}

fn forced(status: StatusCode) -> Response {
    let mut response = reply::detail(status, format!("forced {}", status.as_u16()));
    if status == StatusCode::TOO_MANY_REQUESTS {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
    }
    response
}

/// A status from 200 to 999: what is below cannot end an exchange.
fn forced_status(token: &[u8]) -> Option<StatusCode> {
    let digits = token.strip_prefix(b"status-")?;
    if digits.len() != 3 || digits[0] == b'1' {
        return None;
    }
    StatusCode::from_bytes(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_final_statuses_can_be_forced() {
        assert_eq!(forced_status(b"status-404"), Some(StatusCode::NOT_FOUND));
        assert_eq!(forced_status(b"status-200"), Some(StatusCode::OK));
        for token in [
            &b"status-"[..],
            b"status-99",
            b"status-101",
            b"status-1000",
            b"status-4x4",
            b"status404",
        ] {
            assert_eq!(forced_status(token), None, "{}", String::from_utf8_lossy(token));
        }
    }
}
