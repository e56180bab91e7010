//! `fulfill_arbitrary_endpoint` without code: one request to the app as the caller words it, as far as the connector allows.
//!
//! ```
//! use lumos_connector_sdk::arbitrary_endpoint::ArbitraryEndpoint;
//! use lumos_connector_sdk::prelude::*;
//!
//! let integration = Integration::new("example", "1.0.0")
//!     .auth::<TokenCredential>()
//!     .arbitrary_endpoint(
//!         |ctx| Ok(ctx.http("https://api.example.com")?.token(&ctx.auth)),
//!         ArbitraryEndpoint::reads().post("/graphql", "application/json").header("X-Api-Version"),
//!     );
//! # integration.build().unwrap();
//! ```
//!
//! A request stays on the app's origin, below the client's base address unless it names a whole address there; it follows
//! no redirect, sets no header that is not allowed, and is not repeated. Whatever the app answers is the answer, but for
//! 401, which is an error, so that the caller renews its credential. So is an address or a header that is refused: the
//! answer's `error` says why.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lumos_connector_models::{
    ArbitraryRequestMethod, ArbitraryResponse, ErrorCode, FulfillArbitraryEndpoint, RateLimitMode,
};
use percent_encoding::percent_decode_str;
use reqwest::{Method, Url};
use serde_json::Number;

use crate::auth::Auth;
use crate::capability;
use crate::context::Context;
use crate::error::ConnectorError;
use crate::http::{HttpClient, HttpResponse, retry_after_of};
use crate::integration::Integration;
use crate::rate_limit::common_headers;
use crate::settings::Settings;

/// What is never the caller's to set.
const PROTECTED: [&str; 4] = ["authorization", "host", "cookie", "content-type"];
const TIMEOUT: &str = "The request exceeded the time limit.";
const UNREACHABLE: &str = "The app could not be reached.";
const BUDGET: &str = "The app's rate limit would be exceeded before the time limit. Try again later.";

/// What a caller may ask of the app besides GET.
#[derive(Debug, Clone, Default)]
#[must_use = "a policy does nothing until an integration has it"]
pub struct ArbitraryEndpoint {
    /// Content types by path below the base address.
    posts: BTreeMap<String, String>,
    /// Names in lower case.
    headers: BTreeSet<String>,
}

impl ArbitraryEndpoint {
    /// GET alone, without headers.
    pub fn reads() -> Self {
        Self::default()
    }

    /// Allows POST to a path below the client's base address, with a body of that content type: for an app that is read
    /// that way.
    pub fn post(mut self, path: &str, content_type: &str) -> Self {
        let path = format!("/{}", path.trim_start_matches('/'));
        self.posts.insert(path, content_type.to_owned());
        self
    }

    /// Allows a header, in any case. Those of the credential, and `Host`, `Cookie` and `Content-Type`, never are.
    pub fn header(mut self, name: &str) -> Self {
        self.headers.insert(name.to_ascii_lowercase());
        self
    }

    fn allows_header(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.headers.contains(&name) && !PROTECTED.contains(&name.as_str())
    }

    fn content_type(&self, base: &Url, target: &Url) -> Option<&str> {
        let path = target.path().strip_prefix(base.path().trim_end_matches('/'))?;
        let path = if path.is_empty() { "/" } else { path };
        self.posts.get(path).map(String::as_str)
    }
}

impl<A: Auth, S: Settings> Integration<A, S> {
    /// Registers `fulfill_arbitrary_endpoint` with the client that `client` makes for a call; see
    /// [`arbitrary_endpoint`](crate::arbitrary_endpoint).
    pub fn arbitrary_endpoint<F>(self, client: F, policy: ArbitraryEndpoint) -> Self
    where
        F: Fn(&Context<A, S>) -> Result<HttpClient, ConnectorError> + Send + Sync + 'static,
    {
        let shared = Arc::new((client, policy));
        let capability = capability::FULFILL_ARBITRARY_ENDPOINT;
        self.register(capability, move |ctx: Context<A, S>, input| {
            let shared = shared.clone();
            async move {
                let (client, policy) = &*shared;
                fulfill(client(&ctx)?.no_redirects(), policy, input).await
            }
        })
        .rate_limit_mode(capability.name(), RateLimitMode::EnforceNoRetry)
    }
}

/// Why a request is not made, and where it would have gone.
struct Refused {
    why: String,
    url: String,
}

async fn fulfill(
    client: HttpClient,
    policy: &ArbitraryEndpoint,
    input: FulfillArbitraryEndpoint,
) -> Result<ArbitraryResponse, ConnectorError> {
    let (target, content_type) = match check(client.base(), policy, &input) {
        Ok(checked) => checked,
        Err(refused) => return Ok(failed(refused.why, refused.url, None)),
    };
    let method = match content_type {
        Some(_) => Method::POST,
        None => Method::GET,
    };
    let mut request = client.request(method, target.as_str()).accept_any_status();
    for (name, value) in input.headers.iter().flatten() {
        request = request.header(name, value);
    }
    if let Some(content_type) = content_type {
        let body = input.body.unwrap_or_default();
        request = request.body(content_type, body.into_bytes());
    }
    match request.send().await {
        Ok(answer) if answer.status() == 401 => Err(answer.into_error()),
        Ok(answer) => Ok(told(&answer, target.into())),
        Err(error) => match excuse(&error) {
            Some(why) => {
                let seconds = error.metadata().retry_after_seconds.map(Number::from);
                Ok(failed(why.to_owned(), target.into(), seconds))
            }
            None => Err(error),
        },
    }
}

