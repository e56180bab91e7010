//! The HTTP client that connectors talk to their app with.
//!
//! It does what every connector needs and what is easily forgotten: connections live on between calls, every answer that
//! is not a success becomes the right [`ConnectorError`], answers are bounded, credentials are
//! marked so that they cannot be printed and are not taken to another origin by a redirect, and the call's trace context
//! goes along.
//!
//! On request it sends again what failed ([`Retry`]), keeps within the app's limits ([`crate::rate_limit`]), and signs
//! ([`HttpClient::oauth1`], [`HttpClient::jwt`]).
//!
//! Each attempt is a line in the connector's log: method, address without its query, status, bytes, milliseconds; at the
//! level debug, or warning if there was no answer. Headers and bodies are not logged.
//!
//! # The way to the app
//!
//! The environment variables `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are obeyed; a proxy's address may hold
//! a user name and a password. The operating system's authorities are trusted, on Linux those that `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` name in their place, and besides them those in the file that `NODE_EXTRA_CA_CERTS` names. Where a tenant's
//! settings say something else: [`HttpClient::proxy`], [`HttpClient::no_proxy`], [`HttpClient::trust`].
#![forbid(unsafe_code)]

mod exchange;
mod failure;
mod jwt;
mod network;
mod oauth1;
mod pool;
mod request;
mod retry;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lumos_connector_models::{BasicCredential, JwtCredential, OAuth1Credential, Secret, TokenCredential};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::context::CallInfo;
use crate::error::ConnectorError;
use crate::rate_limit::RateLimit;
use network::Network;

pub(crate) use failure::{describe, retry_after_of, without_query};
pub use jwt::sign_jwt;
pub use oauth1::{OAuth1, Signature};
pub(crate) use pool::HttpPool;
pub use request::{HttpRequest, HttpResponse};
pub use reqwest::Method;
pub use retry::Retry;

/// Longest answer that is read, unless [`HttpClient::max_response_bytes`] says otherwise.
const MAX_RESPONSE_BYTES: usize = 32 << 20;
/// Longest time for one exchange, unless [`HttpClient::timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An HTTP client for one app, from [`Context::http`](crate::Context::http). Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    call: Arc<CallInfo>,
    network: Network,
    signer: Option<Arc<OAuth1>>,
    retry: Option<Retry>,
    limit: Option<RateLimit>,
    base: Url,
    headers: HeaderMap,
    timeout: Duration,
    max_response_bytes: usize,
    /// The first mistake made while building, told by the first request.
    mistake: Option<ConnectorError>,
}

impl HttpClient {
    pub(crate) fn new(call: &CallInfo, base_url: &str) -> Result<Self, ConnectorError> {
        let base = failure::parse_base_url(base_url)?;
        let mut headers = HeaderMap::new();
        if let Some(trace) = call
            .trace
            .as_deref()
            .and_then(|trace| HeaderValue::from_str(trace).ok())
        {
            headers.insert("traceparent", trace);
        }
        Ok(Self {
            call: Arc::new(call.clone()),
            network: Network::default(),
            signer: None,
            retry: None,
            limit: None,
            base,
            headers,
            timeout: TIMEOUT,
            max_response_bytes: MAX_RESPONSE_BYTES,
            mistake: None,
        })
    }

