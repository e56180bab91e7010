//! The command line's way to an agent: over its control socket (a named pipe on Windows) on this machine, or over HTTPS
//! with a token.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::cookie::Cookie;
use crate::os::Owner;

/// How long a connection may take to come about. Calls themselves may take as long as the agent lets them.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a question about the agent itself may take; a rescan copies large files meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer about the agent itself. That of a connector is as large as the agent lets it be.
const LARGEST: usize = 64 << 20;

/// A way to one agent.
pub struct Client(Transport);

enum Transport {
    Local {
        address: PathBuf,
        state_dir: PathBuf,
    },
    Remote {
        http: reqwest::Client,
        base: Url,
        token: Option<SecretString>,
    },
}

/// A client certificate with its chain, and its private key, in PEM.
#[derive(Debug, Clone, Copy)]
pub struct ClientFiles<'a> {
    /// Where the certificate is.
    pub certificate: &'a Path,
    /// Where the key is.
    pub private_key: &'a Path,
}

/// What the agent answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body, usually JSON.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("the agent at {address} can't be reached: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// The operating system does not let this user ask.
    #[error("you may not use the control socket {0}")]
    NotPermitted(String),
    /// Somebody listens there, but does not answer.
    #[error("the agent at {address} is there, but gave no answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// Where.
        address: String,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("the agent at {address} broke the connection: {reason}")]
    Broken {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// The `--client-cert` and `--client-key` files are not usable.
    #[error("{} is not usable as a client certificate: {reason}", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The `--ca` file is not usable.
    #[error("{} is not a usable CA certificate: {reason}", path.display())]
    Authority {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Client {
    /// The agent on this machine whose state is in `state_dir`.
    #[must_use]
    pub fn local(state_dir: &Path) -> Self {
        Client(Transport::Local {
            address: super::endpoint(state_dir),
            state_dir: state_dir.to_owned(),
        })
    }

    /// The agent at `base` (`https://HOST:8443/connectors`; the path may be left out), which accepts `token`, the
    /// `certificate`, or both. With `ca`, only that authority is trusted, otherwise those of the system.
    ///
    /// # Errors
    /// If a file can't be read or does not hold what it should.
    pub fn remote(
        base: &Url,
        token: Option<SecretString>,
        certificate: Option<ClientFiles<'_>>,
        ca: Option<&Path>,
    ) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .user_agent(concat!("lumos-agent/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca {
            builder = builder.tls_certs_only(authorities(path)?);
        }
        if let Some(files) = certificate {
            builder = builder.identity(identity(files)?);
        }
        if is_loopback(base) {
            // What stays on this machine is no proxy's business.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ClientError::Unreachable {
            address: base.to_string(),
            reason: chain(&error),
        })?;
        let mut base = base.clone();
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(path.strip_suffix("/connectors").unwrap_or(&path));
        Ok(Client(Transport::Remote { http, base, token }))
    }

    /// Whether it is the agent on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.0, Transport::Local { .. })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> Result<Reply, ClientError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// `POST path` with a JSON `body`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, path: &str, body: Bytes) -> Result<Reply, ClientError> {
        self.send(Method::POST, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Reply, ClientError> {
        match &self.0 {
            Transport::Local { address, state_dir } => {
                let about_itself = path.starts_with("/control/");
                let exchange = local(address, state_dir, method, path, body);
                if !about_itself {
                    return exchange.await;
                }
                let silent = |_| ClientError::Silent {
                    address: address.display().to_string(),
                };
                tokio::time::timeout(PATIENCE, exchange).await.map_err(silent)?
            }
            Transport::Remote { http, base, token } => {
                let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
                remote(http, method, &url, body, token.as_ref()).await
            }
        }
    }
}

async fn local(
    address: &Path,
    state_dir: &Path,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Reply, ClientError> {
    let shown = address.display().to_string();
    let broken = |reason: String| ClientError::Broken {
        address: shown.clone(),
        reason,
    };
    let unreachable = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => ClientError::NotPermitted(shown.clone()),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::Unreachable {
            address: shown.clone(),
            reason: "it is not running".into(),
        },
        _ => ClientError::Unreachable {
            address: shown.clone(),
            reason: error.to_string(),
        },
    };
    let stream = connect(address).await.map_err(unreachable)?;
    // After connecting: an agent that listens has written its secret before.
    let listener = listener(&stream).map_err(unreachable)?;
    let cookie = Cookie::read(state_dir, listener.as_ref()).map_err(unreachable)?;
    let limit = if path.starts_with("/control/") {
        LARGEST
    } else {
        usize::MAX
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(chain(&error)))?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(|error| broken(error.to_string()))?;
    request.headers_mut().extend(cookie.header());
    let exchange = async {
        let answered = sender.send_request(request).await;
        let (head, body) = answered.map_err(|error| chain(&error))?.into_parts();
        let body = Limited::new(body, limit).collect().await;
        Ok(Reply {
            status: head.status,
            body: body.map_err(|error| chain(&*error))?.to_bytes(),
        })
    };
    // The connection has to be driven beside the exchange; it ends with it.
    let mut connection = std::pin::pin!(connection);
    let mut exchange = std::pin::pin!(exchange);
    let outcome = tokio::select! {
        outcome = &mut exchange => outcome,
        _ = &mut connection => exchange.await,
    };
    outcome.map_err(broken)
}

async fn remote(
    http: &reqwest::Client,
    method: Method,
    url: &str,
    body: Bytes,
    token: Option<&SecretString>,
) -> Result<Reply, ClientError> {
    let shown = url.to_owned();
    let mut request = http
        .request(method, url)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token.expose_secret());
    }
    let response = request.send().await.map_err(|error| ClientError::Unreachable {
        address: shown.clone(),
        reason: chain(&error.without_url()),
    })?;
    let status = response.status();
    let body = response.bytes().await.map_err(|error| ClientError::Broken {
        address: shown,
        reason: chain(&error.without_url()),
    })?;
    Ok(Reply { status, body })
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let wrong = |reason: String| ClientError::Authority {
        path: path.to_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let authorities =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
    if authorities.is_empty() {
        return Err(wrong("it holds no certificate".into()));
    }
    Ok(authorities)
}

fn identity(files: ClientFiles<'_>) -> Result<reqwest::Identity, ClientError> {
    let wrong = |path: &Path, reason: String| ClientError::Certificate {
        path: path.to_owned(),
        reason,
    };
    let read = |path: &Path| {
        std::fs::read(path)
            .map(Zeroizing::new)
            .map_err(|error| wrong(path, error.to_string()))
    };
    let mut pem = read(files.private_key)?;
    pem.push(b'\n');
    pem.extend_from_slice(&read(files.certificate)?);
    reqwest::Identity::from_pem(&pem).map_err(|error| wrong(files.certificate, chain(&error)))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An error and what is behind it, which HTTP libraries hide.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

/// Who listens at the other end.
#[cfg(unix)]
fn listener(stream: &tokio::net::UnixStream) -> io::Result<Option<Owner>> {
    Ok(Some(Owner::User(stream.peer_cred()?.uid())))
}

/// Whose the pipe is was looked at when it was opened.
#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "fails on Linux")]
fn listener(_: &tokio::net::windows::named_pipe::NamedPipeClient) -> io::Result<Option<Owner>> {
    Ok(None)
}

#[cfg(unix)]
async fn connect(address: &Path) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(address).await
}

#[cfg(windows)]
async fn connect(address: &Path) -> io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    /// All instances of the pipe are taken for the moment.
    const ERROR_PIPE_BUSY: i32 = 231;
    for _ in 0..100 {
        match crate::os::open_control_pipe(address) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_stands_still_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        Cookie::make(dir.path()).unwrap();
        let _never_answers = tokio::net::UnixListener::bind(super::super::endpoint(dir.path())).unwrap();
        let error = Client::local(dir.path())
            .get("/control/status")
            .await
            .unwrap_err();
        assert!(matches!(error, ClientError::Silent { .. }), "{error}");
    }

    #[tokio::test]
    async fn no_agent_is_told_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let error = Client::local(dir.path())
            .get("/control/status")
            .await
            .unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    }
}