/// What the caller is told where the app gives no answer.
fn excuse(error: &ConnectorError) -> Option<&'static str> {
    match error.code() {
        ErrorCode::RequestTimeout => Some(TIMEOUT),
        ErrorCode::BudgetExhausted if error.metadata().retry_after_seconds.is_none() => Some(TIMEOUT),
        ErrorCode::BudgetExhausted => Some(BUDGET),
        ErrorCode::ConnectionTimeout | ErrorCode::ConnectionClosed => Some(UNREACHABLE),
        _ => None,
    }
}

/// Where the request goes, and for POST the content type.
fn check<'a>(
    base: &Url,
    policy: &'a ArbitraryEndpoint,
    input: &FulfillArbitraryEndpoint,
) -> Result<(Url, Option<&'a str>), Refused> {
    let target = resolve(base, input).map_err(|why| Refused {
        why: why.to_owned(),
        // Credentials in an address are not sent back.
        url: input.url.rsplit('@').next().unwrap_or_default().to_owned(),
    })?;
    let refuse = |why: &str| {
        Err(Refused {
            why: why.to_owned(),
            url: target.to_string(),
        })
    };
    let mut names = input.headers.iter().flatten().map(|(name, _)| name);
    if names.any(|name| !policy.allows_header(name)) {
        return refuse("A header is not among those that are allowed.");
    }
    match input.method {
        Some(ArbitraryRequestMethod::Post) => match policy.content_type(base, &target) {
            Some(content_type) => Ok((target, Some(content_type))),
            None => refuse("POST is not allowed for this path."),
        },
        _ if input.body.is_some() => refuse("A request body is only accepted with POST."),
        _ => Ok((target, None)),
    }
}

fn resolve(base: &Url, input: &FulfillArbitraryEndpoint) -> Result<Url, &'static str> {
    let text = input.url.as_str();
    // The parser takes some of these out, and others for a slash: what is checked has to be what is called.
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return Err("The URL could not be parsed.");
    }
    if has_parent_segment(text) {
        return Err("The URL path must not contain '..' segments.");
    }
    let relative = match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            return Err("The URL must not include credentials.");
        }
        Ok(url) if url.origin() == base.origin() => return Ok(url),
        Ok(_) => return Err("The URL must be on this connection's host."),
        Err(_) if text.starts_with("//") => return Err("An absolute URL must include its scheme and host."),
        Err(url::ParseError::RelativeUrlWithoutBase) => text,
        Err(_) => return Err("The URL could not be parsed."),
    };
    let relative = relative.split('#').next().unwrap_or_default();
    let (path, query) = match relative.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (relative, None),
    };
    let mut target = base.clone();
    target.set_path(&format!(
        "{}/{}",
        base.path().trim_end_matches('/'),
        path.trim_start_matches('/')
    ));
    target.set_query(query);
    for (name, values) in input.query.iter().flatten() {
        for value in values {
            target.query_pairs_mut().append_pair(name, value);
        }
    }
    Ok(target)
}

fn has_parent_segment(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.split('/')
        .any(|segment| percent_decode_str(segment).collect::<Vec<_>>() == b"..")
}

fn failed(error: String, resolved_url: String, retry_after_seconds: Option<Number>) -> ArbitraryResponse {
    ArbitraryResponse {
        ok: false,
        status_code: None,
        headers: BTreeMap::new(),
        body: None,
        content_type: None,
        error: Some(error),
        retry_after_seconds,
        resolved_url,
    }
}

fn told(answer: &HttpResponse, resolved_url: String) -> ArbitraryResponse {
    let ok = (200..300).contains(&answer.status());
    ArbitraryResponse {
        ok,
        status_code: Some(answer.status().into()),
        headers: answer.all_headers(),
        body: Some(answer.text().into_owned()),
        content_type: answer.header("content-type").map(str::to_owned),
        error: None,
        retry_after_seconds: if ok { None } else { wait(answer) },
        resolved_url,
    }
}

/// How long the app asks to wait, or its limit has to.
fn wait(answer: &HttpResponse) -> Option<Number> {
    if let Some(asked) = retry_after_of(answer) {
        return Number::from_f64(asked.as_secs_f64());
    }
    let seen = common_headers(answer).filter(|_| matches!(answer.status(), 403 | 429))?;
    match seen.remaining {
        Some(1..) => None,
        _ => Number::from_f64(seen.reset_in?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(url: &str) -> Result<String, &'static str> {
        let base = Url::parse("https://app.example/v1").unwrap();
        let input = FulfillArbitraryEndpoint {
            url: url.to_owned(),
            query: Some(BTreeMap::from([(
                "a".to_owned(),
                vec!["1".to_owned(), "&".to_owned()],
            )])),
            ..Default::default()
        };
        resolve(&base, &input).map(Into::into)
    }

    #[test]
    fn a_request_stays_where_the_connection_leads() {
        for (url, expected) in [
            ("/users", "https://app.example/v1/users?a=1&a=%26"),
            ("users?b=2#x", "https://app.example/v1/users?b=2&a=1&a=%26"),
            ("https://app.example/other?c=3", "https://app.example/other?c=3"),
            ("https://app.example:443/v1/x", "https://app.example/v1/x"),
        ] {
            assert_eq!(resolved(url).unwrap(), expected, "{url}");
        }
        for url in [
            "https://evil.example/",
            "http://app.example/v1",
            "https://app.example:8443/",
            "//evil.example/",
            "///evil.example/",
            "https://app.example@evil.example/",
            "https://u:p@app.example/",
            "/../admin",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "/.\t./admin",
            "\\\\evil.example",
            "/a\\..\\b",
            "file:///etc/passwd",
            "https://app.example/../x",
            "javascript:alert(1)",
            "https://",
        ] {
            assert!(resolved(url).is_err(), "{url}");
        }
    }
}
