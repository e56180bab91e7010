//! The API's answers, through the router. Expected bodies are those of the tutorial's Python server.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use mockapp_server::{Options, State, router};
use serde_json::{Value, json};
use tower::ServiceExt;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON answer")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

struct App(Router);

impl App {
    fn new(users: u32) -> Self {
        Self(router(State::new(Options {
            users,
            ..Options::default()
        })))
    }

    /// `call` is a method and a path.
    async fn with_token(&self, token: &str, call: &str, body: &str) -> Answer {
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", token);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.0.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    async fn call(&self, call: &str) -> Answer {
        self.with_token("Bearer valid-token", call, "").await
    }

    async fn send(&self, call: &str, body: Value) -> Answer {
        self.with_token("Bearer valid-token", call, &body.to_string())
            .await
    }
}

#[track_caller]
fn assert_answer(answer: &Answer, status: u16, body: &Value) {
    assert_eq!((answer.status, &answer.json()), (status, body));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn users_come_in_pages() {
    let app = App::new(30);
    let first = app.call("GET /api/users?limit=2").await;
    assert_answer(
        &first,
        200,
        &json!({
            "items": [
                {"id": "user-000001", "email": "user1@example.com", "name": "User 1", "status": "active",
                 "created_at": "2024-01-01T00:00:00Z", "last_login": "2025-01-02T01:01:00Z"},
                {"id": "user-000002", "email": "user2@example.com", "name": "User 2", "status": "active",
                 "created_at": "2024-01-01T00:00:00Z", "last_login": "2025-01-03T02:02:00Z"},
            ],
            "total": 30, "limit": 2, "offset": 0, "has_more": true,
        }),
    );
    let last = app.call("GET /api/users?offset=28").await.json();
    assert_eq!(last["items"].as_array().map(Vec::len), Some(2));
    assert_eq!((&last["limit"], &last["has_more"]), (&json!(100), &json!(false)));
    let beyond = app
        .call("GET /api/users?limit=3&limit=1&offset=99999999999")
        .await
        .json();
    assert_eq!(
        beyond,
        json!({"items": [], "total": 30, "limit": 1, "offset": 99_999_999_999_u64, "has_more": false})
    );
}

#[tokio::test]
async fn some_users_are_inactive_or_deleted_or_never_came() {
    let app = App::new(30);
    for (id, status, came) in [
        ("user-000010", "inactive", false),
        ("user-000007", "deleted", true),
        ("user-000005", "active", false),
    ] {
        let user = app.call(&format!("GET /api/users/{id}")).await.json();
        assert_eq!(
            (user["status"].as_str(), user["last_login"].is_string()),
            (Some(status), came),
            "{id}"
        );
    }
}

#[tokio::test]
async fn wrong_limits_are_listed_as_the_reference_does() {
    let app = App::new(1);
    let both = app.call("GET /api/users?limit=0&offset=-1").await;
    assert_answer(
        &both,
        422,
        &json!({"detail": [
            {"type": "greater_than_equal", "loc": ["query", "limit"],
             "msg": "Input should be greater than or equal to 1", "input": "0", "ctx": {"ge": 1}},
            {"type": "greater_than_equal", "loc": ["query", "offset"],
             "msg": "Input should be greater than or equal to 0", "input": "-1", "ctx": {"ge": 0}},
        ]}),
    );
    let text = app.call("GET /api/users?limit=abc").await;
    assert_answer(
        &text,
        422,
        &json!({"detail": [{"type": "int_parsing", "loc": ["query", "limit"],
            "msg": "Input should be a valid integer, unable to parse string as an integer", "input": "abc"}]}),
    );
    let large = app.call("GET /api/users?limit=10001").await;
    assert_answer(
        &large,
        422,
        &json!({"detail": [{"type": "less_than_equal", "loc": ["query", "limit"],
            "msg": "Input should be less than or equal to 10000", "input": "10001", "ctx": {"le": 10000}}]}),
    );
}

#[tokio::test]
async fn a_token_is_asked_for_before_anything_else() {
    let app = App::new(1);
    for call in [
        "GET /api/users?limit=0",
        "DELETE /api/users/nope",
        "POST /api/users",
        "GET /api/resources",
    ] {
        let none = app.with_token("", call, "").await;
        assert_answer(&none, 401, &json!({"detail": "Missing bearer token"}));
        let basic = app.with_token("Basic eDp5", call, "").await;
        assert_answer(&basic, 401, &json!({"detail": "Missing bearer token"}));
        let wrong = app.with_token("Bearer wrong", call, "").await;
        assert_answer(&wrong, 401, &json!({"detail": "Invalid token"}));
    }
}

#[tokio::test]
async fn failures_can_be_ordered_by_token() {
    let app = App::new(1);
    for status in [200, 400, 403, 404, 409, 418, 429, 500, 503] {
        let forced = app
            .with_token(&format!("Bearer status-{status}"), "GET /api/users", "")
            .await;
        assert_answer(&forced, status, &json!({ "detail": format!("forced {status}") }));
        assert_eq!(forced.header("retry-after"), (status == 429).then_some("7"));
    }
    let html = app.with_token("Bearer html-502", "GET /api/users", "").await;
    assert_eq!(
        (html.status, html.header("content-type")),
        (502, Some("text/html; charset=utf-8"))
    );
    assert_eq!(html.body, b"<!DOCTYPE html><html><body>Bad gateway</body></html>");
    let garbage = app.with_token("Bearer garbage", "GET /api/users", "").await;
    assert_eq!(
        (garbage.status, garbage.header("content-type")),
        (200, Some("text/plain; charset=utf-8"))
    );
    assert_eq!(garbage.body, b"this is not json");
    let empty = app.with_token("Bearer empty-500", "GET /api/users", "").await;
    assert_eq!((empty.status, empty.body.len()), (500, 0));
}

#[tokio::test]
async fn a_user_is_created_changed_and_deleted() {
    let app = App::new(2);
    let created = app
        .send(
            "POST /api/users",
            json!({"email": "new@example.com", "name": null}),
        )
        .await;
    assert_answer(
        &created,
        201,
        &json!({"id": "user-000003", "email": "new@example.com", "name": "", "status": "active",
            "created_at": "2025-06-01T00:00:00Z", "last_login": null}),
    );
    let again = app
        .send("POST /api/users", json!({"email": "new@example.com"}))
        .await;
    assert_answer(&again, 409, &json!({"detail": "User already exists"}));
    let nameless = app.send("POST /api/users", json!({"name": "x"})).await;
    assert_answer(&nameless, 422, &json!({"detail": "email is required"}));

    let changed = app
        .send(
            "PUT /api/users/user-000003",
            json!({"status": "inactive", "id": "x"}),
        )
        .await
        .json();
    assert_eq!(
        (&changed["id"], &changed["status"]),
        (&json!("user-000003"), &json!("inactive"))
    );

    let deleted = app.call("DELETE /api/users/user-000003").await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    for call in ["GET", "PUT", "DELETE"] {
        let gone = app.call(&format!("{call} /api/users/user-000003")).await;
        assert_answer(&gone, 404, &json!({"detail": "User not found"}));
    }
}

#[tokio::test]
async fn entitlements_are_given_and_taken() {
    let app = App::new(5);
    let row = json!({"user_id": "user-000001", "entitlement_id": "team-1-member", "resource_id": "team-1"});
    let given = json!({"entitlement_id": "team-1-member", "resource_id": "team-1"});
    for _ in 0..2 {
        let answer = app
            .send("POST /api/users/user-000001/entitlements", given.clone())
            .await;
        assert_answer(&answer, 201, &row);
    }
    let theirs = app
        .call("GET /api/associations?user_id=user-000001&resource_id=team-1")
        .await;
    assert_answer(&theirs, 200, &json!([row]));

    let elsewhere = json!({"entitlement_id": "team-1-member", "resource_id": "team-2"});
    let unknown = app
        .send("POST /api/users/user-000001/entitlements", elsewhere)
        .await;
    assert_answer(&unknown, 404, &json!({"detail": "Entitlement not found"}));

    let path = "DELETE /api/users/user-000001/entitlements/team-1-member";
    let unnamed = app.call(path).await;
    assert_answer(
        &unnamed,
        422,
        &json!({"detail": [{"type": "missing", "loc": ["query", "resource_id"], "msg": "Field required", "input": null}]}),
    );
    assert_eq!(app.call(&format!("{path}?resource_id=team-1")).await.status, 204);
    let absent = app.call(&format!("{path}?resource_id=team-1")).await;
    assert_answer(&absent, 404, &json!({"detail": "Association not found"}));
}

#[tokio::test]
async fn the_first_two_hundred_users_have_access() {
    let app = App::new(1000);
    let rows = app.call("GET /api/associations").await.json();
    let rows = rows.as_array().expect("a list");
    assert_eq!(rows.len(), 200 + 66 + 4);
    assert_eq!(rows[2]["entitlement_id"], "project-4-editor");
    assert_eq!(
        rows[3],
        json!({"user_id": "user-000003", "entitlement_id": "team-1-member", "resource_id": "team-1"})
    );
    assert_eq!(
        app.call("GET /api/resources")
            .await
            .json()
            .as_array()
            .map(Vec::len),
        Some(9)
    );
    assert_eq!(
        app.call("GET /api/entitlements")
            .await
            .json()
            .as_array()
            .map(Vec::len),
        Some(14)
    );
}

#[tokio::test]
async fn bodies_that_are_not_objects_break_the_handler_as_in_the_original() {
    let app = App::new(1);
    for body in ["", "nope", "[]", "null", "{\"email\":"] {
        for call in [
            "POST /api/users",
            "PUT /api/users/user-000001",
            "POST /api/users/user-000001/entitlements",
        ] {
            let answer = app.with_token("Bearer valid-token", call, body).await;
            assert_eq!(
                (answer.status, answer.body.as_slice()),
                (500, &b"Internal Server Error"[..]),
                "{call} {body}"
            );
        }
        let nobody = app
            .with_token("Bearer valid-token", "PUT /api/users/nope", body)
            .await;
        assert_eq!(nobody.status, 404);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_need_no_token() {
    let app = App::new(1);
    for call in [
        "GET /",
        "GET /nope",
        "GET /api/users/x/y",
        "POST /api/users/x/entitlements/y/z",
    ] {
        assert_answer(
            &app.with_token("", call, "").await,
            404,
            &json!({"detail": "Not Found"}),
        );
    }
    for call in [
        "PATCH /api/users",
        "DELETE /api/health",
        "DELETE /api/users/x/entitlements",
        "GET /api/_reset",
    ] {
        let answer = app.with_token("", call, "").await;
        assert_answer(&answer, 405, &json!({"detail": "Method Not Allowed"}));
        assert!(answer.header("allow").is_some(), "{call}");
    }
    let slash = app.with_token("", "GET /api/users/?limit=1", "").await;
    assert_eq!(
        (slash.status, slash.header("location")),
        (307, Some("/api/users?limit=1"))
    );
}

#[tokio::test]
async fn a_reset_needs_no_token_and_undoes_everything() {
    let app = App::new(3);
    app.call("DELETE /api/users/user-000001").await;
    app.send("POST /api/users", json!({"email": "new@example.com"}))
        .await;
    let reset = app.with_token("", "POST /api/_reset", "").await;
    assert_answer(&reset, 200, &json!({"status": "reset", "users": 3}));
    assert_eq!(app.call("GET /api/users/user-000001").await.status, 200);
    let created = app
        .send("POST /api/users", json!({"email": "new@example.com"}))
        .await;
    assert_eq!(created.json()["id"], "user-000004");
}

#[tokio::test]
async fn an_encoded_slash_stays_in_its_segment() {
    let app = App::new(1);
    let answer = app
        .call("DELETE /api/users/user-000001%2Fentitlements%2Fproject-2-editor?resource_id=project-2")
        .await;
    assert_answer(&answer, 404, &json!({"detail": "User not found"}));
    assert_eq!(
        app.call("GET /api/associations")
            .await
            .json()
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn it_describes_itself() {
    let app = App::new(1);
    let document = app.with_token("", "GET /openapi.json", "").await.json();
    assert_eq!(document["info"]["title"], "MockApp API");
    assert_eq!(document["paths"].as_object().map(serde_json::Map::len), Some(9));
    let page = app.with_token("", "GET /docs", "").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
}
