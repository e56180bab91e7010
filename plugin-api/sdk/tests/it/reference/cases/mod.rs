//! The calls that are compared.

mod credentials;
mod documents;
mod errors;
mod values;

use lumos_connector_sdk::prelude::*;

/// One call.
pub(in crate::reference) struct Case {
    /// Unique among the calls of a capability.
    pub(in crate::reference) name: String,
    pub(in crate::reference) integration: String,
    pub(in crate::reference) capability: &'static str,
    /// The document as text, which need not be JSON.
    pub(in crate::reference) body: String,
}

fn case(integration: &str, capability: &'static str, name: &str, body: impl ToString) -> Case {
    Case {
        name: format!("{integration}: {name}"),
        integration: integration.to_owned(),
        capability,
        body: body.to_string(),
    }
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = descriptions();
    cases.extend(for_tenants());
    cases.extend(documents::documents());
    cases.extend(credentials::single_credentials());
    cases.extend(credentials::several_credentials());
    cases.extend(credentials::credential_configs());
    cases.extend(values::settings());
    cases.extend(values::own_inputs());
    cases.extend(values::odd_values());
    cases.extend(values::records());
    cases.extend(errors::errors());
    cases
}

const INTEGRATIONS: [&str; 30] = [
    "everything",
    "full",
    "odd",
    "oauth",
    "oauth_client_credentials",
    "oauth1",
    "basic",
    "token",
    "jwt",
    "service_account",
    "key_pair",
    "empty",
    "open_network",
    "two",
    "both",
    "either",
    "combined",
    "own_models",
    "every_kind",
    "failing",
    "recording",
    "oauth_code",
    "oauth_plain",
    "oauth_machine",
    "oauth_machine_as_user",
    "oauth_user_as_machine",
    "oauth_token",
    "oauth_own",
    "oauth_tenant",
    "oauth_several",
];

fn descriptions() -> Vec<Case> {
    INTEGRATIONS
        .iter()
        .flat_map(|name| {
            [
                case(name, "info", "plain", json!({})),
                case(name, "app_info", "plain", json!({"request": {}})),
            ]
        })
        .collect()
}

/// What `app_info` tells may depend on the settings that come with the request.
fn for_tenants() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["oauth_tenant", "oauth_several"] {
        for (what, settings) in [
            ("sound", json!({"host": "t.example"})),
            (
                "sound and more",
                json!({"host": "t.example", "audit": true, "other": 1}),
            ),
            ("unsound", json!({"host": 7})),
            ("incomplete", json!({"audit": true})),
            ("null", json!(null)),
        ] {
            let body = json!({"request": {}, "settings": settings});
            cases.push(case(name, "app_info", what, body));
        }
    }
    cases
}
