//! A stand-in for the app: it answers what a test wants it to, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use lumos_connector_sdk::harness::Harness;
use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "the-token";

/// `"GET /users"`, the status and the body to answer with.
pub(crate) type Answer = (&'static str, u16, Value);

pub(crate) struct App {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl App {
    pub(crate) fn start(answers: impl Into<Vec<Answer>>) -> App {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers) = (Arc::clone(&asked), answers.into());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is no failure of the test.
                let _ = serve(stream, &answers, &kept);
            }
        });
        App { url, asked }
    }

    /// Calls the connector, with this app in its settings.
    pub(crate) fn call(&self, capability: &str, request: Value) -> Value {
        self.call_with(capability, json!({"request": request}))
    }

    /// The same with more members of the document, such as `page`.
    pub(crate) fn call_with(&self, capability: &str, mut document: Value) -> Value {
        document["auth"] = json!({"token": {"token": TOKEN}});
        document["settings"] = json!({"api_url": self.url});
        harness().call(capability, document)
    }

    /// What it was asked: method, path with query, and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panicked in it").clone()
    }
}

pub(crate) fn harness() -> Harness {
    Harness::new({{crate}}::integration()).expect("a sound declaration")
}

fn serve(stream: TcpStream, answers: &[Answer], asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let (mut first, mut length, mut token) = (String::new(), 0, false);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let (name, value) = line.trim().split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        token |= name.eq_ignore_ascii_case("authorization") && value.trim() == format!("Bearer {TOKEN}");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let target = first.trim().trim_end_matches(" HTTP/1.1");
    let line = format!("{target} {}", String::from_utf8_lossy(&body));
    asked.lock().expect("no test panicked in it").push(line.trim().to_owned());
    let path = target.split('?').next().unwrap_or_default();
    let found = answers.iter().find(|(wanted, ..)| *wanted == path);
    let (status, body) = match found {
        _ if !token => (401, json!({"error": "no token"})),
        Some((_, status, body)) => (*status, body.clone()),
        None => (404, json!({"error": "no such thing"})),
    };
    let body = body.to_string();
    write!(
        &stream,
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
