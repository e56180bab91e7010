//! Apps that answer what theirs never would.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use lumos_connector_sdk::harness::Harness;
use serde_json::{Value, json};

use crate::support::{code, document};

/// An app that gives the same answer to every request.
struct Broken {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Broken {
    fn answering(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let thread = std::thread::spawn({
            let (stop, asked) = (stop.clone(), asked.clone());
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    asked.fetch_add(1, Ordering::SeqCst);
                    // Whatever breaks here shows in the connector's answer.
                    let _ = stream.and_then(|stream| answer_one(&stream, &answer));
                }
            }
        });
        Self {
            address,
            stop,
            asked,
            thread: Some(thread),
        }
    }

    fn call(&self, capability: &str, request: &Value) -> Value {
        let harness = Harness::new(mockapp::integration()).expect("a sound declaration");
        harness.call(
            capability,
            document(&format!("http://{}", self.address), "valid-token", request),
        )
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer_one(mut stream: &TcpStream, answer: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    stream.write_all(answer.as_bytes())
}

const USER: &str = r#"{"id":"u","email":"u@example.com","name":"U","status":"active","last_login":null}"#;

#[test]
fn more_is_said_to_come_but_nothing_comes() {
    let app = Broken::answering(r#"{"items":[],"total":9,"limit":100,"offset":0,"has_more":true}"#);
    let answer = app.call("list_accounts", &json!({}));
    assert_eq!((&answer["response"], &answer["page"]), (&json!([]), &Value::Null));
    assert_eq!(app.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_page_that_repeats_is_an_error() {
    let app = Broken::answering(&format!(r#"{{"items":[{USER}],"offset":0,"has_more":true}}"#));
    let harness = Harness::new(mockapp::integration()).expect("a sound declaration");
    let mut request = document(&format!("http://{}", app.address), "valid-token", &json!({}));
    let first = harness.call("list_accounts", request.clone());
    assert!(first["page"]["token"].is_string());
    request["page"] = first["page"].clone();
    assert_eq!(code(&harness.call("list_accounts", request)), "invalid_response");
}

#[test]
fn an_app_that_says_little_is_understood() {
    let app = Broken::answering(r#"{"items":[{"id":"u"}]}"#);
    let answer = app.call("list_accounts", &json!({}));
    assert_eq!(answer["response"][0]["integration_specific_id"], "u");
    assert_eq!(answer["response"][0]["user_status"], "ACTIVE");
    assert_eq!(answer["page"], Value::Null);
}

#[test]
fn shapes_that_are_not_the_apps_are_invalid_responses() {
    for body in [
        "[]",
        "null",
        "7",
        r#"{"items":[{"email":"no id"}]}"#,
        r#"{"items":{}}"#,
        "",
        "{",
        "<html></html>",
    ] {
        let app = Broken::answering(body);
        for capability in [
            "list_accounts",
            "list_resources",
            "find_entitlement_associations",
            "create_account",
        ] {
            let acceptable = body == "[]" && !matches!(capability, "list_accounts" | "create_account");
            let answer = app.call(capability, &json!({}));
            if acceptable {
                assert_eq!(answer["response"], json!([]), "{capability} {body:?}");
            } else {
                assert_eq!(code(&answer), "invalid_response", "{capability} {body:?}");
            }
        }
    }
}
