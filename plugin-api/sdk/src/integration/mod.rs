//! The declaration of a connector.
#![forbid(unsafe_code)]

mod check;
mod describe;
mod error;
mod register;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::marker::PhantomData;

use lumos_connector_models::{
    AccessGraphEntitlementRule, AccessGraphEntitlementType, AccessGraphImpliedAccessRule, AppCategory,
    EntitlementType, ResourceType,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::{Auth, CredentialConfig, CredentialKind, Credentials, NoAuth};
use crate::builtin;
use crate::connector::{AuthSpec, CapabilityEntry, Connector};
use crate::context::Context;
use crate::credentials::CredentialSpec;
use crate::error::ConnectorError;
use crate::handler;
use crate::oauth::Tell;
use crate::schema;
use crate::settings::{NoSettings, Settings};

pub use error::IntegrationError;

/// What a capability takes: a struct that derives `Deserialize` and `JsonSchema`.
pub trait Input: DeserializeOwned + JsonSchema + Send + 'static {}
impl<T: DeserializeOwned + JsonSchema + Send + 'static> Input for T {}

/// What a capability gives: a type, or a `Vec` of one, that derives `Serialize` and `JsonSchema`.
pub trait Output: Serialize + JsonSchema + Send + 'static {}
impl<T: Serialize + JsonSchema + Send + 'static> Output for T {}

/// What people are told about the connector and its app.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    pub(crate) name: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) logo_url: Option<String>,
    pub(crate) vendor_domain: Option<String>,
    pub(crate) categories: Vec<AppCategory>,
}

/// The declaration of a connector: who it is, what it needs, what it can do.
///
/// `A` is the credential that it asks for, `S` its settings model. [`Integration::auth`] or [`Integration::credential`],
/// and [`Integration::settings`], set them; they come before the capabilities. Mistakes are collected and told by
/// [`Integration::build`].
#[must_use = "a declaration does nothing until it is exported or built"]
pub struct Integration<A = NoAuth, S = NoSettings> {
    declaration: Declaration,
    errors: Vec<IntegrationError>,
    types: PhantomData<fn(A, S)>,
}

/// What is declared, whatever the types of credential and settings.
pub(crate) struct Declaration {
    pub(crate) app_id: String,
    pub(crate) version: String,
    pub(crate) description: Description,
    pub(crate) auth: AuthSpec,
    pub(crate) resource_types: Vec<ResourceType>,
    pub(crate) entitlement_types: Vec<EntitlementType>,
    pub(crate) access_graph: AccessGraph,
    pub(crate) capabilities: BTreeMap<String, CapabilityEntry>,
    /// How the app gives out tokens, as far as it is told.
    pub(crate) oauth: Vec<Tell>,
    /// Writes that may be repeated without harm.
    pub(crate) idempotent: BTreeSet<String>,
    pub(crate) max_concurrency: u32,
    /// Whether page tokens are sealed.
    pub(crate) sealed_pages: bool,
}

/// What is declared of the access graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessGraph {
    pub(crate) entitlement_types: Vec<AccessGraphEntitlementType>,
    pub(crate) entitlement_rules: Vec<AccessGraphEntitlementRule>,
    pub(crate) implied_access_rules: Vec<AccessGraphImpliedAccessRule>,
}

impl Integration {
    /// A connector for the app `app_id` (`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`, no `__`; blanks around it do not count), in a
    /// semantic version: usually `env!("CARGO_PKG_VERSION")`.
    pub fn new(app_id: impl AsRef<str>, version: impl Into<String>) -> Self {
        let app_id = app_id.as_ref().trim().to_owned();
        let version = version.into();
        let mut errors = Vec::new();
        if !check::is_app_id(&app_id) {
            errors.push(IntegrationError::AppId(app_id.clone()));
        }
        if semver::Version::parse(&version).is_err() {
            errors.push(IntegrationError::Version(version.clone()));
        }
        Self {
            declaration: Declaration {
                app_id,
                version,
                description: Description::default(),
                auth: AuthSpec::None,
                resource_types: Vec::new(),
                entitlement_types: Vec::new(),
                access_graph: AccessGraph::default(),
                capabilities: BTreeMap::new(),
                oauth: Vec::new(),
                idempotent: BTreeSet::new(),
                max_concurrency: 32,
                sealed_pages: false,
            },
            errors,
            types: PhantomData,
        }
    }
}

impl<S: Settings> Integration<NoAuth, S> {
    /// Asks for a credential, such as [`TokenCredential`](crate::models::TokenCredential).
    pub fn auth<A: CredentialKind>(mut self) -> Integration<A, S> {
        self.declaration.auth = AuthSpec::Single {
            kind: A::KIND,
            schema: schema::input_of::<A>,
        };
        self.retype()
    }

