//! Which credential a connector needs.
#![forbid(unsafe_code)]

use lumos_connector_models::{
    AuthCredential, BasicCredential, EmptyCredential, JwtCredential, KeyPairCredential, OAuth1Credential,
    OAuthClientCredential, OAuthCredential, ServiceAccountCredential, TokenCredential,
};
use schemars::JsonSchema;

/// A credential that a connector can ask for. Implemented for the API's credential types and for [`NoAuth`].
pub trait Auth: JsonSchema + Clone + Send + Sync + Sized + 'static {
    /// The member of `auth` that holds it; empty if the connector needs none.
    const KIND: &'static str;

    /// Takes it from a request's credential.
    fn take(credential: AuthCredential) -> Option<Self>;
}

/// A connector without a credential: what it talks to trusts the network that it runs in.
#[derive(Debug, Clone, Copy, Default, JsonSchema)]
pub struct NoAuth;

impl Auth for NoAuth {
    const KIND: &'static str = "";

    fn take(_: AuthCredential) -> Option<Self> {
        Some(Self)
    }
}

macro_rules! auth {
    ($($kind:ident: $credential:ty;)*) => {
        $(
            impl Auth for $credential {
                const KIND: &'static str = stringify!($kind);

                fn take(credential: AuthCredential) -> Option<Self> {
                    credential.$kind
                }
            }
        )*
    };
}

auth! {
    oauth: OAuthCredential;
    oauth_client_credentials: OAuthClientCredential;
    oauth1: OAuth1Credential;
    basic: BasicCredential;
    token: TokenCredential;
    jwt: JwtCredential;
    service_account: ServiceAccountCredential;
    key_pair: KeyPairCredential;
    empty: EmptyCredential;
}
