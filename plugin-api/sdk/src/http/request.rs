//! One exchange with the app.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use lumos_connector_models::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{HttpClient, exchange, failure, retry};
use crate::error::ConnectorError;

/// A request that is being put together. Mistakes made on the way are told by [`HttpRequest::send`].
#[must_use = "a request does nothing until it is sent"]
pub struct HttpRequest {
    pub(super) client: HttpClient,
    pub(super) method: Method,
    pub(super) url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    /// The body's fields, if it is a form.
    form: Vec<(String, String)>,
    pub(super) accept_any_status: bool,
    /// Whether doing it twice is doing it once.
    pub(super) repeatable: bool,
    mistake: Option<ConnectorError>,
}

impl HttpRequest {
    pub(super) fn new(client: &HttpClient, method: Method, path: &str) -> Self {
        let (url, mistake) = match failure::join(&client.base, path) {
            Ok(url) => (url, client.mistake.clone()),
            Err(error) => (client.base.clone(), Some(error)),
        };
        Self {
            headers: client.headers.clone(),
            client: client.clone(),
            repeatable: retry::is_repeatable(&method),
            method,
            url,
            body: None,
            form: Vec::new(),
            accept_any_status: false,
            mistake,
        }
    }

    /// Adds a query parameter.
    #[allow(clippy::needless_pass_by_value)] // numbers and texts alike, without a borrow at every call
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.url.query_pairs_mut().append_pair(name, &value.to_string());
        self
    }

    /// Adds a query parameter if there is a value.
    pub fn query_opt(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Adds or replaces a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.set(name, value, false)
    }

    /// Adds or replaces a header whose value is never printed.
    pub fn secret_header(self, name: &str, value: &Secret) -> Self {
        self.set(name, value.expose(), true)
    }

    fn set(mut self, name: &str, value: &str, secret: bool) -> Self {
        match header(name, value, secret) {
            Ok((name, value)) => {
                self.headers.insert(name, value);
            }
            Err(error) => self.note(error),
        }
        self
    }

    /// Keeps the first mistake until the request is sent.
    fn note(&mut self, error: ConnectorError) {
        self.mistake.get_or_insert(error);
    }

    /// Sends `body` as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => {
                self.body = Some(bytes.into());
                self.header("content-type", "application/json")
            }
            Err(_) => {
                self.note(ConnectorError::internal(
                    "the request's body cannot be written as JSON",
                ));
                self
            }
        }
    }

    /// Sends `body` as it is.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Bytes::from(body.into()));
        self.header("content-type", content_type)
    }

    /// Sends `fields` as a form (`application/x-www-form-urlencoded`).
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let mut encoder = url::form_urlencoded::Serializer::new(String::new());
        encoder.extend_pairs(fields);
        self.body = Some(encoder.finish().into());
        self.form = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Says that doing the request twice is doing it once, although its method does not: a search by POST, or a request with
    /// an idempotency key. It may then be [sent again](super::Retry) after it may have been done.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Gives every answer to the caller, those with an error status too.
    pub fn accept_any_status(mut self) -> Self {
        self.accept_any_status = true;
        self
    }

    /// Sends the request and reads the whole answer; sends it again as the client's [`Retry`](super::Retry) says.
    ///
    /// # Errors
    /// The app cannot be reached, does not answer in time, answers too much, or answers with an error status; each with
    /// the code that the API has for it.
    pub async fn send(mut self) -> Result<HttpResponse, ConnectorError> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let response = exchange::run(&self).await?;
        if self.accept_any_status || response.status.is_success() {
            Ok(response)
        } else {
            Err(response.into_error())
        }
    }

    /// The request as it goes out now; its signature holds once.
    pub(super) fn build(
        &self,
        client: &reqwest::Client,
        timeout: Duration,
    ) -> Result<reqwest::RequestBuilder, ConnectorError> {
        let mut headers = self.headers.clone();
        if let Some(signer) = &self.client.signer {
            let value = signer.sign(&self.method, &self.url, &self.form, self.body.as_deref())?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| failure::illegal_header())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let request = client
            .request(self.method.clone(), self.url.clone())
            .headers(headers)
            .timeout(timeout);
        Ok(match &self.body {
            Some(body) => request.body(body.clone()),
            None => request,
        })
    }

    /// Sends the request and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`HttpRequest::send`] and [`HttpResponse::json`].
    pub async fn fetch<T: DeserializeOwned>(self) -> Result<T, ConnectorError> {
        self.send().await?.json()
    }
}

/// A header as it is sent: names in any case, values as bytes, so that what is not ASCII goes out as UTF-8.
pub(super) fn header(
    name: &str,
    value: &str,
    secret: bool,
) -> Result<(HeaderName, HeaderValue), ConnectorError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| failure::illegal_header())?;
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| failure::illegal_header())?;
    value.set_sensitive(secret);
    Ok((name, value))
}

/// An answer, read to its end.
pub struct HttpResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    pub(super) body: Vec<u8>,
}

impl HttpResponse {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// A header's value, if it is there once and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header, such as `Link`.
    pub fn header_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .get_all(name)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
    }

    /// All headers that are text, by their names in lower case; one that came several times is joined with `, `.
    pub(crate) fn all_headers(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            let Ok(value) = value.to_str() else { continue };
            all.entry(name.as_str().to_owned())
                .and_modify(|before| {
                    before.push_str(", ");
                    before.push_str(value);
                })
                .or_insert_with(|| value.to_owned());
        }
        all
    }

    /// Where the answer came from, after redirects.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `invalid_response` if it is not JSON, or not that of a `T`. The message gives the place, never the content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ConnectorError> {
        serde_json::from_slice(&self.body).map_err(|error| failure::of_json(&error, &self.body))
    }

    /// The error that this answer means by its status.
    #[must_use]
    pub fn into_error(self) -> ConnectorError {
        failure::of_status(&self)
    }
}

impl std::fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status.as_u16())
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
