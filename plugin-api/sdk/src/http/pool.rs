//! Connections that outlive a call.
//!
//! One client for each tenant, so that no tenant waits in another's connection and no connection carries two tenants'
//! credentials; and a bound on how many are kept. What is costly to make, the list of trusted authorities, is shared.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::{Action, Attempt, Policy};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;

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

/// The clients of a loaded connector. Nothing is made before the first request.
#[derive(Default)]
pub(crate) struct HttpPool {
    /// In the order of their last use.
    clients: Mutex<Vec<(u64, reqwest::Client)>>,
    tls: OnceLock<ClientConfig>,
}

impl HttpPool {
    /// The client of `tenant`.
    pub(super) fn client(&self, tenant: u64) -> Result<reqwest::Client, ConnectorError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = clients.iter().position(|(key, _)| *key == tenant) {
            let entry = clients.remove(index);
            let client = entry.1.clone();
            clients.push(entry);
            return Ok(client);
        }
        let client = self.build()?;
        if clients.len() == MAX_TENANTS {
            clients.remove(0);
        }
        clients.push((tenant, client.clone()));
        Ok(client)
    }

    fn build(&self) -> Result<reqwest::Client, ConnectorError> {
        let mut tls = self.tls.get_or_init(trust_the_system).clone();
        tls.resumption = Resumption::in_memory_sessions(MAX_SESSIONS);
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .redirect(Policy::custom(follow))
            .referer(false)
            .user_agent(concat!("lumos-connector-sdk/", env!("CARGO_PKG_VERSION")))
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

/// TLS 1.2 and 1.3 with the authorities that the operating system trusts.
fn trust_the_system() -> ClientConfig {
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has TLS 1.2 and 1.3")
    };
    let mut config = match builder().with_platform_verifier() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            // A container without certificates can still reach an app without TLS.
            log::warning!(
                "the system trusts no certificate authority, so every TLS connection will fail: {error}"
            );
            builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
