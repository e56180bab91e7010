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
    ACTIVATE_ACCOUNT = "activate_account": models::ActivateAccount => models::ActivatedAccount;
    APP_INFO = "app_info": models::AppInfoRequestPayload => models::AppInfo;
    ASSIGN_APPLICATION = "assign_application": models::AssignApplication => models::AssignedApplication;
    ASSIGN_APPLICATION_ENTITLEMENT = "assign_application_entitlement": models::AssignApplicationEntitlement => models::AssignedApplicationEntitlement;
    ASSIGN_ENTITLEMENT = "assign_entitlement": models::AssignEntitlement => models::AssignedEntitlement;
    CONNECTED_INFO = "connected_info": models::GetConnectedInfo => models::Info;
    CREATE_ACCOUNT = "create_account": models::CreatableAccount => models::CreatedAccount;
    DEACTIVATE_ACCOUNT = "deactivate_account": models::DeactivateAccount => models::DeactivatedAccount;
    DELETE_ACCOUNT = "delete_account": models::DeleteAccount => models::DeletedAccount;
    DOWNGRADE_LICENSE = "downgrade_license": models::DowngradeLicense => models::DowngradedLicense;
    FIND_ENTITLEMENT_ASSIGNMENTS = "find_entitlement_assignments": models::FindEntitlementAssignments => Vec<models::AccessGraphEntitlementAssignment>;
    FIND_ENTITLEMENT_ASSOCIATIONS = "find_entitlement_associations": models::FindEntitlementAssociations => Vec<models::FoundEntitlementAssociation>;
    FIND_ENTITLEMENT_GRAPH = "find_entitlement_graph": models::FindEntitlementGraph => models::EntitlementGraph;
    FIND_RESOURCE_GRAPH = "find_resource_graph": models::FindResourceGraph => models::ResourceGraph;
    FULFILL_ARBITRARY_ENDPOINT = "fulfill_arbitrary_endpoint": models::FulfillArbitraryEndpoint => models::ArbitraryResponse;
    GET_ACCOUNT = "get_account": models::GetAccount => models::FoundAccountData;
    GET_ACCOUNT_ENTITLEMENT_ASSOCIATIONS = "get_account_entitlement_associations": models::GetAccountEntitlementAssociations => Vec<models::FoundEntitlementAssociation>;
    GET_APPLICATION = "get_application": models::GetApplication => models::Application;
    GET_APPLICATION_ACCOUNT = "get_application_account": models::GetApplicationAccount => models::ApplicationAccount;
    GET_AUTHORIZATION_URL = "get_authorization_url": models::GetAuthorizationUrl => models::AuthorizationUrl, Open;
    GET_CREDENTIAL_LAST_ACTIVITY = "get_credential_last_activity": models::GetCredentialLastActivity => Vec<models::CredentialLastActivity>;
    GET_DATA_RECENCY = "get_data_recency": models::GetDataRecency => models::DataRecency;
    GET_LAST_ACTIVITY = "get_last_activity": models::GetLastActivity => Vec<models::LastActivityData>;
    GET_NON_HUMAN_ACCOUNT_LAST_ACTIVITY = "get_non_human_account_last_activity": models::GetNonHumanAccountLastActivity => Vec<models::NonHumanAccountLastActivity>;
    HANDLE_AUTHORIZATION_CALLBACK = "handle_authorization_callback": models::HandleAuthorizationCallback => models::OauthCredentials, Open;
    HANDLE_CLIENT_CREDENTIALS_REQUEST = "handle_client_credentials_request": models::HandleClientCredentials => models::OauthCredentials, Open;
    INFO = "info": models::JsonObject => models::Info;
    LIST_ACCOUNTS = "list_accounts": models::ListAccounts => Vec<models::FoundAccountData>;
    LIST_ACTIVITY_RECORDS = "list_activity_records": models::ListActivityRecords => Vec<models::ActivityRecord>;
    LIST_APPLICATIONS = "list_applications": models::ListApplications => Vec<models::Application>;
    LIST_APPLICATIONS_ACCOUNTS = "list_applications_accounts": models::ListApplicationsAccounts => Vec<models::ApplicationAccount>;
    LIST_APPLICATIONS_ACTIVITY_RECORDS = "list_applications_activity_records": models::ListApplicationsActivityRecords => Vec<models::ApplicationActivityRecord>;
    LIST_APPLICATIONS_ENTITLEMENT_ASSOCIATIONS = "list_applications_entitlement_associations": models::ListApplicationsEntitlementAssociations => Vec<models::ApplicationEntitlementAssociation>;
    LIST_APPLICATIONS_ENTITLEMENTS = "list_applications_entitlements": models::ListApplicationsEntitlements => Vec<models::ApplicationEntitlementData>;
    LIST_APPLICATIONS_RESOURCES = "list_applications_resources": models::ListApplicationsResources => Vec<models::ApplicationResourceData>;
    LIST_CREDENTIALS = "list_credentials": models::ListCredentials => Vec<models::Credential>;
    LIST_CUSTOM_ATTRIBUTES_SCHEMA = "list_custom_attributes_schema": models::ListCustomAttributesSchema => Vec<models::CustomAttributeSchema>;
    LIST_ENTITLEMENTS = "list_entitlements": models::ListEntitlements => Vec<models::FoundEntitlementData>;
    LIST_EXPENSES = "list_expenses": models::ListExpenses => Vec<models::Expense>;
    LIST_NON_HUMAN_ACCOUNTS = "list_non_human_accounts": models::ListNonHumanAccounts => Vec<models::NonHumanAccount>;
    LIST_RESOURCES = "list_resources": models::ListResources => Vec<models::FoundResourceData>;
    LIST_UPDATED_ACCOUNTS = "list_updated_accounts": models::ListUpdatedAccounts => models::UpdatedAccounts;
    PROBE_INTEGRATION = "probe_integration": models::ProbeIntegration => models::ProbeResults;
    REFRESH_ACCESS_TOKEN = "refresh_access_token": models::RefreshAccessToken => models::OauthCredentials, Open;
    RELEASE_RESOURCES = "release_resources": models::ReleaseResources => models::ReleaseResourcesStatus;
    TRANSFER_DATA = "transfer_data": models::TransferData => models::TransferDataStatus;
    UNASSIGN_APPLICATION = "unassign_application": models::UnassignApplication => models::UnassignedApplication;
    UNASSIGN_APPLICATION_ENTITLEMENT = "unassign_application_entitlement": models::UnassignApplicationEntitlement => models::UnassignedApplicationEntitlement;
    UNASSIGN_ENTITLEMENT = "unassign_entitlement": models::UnassignEntitlement => models::UnassignedEntitlement;
    UPDATE_ACCOUNT = "update_account": models::UpdateableAccount => models::UpdateableAccount;
    VALIDATE_CREDENTIAL_CONFIG = "validate_credential_config": models::ValidateCredentialConfig => models::ValidatedCredentialConfig, Open;
    VALIDATE_CREDENTIALS = "validate_credentials": models::ValidateCredentials => models::ValidatedCredentials;
}
