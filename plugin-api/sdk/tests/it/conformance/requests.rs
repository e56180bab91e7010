//! A connector with every capability takes the requests that the reference takes, and refuses those that it refuses.

use std::collections::{BTreeMap, BTreeSet};

use lumos_connector_sdk::capability::*;
use lumos_connector_sdk::harness::Harness;
use lumos_connector_sdk::prelude::*;
use lumos_connector_sdk::{Input, Output};

use super::differences::Differences;
use super::{documents, fail_unless_empty, types};

macro_rules! connector {
    ($($capability:ident)*) => {
        Integration::new("conformance", "1.0.0")
            $(.register($capability, |_, input| reached($capability, input)))*
    };
}

/// A request that came as far as its capability.
async fn reached<I: Input, O: Output, G>(_: Standard<I, O, G>, _: I) -> Result<O> {
    Err(ConnectorError::conflict("reached"))
}

/// Every capability but the three that the SDK answers itself.
#[rustfmt::skip]
fn harness() -> Harness {
    let integration = connector![
        ACTIVATE_ACCOUNT ASSIGN_APPLICATION ASSIGN_APPLICATION_ENTITLEMENT ASSIGN_ENTITLEMENT CONNECTED_INFO
        CREATE_ACCOUNT DEACTIVATE_ACCOUNT DELETE_ACCOUNT DOWNGRADE_LICENSE FIND_ENTITLEMENT_ASSIGNMENTS
        FIND_ENTITLEMENT_ASSOCIATIONS FIND_ENTITLEMENT_GRAPH FIND_RESOURCE_GRAPH FULFILL_ARBITRARY_ENDPOINT
        GET_ACCOUNT GET_ACCOUNT_ENTITLEMENT_ASSOCIATIONS GET_APPLICATION GET_APPLICATION_ACCOUNT
        GET_AUTHORIZATION_URL GET_CREDENTIAL_LAST_ACTIVITY GET_DATA_RECENCY GET_LAST_ACTIVITY
        GET_NON_HUMAN_ACCOUNT_LAST_ACTIVITY HANDLE_AUTHORIZATION_CALLBACK HANDLE_CLIENT_CREDENTIALS_REQUEST
        LIST_ACCOUNTS LIST_ACTIVITY_RECORDS LIST_APPLICATIONS LIST_APPLICATIONS_ACCOUNTS
        LIST_APPLICATIONS_ACTIVITY_RECORDS LIST_APPLICATIONS_ENTITLEMENT_ASSOCIATIONS
        LIST_APPLICATIONS_ENTITLEMENTS LIST_APPLICATIONS_RESOURCES LIST_CREDENTIALS
        LIST_CUSTOM_ATTRIBUTES_SCHEMA LIST_ENTITLEMENTS LIST_EXPENSES LIST_NON_HUMAN_ACCOUNTS LIST_RESOURCES
        LIST_UPDATED_ACCOUNTS PROBE_INTEGRATION REFRESH_ACCESS_TOKEN RELEASE_RESOURCES TRANSFER_DATA
        UNASSIGN_APPLICATION UNASSIGN_APPLICATION_ENTITLEMENT UNASSIGN_ENTITLEMENT UPDATE_ACCOUNT
        VALIDATE_CREDENTIAL_CONFIG VALIDATE_CREDENTIALS
    ];
    Harness::new(integration).unwrap()
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn what_the_reference_takes_and_refuses_so_does_a_connector() {
    let harness = harness();
    let capabilities: BTreeMap<String, &str> = types::capabilities()
        .into_iter()
        .filter_map(|capability| Some((capability.request?.name, capability.name)))
        .collect();
    let mut differences = Differences::read("requests");
    let mut wrong = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut refused = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for case in documents::cases() {
        let Some(&capability) = capabilities.get(&case.model) else {
            continue;
        };
        // What stands in every envelope is the same in all of them; one shows it.
        if !seen.insert((&case.what, &case.case)) {
            continue;
        }
        let answer = harness.call_bytes(capability, case.document.as_bytes());
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        let is_taken = !message.starts_with("Invalid request");
        if is_taken {
            taken.insert(capability)
        } else {
            refused.insert(capability)
        };
        if is_taken != case.answer.is_some() && !differences.is_meant(&case.what, &case.case) {
            let line = format!(
                "{} {}, {}: ours {answer}\n      {:.300}",
                capability, case.what, case.case, case.document
            );
            wrong.entry((&case.what, &case.case)).or_insert(line);
        }
    }
    let mut wrong: Vec<String> = wrong.into_values().collect();
    wrong.extend(differences.forgotten());
    fail_unless_empty(
        "a connector takes other requests than one of the reference",
        &wrong,
    );
    assert_eq!(
        taken.len(),
        capabilities.len(),
        "each capability takes some request"
    );
    assert_eq!(
        refused.len(),
        capabilities.len(),
        "each capability refuses some request"
    );
}
