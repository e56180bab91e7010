//! Load: HTTP/1.1 over TLS on connections that are kept, each calling again as soon as it has its answer. One thread, and
//! as little work for each call as possible, because it shares the machine with what it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The body of every call: as the cloud sends them, with a credential in it.
pub(crate) const BODY: &str = r#"{"auth": {"oauth": null, "basic": null, "token": {"token": "a-token-of-some-length-0123456789"}}, "settings": {}, "request": {}}"#;

/// Where calls go, and with what.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) tls: Arc<ClientConfig>,
}

/// What came of a load.
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    pub(crate) median: Duration,
}

/// Trusts the authority in `ca` and no other.
pub(crate) fn trusting(ca: &[u8]) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca).context("the CA certificate is unreadable")?)
        .context("the CA certificate is no authority")?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Target {
    /// Calls `path` on so many connections for so long.
    pub(crate) async fn load(
        &self,
        path: &str,
        connections: usize,
        time: Duration,
    ) -> anyhow::Result<Sample> {
        let mut open = Vec::new();
        for _ in 0..connections {
            let mut connection = Connection::open(self, path).await?;
            // The first call of a connection is not measured.
            connection.call().await?;
            open.push(connection);
        }
        let start = Instant::now();
        let mut callers = JoinSet::new();
        for mut connection in open {
            callers.spawn(async move {
                let mut took = Vec::new();
                while start.elapsed() < time {
                    let begun = Instant::now();
                    connection.call().await?;
                    took.push(begun.elapsed());
                }
                anyhow::Ok(took)
            });
        }
        let mut all = Vec::new();
        while let Some(took) = callers.join_next().await {
            all.extend(took.context("a caller panicked")??);
        }
        let per_second = all.len() as f64 / start.elapsed().as_secs_f64();
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable(middle);
        Ok(Sample {
            per_second,
            median: *median,
        })
    }

    /// One call on a connection of its own; the answer.
    pub(crate) async fn once(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let mut connection = Connection::open(self, path).await?;
        connection.call().await?;
        Ok(connection.received.split_off(connection.body_from))
    }
}

struct Connection {
    stream: TlsStream<TcpStream>,
    request: Vec<u8>,
    received: Vec<u8>,
    /// Where the last answer's body begins.
    body_from: usize,
}

impl Connection {
    async fn open(target: &Target, path: &str) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(target.address)
            .await
            .context("nobody listens there")?;
        socket.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        let name = ServerName::try_from("localhost").expect("a valid name");
        let stream = TlsConnector::from(target.tls.clone())
            .connect(name, socket)
            .await
            .context("the TLS handshake failed")?;
        let request = format!(
            "POST /connectors/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
            target.token,
            BODY.len()
        );
        Ok(Self {
            stream,
            request: request.into_bytes(),
            received: Vec::with_capacity(1 << 20),
            body_from: 0,
        })
    }

    async fn call(&mut self) -> anyhow::Result<()> {
        self.stream
            .write_all(&self.request)
            .await
            .context("the connection broke")?;
        self.received.clear();
        let mut whole = None;
        while whole.is_none_or(|whole| self.received.len() < whole) {
            let count = self
                .stream
                .read_buf(&mut self.received)
                .await
                .context("the connection broke")?;
            if count == 0 {
                bail!("the connection was closed before the answer's end");
            }
            if whole.is_none() {
                whole = self.find_end()?;
            }
        }
        Ok(())
    }

    /// Where the answer will end, once its head is there.
    fn find_end(&mut self) -> anyhow::Result<Option<usize>> {
        const END: &[u8] = b"\r\n\r\n";
        const LENGTH: &[u8] = b"\r\ncontent-length: ";
        let Some(end) = self.received.windows(4).position(|four| four == END) else {
            return Ok(None);
        };
        let head = &self.received[..end + 2];
        ensure!(
            head.starts_with(b"HTTP/1.1 200 "),
            "the answer is not 200: {}",
            String::from_utf8_lossy(&self.received)
        );
        let length = head
            .windows(LENGTH.len())
            .position(|part| part.eq_ignore_ascii_case(LENGTH))
            .context("the answer has no Content-Length")?;
        let digits = head[length + LENGTH.len()..].split(|byte| *byte == b'\r').next();
        let digits =
            std::str::from_utf8(digits.unwrap_or_default()).context("Content-Length is no number")?;
        self.body_from = end + END.len();
        let length: usize = digits.parse().context("Content-Length is no number")?;
        Ok(Some(self.body_from + length))
    }
}
