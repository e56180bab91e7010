//! Every type of the models, by the name that the reference has for it.

use std::collections::BTreeMap;

use lumos_connector_sdk::capability::*;
use lumos_connector_sdk::models::*;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A type that travels.
pub(super) struct Type {
    pub(super) name: String,
    /// Reads a document and writes it again.
    pub(super) reread: fn(&str) -> Result<String, String>,
    pub(super) schema: fn() -> Value,
}

impl Type {
    fn of<T: JsonSchema + Serialize + DeserializeOwned>(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            reread: |document| {
                let value: T = serde_json::from_str(document).map_err(|error| error.to_string())?;
                Ok(serde_json::to_string(&value).expect("a model can be written"))
            },
            schema: || schemars::schema_for!(T).to_value(),
        }
    }
}

/// A standard capability with its envelopes.
pub(super) struct Capability {
    pub(super) name: &'static str,
    /// `info` has none: it takes anything.
    pub(super) request: Option<Type>,
    pub(super) response: Type,
}

fn of<I, O, G>(standard: Standard<I, O, G>) -> Capability
where
    I: JsonSchema + Serialize + DeserializeOwned,
    O: JsonSchema + Serialize + DeserializeOwned,
{
    let name = standard.name();
    let family = family(name);
    let request = format!("{family}Request");
    Capability {
        name,
        request: match capability(name) {
            _ if name == "info" => None,
            Some(info) if info.authenticated => Some(Type::of::<Request<I>>(request)),
            _ => Some(Type::of::<UnauthenticatedRequest<I>>(request)),
        },
        response: Type::of::<Response<O>>(format!("{family}Response")),
    }
}

