//! Every row of DESIGN §5's tables that the listener decides.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use futures_util::stream;
use http::Request;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::time::Instant;

use super::fake::{Got, stage};

const LIST: &str = "/connectors/mockapp/list_accounts";

#[tokio::test]
async fn an_answer_is_passed_on_byte_for_byte() {
    let stage = stage();
    let got = stage.post("all", LIST, "{}").await;
    assert_eq!(
        (got.status.as_u16(), &got.body[..]),
        (200, &b"{\"response\":  true}"[..])
    );
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(
        got.header("server-timing"),
        "queue;dur=1.500, connector;dur=20.000"
    );
    assert_eq!(got.header("x-request-id").len(), 32);
    assert_eq!(got.header("cache-control"), "no-store");
}

#[tokio::test]
async fn what_a_call_carries() {
    let stage = stage();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = r#"{"auth": {"basic": {"username": "u1"}}, "settings": {"tenant_pass": "s1"},
        "request": {"badge": "b1"}, "rate_limit": {"max_execution_time": 20}}"#;
    let request = stage
        .request("read", "POST", LIST)
        .header("x-request-id", "req-1")
        .header("traceparent", trace)
        .header("x-lumos-timeout-ms", "90000")
        .header("x-lumos-observability-dagster.run_id", "run-7")
        .header("x-lumos-observability-evil", "a b")
        .body(Body::from(body))
        .unwrap();
    let before = Instant::now();
    let got = stage.send(request).await;
    assert_eq!(got.header("x-request-id"), "req-1");
    let call = stage.fake.calls.lock().unwrap().pop().unwrap();
    assert_eq!((&*call.request_id, &*call.caller), ("req-1", "read"));
    assert_eq!(call.body, body);
    assert_eq!(call.traceparent.as_deref(), Some(trace));
    assert_eq!(
        *call.observability,
        [("dagster.run_id".to_owned(), "run-7".to_owned())]
    );
    let mut secrets: Vec<_> = call.secrets.iter().map(ExposeSecret::expose_secret).collect();
    secrets.sort_unstable();
    assert_eq!(secrets, ["b1", "s1", "u1"]);
    let patience = call.deadline - before;
    assert!(
        patience >= Duration::from_secs(20) && patience < Duration::from_secs(50),
        "{patience:?}"
    );
}

