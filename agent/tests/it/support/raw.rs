//! Bytes over TLS, without a client that would put them in order.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::agent::{Agent, PATIENCE};

/// What came back until the end of the connection.
pub(crate) struct Answers {
    pub(crate) text: String,
}

impl Answers {
    /// How many answers there are.
    pub(crate) fn count(&self) -> usize {
        self.text.matches("HTTP/1.1 ").count()
    }

    /// The status of the first.
    pub(crate) fn status(&self) -> u16 {
        let status = self.text.get(9..12).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no answer: {:?}", self.text))
    }

    /// The body of the only one.
    pub(crate) fn body(&self) -> Value {
        let body = self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }
}

/// A connection to the dispatch listener that settled on `alpn`.
pub(crate) async fn connect(agent: &Agent, alpn: &[u8]) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(host(agent)).await.unwrap();
    shake_hands(agent, alpn, tcp).await
}

/// The same over a connection that is open already.
pub(crate) async fn shake_hands(agent: &Agent, alpn: &[u8], tcp: TcpStream) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let ca = std::fs::read(agent.installation.file("tls/ca.pem")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client))
        .connect(name, tcp)
        .await
        .unwrap()
}

/// `127.0.0.1:PORT`
pub(crate) fn host(agent: &Agent) -> &str {
    let rest = agent.base_url.strip_prefix("https://").unwrap();
    rest.split('/').next().unwrap()
}

/// Sends `bytes` over a connection of their own and reads to its end.
pub(crate) async fn exchange(agent: &Agent, bytes: &[u8]) -> Answers {
    let mut stream = connect(agent, b"http/1.1").await;
    stream.write_all(bytes).await.unwrap();
    let mut read = Vec::new();
    // A connection that is closed while something is under way may end with an error; what was answered counts.
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    let text = String::from_utf8_lossy(&read).into_owned();
    assert!(ended.is_ok(), "the connection stays open after {text:?}");
    Answers { text }
}