    /// Sends `Authorization: Bearer` with every request.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        let value = format!("Bearer {}", token.expose());
        self.set(AUTHORIZATION.as_str(), &value, true)
    }

    /// Sends `Authorization: Bearer` with the token of a token credential.
    #[must_use]
    pub fn token(self, credential: &TokenCredential) -> Self {
        self.bearer(&credential.token)
    }

    /// Sends `Authorization: Basic` with every request (RFC 7617).
    #[must_use]
    pub fn basic(self, credential: &BasicCredential) -> Self {
        let pair = format!("{}:{}", credential.username, credential.password.expose());
        let value = format!("Basic {}", BASE64.encode(pair));
        self.set(AUTHORIZATION.as_str(), &value, true)
    }

    /// Signs every request with OAuth 1.0a (RFC 5849) and HMAC-SHA256.
    #[must_use]
    pub fn oauth1(self, credential: &OAuth1Credential) -> Self {
        self.oauth1_with(OAuth1::new(credential))
    }

    /// Signs every request with OAuth 1.0a, as `signer` says.
    #[must_use]
    pub fn oauth1_with(mut self, signer: OAuth1) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Signs a JSON Web Token that is valid for 20 minutes, and sends it as a bearer token with every request.
    #[must_use]
    pub fn jwt(mut self, credential: &JwtCredential) -> Self {
        match sign_jwt(credential, jwt::VALIDITY) {
            Ok(token) => self.bearer(&token),
            Err(error) => {
                self.note(Err(error));
                self
            }
        }
    }

    /// Sends requests that failed again; without this they are not, unless a [limit](Self::rate_limit) says so.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Keeps within `limit`, which is shared with the tenant's other calls.
    #[must_use]
    pub fn rate_limit(mut self, limit: &RateLimit) -> Self {
        self.limit = Some(limit.clone());
        self
    }

    /// Reaches the app through the HTTP proxy at `url`, in place of what the environment says. Connections by TLS are
    /// tunnelled.
    #[must_use]
    pub fn proxy(mut self, url: &str, credential: Option<&BasicCredential>) -> Self {
        let done = self.network.set_proxy(url, credential);
        self.note(done);
        self
    }

    /// Reaches the app without a proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.network.direct = true;
        self
    }

    /// Follows no redirect: such an answer is left to the caller, with its status.
    #[must_use]
    pub fn no_redirects(mut self) -> Self {
        self.network.stay = true;
        self
    }

    /// Trusts the certificate authorities in a PEM text, besides those that are trusted anyway.
    #[must_use]
    pub fn trust(mut self, pem: &str) -> Self {
        let done = self.network.trust(pem.as_bytes());
        self.note(done);
        self
    }

    /// Trusts the certificate authorities in a PEM file, which is read now.
    #[must_use]
    pub fn trust_file(mut self, path: impl AsRef<Path>) -> Self {
        let done = self.network.trust_file(path.as_ref());
        self.note(done);
        self
    }

    /// Keeps a mistake for the first request.
    fn note(&mut self, done: Result<(), ConnectorError>) {
        if let Err(error) = done {
            self.mistake.get_or_insert(error);
        }
    }

    /// Sends a header with every request.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.set(name, value, false)
    }

    /// Sends a header with every request, such as an API's key; its value is never printed.
    #[must_use]
    pub fn secret_header(self, name: &str, value: &Secret) -> Self {
        self.set(name, value.expose(), true)
    }

    fn set(mut self, name: &str, value: &str, secret: bool) -> Self {
        match request::header(name, value, secret) {
            Ok((name, value)) => {
                self.headers.insert(name, value);
            }
            Err(error) => self.note(Err(error)),
        }
        self
    }

    /// Changes the longest time for one exchange, from connecting to the answer's last byte; by default 60 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Changes how long an answer may be, after decompression; by default 32 MiB.
    #[must_use]
    pub fn max_response_bytes(mut self, limit: usize) -> Self {
        self.max_response_bytes = limit;
        self
    }

    /// The address that paths are appended to.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// A GET request for `path`, which is appended to the base URL.
    pub fn get(&self, path: &str) -> HttpRequest {
        self.request(Method::GET, path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> HttpRequest {
        self.request(Method::POST, path)
    }

    /// A PUT request.
    pub fn put(&self, path: &str) -> HttpRequest {
        self.request(Method::PUT, path)
    }

    /// A PATCH request.
    pub fn patch(&self, path: &str) -> HttpRequest {
        self.request(Method::PATCH, path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: &str) -> HttpRequest {
        self.request(Method::DELETE, path)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, path: &str) -> HttpRequest {
        HttpRequest::new(self, method, path)
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// Encodes one segment of a path: an id from a request that may hold a slash or a question mark.
///
/// ```
/// use lumos_connector_sdk::http::path_segment;
/// assert_eq!(format!("/users/{}", path_segment("a/b c")), "/users/a%2Fb%20c");
/// ```
#[must_use]
pub fn path_segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    // RFC 3986, section 2.3: what never needs encoding.
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    // A segment of dots alone would climb or vanish.
    if text.chars().all(|c| c == '.') {
        return "%2E".repeat(text.len());
    }
    utf8_percent_encode(text, ENCODED).to_string()
}
