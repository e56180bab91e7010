//! Which credentials a connector needs.
//!
//! Most connectors ask for one: `.auth::<TokenCredential>()`, and find it in
//! [`Context::auth`](crate::Context). A connector that can be connected in several ways declares each of them with
//! [`Integration::credential`](crate::Integration::credential), and finds in the same place [`Credentials`], from which
//! it takes them by their ids.
#![forbid(unsafe_code)]

use lumos_connector_models::{
    AuthCredential, BasicCredential, EmptyCredential, JwtCredential, KeyPairCredential, OAuth1Credential,
    OAuthClientCredential, OAuthCredential, ServiceAccountCredential, TokenCredential,
};
use schemars::JsonSchema;

pub use crate::credentials::{CredentialConfig, Credentials};

/// What a request carries to prove who asks.
#[derive(Debug, Default)]
pub struct Carried {
    pub(crate) auth: Option<AuthCredential>,
    pub(crate) credentials: Vec<AuthCredential>,
}

/// What a capability finds in [`Context::auth`](crate::Context): one of the API's credentials, [`Credentials`], or
/// [`NoAuth`].
pub trait Auth: Clone + Send + Sync + Sized + 'static {
    /// Takes it from what a request carries.
    #[doc(hidden)]
    fn take(carried: Carried) -> Option<Self>;
}

/// A kind of credential that the API knows.
pub trait CredentialKind: Auth + JsonSchema {
    /// The member of a request's `auth` that holds it.
    const KIND: &'static str;

    /// Takes it from its place.
    #[doc(hidden)]
    fn of(credential: &AuthCredential) -> Option<Self>;
}

/// A connector without a credential: what it talks to trusts the network that it runs in.
///
/// Capabilities that run before there is a credential, such as `get_authorization_url`, get it in any connector.
#[derive(Debug, Clone, Copy, Default, JsonSchema)]
pub struct NoAuth;

impl Auth for NoAuth {
    fn take(_: Carried) -> Option<Self> {
        Some(Self)
    }
}

macro_rules! kinds {
    ($($kind:ident: $credential:ty;)*) => {
        $(
            impl Auth for $credential {
                fn take(carried: Carried) -> Option<Self> {
                    Self::of(&carried.auth?)
                }
            }

            impl CredentialKind for $credential {
                const KIND: &'static str = stringify!($kind);

                fn of(credential: &AuthCredential) -> Option<Self> {
                    credential.$kind.clone()
                }
            }
        )*
    };
}

kinds! {
    oauth: OAuthCredential;
    oauth_client_credentials: OAuthClientCredential;
    oauth1: OAuth1Credential;
    basic: BasicCredential;
    token: TokenCredential;
    jwt: JwtCredential;
    service_account: ServiceAccountCredential;
    key_pair: KeyPairCredential;
}

impl Auth for EmptyCredential {
    /// It holds nothing, so that its place may be empty too.
    fn take(_: Carried) -> Option<Self> {
        Some(Self {})
    }
}

impl CredentialKind for EmptyCredential {
    const KIND: &'static str = "empty";

    fn of(credential: &AuthCredential) -> Option<Self> {
        // An entry that holds nothing but its id is one too.
        (credential.empty.is_some() || credential.kinds().next().is_none()).then_some(Self {})
    }
}