/// `ListAccounts` for `list_accounts`; two families are called by other words than their capabilities.
fn family(capability: &str) -> String {
    let name = match capability {
        "connected_info" => "get_connected_info",
        "handle_client_credentials_request" => "handle_client_credentials",
        name => name,
    };
    name.split('_')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

/// Every capability that the SDK has a constant for.
pub(super) fn capabilities() -> Vec<Capability> {
    vec![
        of(ACTIVATE_ACCOUNT),
        of(APP_INFO),
        of(ASSIGN_APPLICATION),
        of(ASSIGN_APPLICATION_ENTITLEMENT),
        of(ASSIGN_ENTITLEMENT),
        of(CONNECTED_INFO),
        of(CREATE_ACCOUNT),
        of(DEACTIVATE_ACCOUNT),
        of(DELETE_ACCOUNT),
        of(DOWNGRADE_LICENSE),
        of(FIND_ENTITLEMENT_ASSIGNMENTS),
        of(FIND_ENTITLEMENT_ASSOCIATIONS),
        of(FIND_ENTITLEMENT_GRAPH),
        of(FIND_RESOURCE_GRAPH),
        of(FULFILL_ARBITRARY_ENDPOINT),
        of(GET_ACCOUNT),
        of(GET_ACCOUNT_ENTITLEMENT_ASSOCIATIONS),
        of(GET_APPLICATION),
        of(GET_APPLICATION_ACCOUNT),
        of(GET_AUTHORIZATION_URL),
        of(GET_CREDENTIAL_LAST_ACTIVITY),
        of(GET_DATA_RECENCY),
        of(GET_LAST_ACTIVITY),
        of(GET_NON_HUMAN_ACCOUNT_LAST_ACTIVITY),
        of(HANDLE_AUTHORIZATION_CALLBACK),
        of(HANDLE_CLIENT_CREDENTIALS_REQUEST),
        of(INFO),
        of(LIST_ACCOUNTS),
        of(LIST_ACTIVITY_RECORDS),
        of(LIST_APPLICATIONS),
        of(LIST_APPLICATIONS_ACCOUNTS),
        of(LIST_APPLICATIONS_ACTIVITY_RECORDS),
        of(LIST_APPLICATIONS_ENTITLEMENT_ASSOCIATIONS),
        of(LIST_APPLICATIONS_ENTITLEMENTS),
        of(LIST_APPLICATIONS_RESOURCES),
        of(LIST_CREDENTIALS),
        of(LIST_CUSTOM_ATTRIBUTES_SCHEMA),
        of(LIST_ENTITLEMENTS),
        of(LIST_EXPENSES),
        of(LIST_NON_HUMAN_ACCOUNTS),
        of(LIST_RESOURCES),
        of(LIST_UPDATED_ACCOUNTS),
        of(PROBE_INTEGRATION),
        of(REFRESH_ACCESS_TOKEN),
        of(RELEASE_RESOURCES),
        of(TRANSFER_DATA),
        of(UNASSIGN_APPLICATION),
        of(UNASSIGN_APPLICATION_ENTITLEMENT),
        of(UNASSIGN_ENTITLEMENT),
        of(UPDATE_ACCOUNT),
        of(VALIDATE_CREDENTIAL_CONFIG),
        of(VALIDATE_CREDENTIALS),
    ]
}

macro_rules! types {
    ($($name:ident)*) => {
        vec![$(Type::of::<$name>($name::schema_name()),)*]
    };
}

/// Every type that is no envelope of a capability.
#[rustfmt::skip] // a list of a hundred names is not better with a line for each
fn others() -> Vec<Type> {
    let mut types = types![
        AccessGraphEntitlement AccessGraphEntitlementAssignment AccessGraphEntitlementIdentifier
        AccessGraphEntitlementRule AccessGraphEntitlementType AccessGraphImpliedAccess
        AccessGraphImpliedAccessRule AccessGraphResource AccessGraphResourceRelationship AccountStatus
        AccountType ActivateAccount ActivatedAccount ActivityEventType ActivityRecord
        ActivityRecordActivityType ActivityRecordActor ActivityRecordEntitlement ActivityRecordTarget
        ActivityType Amount AppCategory AppInfo AppInfoRequestPayload Application ApplicationAccount
        ApplicationActivityRecord ApplicationEntitlementAssociation ApplicationEntitlementData
        ApplicationResourceData ApplicationStatus ArbitraryRequestMethod ArbitraryResponse AssignApplication
        AssignApplicationEntitlement AssignEntitlement AssignedApplication AssignedApplicationEntitlement
        AssignedEntitlement AssignmentMode AuthCredential AuthorizationUrl BasicAuthentication
        BasicCredential CapabilitySchema CreatableAccount CreateAccount CreateAccountEntitlement
        CreatedAccount Credential CredentialLastActivity CredentialStatus CustomAttribute
        CustomAttributeCustomizedType CustomAttributeParameter CustomAttributeSchema CustomAttributeType
        DataRecency DeactivateAccount DeactivatedAccount DeleteAccount DeletedAccount Delta DowngradeLicense
        DowngradedLicense EmptyCredential EntitlementGraph EntitlementRequirement EntitlementType Error
        ErrorCategory ErrorFault ErrorMetadata ErrorResponse ExecutionSummary Expense ExpenseApprovalStatus
        ExpenseFilters ExpensePaymentStatus ExpenseType FindEntitlementAssignments
        FindEntitlementAssociations FindEntitlementGraph FindResourceGraph FoundAccountData
        FoundEntitlementAssociation FoundEntitlementData FoundResourceData FulfillArbitraryEndpoint
        GetAccount GetAccountEntitlementAssociations GetApplication GetApplicationAccount
        GetAuthorizationUrl GetConnectedInfo GetCredentialLastActivity GetDataRecency GetLastActivity
        GetNonHumanAccountLastActivity HandleAuthorizationCallback HandleClientCredentials Info JwtClaims
        JwtCredential JwtHeaders KeyGenType KeyPairCredential LastActivityData ListAccounts
        ListActivityRecords ListApplications ListApplicationsAccounts ListApplicationsActivityRecords
        ListApplicationsEntitlementAssociations ListApplicationsEntitlements ListApplicationsResources
        ListCredentials ListCustomAttributesSchema ListEntitlements ListExpenses ListNonHumanAccounts
        ListResources ListUpdatedAccounts NonHumanAccount NonHumanAccountLastActivity NoopEffectReason
        NormalizedExpenseApprovalStatus NormalizedExpensePaymentStatus OAuth1Credential OAuthAuthentication
        OAuthAuthorization OAuthClientCredential OAuthClientCredentialAuthentication
        OAuthClientCredentialAuthorization OAuthCredential OAuthScopes OauthCredentials OpenApiSpecification
        OpenApiSpecificationInfo Page ProbeCapabilityConfigStatus ProbeCapabilityType ProbeCheck
        ProbeCheckName ProbeCheckSource ProbeCheckStatus ProbeConfigFinding ProbeConfigFindingSeverity
        ProbeCoverageStatus ProbeCustomAttributeResult ProbeEntitlementTypeResult ProbeIntegration
        ProbeResults ProbeSampleAccount ProbeSampleAssociation ProbeSampleCapabilityConfig
        ProbeSampleCustomAttribute ProbeSampleEntitlement ProbeStatus RateLimitMode RateLimitRequestInfo
        RateLimitResponseInfo RateLimitStateSnapshot RateLimitStateSnapshotSource Reference ReferenceType
        RefreshAccessToken ReleaseResources ReleaseResourcesStatus ResourceGraph ResourceType
        ServiceAccountCredential ServiceAccountType SignOnMode SpendUser TimeRange TokenAuthentication
        TokenCredential TokenType TransferData TransferDataStatus UnassignApplication
        UnassignApplicationEntitlement UnassignEntitlement UnassignedApplication
        UnassignedApplicationEntitlement UnassignedEntitlement UpdateableAccount UpdatedAccounts
        ValidateCredentialConfig ValidateCredentials ValidatedCredentialConfig ValidatedCredentials Vendor
    ];
    types.push(Type::of::<Response<Vec<String>>>("ListConnectorAppIds200Response"));
    types
}

/// Every type by its name.
pub(super) fn all() -> BTreeMap<String, Type> {
    let envelopes = capabilities()
        .into_iter()
        .flat_map(|capability| capability.request.into_iter().chain([capability.response]));
    let types = envelopes.chain(others());
    types.map(|one| (one.name.clone(), one)).collect()
}
