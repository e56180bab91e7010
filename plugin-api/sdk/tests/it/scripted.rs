//! A server that gives its answers one after the other, a forward proxy, and a connector that makes requests.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::prelude::*;

/// An answer, or `None` to close the connection in its place.
pub(crate) type Answer = Option<String>;

pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Answer {
    Some(format!(
        "HTTP/1.1 {status} Any\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// The server; it lives until the test process ends.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) url: String,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Scripted {
    /// Gives `answers`, and the last of them for ever.
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let (listener, server) = Self::bound(answers);
        let serving = server.clone();
        accept(listener, move |stream| {
            serving.connections.fetch_add(1, Ordering::SeqCst);
            let writer = stream.try_clone().unwrap();
            serving.serve(stream, writer);
        });
        server
    }

    /// The same by TLS.
    pub(crate) fn start_tls(
        config: Arc<rustls::ServerConfig>,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Self {
        let (listener, mut server) = Self::bound(answers);
        server.url = server.url.replace("http://127.0.0.1", "https://localhost");
        let serving = server.clone();
        accept(listener, move |stream| {
            serving.connections.fetch_add(1, Ordering::SeqCst);
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let stream = Arc::new(Mutex::new(rustls::StreamOwned::new(connection, stream)));
            serving.serve(Shared(stream.clone()), Shared(stream));
        });
        server
    }

    fn bound(answers: impl IntoIterator<Item = Answer>) -> (TcpListener, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        (listener, server)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn serve(&self, reader: impl Read, mut writer: impl Write) {
        let mut reader = BufReader::new(reader);
        while let Some(request) = read_request(&mut reader) {
            self.requests.lock().unwrap().push(request);
            let mut answers = self.answers.lock().unwrap();
            let answer = if answers.len() > 1 {
                answers.pop_front().unwrap()
            } else {
                answers.front().unwrap().clone()
            };
            drop(answers);
            let Some(answer) = answer else { return };
            if writer
                .write_all(answer.as_bytes())
                .and_then(|()| writer.flush())
                .is_err()
            {
                return;
            }
        }
    }
}

/// Both halves of a TLS connection; they are used in turn.
struct Shared(Arc<Mutex<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().read(buffer)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.lock().unwrap().flush()
    }
}

fn accept(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) {
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
}

/// Head and body, or nothing when the connection ends.
fn read_request(reader: &mut impl BufRead) -> Option<String> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

/// A forward proxy that lets nobody through without `somebody:p@ss`.
pub(crate) struct Proxy {
    pub(crate) url: String,
    /// First lines of the requests that it let through.
    pub(crate) passed: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let passed = Arc::<Mutex<Vec<String>>>::default();
        let seen = passed.clone();
        accept(listener, move |stream| {
            let _ = pass(stream, &seen);
        });
        Self { url, passed }
    }
}

fn pass(mut client: TcpStream, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    loop {
        let request = read_request(&mut reader)?;
        // base64 of somebody:p@ss
        if !request.contains("Basic c29tZWJvZHk6cEBzcw==") {
            let refusal = "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
            client.write_all(refusal.as_bytes()).ok()?;
            continue;
        }
        let line = request.lines().next()?.to_owned();
        seen.lock().unwrap().push(line.clone());
        let mut words = line.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        if method == "CONNECT" {
            let port = target.rsplit(':').next()?;
            let mut server = TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
            client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
            let (mut up, mut down) = (client.try_clone().ok()?, server.try_clone().ok()?);
            std::thread::spawn(move || std::io::copy(&mut up, &mut down));
            std::io::copy(&mut server, &mut client).ok()?;
            return Some(());
        }
        let place = target.strip_prefix("http://")?;
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        let mut server = TcpStream::connect(host).ok()?;
        let rest = request.split_once("\r\n")?.1;
        let forwarded = format!("{method} /{path} HTTP/1.1\r\nConnection: close\r\n{rest}");
        server.write_all(forwarded.as_bytes()).ok()?;
        let mut answer = [0; 4096];
        let length = server.read(&mut answer).ok()?;
        client.write_all(&answer[..length]).ok()?;
    }
}

/// Where the app is.
#[derive(Clone, Deserialize, JsonSchema)]
pub(crate) struct App {
    pub(crate) url: String,
}

pub(crate) type Ctx = Context<TokenCredential, App>;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// What the app answered.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answered {
    body: String,
}

/// A connector whose capabilities `read` and `change` run `function`.
pub(crate) fn connector<F, Fut>(function: F) -> Harness
where
    F: Fn(Ctx) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<lumos_connector_sdk::http::HttpResponse>> + Send + 'static,
{
    let run = move |ctx: Ctx, _: Nothing| {
        let sent = function(ctx);
        async move {
            let body = sent.await?.text().into_owned();
            Ok(Answered { body })
        }
    };
    let integration = Integration::new("scripted", "1.0.0")
        .auth::<TokenCredential>()
        .settings::<App>()
        .register_custom(Custom::read("read"), run.clone())
        .register_custom(Custom::write("change"), run);
    Harness::new(integration).unwrap().without_waiting()
}

pub(crate) fn request(url: &str) -> Json {
    json!({"auth": {"token": {"token": "t0ken"}}, "settings": {"url": url}, "request": {}})
}
