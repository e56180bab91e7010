//! Whether a request carries the credentials that a connector asks for.
//!
//! Callers see which mistake is told first, so the order is fixed.
#![forbid(unsafe_code)]

use lumos_connector_models::AuthCredential;
use serde_json::Value;

use super::bad_request;
use crate::connector::{AuthSpec, CredentialSet};
use crate::credentials::CredentialSpec;
use crate::error::ConnectorError;

/// Checks what a request carries; its form has been checked before.
pub(crate) fn check_auth(document: &Value, spec: &AuthSpec) -> Result<(), ConnectorError> {
    if matches!(spec, AuthSpec::None) {
        return Ok(());
    }
    let part = |name: &str| document.get(name).filter(|value| !value.is_null());
    match (part("auth"), part("credentials")) {
        (Some(_), Some(_)) => Err(bad_request(
            "Cannot pass credentials and auth in the same request, if you've meant to make this connector \
             multi-auth compatible, please remove the auth field.",
        )),
        (None, None) => Err(bad_request("Missing auth/credentials in request")),
        (None, Some(credentials)) => check_credentials(credentials, spec),
        (Some(auth), None) => check_single(auth, spec),
    }
}

/// A connector with several credentials looks for none of them here, so that the capability finds that there are none.
fn check_single(auth: &Value, spec: &AuthSpec) -> Result<(), ConnectorError> {
    let AuthSpec::Single { kind, .. } = spec else {
        return Ok(());
    };
    match auth.get(kind) {
        Some(credential) if !credential.is_null() => Ok(()),
        _ if *kind == "empty" => Ok(()),
        _ => Err(bad_request(format!("Missing '{kind}' auth in request"))),
    }
}

fn check_credentials(credentials: &Value, spec: &AuthSpec) -> Result<(), ConnectorError> {
    let malformed = || bad_request("Malformed credentials in request");
    let credentials: Vec<AuthCredential> =
        serde_json::from_value(credentials.clone()).map_err(|_| malformed())?;
    if credentials.is_empty() {
        return Err(bad_request("Missing credentials in request"));
    }
    let none = CredentialSet::default();
    let set = spec.several().unwrap_or(&none);
    let mut found: Vec<(&CredentialSpec, AuthCredential)> = Vec::new();
    for (index, credential) in credentials.into_iter().enumerate() {
        let id = credential.id.as_deref().unwrap_or_default();
        if id.is_empty() {
            return Err(bad_request(format!("Missing ID in credential at index {index}")));
        }
        let Some(spec) = set.of_id(id) else {
            return Err(not_expected(id));
        };
        match found.iter_mut().find(|(known, _)| known.id == spec.id) {
            None => found.push((spec, credential)),
            // Of two with the same id the one counts that holds something.
            Some((_, known)) if !known.holds(spec.kind) && credential.holds(spec.kind) => *known = credential,
            Some(_) => {}
        }
    }
    check_combinations(set, &found)
}

/// Ids are part of what a connector publishes; anything longer or stranger than an id may be something else.
fn not_expected(id: &str) -> ConnectorError {
    let is_name = id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if is_name {
        bad_request(format!("Credential with id '{id}' not expected"))
    } else {
        bad_request("Credential with an id that is no name not expected")
    }
}

fn check_combinations(
    set: &CredentialSet,
    found: &[(&CredentialSpec, AuthCredential)],
) -> Result<(), ConnectorError> {
    let is_filled = |spec: &CredentialSpec| {
        found
            .iter()
            .any(|(known, credential)| known.id == spec.id && spec.is_filled(credential))
    };
    let mut fewest: Vec<&str> = Vec::new();
    for combination in set.combinations() {
        let filled = combination.iter().any(|spec| is_filled(spec));
        let complete = combination.iter().all(|spec| is_filled(spec) || spec.optional);
        if filled && complete {
            return Ok(());
        }
        let missing: Vec<&str> = combination
            .iter()
            .filter(|spec| !(is_filled(spec) || spec.optional && filled))
            .map(|spec| spec.kind)
            .collect();
        if fewest.is_empty() || missing.len() < fewest.len() {
            fewest = missing;
        }
    }
    if fewest.is_empty() {
        return Err(bad_request("Missing auth/credentials in request"));
    }
    Err(bad_request(format!(
        "Missing '{}' credential in request",
        fewest.join(", ")
    )))
}
