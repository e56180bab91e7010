//! Connections that outlive a call.
//!
//! One client for each tenant and way to the app, so that no tenant waits in another's connection and no connection carries
//! two tenants' credentials; and a bound on how many are kept. What is costly to make, the list of trusted authorities, is
//! shared.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::{Action, Attempt, Policy};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use super::network::Network;
use crate::error::ConnectorError;
use crate::log;

/// More tenants than this, and the one that was not used for longest loses its connections.
const MAX_TENANTS: usize = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
const MAX_IDLE_PER_HOST: usize = 8;
const MAX_REDIRECTS: usize = 5;
/// TLS sessions that a tenant can resume; most talk to one or two hosts.
const MAX_SESSIONS: usize = 8;

/// Names a file of authorities that are trusted besides the system's.
const EXTRA_AUTHORITIES: &str = "NODE_EXTRA_CA_CERTS";

tokio::task_local! {
    /// Whether the exchange of this task was redirected: then something has been answered before a connection fails.
    pub(super) static REDIRECTED: Cell<bool>;
}

/// A tenant, and its way to the app.
type Key = (u64, [u8; 32]);

/// The clients of a loaded connector. Nothing is made before the first request.
#[derive(Default)]
pub(crate) struct HttpPool {
    /// In the order of their last use.
    clients: Mutex<Vec<(Key, reqwest::Client)>>,
    tls: OnceLock<ClientConfig>,
}

impl HttpPool {
    /// The client of `tenant` for the app behind `network`.
    pub(super) fn client(&self, tenant: u64, network: &Network) -> Result<reqwest::Client, ConnectorError> {
        let key = (tenant, network.digest());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = clients.iter().position(|(known, _)| *known == key) {
            let entry = clients.remove(index);
            let client = entry.1.clone();
            clients.push(entry);
            return Ok(client);
        }
        let client = self.build(network)?;
        if clients.len() == MAX_TENANTS {
            clients.remove(0);
        }
        clients.push((key, client.clone()));
        Ok(client)
    }

    fn build(&self, network: &Network) -> Result<reqwest::Client, ConnectorError> {
        let mut tls = if network.roots.is_empty() {
            self.tls.get_or_init(|| trusting(&[])).clone()
        } else {
            trusting(&network.roots)
        };
        tls.resumption = Resumption::in_memory_sessions(MAX_SESSIONS);
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .redirect(if network.stay {
                Policy::none()
            } else {
                Policy::custom(follow)
            })
            .referer(false)
            .user_agent(concat!("lumos-connector-sdk/", env!("CARGO_PKG_VERSION")));
        if network.direct {
            builder = builder.no_proxy();
        }
        if let Some(proxy) = network.proxy()? {
            builder = builder.proxy(proxy);
        }
        builder
            .build()
            .map_err(|error| ConnectorError::internal(format!("cannot set up the HTTP client: {error}")))
    }
}

/// Follows within the app only: a redirect to another origin would take headers with keys there. Such an answer is left to
/// the caller, with its status.
fn follow(attempt: Attempt<'_>) -> Action {
    let first = attempt.previous().first();
    if attempt.previous().len() > MAX_REDIRECTS {
        attempt.error("too many redirects")
    } else if first.is_none_or(|first| is_same_app(first, attempt.url())) {
        // Outside of an exchange nobody wants to know.
        let _ = REDIRECTED.try_with(|redirected| redirected.set(true));
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// The same origin, or the same host by TLS.
fn is_same_app(from: &Url, to: &Url) -> bool {
    from.origin() == to.origin()
        || (to.scheme() == "https" && from.scheme() == "http" && from.host() == to.host())
}

/// TLS 1.2 and 1.3 with the authorities that the operating system trusts, and `extra` ones.
fn trusting(extra: &[CertificateDer<'static>]) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has TLS 1.2 and 1.3");
    let mut roots = operators_authorities();
    roots.extend_from_slice(extra);
    let mut config = match Verifier::new_with_extra_roots(roots, provider) {
        Ok(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth(),
        Err(error) => {
            // A container without certificates can still reach an app without TLS.
            log::warning!("no certificate authority is trusted, so every TLS connection will fail: {error}");
            builder
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Those in the file that the environment names, if it does.
fn operators_authorities() -> Vec<CertificateDer<'static>> {
    let Some(path) = std::env::var_os(EXTRA_AUTHORITIES) else {
        return Vec::new();
    };
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect);
    read.unwrap_or_else(|error| {
        log::warning!("{EXTRA_AUTHORITIES}: {}: {error}", path.to_string_lossy());
        Vec::new()
    })
}
