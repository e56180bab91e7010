//! A call of a connector, from the path to the answer. Checks come in the order of what they cost and reveal: the path, the
//! scope, the headers, the body's size, the body.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::body::{self, BodyError};
use super::dispatch::{Dispatch, answer};
use super::envelope::Problem;
use super::frame::{Exchange, Spent};
use super::headers::{self, MediaType};
use super::peek::{PeekError, Peeked, peek};
use crate::call::Call;
use crate::config::Config;
use crate::domain::{AppId, CapabilityName, Level};

/// What may be called without a body.
const INFO: &str = "info";
/// Bodies above this are checked away from the async threads (about 2 ms).
const LARGE: usize = 1 << 20;
/// When to try again after a refusal for want of room.
const SOON: Duration = Duration::from_secs(1);

/// `POST /connectors/{app_id}/{capability}`.
pub(super) async fn invoke(
    State(dispatch): State<Arc<Dispatch>>,
    Extension(exchange): Extension<Exchange>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let headers = request.headers();
    match call(&dispatch, &exchange, path, headers).await {
        Ok(body) => answer(body, headers).await,
        Err(problem) => problem.into_response(),
    }
}

async fn call(
    dispatch: &Arc<Dispatch>,
    exchange: &Exchange,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: &HeaderMap,
) -> Result<Bytes, Problem> {
    let (app_id, capability) = target(path)?;
    exchange.set_target(&app_id, &capability);
    let level = dispatch.backend.level(&app_id, &capability);
    let about = |problem: Problem| problem.about(&app_id);
    if !exchange.caller().scopes.allow(&app_id, level) {
        return Err(about(Problem::forbidden(format!(
            "the credential `{}` does not allow `{app_id}:{level}`, which `{capability}` needs",
            exchange.caller().name
        ))));
    }
    let config = dispatch.config();
    let limit = config.dispatch.max_in_flight_per_caller;
    let _share = dispatch
        .callers
        .place(&exchange.caller().name, limit)
        .ok_or_else(|| {
            about(Problem::too_many(
                "this credential has as many calls as dispatch.max_in_flight_per_caller allows",
                SOON,
            ))
        })?;
    let _place = dispatch.place(config.dispatch.max_in_flight).ok_or_else(|| {
        about(Problem::too_many(
            "the agent has as many calls as dispatch.max_in_flight allows",
            SOON,
        ))
    })?;
    let asked = check_headers(headers, &capability, &config).map_err(about)?;
    let body = read(dispatch, exchange, &capability, &config)
        .await
        .map_err(about)?;
    let request_bytes = body.len();
    let peeked = look(dispatch, &app_id, &body, &config).await.map_err(about)?;
    let limits = [Some(config.dispatch.timeout), asked, peeked.max_execution_time];
    let patience = limits
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(config.dispatch.timeout);
    let call = Call {
        request_id: exchange.request_id(),
        caller: exchange.caller().name.clone(),
        app_id: app_id.clone(),
        capability: capability.clone(),
        level,
        body,
        deadline: exchange.arrived() + patience,
        traceparent: headers::traceparent(headers),
        observability: exchange.observability(),
        secrets: peeked.secrets.into(),
    };
    forward(dispatch, exchange, call, request_bytes).await
}

async fn forward(
    dispatch: &Dispatch,
    exchange: &Exchange,
    call: Call,
    request_bytes: usize,
) -> Result<Bytes, Problem> {
    let (app_id, capability, level) = (call.app_id.clone(), call.capability.clone(), call.level);
    let begun = Instant::now();
    match dispatch.backend.call(call).await {
        Ok(answer) => {
            exchange.set_spent(Spent {
                queue: answer.queued,
                connector: answer.served,
                request_bytes,
                answer_bytes: answer.body.len(),
            });
            Ok(answer.body)
        }
        Err(error) => {
            let connector = begun.elapsed();
            exchange.set_spent(Spent {
                connector,
                request_bytes,
                ..Spent::default()
            });
            let repeatable = level == Level::Read || dispatch.backend.repeatable(&app_id, &capability);
            Err(Problem::of_call(&error, &app_id, repeatable))
        }
    }
}

