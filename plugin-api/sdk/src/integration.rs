//! The declaration of a connector.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::marker::PhantomData;

use lumos_connector_models::{
    AppCategory, CapabilityLevel, EntitlementType, ResourceType, Response, capability_level,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::{Auth, NoAuth};
use crate::capability::Standard;
use crate::connector::{CapabilityEntry, Connector};
use crate::context::Context;
use crate::error::ConnectorError;
use crate::handler;
use crate::schema;
use crate::settings::{NoSettings, Settings};

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

/// Why a declaration is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntegrationError {
    /// The app id is not one.
    #[error("app id {0:?} is not acceptable: it must match [A-Za-z0-9][A-Za-z0-9_-]{{0,63}} without \"__\"")]
    AppId(String),
    /// A capability was registered twice.
    #[error("capability {0} is registered twice")]
    Duplicate(String),
    /// A custom capability has a standard one's name.
    #[error("{0} is a standard capability: register it with `register`, or choose another name")]
    Reserved(String),
    /// A custom capability's name is not one.
    #[error("capability name {0:?} is not acceptable: it must be lower-case letters and underscores")]
    Name(String),
    /// An input model of a connector's own lacks what the standard one has.
    #[error("the input of {capability} must keep the standard field {field} with its type")]
    Model {
        /// The capability.
        capability: String,
        /// The missing or changed field.
        field: String,
    },
    /// Something was said about a capability that is not there.
    #[error("capability {0} is not registered, so nothing can be said about it")]
    Unregistered(String),
}

/// The declaration of a connector: who it is, what it needs, what it can do.
///
/// `A` is the credential that it asks for, `S` its settings model; [`Integration::auth`] and [`Integration::settings`] set
/// them. Mistakes are collected and told by [`Integration::build`].
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
    pub(crate) resource_types: Vec<ResourceType>,
    pub(crate) entitlement_types: Vec<EntitlementType>,
    pub(crate) capabilities: BTreeMap<String, CapabilityEntry>,
    /// Writes that may be repeated without harm.
    pub(crate) idempotent: BTreeSet<String>,
    pub(crate) max_concurrency: u32,
}

impl Integration {
    /// A connector for the app `app_id` (`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`, no `__`), in a semantic version: usually
    /// `env!("CARGO_PKG_VERSION")`.
    pub fn new(app_id: impl Into<String>, version: impl Into<String>) -> Self {
        let app_id = app_id.into();
        let mut errors = Vec::new();
        if !is_app_id(&app_id) {
            errors.push(IntegrationError::AppId(app_id.clone()));
        }
        Self {
            declaration: Declaration {
                app_id,
                version: version.into(),
                description: Description::default(),
                resource_types: Vec::new(),
                entitlement_types: Vec::new(),
                capabilities: BTreeMap::new(),
                idempotent: BTreeSet::new(),
                max_concurrency: 32,
            },
            errors,
            types: PhantomData,
        }
    }
}

impl<S: Settings> Integration<NoAuth, S> {
    /// Asks for a credential, such as [`TokenCredential`](crate::models::TokenCredential). Call it before registering.
    pub fn auth<A: Auth>(self) -> Integration<A, S> {
        self.retype()
    }
}

impl<A: Auth> Integration<A, NoSettings> {
    /// Asks for settings. Call it before registering.
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

