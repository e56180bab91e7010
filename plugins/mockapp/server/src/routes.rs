//! The API's routes. Each handler is one operation of [`crate::operations::OPERATIONS`].

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::auth::Authorized;
use crate::data::{self, Association, CreateError, User};
use crate::reply::{self, Refusal};
use crate::{State, docs, openapi, params};

/// The whole API, `/docs` and `/openapi.json` included.
pub fn router(state: State) -> Router {
    Router::new()
        .route("/docs", get(async || Html(docs::page())))
        .route(
            "/openapi.json",
            get(async || reply::json(StatusCode::OK, &openapi::document())),
        )
        .route(
            "/api/health",
            get(async || reply::json(StatusCode::OK, &json!({"status": "ok"}))),
        )
        .route("/api/_reset", post(reset))
        .route("/api/users", get(list_users).post(create_user))
        .route(
            "/api/users/{uid}",
            get(get_user).put(update_user).delete(delete_user),
        )
        .route("/api/users/{uid}/entitlements", post(assign))
        .route("/api/users/{uid}/entitlements/{ent}", delete(unassign))
        .route("/api/resources", get(resources))
        .route("/api/entitlements", get(entitlements))
        .route("/api/associations", get(associations))
        .fallback(not_found)
        .method_not_allowed_fallback(async || {
            reply::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .with_state(state)
}

async fn reset(Shared(state): Shared<State>) -> Response {
    reply::json(
        StatusCode::OK,
        &json!({"status": "reset", "users": state.reset()}),
    )
}

#[derive(Serialize)]
struct UserPage<'data> {
    items: &'data [User],
    total: usize,
    limit: u64,
    offset: u64,
    has_more: bool,
}

async fn list_users(
    _: Authorized,
    Shared(state): Shared<State>,
    Query(query): Query<params::Query>,
) -> Result<Response, Refusal> {
    let params::Slice { limit, offset } = params::slice(&query)?;
    let data = state.data();
    let total = data.users().len();
    let start = usize::try_from(offset).map_or(total, |offset| offset.min(total));
    let end = usize::try_from(limit).map_or(total, |limit| start.saturating_add(limit).min(total));
    let page = UserPage {
        items: &data.users()[start..end],
        total,
        limit,
        offset,
        has_more: end < total,
    };
    Ok(reply::json(StatusCode::OK, &page))
}

async fn create_user(_: Authorized, Shared(state): Shared<State>, body: Bytes) -> Result<Response, Refusal> {
    let fields = object(&body)?;
    match state.data().create_user(&fields) {
        Ok(user) => Ok(reply::json(StatusCode::CREATED, user)),
        Err(CreateError::EmailMissing) => Err(reply::refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "email is required",
        )),
        Err(CreateError::EmailTaken) => Err(reply::refuse(StatusCode::CONFLICT, "User already exists")),
    }
}

async fn get_user(
    _: Authorized,
    Shared(state): Shared<State>,
    Path(uid): Path<String>,
) -> Result<Response, Refusal> {
    let data = state.data();
    let user = data.user(&uid).ok_or_else(no_user)?;
    Ok(reply::json(StatusCode::OK, user))
}

async fn update_user(
    _: Authorized,
    Shared(state): Shared<State>,
    Path(uid): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let mut data = state.data();
    data.user(&uid).ok_or_else(no_user)?;
    let fields = object(&body)?;
    let user = data.update_user(&uid, &fields).ok_or_else(no_user)?;
    Ok(reply::json(StatusCode::OK, user))
}

async fn delete_user(
    _: Authorized,
    Shared(state): Shared<State>,
    Path(uid): Path<String>,
) -> Result<Response, Refusal> {
    if state.data().delete_user(&uid) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(no_user())
    }
}

async fn resources(_: Authorized) -> Response {
    reply::json(StatusCode::OK, &data::resources())
}

async fn entitlements(_: Authorized) -> Response {
    reply::json(StatusCode::OK, &data::entitlements())
}

async fn associations(
    _: Authorized,
    Shared(state): Shared<State>,
    Query(query): Query<params::Query>,
) -> Response {
    let matches = |name: &str, value: &str| query.get(name).is_none_or(|wanted| wanted == value);
    let data = state.data();
    let rows: Vec<&Association> = data
        .associations()
        .iter()
        .filter(|row| {
            matches("user_id", &row.user_id)
                && matches("entitlement_id", &row.entitlement_id)
                && matches("resource_id", &row.resource_id)
        })
        .collect();
    reply::json(StatusCode::OK, &rows)
}

async fn assign(
    _: Authorized,
    Shared(state): Shared<State>,
    Path(uid): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let mut data = state.data();
    data.user(&uid).ok_or_else(no_user)?;
    let fields = object(&body)?;
    let wanted = |name: &str| fields.get(name).and_then(Value::as_str);
    let entitlement = data::entitlements()
        .into_iter()
        .find(|known| {
            wanted("entitlement_id") == Some(&known.id) && wanted("resource_id") == Some(&known.resource_id)
        })
        .ok_or_else(|| reply::refuse(StatusCode::NOT_FOUND, "Entitlement not found"))?;
    let row = Association {
        user_id: uid,
        entitlement_id: entitlement.id,
        resource_id: entitlement.resource_id,
    };
    data.assign(row.clone());
    Ok(reply::json(StatusCode::CREATED, &row))
}

async fn unassign(
    _: Authorized,
    Shared(state): Shared<State>,
    Path((uid, entitlement_id)): Path<(String, String)>,
    Query(query): Query<params::Query>,
) -> Result<Response, Refusal> {
    let resource_id = params::required(&query, "resource_id")?.to_owned();
    let mut data = state.data();
    data.user(&uid).ok_or_else(no_user)?;
    if data.unassign(&Association {
        user_id: uid,
        entitlement_id,
        resource_id,
    }) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(reply::refuse(StatusCode::NOT_FOUND, "Association not found"))
}

/// A path with a `/` too many at its end is sent to the one without; anything else is unknown.
async fn not_found(uri: Uri) -> Response {
    let path = uri.path().trim_end_matches('/');
    if path.len() == uri.path().len() || !openapi::has_path(path) {
        return reply::detail(StatusCode::NOT_FOUND, "Not Found");
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    (
        StatusCode::TEMPORARY_REDIRECT,
        [(header::LOCATION, format!("{path}{query}"))],
    )
        .into_response()
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|_| reply::internal_error().into())
}

fn no_user() -> Refusal {
    reply::refuse(StatusCode::NOT_FOUND, "User not found")
}
