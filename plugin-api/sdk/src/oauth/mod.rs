//! OAuth 2.0 without code: declare the authorization server's addresses, and the connector has the capabilities that obtain
//! tokens.
//!
//! ```
//! use lumos_connector_sdk::oauth::OAuth;
//! use lumos_connector_sdk::prelude::*;
//!
//! let integration = Integration::new("example", "1.0.0")
//!     .auth::<OAuthCredential>()
//!     .oauth(
//!         OAuth::code("https://example.com/authorize", "https://example.com/token")
//!             .pkce()
//!             .scopes([("list_accounts", "users.read"), ("create_account", "users.read users.write")]),
//!     );
//! # integration.build().unwrap();
//! ```
//!
//! | declared with | gives |
//! |---|---|
//! | [`OAuth::code`] | `get_authorization_url`, `handle_authorization_callback`, `refresh_access_token` |
//! | [`OAuth::client_credentials`] | `handle_client_credentials_request`, `refresh_access_token` |
//!
//! Where a connector has several credentials, [`Integration::oauth_credentials`] takes a declaration for each of them, and
//! a request's `credential_id` chooses.
//!
//! Token requests are sent once: none is repeated, none follows a redirect. What the server answers besides the tokens
//! goes into `raw_data` if that is wanted, with the tokens masked.
#![forbid(unsafe_code)]

mod flow;
mod refusal;
mod told;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use lumos_connector_models::Response;

use crate::auth::{Auth, NoAuth};
use crate::capability::{self, Open, Standard};
use crate::context::Context;
use crate::error::{ConnectorError, ErrorKind};
use crate::integration::{Input, Integration, Output};
use crate::settings::{NoSettings, Settings};

pub(crate) use told::{Tell, Told};

/// What is the same for all tenants, or how it is made from the settings.
#[derive(Clone)]
enum Given<S, T> {
    Fixed(T),
    OfSettings(Arc<dyn Fn(&S) -> T + Send + Sync>),
}

/// Scopes, separated by blanks, by the capability that needs them.
type Scopes = Vec<(&'static str, String)>;

/// How an app gives out tokens. `S` is the connector's settings model.
#[derive(Clone)]
#[must_use = "a declaration does nothing until an integration has it"]
pub struct OAuth<S = NoSettings> {
    /// Absent for client credentials.
    authorization: Option<Given<S, String>>,
    token: Given<S, String>,
    scopes: Option<Given<S, Scopes>>,
    client_auth: ClientAuth,
    request: TokenRequest,
    get: bool,
    pkce: bool,
    without: BTreeSet<&'static str>,
}

/// How the client proves who it is (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    Body,
    Basic,
}

/// How the parameters of a token request travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRequest {
    /// As a form, as RFC 6749 has it.
    Form,
    /// As JSON.
    Json,
    /// In the address. They may end up in logs on the way; only for servers that know nothing else.
    Query,
}

impl<S: Settings> OAuth<S> {
    /// The flow with a user's consent.
    pub fn code(authorization_url: impl Into<String>, token_url: impl Into<String>) -> Self {
        let mut oauth = Self::client_credentials(token_url);
        oauth.authorization = Some(Given::Fixed(authorization_url.into()));
        oauth
    }

    /// The same where the addresses depend on the tenant's settings.
    pub fn code_with(
        authorization_url: impl Fn(&S) -> String + Send + Sync + 'static,
        token_url: impl Fn(&S) -> String + Send + Sync + 'static,
    ) -> Self {
        let mut oauth = Self::client_credentials_with(token_url);
        oauth.authorization = Some(Given::OfSettings(Arc::new(authorization_url)));
        oauth
    }

    /// The flow without a user.
    pub fn client_credentials(token_url: impl Into<String>) -> Self {
        Self::of_token(Given::Fixed(token_url.into()))
    }

    /// The same where the address depends on the tenant's settings.
    pub fn client_credentials_with(token_url: impl Fn(&S) -> String + Send + Sync + 'static) -> Self {
        Self::of_token(Given::OfSettings(Arc::new(token_url)))
    }

    fn of_token(token: Given<S, String>) -> Self {
        Self {
            authorization: None,
            token,
            scopes: None,
            client_auth: ClientAuth::Body,
            request: TokenRequest::Form,
            get: false,
            pkce: false,
            without: BTreeSet::new(),
        }
    }

    /// Uses a code challenge (RFC 7636, S256).
    pub fn pkce(mut self) -> Self {
        self.pkce = true;
        self
    }

    /// Sends the client's id and secret as HTTP basic authentication, instead of among the parameters.
    pub fn basic_client_auth(mut self) -> Self {
        self.client_auth = ClientAuth::Basic;
        self
    }

    /// Changes how the parameters of token requests travel.
    pub fn request(mut self, request: TokenRequest) -> Self {
        self.request = request;
        self
    }

    /// Asks for tokens with GET instead of POST.
    pub fn get(mut self) -> Self {
        self.get = true;
        self
    }

