//! The standard capabilities, each with the types that it takes and gives.
//!
//! [`Integration::register`](crate::Integration::register) takes one of these, so that the compiler checks a function
//! against the capability that it is registered for.
#![forbid(unsafe_code)]

use std::marker::PhantomData;

use lumos_connector_models as models;

use crate::auth::{Auth, NoAuth};

/// A standard capability that takes `I` and gives `O`; `G` says whether its requests carry credentials.
pub struct Standard<I, O, G = Authenticated> {
    pub(crate) name: &'static str,
    payloads: PhantomData<fn(I, G) -> O>,
}

/// Whether the requests of a capability carry credentials: [`Authenticated`] or [`Open`].
pub trait Guard: 'static {
    /// What a capability of a connector with the credential `A` finds in its context.
    type Auth<A: Auth>: Auth;
    #[doc(hidden)]
    const OPEN: bool;
}

/// Requests carry credentials.
pub struct Authenticated;

/// Requests carry none, because there is none yet.
pub struct Open;

impl Guard for Authenticated {
    type Auth<A: Auth> = A;
    const OPEN: bool = false;
}

impl Guard for Open {
    type Auth<A: Auth> = NoAuth;
    const OPEN: bool = true;
}

impl<I, O, G> Clone for Standard<I, O, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, O, G> Copy for Standard<I, O, G> {}

impl<I, O, G> Standard<I, O, G> {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            payloads: PhantomData,
        }
    }

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

macro_rules! standard {
    ($($constant:ident = $name:literal: $input:ty => $output:ty $(, $guard:ident)?;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: Standard<$input, $output $(, $guard)?> = Standard::new($name);
        )*
    };
}

standard! {
    VALIDATE_CREDENTIALS = "validate_credentials": models::ValidateCredentials => models::ValidatedCredentials;
    LIST_ACCOUNTS = "list_accounts": models::ListAccounts => Vec<models::FoundAccountData>;
    LIST_RESOURCES = "list_resources": models::ListResources => Vec<models::FoundResourceData>;
    LIST_ENTITLEMENTS = "list_entitlements": models::ListEntitlements => Vec<models::FoundEntitlementData>;
    FIND_ENTITLEMENT_ASSOCIATIONS = "find_entitlement_associations":
        models::FindEntitlementAssociations => Vec<models::FoundEntitlementAssociation>;
    GET_LAST_ACTIVITY = "get_last_activity": models::GetLastActivity => Vec<models::LastActivityData>;
    CREATE_ACCOUNT = "create_account": models::CreatableAccount => models::CreatedAccount;
    ACTIVATE_ACCOUNT = "activate_account": models::ActivateAccount => models::ActivatedAccount;
    DEACTIVATE_ACCOUNT = "deactivate_account": models::DeactivateAccount => models::DeactivatedAccount;
    DELETE_ACCOUNT = "delete_account": models::DeleteAccount => models::DeletedAccount;
    ASSIGN_ENTITLEMENT = "assign_entitlement": models::AssignEntitlement => models::AssignedEntitlement;
    UNASSIGN_ENTITLEMENT = "unassign_entitlement": models::UnassignEntitlement => models::UnassignedEntitlement;
    VALIDATE_CREDENTIAL_CONFIG = "validate_credential_config":
        models::ValidateCredentialConfig => models::ValidatedCredentialConfig, Open;
    PROBE_INTEGRATION = "probe_integration": models::ProbeIntegration => models::ProbeResults;
}
