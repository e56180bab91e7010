//! Every standard capability that a connector can write.

use lumos_connector_sdk::capability::{Guard, Standard};
use lumos_connector_sdk::prelude::*;
use lumos_connector_sdk::{Input, Output};

async fn stub<A, S, I, O>(_: Context<A, S>, _: I) -> Result<O> {
    Err(ConnectorError::unsupported_operation("nothing is behind it"))
}

struct Everything(Integration<TokenCredential>);

impl Everything {
    fn put<I: Input, O: Output, G: Guard>(self, capability: Standard<I, O, G>) -> Self {
        Self(self.0.register(capability, stub::<_, _, I, O>))
    }
}

pub(super) fn everything() -> Integration<TokenCredential> {
    let integration = super::new("everything")
        .resource_types([ResourceType::new("team", "Team")])
        .entitlement_types([EntitlementType::new("role", "Role", "team")])
        .auth::<TokenCredential>();
    Everything(integration)
        .put(capability::ACTIVATE_ACCOUNT)
        .put(capability::ASSIGN_APPLICATION)
        .put(capability::ASSIGN_APPLICATION_ENTITLEMENT)
        .put(capability::ASSIGN_ENTITLEMENT)
        .put(capability::CREATE_ACCOUNT)
        .put(capability::DEACTIVATE_ACCOUNT)
        .put(capability::DELETE_ACCOUNT)
        .put(capability::DOWNGRADE_LICENSE)
        .put(capability::FIND_ENTITLEMENT_ASSIGNMENTS)
        .put(capability::FIND_ENTITLEMENT_ASSOCIATIONS)
        .put(capability::FIND_ENTITLEMENT_GRAPH)
        .put(capability::FIND_RESOURCE_GRAPH)
        .put(capability::FULFILL_ARBITRARY_ENDPOINT)
        .put(capability::GET_ACCOUNT)
        .put(capability::GET_ACCOUNT_ENTITLEMENT_ASSOCIATIONS)
        .put(capability::GET_APPLICATION)
        .put(capability::GET_APPLICATION_ACCOUNT)
        .put(capability::GET_AUTHORIZATION_URL)
        .put(capability::GET_CREDENTIAL_LAST_ACTIVITY)
        .put(capability::GET_DATA_RECENCY)
        .put(capability::GET_LAST_ACTIVITY)
        .put(capability::GET_NON_HUMAN_ACCOUNT_LAST_ACTIVITY)
        .put(capability::HANDLE_AUTHORIZATION_CALLBACK)
        .put(capability::HANDLE_CLIENT_CREDENTIALS_REQUEST)
        .put(capability::LIST_ACCOUNTS)
        .put(capability::LIST_ACTIVITY_RECORDS)
        .put(capability::LIST_APPLICATIONS)
        .put(capability::LIST_APPLICATIONS_ACCOUNTS)
        .put(capability::LIST_APPLICATIONS_ACTIVITY_RECORDS)
        .put(capability::LIST_APPLICATIONS_ENTITLEMENT_ASSOCIATIONS)
        .put(capability::LIST_APPLICATIONS_ENTITLEMENTS)
        .put(capability::LIST_APPLICATIONS_RESOURCES)
        .put(capability::LIST_CREDENTIALS)
        .put(capability::LIST_CUSTOM_ATTRIBUTES_SCHEMA)
        .put(capability::LIST_ENTITLEMENTS)
        .put(capability::LIST_EXPENSES)
        .put(capability::LIST_NON_HUMAN_ACCOUNTS)
        .put(capability::LIST_RESOURCES)
        .put(capability::LIST_UPDATED_ACCOUNTS)
        .put(capability::PROBE_INTEGRATION)
        .put(capability::REFRESH_ACCESS_TOKEN)
        .put(capability::RELEASE_RESOURCES)
        .put(capability::TRANSFER_DATA)
        .put(capability::UNASSIGN_APPLICATION)
        .put(capability::UNASSIGN_APPLICATION_ENTITLEMENT)
        .put(capability::UNASSIGN_ENTITLEMENT)
        .put(capability::UPDATE_ACCOUNT)
        .put(capability::VALIDATE_CREDENTIAL_CONFIG)
        .put(capability::VALIDATE_CREDENTIALS)
        .0
}