fn target(path: Result<Path<(String, String)>, PathRejection>) -> Result<(AppId, CapabilityName), Problem> {
    let Ok(Path((app_id, capability))) = path else {
        return Err(Problem::not_found("no such path"));
    };
    let app_id: AppId = app_id
        .parse()
        .map_err(|_| Problem::not_found("no connector has such an app_id"))?;
    match capability.parse() {
        Ok(capability) => Ok((app_id, capability)),
        Err(_) => Err(Problem::not_found("no capability has such a name").about(&app_id)),
    }
}

/// Looks at everything that headers tell about the body; returns the caller's own time limit.
fn check_headers(
    headers: &HeaderMap,
    capability: &CapabilityName,
    config: &Config,
) -> Result<Option<Duration>, Problem> {
    let unsupported = |text| Err(Problem::bad_request(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    let length = body::declared_length(headers);
    match headers::media_type(headers) {
        MediaType::Json => {}
        MediaType::Absent if capability.as_str() == INFO => {}
        MediaType::Absent => return unsupported("the request has no Content-Type; send application/json"),
        MediaType::Other => {
            return unsupported("send the body as `Content-Type: application/json`, in UTF-8");
        }
    }
    let encoded = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding != "identity");
    if encoded {
        return unsupported("send the body without Content-Encoding");
    }
    if length.is_some_and(|length| length > config.dispatch.max_body_bytes) {
        return Err(too_large(config));
    }
    headers::timeout(headers).map_err(|()| {
        Problem::bad_request(
            StatusCode::BAD_REQUEST,
            "X-Lumos-Timeout-Ms is not a positive whole number of milliseconds",
        )
    })
}

fn too_large(config: &Config) -> Problem {
    let limit = config.dispatch.max_body_bytes;
    let text = format!("the body is larger than {limit} bytes (dispatch.max_body_bytes)");
    Problem::bad_request(StatusCode::PAYLOAD_TOO_LARGE, text)
}

async fn read(
    dispatch: &Dispatch,
    exchange: &Exchange,
    capability: &CapabilityName,
    config: &Config,
) -> Result<Bytes, Problem> {
    let mut body = exchange.take_body();
    let max = config.dispatch.max_body_bytes;
    match body::read(&mut body, max, &dispatch.budget, &dispatch.metrics).await {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        Ok(_) if capability.as_str() == INFO => Ok(Bytes::from_static(b"{}")),
        Ok(_) => Err(Problem::bad_request(
            StatusCode::BAD_REQUEST,
            "the body is empty; send a JSON object",
        )),
        Err(BodyError::TooLarge) => {
            exchange.return_body(body);
            Err(too_large(config))
        }
        Err(BodyError::NoRoom) => {
            exchange.return_body(body);
            Err(Problem::unavailable(
                "the agent holds as many request bytes as it may",
                SOON,
            ))
        }
        Err(BodyError::Stalled) => Err(Problem::slow_body()),
        Err(BodyError::Broken) => Err(Problem::bad_request(
            StatusCode::BAD_REQUEST,
            "the body broke off before its end",
        )),
    }
}

async fn look(
    dispatch: &Dispatch,
    app_id: &AppId,
    body: &Bytes,
    config: &Arc<Config>,
) -> Result<Peeked, Problem> {
    let keys = dispatch.secret_keys(config);
    let settings = dispatch.backend.secret_settings(app_id);
    let peeked = if body.len() > LARGE {
        // Only a panic in there, or the runtime's end, loses the result.
        let body = body.clone();
        tokio::task::spawn_blocking(move || peek(&body, &keys, &settings))
            .await
            .unwrap_or(Err(PeekError::NotUtf8(0)))
    } else {
        peek(body, &keys, &settings)
    };
    peeked.map_err(|error| Problem::bad_request(StatusCode::BAD_REQUEST, error.to_string()))
}
