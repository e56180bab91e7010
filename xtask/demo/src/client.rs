//! Calls as the cloud makes them: HTTPS against the agent's own CA, with a bearer token.

use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::{Certificate, Client, StatusCode};
use serde_json::Value;

/// A client that trusts one CA and nothing else.
#[derive(Debug)]
pub(crate) struct ApiClient {
    client: Client,
    url: String,
    token: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) took: Duration,
}

/// Must run before the first client is made.
pub(crate) fn choose_crypto() {
    // Only fails if something has been chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl ApiClient {
    /// `url` is the agent's, without a path.
    pub(crate) fn new(url: &str, ca: &[u8], token: String) -> anyhow::Result<Self> {
        let ca = Certificate::from_pem(ca).context("the agent's CA certificate is unreadable")?;
        let client = Client::builder()
            .tls_certs_only([ca])
            .https_only(true)
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .context("cannot set up an HTTPS client")?;
        Ok(Self {
            client,
            url: url.to_owned(),
            token,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `POST /connectors/{path}` with the token.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(path, body, Some(&self.token)).await
    }

    /// The same without any credential.
    pub(crate) async fn post_without_token(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(path, body, None).await
    }

    async fn send(&self, path: &str, body: &Value, token: Option<&str>) -> anyhow::Result<Answer> {
        let start = Instant::now();
        let mut request = self
            .client
            .post(format!("{}/connectors/{path}", self.url))
            .json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.context("the agent cannot be reached")?;
        let status = response.status();
        let body = response.bytes().await.context("the agent's answer broke off")?;
        let took = start.elapsed();
        let body = serde_json::from_slice(&body)
            .with_context(|| format!("the agent's answer ({status}) to {path} is not JSON"))?;
        Ok(Answer { status, body, took })
    }
}
