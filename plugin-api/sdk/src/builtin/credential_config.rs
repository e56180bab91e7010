//! `validate_credential_config`: whether a credential is fit to be saved, before anything is done with it.
#![forbid(unsafe_code)]

use lumos_connector_models::{
    AuthCredential, ErrorCode, Response, ValidateCredentialConfig, ValidatedCredentialConfig,
};
use serde_json::Value;

use crate::connector::Connector;
use crate::credentials::CredentialSpec;
use crate::error::ConnectorError;
use crate::handler::{self, Outcome};
use crate::schema;
use crate::validate::{self, Envelope, Model};

const EMPTY: &str = "Fill in the credential's fields.";
const BLANK: &str = "A field that is needed is empty. Fill it in.";
const SPACES: &str = "The credential begins or ends with spaces. Remove them.";

/// Answers `validate_credential_config`.
pub(crate) async fn validate_credential_config(connector: &Connector, body: &[u8]) -> Outcome {
    let mut document = validate::parse(body)?;
    let payload = schema::input_of::<ValidateCredentialConfig>();
    let envelope = Envelope::Standard { open: true };
    Model::request(envelope, "ValidateCredentialConfigRequest", payload).check(&mut document)?;
    connector.check_settings(document.get("settings"))?;
    let payload = document.get_mut("request").map(Value::take).unwrap_or_default();
    let request: ValidateCredentialConfig = serde_json::from_value(payload).map_err(|_| {
        ConnectorError::framework(ErrorCode::BadRequest, "Invalid request, expected JSON input.")
    })?;
    let credential = request.credential;
    let spec = find(connector, &credential)?;
    let mut complaints: Vec<String> = first_glance(spec, &credential)?.into_iter().collect();
    if complaints.is_empty()
        && let Some(check) = &spec.check
    {
        complaints = check(&credential).await?;
    }
    handler::serialize(&Response::new(ValidatedCredentialConfig {
        valid: complaints.is_empty(),
        validation_errors: Some(complaints),
    }))
}

fn find<'a>(
    connector: &'a Connector,
    credential: &AuthCredential,
) -> Result<&'a CredentialSpec, ConnectorError> {
    let id = credential.id.as_deref().unwrap_or_default();
    if id.is_empty() {
        return Err(ConnectorError::missing_parameter("The credential has no id."));
    }
    let known = connector.declaration.auth.several().and_then(|set| set.of_id(id));
    known.ok_or_else(|| {
        ConnectorError::invalid_configuration("The connector declares no credential with this id.")
    })
}

/// What can be said of a credential without knowing the app.
fn first_glance(
    spec: &CredentialSpec,
    credential: &AuthCredential,
) -> Result<Option<String>, ConnectorError> {
    let malformed =
        || ConnectorError::invalid_value("The credential is incomplete, or not of its declared kind.");
    let document = serde_json::to_value(credential).map_err(|_| malformed())?;
    let mut typed = match document.get(spec.kind) {
        Some(typed) if !typed.is_null() => typed.clone(),
        _ => Value::Object(serde_json::Map::new()),
    };
    let schema = (spec.schema)();
    if !Model::form(schema.clone()).fits(&mut typed) {
        return Err(malformed());
    }
    let fields = || {
        typed
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
    };
    if fields().next().is_none() && spec.kind != "empty" {
        return Ok(Some(EMPTY.to_owned()));
    }
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|known| known == name));
    if fields().any(|(name, value)| is_required(name) && value == "") {
        return Ok(Some(BLANK.to_owned()));
    }
    Ok(has_spaces(&typed).then(|| SPACES.to_owned()))
}

/// Whether a text begins or ends with spaces. A private key may: its lines end somewhere.
fn has_spaces(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim() != text,
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| !name.contains("private_key") && has_spaces(value)),
        _ => false,
    }
}
