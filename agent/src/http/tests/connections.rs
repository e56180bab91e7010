//! Real connections over loopback: TLS, HTTP/1.1 on the wire, and HTTP/2.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::fake::{Stage, stage, tls};
use crate::conditions::Conditions;
use crate::config::model::{ClientAuth, Tls};
use crate::http::listener::Listener;
use crate::tls::issue::Issued;
use crate::tls::{ServerTls, issue_client};

struct Served {
    stage: Stage,
    tls: Arc<ServerTls>,
    address: SocketAddr,
    close: CancellationToken,
    task: AbortOnDropHandle<()>,
}

fn write_pair(dir: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let settings = tls(dir);
    std::fs::write(&settings.certificate, made.cert.pem()).unwrap();
    let _ = std::fs::remove_file(&settings.private_key);
    std::fs::write(&settings.private_key, made.signing_key.serialize_pem()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&settings.private_key, private).unwrap();
    }
}

async fn served() -> Served {
    served_with(|_| {}).await
}

/// With what `change` makes of the settings.
async fn served_with(change: impl FnOnce(&mut Tls)) -> Served {
    let stage = stage();
    write_pair(stage.dir.path());
    let mut settings = tls(stage.dir.path());
    change(&mut settings);
    let tls = Arc::new(ServerTls::load(&settings, Conditions::default()).unwrap());
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let close = CancellationToken::new();
    let listener = Listener {
        socket,
        tls: Some(tls.clone()),
        router: stage.router.clone(),
        max_connections: 8,
        metrics: stage.metrics.clone(),
        throttle: stage.throttle.clone(),
    };
    let task = AbortOnDropHandle::new(tokio::spawn(listener.serve(close.clone().into())));
    Served {
        stage,
        tls,
        address,
        close,
        task,
    }
}

impl Served {
    async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        self.shake(alpn, None).await.unwrap()
    }

    /// With a certificate of the caller's own, if there is one.
    async fn shake(&self, alpn: &[u8], own: Option<&Issued>) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let pem = std::fs::read(tls(self.stage.dir.path()).certificate).unwrap();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut client = match own {
            None => client.with_no_client_auth(),
            Some(own) => {
                let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(own.private_key.as_bytes()).unwrap();
                client.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        client.alpn_protocols = vec![alpn.to_vec()];
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(client)).connect(name, tcp).await
    }

    fn head(&self, path: &str, token: &str, more: &str) -> String {
        let token = if token.is_empty() {
            "none"
        } else {
            self.stage.token(token)
        };
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n{more}\r\n"
        )
    }
}

/// Reads until `until` has come.
async fn read_until(stream: &mut TlsStream<TcpStream>, until: &str) -> String {
    let (mut text, mut part) = (String::new(), [0; 4096]);
    while !text.contains(until) {
        let n = stream.read(&mut part).await.unwrap();
        assert!(n > 0, "the connection ended after: {text}");
        text.push_str(&String::from_utf8_lossy(&part[..n]));
    }
    text
}

const LIST: &str = "/connectors/mockapp/list_accounts";

#[tokio::test]
async fn calls_over_http1_and_a_new_certificate_meanwhile() {
    let served = served().await;
    let mut old = served.connect(b"http/1.1").await;
    let ask = served.head(LIST, "all", "content-length: 2\r\n") + "{}";
    old.write_all(ask.as_bytes()).await.unwrap();
    read_until(&mut old, "true}").await;

    let before = served.tls.certificate();
    write_pair(served.stage.dir.path());
    let (sender, config) =
        tokio::sync::watch::channel(Arc::new(super::fake::config(served.stage.dir.path())));
    let stop = CancellationToken::new();
    let changed = async {
        while served.tls.certificate() == before {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        stop.cancel();
    };
    // The pair was written after it was loaded: what is in force must follow.
    tokio::join!(served.tls.watch(config, stop.clone()), changed);
    drop(sender);

    old.write_all(ask.as_bytes()).await.unwrap();
    read_until(&mut old, "true}").await;
    let mut new = served.connect(b"http/1.1").await;
    new.write_all(ask.as_bytes()).await.unwrap();
    read_until(&mut new, "true}").await;
}

#[tokio::test]
async fn one_hundred_continue_comes_only_after_the_credential() {
    let served = served().await;
    let more = "content-length: 2\r\nexpect: 100-continue\r\n";
    let mut stream = served.connect(b"http/1.1").await;
    stream
        .write_all(served.head(LIST, "all", more).as_bytes())
        .await
        .unwrap();
    let text = read_until(&mut stream, "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 100 Continue"), "{text}");
    stream.write_all(b"{}").await.unwrap();
    read_until(&mut stream, "true}").await;

    let mut stream = served.connect(b"http/1.1").await;
    stream
        .write_all(served.head(LIST, "", more).as_bytes())
        .await
        .unwrap();
    let text = read_until(&mut stream, "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
}

#[tokio::test]
async fn a_refused_upload_is_read_to_its_end_so_that_the_answer_arrives() {
    let served = served().await;
    let mut stream = served.connect(b"http/1.1").await;
    let len = 4 << 20;
    let head = served.head(LIST, "", &format!("content-length: {len}\r\n"));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; len]).await.unwrap();
    let text = read_until(&mut stream, "is_error").await;
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    // The connection is still good.
    stream
        .write_all((served.head(LIST, "all", "content-length: 2\r\n") + "{}").as_bytes())
        .await
        .unwrap();
    read_until(&mut stream, "true}").await;
}