    /// Asks for a credential that has an id, of which there may be several. Call it once for each of them.
    ///
    /// Without [`allowed_credentials`](Integration::allowed_credentials), a connection has all that are not optional, or
    /// one of those that are.
    pub fn credential<K: CredentialKind>(self, config: CredentialConfig<K>) -> Integration<Credentials, S> {
        self.retype().add_credential(config.spec)
    }
}

impl<S: Settings> Integration<Credentials, S> {
    /// Asks for another credential.
    pub fn credential<K: CredentialKind>(self, config: CredentialConfig<K>) -> Self {
        self.add_credential(config.spec)
    }

    /// Names the combinations of credentials, by their ids, that a connection may have:
    /// `[&["token"][..], &["oauth", "scim"]]`.
    pub fn allowed_credentials<'a>(mut self, combinations: impl IntoIterator<Item = &'a [&'a str]>) -> Self {
        let AuthSpec::Several(set) = &mut self.declaration.auth else {
            return self;
        };
        for combination in combinations {
            let ids: Vec<String> = combination.iter().map(|id| (*id).to_owned()).collect();
            for id in &ids {
                if set.of_id(id).is_none() {
                    self.errors.push(IntegrationError::UnknownCredential(id.clone()));
                }
            }
            set.allowed.push(ids);
        }
        self
    }

    /// Checks the credential `id` before a connection is saved (`validate_credential_config`). The function gives what is
    /// wrong with it, in words for people, or nothing; an error is for a check that could not be made. It finds the
    /// settings and an HTTP client in its context. That needed fields are filled in has been seen to.
    pub fn check_credential<K, F, Fut>(mut self, id: &str, check: F) -> Self
    where
        K: CredentialKind,
        F: Fn(Context<NoAuth, S>, K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<String>, ConnectorError>> + Send + 'static,
    {
        let AuthSpec::Several(set) = &mut self.declaration.auth else {
            return self;
        };
        match set
            .list
            .iter_mut()
            .find(|spec| spec.id == id && spec.kind == K::KIND)
        {
            Some(spec) => spec.check = Some(handler::check(check)),
            None => self
                .errors
                .push(IntegrationError::UnknownCredential(id.to_owned())),
        }
        self
    }

    fn add_credential(mut self, spec: CredentialSpec) -> Self {
        let error = check::credential(&spec, &self.declaration.auth);
        self.errors.extend(error);
        self.declaration.auth.add(spec);
        self
    }
}

impl<A: Auth> Integration<A, NoSettings> {
    /// Asks for settings.
    pub fn settings<S: Settings>(self) -> Integration<A, S> {
        self.retype()
    }
}

impl<A: Auth, S: Settings> Integration<A, S> {
    /// Capabilities that are already registered know neither credential nor settings, which is sound: their context has
    /// the types they were written for.
    fn retype<A2, S2>(self) -> Integration<A2, S2> {
        Integration {
            declaration: self.declaration,
            errors: self.errors,
            types: PhantomData,
        }
    }

    /// How many calls may run at the same time; by default 32.
    pub fn max_concurrency(mut self, calls: u32) -> Self {
        self.declaration.max_concurrency = calls.max(1);
        self
    }

    /// Seals page tokens: one that was changed, or that belongs to another tenant or listing, is refused as
    /// `invalid_page_token`. Leave it out only while another implementation of the connector has to read the tokens.
    pub fn sealed_page_tokens(mut self) -> Self {
        self.declaration.sealed_pages = true;
        self
    }

    pub(crate) fn tell_oauth(&mut self, declared: Vec<Tell>) {
        self.declaration.oauth.extend(declared);
    }

    /// Notes a mistake if no credential of a kind that takes OAuth tokens has that id.
    pub(crate) fn expect_oauth_credential(&mut self, id: &str) {
        let set = self.declaration.auth.several();
        let kind = set.and_then(|set| set.of_id(id)).map(|spec| spec.kind);
        if !matches!(kind, Some("oauth" | "oauth_client_credentials")) {
            self.errors
                .push(IntegrationError::UnknownCredential(id.to_owned()));
        }
    }

    /// App id and version as declared.
    pub(crate) fn identity(&self) -> (String, String) {
        (self.declaration.app_id.clone(), self.declaration.version.clone())
    }

    /// Checks the declaration and makes the connector.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn build(mut self) -> Result<Connector, IntegrationError> {
        if let Some(error) = self.errors.into_iter().next() {
            return Err(error);
        }
        if let Some(set) = self.declaration.auth.several() {
            let entry = builtin::credential_config(set);
            let capabilities = &mut self.declaration.capabilities;
            capabilities.entry(entry.name.clone()).or_insert(entry);
        }
        Ok(Connector::new::<S>(self.declaration))
    }
}