    /// The app's name for people.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.declaration.description.name = Some(name.into());
        self
    }

    /// What the connector does, in a sentence or two.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.declaration.description.text = Some(text.into());
        self
    }

    /// Address of the app's logo.
    pub fn logo_url(mut self, url: impl Into<String>) -> Self {
        self.declaration.description.logo_url = Some(url.into());
        self
    }

    /// Domain of the company that makes the app.
    pub fn vendor_domain(mut self, domain: impl Into<String>) -> Self {
        self.declaration.description.vendor_domain = Some(domain.into());
        self
    }

    /// What the app is for.
    pub fn categories(mut self, categories: impl IntoIterator<Item = AppCategory>) -> Self {
        self.declaration.description.categories.extend(categories);
        self
    }

    /// The kinds of resources in the app.
    pub fn resource_types(mut self, types: impl IntoIterator<Item = ResourceType>) -> Self {
        self.declaration.resource_types.extend(types);
        self
    }

    /// The kinds of entitlements in the app.
    pub fn entitlement_types(mut self, types: impl IntoIterator<Item = EntitlementType>) -> Self {
        self.declaration.entitlement_types.extend(types);
        self
    }

    /// How many calls may run at the same time; by default 32.
    pub fn max_concurrency(mut self, calls: u32) -> Self {
        self.declaration.max_concurrency = calls.max(1);
        self
    }

    /// Registers `function` for a standard capability; the compiler checks the function's types against it.
    pub fn register<I, O, R, F, Fut>(self, capability: Standard<I, O>, function: F) -> Self
    where
        I: Input,
        O: Output,
        R: Into<Response<O>> + Send + 'static,
        F: Fn(Context<A, S>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ConnectorError>> + Send + 'static,
    {
        let name = capability.name;
        let level = capability_level(name).expect("every standard capability has a level");
        let class_name = schema::pascal_case(name) + "Request";
        self.insert(name, handler::entry(name, class_name, level, function))
    }

    /// Registers `function` for a standard capability whose input the connector extends with fields of its own:
    /// [`CREATE_ACCOUNT`](crate::capability::CREATE_ACCOUNT). The model `I` keeps the standard fields.
    pub fn register_with_input<Std, I, O, R, F, Fut>(
        mut self,
        capability: Standard<Std, O>,
        function: F,
    ) -> Self
    where
        Std: Input,
        I: Input,
        O: Output,
        R: Into<Response<O>> + Send + 'static,
        F: Fn(Context<A, S>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ConnectorError>> + Send + 'static,
    {
        let name = capability.name;
        let level = capability_level(name).expect("every standard capability has a level");
        for field in schema::changed_fields::<Std, I>() {
            self.errors.push(IntegrationError::Model {
                capability: name.to_owned(),
                field,
            });
        }
        let class_name = format!("CustomRequest[{}]", I::schema_name());
        self.insert(name, handler::entry(name, class_name, level, function))
    }

    /// Registers `function` for a capability of the connector's own. Say [`CapabilityLevel::Write`] if it may change
    /// anything: a read is cancelled when its caller goes away, and may be repeated.
    pub fn register_custom<I, O, R, F, Fut>(
        mut self,
        name: impl Into<String>,
        level: CapabilityLevel,
        function: F,
    ) -> Self
    where
        I: Input,
        O: Output,
        R: Into<Response<O>> + Send + 'static,
        F: Fn(Context<A, S>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ConnectorError>> + Send + 'static,
    {
        let name = name.into();
        if capability_level(&name).is_some() {
            self.errors.push(IntegrationError::Reserved(name));
            return self;
        }
        if !is_capability_name(&name) {
            self.errors.push(IntegrationError::Name(name));
            return self;
        }
        let class_name = format!("CustomRequest[{}]", I::schema_name());
        let mut entry = handler::entry(&name, class_name, level, function);
        entry.custom = true;
        self.insert(&name, entry)
    }

    fn insert(mut self, name: &str, entry: CapabilityEntry) -> Self {
        if self
            .declaration
            .capabilities
            .insert(name.to_owned(), entry)
            .is_some()
        {
            self.errors.push(IntegrationError::Duplicate(name.to_owned()));
        }
        self
    }

    /// Gives a registered capability another name for people.
    pub fn display_name(self, capability: &str, text: impl Into<String>) -> Self {
        self.annotate(capability, |entry| entry.display_name = Some(text.into()))
    }

    /// Says what is special about a registered capability in this connector.
    pub fn capability_description(self, capability: &str, text: impl Into<String>) -> Self {
        self.annotate(capability, |entry| entry.description = Some(text.into()))
    }

    /// Says that a registered write may be repeated without harm.
    pub fn idempotent(mut self, capability: &str) -> Self {
        self.declaration.idempotent.insert(capability.to_owned());
        self.annotate(capability, |_| ())
    }

    fn annotate(mut self, capability: &str, change: impl FnOnce(&mut CapabilityEntry)) -> Self {
        match self.declaration.capabilities.get_mut(capability) {
            Some(entry) => change(entry),
            None => self
                .errors
                .push(IntegrationError::Unregistered(capability.to_owned())),
        }
        self
    }

    /// App id and version as declared.
    pub(crate) fn identity(&self) -> (String, String) {
        (self.declaration.app_id.clone(), self.declaration.version.clone())
    }

    /// Checks the declaration and makes the connector.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn build(self) -> Result<Connector, IntegrationError> {
        if let Some(error) = self.errors.into_iter().next() {
            return Err(error);
        }
        Ok(Connector::new::<A, S>(self.declaration))
    }
}

fn is_app_id(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        && !text.contains("__")
}

fn is_capability_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .split('_')
            .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()))
}
