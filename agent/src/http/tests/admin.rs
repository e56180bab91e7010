//! The admin listener.

use std::sync::atomic::Ordering;

use axum::body::Body;
use http::Request;
use serde_json::json;
use tower::ServiceExt;

use super::fake::{Got, Stage, stage};
use crate::http::admin;

async fn ask(stage: &Stage, method: &str, path: &str, host: Option<&str>) -> Got {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let router = admin::router(stage.health.clone());
    Got::of(
        router
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap(),
    )
    .await
}

const LOOPBACK: Option<&str> = Some("127.0.0.1:10002");

#[tokio::test]
async fn tells_who_it_is() {
    let stage = stage();
    let mut info = ask(&stage, "GET", "/info", LOOPBACK).await.json();
    info["version"] = json!("VERSION");
    insta::assert_json_snapshot!(info);
    assert_eq!(ask(&stage, "GET", "/healthz", LOOPBACK).await.status, 200);
    let metrics = ask(&stage, "GET", "/metrics", LOOPBACK).await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("lumos_agent_connections 0"));
}

#[tokio::test]
async fn is_ready_after_the_first_scan_until_it_drains() {
    let stage = stage();
    let status = async |path: &str| ask(&stage, "GET", path, LOOPBACK).await.status.as_u16();
    assert_eq!(status("/readyz").await, 503);
    stage.fake.scanned.store(true, Ordering::Relaxed);
    let ready = ask(&stage, "GET", "/readyz", LOOPBACK).await;
    assert_eq!(ready.status, 200);
    insta::assert_json_snapshot!(ready.json());
    assert_eq!(status("/readyz?connector=mockapp").await, 200);
    assert_eq!(status("/readyz?connector=mockapp,other").await, 503);
    assert_eq!(status("/readyz?connector=none").await, 503);

    std::fs::write(stage.dir.path().join("tokens.json"), "{").unwrap();
    let ready = ask(&stage, "GET", "/readyz", LOOPBACK).await.json();
    assert!(
        ready["problems"][0].as_str().unwrap().contains("tokens.json"),
        "{ready}"
    );

    stage.draining.cancel();
    assert_eq!(status("/readyz").await, 503);
    let info = ask(&stage, "GET", "/info", LOOPBACK).await.json();
    assert_eq!(info["connected"], json!(false));
}

#[tokio::test]
async fn refuses_other_hosts_and_methods() {
    let stage = stage();
    for host in [None, Some("evil.example"), Some("10.0.0.1:10002")] {
        assert_eq!(ask(&stage, "GET", "/info", host).await.status, 421, "{host:?}");
    }
    let got = ask(&stage, "POST", "/info", LOOPBACK).await;
    assert_eq!((got.status.as_u16(), got.header("allow")), (405, "GET, HEAD"));
    assert_eq!(ask(&stage, "GET", "/other", LOOPBACK).await.status, 404);
}
