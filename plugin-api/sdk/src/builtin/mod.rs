//! The capabilities that every connector has without writing them: `info`, `app_info`, `probe_integration`, and
//! `validate_credential_config` where there are several credentials.
#![forbid(unsafe_code)]

mod app_info;
mod credential_config;
mod info;
mod probe;

use lumos_connector_models::{
    AppInfo, AppInfoRequestPayload, JsonObject, ProbeIntegration, ProbeResults, Request, Response,
    ValidateCredentialConfig, ValidatedCredentialConfig,
};

use crate::connector::{CapabilityEntry, Connector};
use crate::schema::{input_of, output_of};
use crate::validate::Envelope;

pub(crate) use app_info::app_info;
pub(crate) use credential_config::validate_credential_config;
pub(crate) use info::{info, info_value};
pub(crate) use probe::probe;

/// What the descriptions need to know of a capability, written or built in.
#[derive(Clone, Copy)]
struct Shape {
    envelope: Envelope,
    input: fn() -> JsonObject,
    output: fn() -> JsonObject,
    full_request: fn() -> JsonObject,
    full_response: fn() -> JsonObject,
}

impl Shape {
    /// That of the connector's capability `name`, whose entry it is if the connector wrote it.
    fn of(name: &str, entry: Option<&CapabilityEntry>) -> Self {
        match (entry, name) {
            (Some(entry), _) => Self {
                envelope: entry.envelope,
                input: entry.input_schema,
                output: entry.output_schema,
                full_request: entry.full_request,
                full_response: entry.full_response,
            },
            (None, "app_info") => Self {
                envelope: Envelope::Standard { open: false },
                input: input_of::<AppInfoRequestPayload>,
                output: output_of::<AppInfo>,
                full_request: input_of::<Request<AppInfoRequestPayload>>,
                full_response: output_of::<Response<AppInfo>>,
            },
            (None, "validate_credential_config") => Self {
                envelope: Envelope::Standard { open: true },
                input: input_of::<ValidateCredentialConfig>,
                output: output_of::<ValidatedCredentialConfig>,
                full_request: input_of::<Request<ValidateCredentialConfig>>,
                full_response: output_of::<Response<ValidatedCredentialConfig>>,
            },
            (None, _) => Self {
                envelope: Envelope::Standard { open: false },
                input: input_of::<ProbeIntegration>,
                output: output_of::<ProbeResults>,
                full_request: input_of::<Request<ProbeIntegration>>,
                full_response: output_of::<Response<ProbeResults>>,
            },
        }
    }
}

/// Names of the connector's capabilities, sorted, with those that it has without writing them.
fn capability_names(connector: &Connector) -> Vec<String> {
    let mut names: Vec<String> = connector.declaration.capabilities.keys().cloned().collect();
    let several = connector.declaration.auth.several().is_some();
    let built_in = ["app_info", "probe_integration"]
        .into_iter()
        .chain(several.then_some("validate_credential_config"));
    for name in built_in {
        if !connector.declaration.capabilities.contains_key(name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names
}
