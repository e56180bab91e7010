//! Connections that outlive a call.
//!
//! One client for each tenant, so that no tenant waits in another's connection and no connection carries two tenants'
//! credentials; and a bound on how many are kept.

use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use crate::error::ConnectorError;

/// More tenants than this, and the one that was not used for longest loses its connections.
const MAX_TENANTS: usize = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
const MAX_IDLE_PER_HOST: usize = 8;
const MAX_REDIRECTS: usize = 5;

/// The clients of a loaded connector. Nothing is made before the first request.
#[derive(Default)]
pub(crate) struct HttpPool {
    /// In the order of their last use.
    clients: Mutex<Vec<(u64, reqwest::Client)>>,
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
        let client = build()?;
        if clients.len() == MAX_TENANTS {
            clients.remove(0);
        }
        clients.push((tenant, client.clone()));
        Ok(client)
    }
}

fn build() -> Result<reqwest::Client, ConnectorError> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails only if the connector chose a provider itself, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
        .redirect(reqwest::redirect::Policy::limited(MAX_REDIRECTS))
        .referer(false)
        .user_agent(concat!("lumos-connector-sdk/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ConnectorError::internal(format!("cannot set up the HTTP client: {error}")))
}