#[tokio::test]
async fn a_caller_that_goes_away_drops_its_call() {
    let served = served().await;
    let mut stream = served.connect(b"http/1.1").await;
    let ask = served.head("/connectors/mockapp/wait", "all", "content-length: 2\r\n") + "{}";
    stream.write_all(ask.as_bytes()).await.unwrap();
    served.stage.fake.begun(1).await;
    drop(stream);
    served.stage.fake.dropped.notified().await;
}

#[tokio::test]
async fn a_handshake_that_fails_for_its_certificate_counts_like_a_bad_token() {
    let now = jiff::Timestamp::now();
    let authority = || issue_client::authority(now).unwrap();
    let (trusted, foreign) = (authority(), authority());
    let served = served_with(|settings| {
        let path = settings.certificate.with_file_name("client-ca.pem");
        std::fs::write(&path, &trusted.certificate).unwrap();
        settings.client_ca = Some(path);
        settings.client_auth = ClientAuth::Required;
    })
    .await;
    let until = now + jiff::SignedDuration::from_hours(1);
    let of = |authority| issue_client::client(authority, "caller", &[1], now, until).unwrap();
    let failures = || served.stage.throttle.count(served.address.ip());

    served.shake(b"http/1.1", Some(&of(&trusted))).await.unwrap();
    assert_eq!(failures(), 0);
    for (own, expected) in [(Some(of(&foreign)), 1), (None, 2)] {
        // In TLS 1.3 a client learns of it only when it reads.
        let mut stream = served.shake(b"http/1.1", own.as_ref()).await.unwrap();
        let error = stream.read(&mut [0]).await.unwrap_err();
        assert!(error.to_string().contains("alert"), "{error}");
        while failures() < expected {
            tokio::task::yield_now().await;
        }
    }
    served.shake(b"http/1.1", Some(&of(&trusted))).await.unwrap();
    assert_eq!(failures(), 2);
}

#[tokio::test]
async fn closing_waits_for_the_call_in_flight() {
    let served = served().await;
    let mut stream = served.connect(b"http/1.1").await;
    let ask = served.head("/connectors/mockapp/wait", "all", "content-length: 2\r\n") + "{}";
    stream.write_all(ask.as_bytes()).await.unwrap();
    served.stage.fake.begun(1).await;
    served.close.cancel();
    served.stage.fake.go.add_permits(1);
    read_until(&mut stream, "waited").await;
    served.task.await.unwrap();
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

/// An HTTP/2 connection, and the task that moves its bytes.
async fn http2(served: &Served) -> (Http2, AbortOnDropHandle<()>) {
    let stream = TokioIo::new(served.connect(b"h2").await);
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (client, connection) = made.unwrap();
    let task = tokio::spawn(async { connection.await.unwrap_or_default() });
    (client, AbortOnDropHandle::new(task))
}

fn http2_request(served: &Served, path: &str) -> http::Request<Full<Bytes>> {
    http::Request::post(format!("https://localhost{path}"))
        .header("authorization", format!("Bearer {}", served.stage.token("all")))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(b"{}")))
        .unwrap()
}

#[tokio::test]
async fn a_stream_that_is_reset_drops_its_call_and_nothing_else() {
    let served = served().await;
    let (mut client, _task) = http2(&served).await;
    let answer = client.send_request(http2_request(&served, "/connectors/mockapp/wait"));
    tokio::select! {
        _ = answer => panic!("nobody let it go"),
        () = served.stage.fake.begun(1) => {}
    }
    served.stage.fake.dropped.notified().await;
    let response = client.send_request(http2_request(&served, LIST)).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn http2_is_offered_and_spoken() {
    let served = served().await;
    let (mut client, _task) = http2(&served).await;
    for _ in 0..3 {
        let response = client.send_request(http2_request(&served, LIST)).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "{\"response\":  true}");
    }
}

#[tokio::test]
async fn without_tls_there_is_nothing() {
    let served = served().await;
    let mut tcp = TcpStream::connect(served.address).await.unwrap();
    tcp.write_all(b"GET /connectors HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}