    /// Names the scopes that each capability needs, separated by blanks; `info` and `app_info` tell them. All of them are
    /// asked for where a request names none.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        let scopes = scopes.into_iter().map(|(name, scopes)| (name, scopes.to_owned()));
        self.scopes = Some(Given::Fixed(scopes.collect()));
        self
    }

    /// The same where the scopes depend on the tenant's settings; `app_info` tells them to whoever sends those.
    pub fn scopes_with(
        mut self,
        scopes: impl Fn(&S) -> Vec<(&'static str, String)> + Send + Sync + 'static,
    ) -> Self {
        self.scopes = Some(Given::OfSettings(Arc::new(scopes)));
        self
    }

    /// Leaves out a capability: the app has none of it, or the connector registers its own.
    pub fn without(mut self, capability: &'static str) -> Self {
        self.without.insert(capability);
        self
    }

    /// The capabilities of the flow.
    fn flow(&self) -> &'static [&'static str] {
        match self.authorization {
            Some(_) => &[GET_URL, CALLBACK, REFRESH],
            None => &[CLIENT_CREDENTIALS, REFRESH],
        }
    }

    /// Whether the declaration gives that capability.
    fn gives(&self, capability: &str) -> bool {
        self.flow().contains(&capability) && !self.without.contains(capability)
    }

    /// Scopes of a request, or else those that are declared, each once.
    fn scope(&self, asked: &[String], settings: &S) -> String {
        if !asked.is_empty() {
            return asked.join(" ");
        }
        let declared = self.scopes.as_ref().map(|scopes| scopes.of(settings));
        let mut all: Vec<&str> = Vec::new();
        for scope in declared
            .iter()
            .flatten()
            .flat_map(|(_, scopes)| scopes.split_whitespace())
        {
            if !all.contains(&scope) {
                all.push(scope);
            }
        }
        all.join(" ")
    }
}

impl<S, T: Clone> Given<S, T> {
    fn of(&self, settings: &S) -> T {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::OfSettings(make) => make(settings),
        }
    }
}

const GET_URL: &str = "get_authorization_url";
const CALLBACK: &str = "handle_authorization_callback";
const CLIENT_CREDENTIALS: &str = "handle_client_credentials_request";
const REFRESH: &str = "refresh_access_token";

/// The declarations of a connector.
struct Declared<S> {
    /// Without an id if the connector has one credential.
    list: Vec<(Option<String>, OAuth<S>)>,
}

impl<S> Declared<S> {
    fn ids(&self) -> String {
        let ids = self.list.iter().filter_map(|(id, _)| id.as_deref());
        match ids.collect::<Vec<_>>() {
            ids if ids.is_empty() => "its only credential, which takes no credential_id".to_owned(),
            ids => ids.join(", "),
        }
    }

    fn of(&self, id: Option<&str>) -> Result<&OAuth<S>, ConnectorError> {
        // An empty id is none.
        let id = id.filter(|id| !id.is_empty());
        let found = self.list.iter().find(|(known, _)| known.as_deref() == id);
        found.map(|(_, oauth)| oauth).ok_or_else(|| {
            let message = match id {
                Some(_) => format!(
                    "The connector declares no OAuth for the credential that the request names (credential_id). It does \
                     for: {}.",
                    self.ids()
                ),
                None => "The request does not say which credential it is about (credential_id).".to_owned(),
            };
            ConnectorError::of(ErrorKind::MissingParameter).with_message(message)
        })
    }
}

impl<A: Auth, S: Settings> Integration<A, S> {
    /// Registers the capabilities of OAuth 2.0 for a connector with one credential. Call it after
    /// [`settings`](Integration::settings).
    pub fn oauth(self, oauth: OAuth<S>) -> Self {
        self.declare(vec![(None, oauth)])
    }

    /// Registers the capabilities of OAuth 2.0 for a connector with several credentials, by their ids. Call it after the
    /// credentials were declared.
    pub fn oauth_credentials<I: Into<String>>(
        mut self,
        declared: impl IntoIterator<Item = (I, OAuth<S>)>,
    ) -> Self {
        let list: Vec<_> = declared
            .into_iter()
            .map(|(id, oauth)| (Some(id.into()), oauth))
            .collect();
        for (id, _) in &list {
            self.expect_oauth_credential(id.as_deref().unwrap_or_default());
        }
        self.declare(list)
    }

    fn declare(mut self, list: Vec<(Option<String>, OAuth<S>)>) -> Self {
        let declared = Arc::new(Declared { list });
        self.tell_oauth(told::all(&declared));
        self.given(
            &declared,
            capability::GET_AUTHORIZATION_URL,
            |declared, ctx, input| async move {
                let oauth = declared.of(input.credential_id.as_deref())?;
                flow::authorization_url(oauth, &ctx.settings, &input)
            },
        )
        .given(
            &declared,
            capability::HANDLE_AUTHORIZATION_CALLBACK,
            |declared, ctx, input| async move {
                let oauth = declared.of(input.credential_id.as_deref())?;
                flow::callback(oauth, &ctx, &input).await
            },
        )
        .given(
            &declared,
            capability::HANDLE_CLIENT_CREDENTIALS_REQUEST,
            |declared, ctx, input| async move {
                let oauth = declared.of(input.credential_id.as_deref())?;
                flow::client_credentials(oauth, &ctx, &input).await
            },
        )
        .given(
            &declared,
            capability::REFRESH_ACCESS_TOKEN,
            |declared, ctx, input| async move {
                let oauth = declared.of(input.credential_id.as_deref())?;
                flow::refresh(oauth, &ctx, &input).await
            },
        )
    }

    /// Registers `run` for `capability` if a declaration gives it.
    fn given<I, O, R, F, Fut>(
        self,
        declared: &Arc<Declared<S>>,
        capability: Standard<I, O, Open>,
        run: F,
    ) -> Self
    where
        I: Input,
        O: Output,
        R: Into<Response<O>> + Send + 'static,
        F: Fn(Arc<Declared<S>>, Context<NoAuth, S>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ConnectorError>> + Send + 'static,
    {
        if !declared
            .list
            .iter()
            .any(|(_, oauth)| oauth.gives(capability.name()))
        {
            return self;
        }
        let declared = declared.clone();
        self.register(capability, move |ctx, input| run(declared.clone(), ctx, input))
    }
}
