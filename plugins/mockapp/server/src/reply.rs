//! Answers in the shapes that FastAPI gives them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// `value` as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => internal_error(),
    }
}

/// `{"detail": …}`: text for most errors, a list of problems for those of validation.
pub(crate) fn detail(status: StatusCode, detail: impl Serialize) -> Response {
    json(status, &json!({ "detail": detail }))
}

/// An answer that ends a handler early.
pub(crate) struct Refusal(Box<Response>);

impl From<Response> for Refusal {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// [`detail`] as the early end of a handler.
pub(crate) fn refuse(status: StatusCode, about: impl Serialize) -> Refusal {
    detail(status, about).into()
}

/// What the Python server answers where its code raises, such as to a body that is not a JSON object.
pub(crate) fn internal_error() -> Response {
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::INTERNAL_SERVER_ERROR, plain, "Internal Server Error").into_response()
}
