//! The baseline: the smallest server on the same libraries that checks the same token and gives the same bytes. What the
//! agent costs is told as a part of what this one does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use clap::Args;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::answers::{CAPABILITIES, file_of};

/// The variable that holds the token; a command line is for everybody to read.
pub(crate) const TOKEN: &str = "BENCH_TOKEN";

/// Serve the baseline until killed
#[derive(Debug, Args)]
pub(crate) struct Baseline {
    #[arg(long)]
    listen: SocketAddr,
    /// An installation's directory with certificate and key
    #[arg(long)]
    tls: PathBuf,
    /// Where the answers are
    #[arg(long)]
    answers: PathBuf,
}

struct Shared {
    authorization: Vec<u8>,
    answers: HashMap<String, Bytes>,
}

pub(crate) async fn serve(baseline: &Baseline) -> anyhow::Result<()> {
    let token = std::env::var(TOKEN).context("there is no token")?;
    let mut answers = HashMap::new();
    for capability in CAPABILITIES {
        let bytes = std::fs::read(file_of(&baseline.answers, capability)).context("an answer is missing")?;
        answers.insert(capability.to_owned(), Bytes::from(bytes));
    }
    let shared = Shared {
        authorization: format!("Bearer {token}").into_bytes(),
        answers,
    };
    let router = Router::new()
        .route("/connectors/{app_id}/{capability}", post(answer))
        .with_state(Arc::new(shared));
    let acceptor = TlsAcceptor::from(Arc::new(tls(&baseline.tls)?));
    let listener = TcpListener::bind(baseline.listen)
        .await
        .context("cannot listen")?;
    loop {
        let (socket, _) = listener.accept().await.context("cannot accept")?;
        socket.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(socket).await else {
                return;
            };
            let builder = auto::Builder::new(TokioExecutor::new());
            // A load that goes away is no error.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path((_, capability)): axum::extract::Path<(String, String)>,
    headers: HeaderMap,
    _body: Bytes,
) -> Response {
    let given = headers
        .get(AUTHORIZATION)
        .map_or(&b""[..], |value| value.as_bytes());
    if !bool::from(given.ct_eq(&shared.authorization)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match shared.answers.get(&capability) {
        Some(bytes) => ([(CONTENT_TYPE, "application/json")], bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn tls(directory: &Path) -> anyhow::Result<ServerConfig> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(directory.join("server.pem"))
        .context("no certificate")?
        .collect::<Result<_, _>>()
        .context("the certificate is unreadable")?;
    let key = PrivateKeyDer::from_pem_file(directory.join("server.key")).context("the key is unreadable")?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("certificate and key do not fit")
}
