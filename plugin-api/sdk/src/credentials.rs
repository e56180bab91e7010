//! Several credentials: how they are declared, and how a capability takes them.
#![forbid(unsafe_code)]

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use lumos_connector_models::{AuthCredential, JsonObject};
use schemars::JsonSchema;

use crate::auth::{Auth, Carried, CredentialKind};
use crate::error::{ConnectorError, ErrorKind};
use crate::schema;

/// The declaration of one credential among several; see [`Integration::credential`](crate::Integration::credential).
///
/// ```
/// use lumos_connector_sdk::prelude::*;
///
/// let token = CredentialConfig::<TokenCredential>::new("api_token", "Make a token under *Settings*.")
///     .name("API token")
///     .check(|token: TokenCredential| async move {
///         match token.token.expose().starts_with("app_") {
///             true => Ok(vec![]),
///             false => Ok(vec!["Tokens of this app begin with app_.".to_owned()]),
///         }
///     });
/// # let _ = token;
/// ```
#[must_use = "a credential does nothing until an integration declares it"]
pub struct CredentialConfig<K> {
    pub(crate) spec: CredentialSpec,
    kind: PhantomData<fn(K)>,
}

/// What is declared, whatever the kind.
#[derive(Clone)]
pub(crate) struct CredentialSpec {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) name: Option<String>,
    pub(crate) description: String,
    pub(crate) optional: bool,
    pub(crate) schema: fn() -> JsonObject,
    /// Whether `schema` is a form of the connector's own.
    pub(crate) own_form: bool,
    pub(crate) check: Option<Check>,
}

/// Says what is wrong with a credential, in words for people; nothing if it is fine.
type Complaints = Pin<Box<dyn Future<Output = Result<Vec<String>, ConnectorError>> + Send>>;
type Check = Arc<dyn Fn(&AuthCredential) -> Complaints + Send + Sync>;

impl<K: CredentialKind> CredentialConfig<K> {
    /// A credential of the kind `K`. The `id` names it among the connector's credentials and never changes: connections
    /// refer to it. The `description` is Markdown and tells people how to come by it.
    pub fn new(id: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            spec: CredentialSpec {
                id: id.into(),
                kind: K::KIND,
                name: None,
                description: description.into(),
                optional: false,
                schema: schema::input_of::<K>,
                own_form: false,
                check: None,
            },
            kind: PhantomData,
        }
    }

    /// Names it for people; without a name they see its kind.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.spec.name = Some(name.into());
        self
    }

    /// Says that the connector works without it. Without
    /// [`allowed_credentials`](crate::Integration::allowed_credentials), an optional one is a way to connect of its own.
    pub fn optional(mut self) -> Self {
        self.spec.optional = true;
        self
    }

    /// Shows the form of the model `M` in place of the kind's own: other titles, descriptions, defaults. Of what is typed
    /// in, the fields of the kind reach the connector.
    pub fn form<M: JsonSchema>(mut self) -> Self {
        self.spec.schema = schema::input_of::<M>;
        self.spec.own_form = true;
        self
    }

    /// Checks the credential before a connection is saved (`validate_credential_config`). Give what is wrong with it in
    /// words for people, or nothing; an error is for a check that could not be made.
    pub fn check<F, Fut>(mut self, check: F) -> Self
    where
        F: Fn(K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<String>, ConnectorError>> + Send + 'static,
    {
        self.spec.check = Some(Arc::new(move |credential| match K::of(credential) {
            Some(credential) => Box::pin(check(credential)),
            None => Box::pin(std::future::ready(Err(ConnectorError::internal(
                "the credential to check is not of its declared kind",
            )))),
        }));
        self
    }
}

impl CredentialSpec {
    /// Whether a request's credential holds what this one is about.
    pub(crate) fn is_filled(&self, credential: &AuthCredential) -> bool {
        self.kind == "empty" || credential.holds(self.kind)
    }
}

/// The credentials that a request carries.
#[derive(Debug, Clone, Default)]
pub struct Credentials(Vec<AuthCredential>);

impl Auth for Credentials {
    fn take(carried: Carried) -> Option<Self> {
        Some(Self(carried.credentials))
    }
}

impl Credentials {
    /// The credential `id`, of the kind that it was declared with.
    ///
    /// # Errors
    /// `integration_missing_parameter` if the request does not carry it, `invalid_value` if it carries it as another kind.
    pub fn get<K: CredentialKind>(&self, id: &str) -> Result<K, ConnectorError> {
        let Some(credential) = self.entry(id) else {
            let kind = if self.0.is_empty() {
                ErrorKind::InvalidConfiguration
            } else {
                ErrorKind::MissingParameter
            };
            let message = format!("The request carries no credential '{id}'.");
            return Err(ConnectorError::of(kind).with_message(message));
        };
        K::of(credential).ok_or_else(|| {
            let message = format!("The credential '{id}' is not of the kind '{}'.", K::KIND);
            ConnectorError::of(ErrorKind::InvalidConfiguration).with_message(message)
        })
    }

    /// The credential `id` if the request carries it as that kind: for optional ones.
    #[must_use]
    pub fn find<K: CredentialKind>(&self, id: &str) -> Option<K> {
        self.entry(id).and_then(K::of)
    }

    fn entry(&self, id: &str) -> Option<&AuthCredential> {
        self.0
            .iter()
            .find(|credential| credential.id.as_deref() == Some(id))
    }
}