#[tokio::test]
async fn credentials_come_first() {
    let stage = stage();
    for (method, path) in [
        ("POST", LIST),
        ("GET", "/connectors"),
        ("GET", "/openapi.json"),
        ("GET", "/nowhere"),
        ("PUT", LIST),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        // A body that never comes: nobody may wait for it.
        let body = Body::from_stream(stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        let request = request.header("expect", "100-continue").body(body).unwrap();
        let got = stage.send(request).await;
        assert_eq!(
            (got.status.as_u16(), &*got.code()),
            (401, "unauthorized"),
            "{method} {path}"
        );
        assert_eq!(got.header("www-authenticate"), r#"Bearer realm="lumos-agent""#);
        assert_eq!(
            got.header("server-timing"),
            "queue;dur=0.000, connector;dur=0.000"
        );
    }
    let request = Request::post(LIST)
        .header("host", "localhost")
        .header("authorization", "Bearer lumos_wrong")
        .body(Body::empty())
        .unwrap();
    let got = stage.send(request).await;
    assert!(got.header("www-authenticate").contains("invalid_token"));
    assert!(stage.fake.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn headers_are_bounded_whoever_sends_them() {
    let stage = stage();
    let filler = "a".repeat(33 << 10);
    let known = stage.request("all", "POST", LIST);
    let unknown = Request::builder()
        .method("POST")
        .uri(LIST)
        .header("host", "localhost");
    for request in [known, unknown] {
        let request = request.header("x-filler", &filler);
        let got = stage.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(got.status.as_u16(), 431);
    }
}

#[tokio::test]
async fn scopes_decide_before_the_body_is_read() {
    let stage = stage();
    assert_eq!(stage.post("read", LIST, "{}").await.status, 200);
    let write = "/connectors/mockapp/create_account";
    for (token, path) in [("read", write), ("other", LIST), ("other", write)] {
        let got = stage.post(token, path, "not json").await;
        assert_eq!(
            (got.status.as_u16(), &*got.code()),
            (403, "permission_denied"),
            "{token} {path}"
        );
        assert_eq!(got.json()["error"]["app_id"], json!("mockapp"));
    }
    assert_eq!(stage.post("all", write, "{}").await.status, 200);
}

#[tokio::test]
async fn how_a_connector_is_run_is_told_to_administrators() {
    let stage = stage();
    let listed = async |token: &str| stage.get(token, "/connectors").await.json();
    let pinned = [
        "app_id",
        "version",
        "kind",
        "state",
        "generation",
        "sha256",
        "since",
        "last_error",
        "in_flight",
        "capabilities",
    ];
    let members = |row: &serde_json::Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (own, all) = (listed("read").await, listed("admin").await);
    assert_eq!(members(&own[0]), pinned);
    let more = members(&all[0]);
    assert_eq!(more[..pinned.len()], pinned);
    assert!(more.iter().any(|name| name == "pid"), "{more:?}");
    for name in pinned {
        assert_eq!(
            own[0][name],
            all.as_array()
                .unwrap()
                .iter()
                .find(|row| row["app_id"] == "mockapp")
                .unwrap()[name]
        );
    }
}

#[tokio::test]
async fn wrong_paths_and_methods() {
    let stage = stage();
    for path in [
        "/",
        "/connectors/",
        "/connectors/mockapp",
        "/connectors/a/b/c",
        "/connectors/a.b/info",
        "/connectors/mockapp/..",
        "/connectors/none/info",
        "/connectors/%ff/info",
    ] {
        let got = stage.post("all", path, "{}").await;
        assert_eq!((got.status.as_u16(), &*got.code()), (404, "not_found"), "{path}");
    }
    for (method, path, allow) in [
        ("GET", LIST, "POST"),
        ("PUT", LIST, "POST"),
        ("DELETE", "/connectors", "GET, HEAD"),
        ("GET", "/connectors/list-connector-app-ids", "POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ] {
        let got = stage
            .send(stage.request("all", method, path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(
            (got.status.as_u16(), &*got.code()),
            (405, "unsupported_operation"),
            "{method} {path}"
        );
        assert_eq!(got.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn wrong_bodies() {
    let stage = stage();
    let send = async |name: &'static str, value: &'static str, body: Body| -> Got {
        let mut request = Request::post(LIST)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", stage.token("all")))
            .body(body)
            .unwrap();
        if name != "content-type" {
            request
                .headers_mut()
                .insert("content-type", "application/json".parse().unwrap());
        }
        request.headers_mut().insert(name, value.parse().unwrap());
        stage.send(request).await
    };
    let json = || Body::from("{}");
    for (name, value, body, status) in [
        ("content-type", "text/plain", json(), 415),
        ("content-type", "application/json; charset=latin1", json(), 415),
        ("content-encoding", "gzip", json(), 415),
        ("content-length", "1001", json(), 413),
        ("x-a", "b", Body::from("x".repeat(1001)), 413),
        ("x-a", "b", Body::from("{\"hush\": tru}"), 400),
        (
            "x-a",
            "b",
            Body::from("{\"hush\": \"\u{fffd}".as_bytes()[..12].to_vec()),
            400,
        ),
        ("x-a", "b", Body::empty(), 400),
        ("x-lumos-timeout-ms", "soon", json(), 400),
    ] {
        let got = send(name, value, body).await;
        assert_eq!(
            (got.status.as_u16(), &*got.code()),
            (status, "bad_request"),
            "{name}: {value}"
        );
        assert!(!String::from_utf8_lossy(&got.body).contains("hush"));
    }
    let got = send("content-type", "application/json; charset=utf-8", json()).await;
    assert_eq!(got.status, 200);
    let got = send("x-a", "b", Body::from("{\n \"a\": tru}")).await;
    assert!(
        got.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("line 2, column 10")
    );
}

#[tokio::test]
async fn info_needs_no_body() {
    let stage = stage();
    let request = Request::post("/connectors/mockapp/info")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", stage.token("read")))
        .body(Body::empty())
        .unwrap();
    assert_eq!(stage.send(request).await.status, 200);
    assert_eq!(stage.fake.calls.lock().unwrap()[0].body, "{}");
}

#[tokio::test]
async fn failures_of_calls() {
    let stage = stage();
    let got = stage.post("all", "/connectors/mockapp/die", "{}").await;
    assert_eq!((got.status.as_u16(), &*got.code()), (502, "connection_closed"));
    assert_eq!(got.json()["error"]["error_metadata"]["retryable"], json!(true));
    let got = stage.post("all", "/connectors/mockapp/late", "{}").await;
    assert_eq!((got.status.as_u16(), &*got.code()), (504, "request_timeout"));
    stage.post("other", LIST, "{}").await;
    let numbers = stage.metrics.render();
    assert!(numbers.contains(r#"refused_requests_total{reason="permission_denied"} 1"#));
    assert!(!numbers.contains(r#"refused_requests_total{reason="request_timeout"}"#));
}

#[tokio::test]
async fn listings_show_what_the_token_covers() {
    let stage = stage();
    for (token, ids) in [
        ("all", vec!["mockapp", "other"]),
        ("read", vec!["mockapp"]),
        ("other", vec!["other"]),
    ] {
        let got = stage
            .post(token, "/connectors/list-connector-app-ids", "{}")
            .await;
        assert_eq!(got.json(), json!({ "response": ids }));
        let rows = stage.get(token, "/connectors").await.json();
        let rows: Vec<_> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["app_id"].as_str().unwrap())
            .collect();
        assert_eq!(rows, ids, "{token}");
    }
    let rows = stage.get("admin", "/connectors").await.json();
    assert_eq!(rows.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_description_shows_what_the_token_covers() {
    let stage = stage();
    let mut document = stage.get("read", "/openapi.json").await.json();
    document["info"]["version"] = json!("VERSION");
    insta::assert_json_snapshot!(document);
    let all = stage.get("all", "/openapi.json").await.json();
    let paths = all["paths"].as_object().unwrap();
    assert!(paths.contains_key("/connectors/mockapp/create_account"));
    assert!(paths.contains_key("/connectors/other/info"));
}

#[tokio::test]
async fn large_answers_are_compressed_on_request() {
    let stage = stage();
    let path = "/connectors/mockapp/large";
    let plain = stage.post("all", path, "{}").await;
    assert_eq!(plain.header("content-encoding"), "");
    let request = stage
        .request("all", "POST", path)
        .header("accept-encoding", "gzip, br");
    let packed = stage.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("vary"), "accept-encoding");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body);
    let request = stage
        .request("all", "POST", LIST)
        .header("accept-encoding", "gzip");
    let small = stage.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(small.header("content-encoding"), "");
}

#[tokio::test]
async fn there_are_only_so_many_calls_at_one_time() {
    let stage = stage();
    let wait = || stage.post("all", "/connectors/mockapp/wait", "{}");
    let third = async {
        stage.fake.begun(2).await;
        let got = stage.post("all", LIST, "{}").await;
        stage.fake.go.add_permits(2);
        got
    };
    let (one, two, third) = tokio::join!(wait(), wait(), third);
    assert_eq!((third.status.as_u16(), &*third.code()), (429, "rate_limit"));
    assert_eq!(third.header("retry-after"), "1");
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
    assert_eq!(stage.post("all", LIST, "{}").await.status, 200);
}

#[tokio::test]
async fn a_draining_agent_refuses_everybody() {
    let stage = stage();
    stage.draining.cancel();
    for got in [
        stage.post("all", LIST, "{}").await,
        stage.get("all", "/connectors").await,
    ] {
        assert_eq!((got.status.as_u16(), &*got.code()), (503, "service_error"));
        assert_eq!(got.header("connection"), "close");
        assert_eq!(got.header("retry-after"), "5");
    }
}
