//! The HTTP client that connectors talk to their app with.
//!
//! It does what every connector needs and what is easily forgotten: connections live on between calls, every answer that
//! is not a success becomes the right [`ConnectorError`], answers are bounded, credentials are
//! marked so that they cannot be printed and are not taken to another origin by a redirect, and the call's trace context
//! goes along.
#![forbid(unsafe_code)]

mod failure;
mod pool;
mod request;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lumos_connector_models::{BasicCredential, Secret, TokenCredential};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::context::CallInfo;
use crate::error::ConnectorError;

pub(crate) use pool::HttpPool;
pub use request::{HttpRequest, HttpResponse};

/// Longest answer that is read, unless [`HttpClient::max_response_bytes`] says otherwise.
const MAX_RESPONSE_BYTES: usize = 32 << 20;
/// Longest time for one exchange, unless [`HttpClient::timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An HTTP client for one app, from [`Context::http`](crate::Context::http). Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
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
            inner: call.http.client(call.tenant)?,
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
        self.secret_header(AUTHORIZATION, &value)
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
        self.secret_header(AUTHORIZATION, &format!("Basic {}", BASE64.encode(pair)))
    }

    /// Sends a header with every request.
    #[must_use]
    pub fn header(self, name: &'static str, value: &str) -> Self {
        self.set(HeaderName::from_static(name), value, false)
    }

    /// Sends a header with every request; its value is never printed.
    #[must_use]
    pub fn secret_header(self, name: impl Into<HeaderName>, value: &str) -> Self {
        self.set(name.into(), value, true)
    }

    fn set(mut self, name: HeaderName, value: &str, secret: bool) -> Self {
        // Bytes, not text: what is not ASCII goes out as UTF-8.
        match HeaderValue::from_bytes(value.as_bytes()) {
            Ok(mut value) => {
                value.set_sensitive(secret);
                self.headers.insert(name, value);
            }
            Err(_) => self.mistake = Some(failure::illegal_header()),
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
