//! A tiny HTTP server that answers as its paths say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The server; it lives until the test process ends.
pub(crate) struct Upstream {
    pub(crate) url: String,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (count, seen) = (connections.clone(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let seen = seen.clone();
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self {
            url,
            connections,
            requests,
        }
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let body = String::from_utf8(body).unwrap();
        if path == "/hang" {
            // Until the client gives up.
            let _ = reader.read(&mut [0]);
            return;
        }
        let answer = if path.starts_with("/api/users") {
            Some(wanted(&body))
        } else {
            answer(&path)
        };
        seen.lock().unwrap().push(head + &body);
        let Some(answer) = answer else { return };
        if writer.write_all(answer.as_bytes()).is_err() || path.starts_with("/cut") {
            return;
        }
    }
}

/// The answer that the request describes.
fn wanted(body: &str) -> String {
    let wanted: serde_json::Value = serde_json::from_str(body).unwrap();
    let status = &wanted["status"];
    let text = wanted["text"].as_str().unwrap_or_default();
    let kind = match wanted["content_type"].as_str() {
        Some(kind) => format!("Content-Type: {kind}\r\n"),
        None => String::new(),
    };
    format!(
        "HTTP/1.1 {status} Any\r\n{kind}Content-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// Nothing for a path that breaks the connection.
fn answer(path: &str) -> Option<String> {
    let json = "application/json";
    let (status, kind, extra, body) = match path.split('?').next().unwrap() {
        "/users" => (
            "200 OK",
            json,
            "",
            r#"[{"id":"1","email":"a@example.com"}]"#.to_owned(),
        ),
        "/missing" => (
            "404 Not Found",
            json,
            "",
            r#"{"detail":"User not found"}"#.to_owned(),
        ),
        "/busy" => (
            "429 Too Many Requests",
            "text/plain",
            "Retry-After: 7\r\n",
            "slow down".to_owned(),
        ),
        "/html" => ("502 Bad Gateway", "text/html", "", "<html>".to_owned()),
        "/garbage" => ("200 OK", "text/plain", "", "surely no JSON".to_owned()),
        "/shape" => ("200 OK", json, "", r#"{"secret":"s3cret"}"#.to_owned()),
        "/elsewhere" => (
            "302 Found",
            "text/plain",
            "Location: http://app.invalid/users\r\n",
            String::new(),
        ),
        "/moved" => ("302 Found", "text/plain", "Location: /users\r\n", String::new()),
        "/gzip" => (
            "200 OK",
            json,
            "Content-Encoding: gzip\r\n",
            "no gzip at all".to_owned(),
        ),
        "/long" => ("200 OK", "text/plain", "", "x".repeat(5000)),
        "/away" => ("302 Found", "text/plain", "Location: /away\r\n", String::new()),
        "/cut" => return Some("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[".to_owned()),
        _ => return None,
    };
    Some(format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}
