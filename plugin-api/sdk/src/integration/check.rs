//! The rules that names in a declaration follow.
#![forbid(unsafe_code)]

use super::IntegrationError;
use crate::connector::AuthSpec;
use crate::credentials::CredentialSpec;

pub(super) fn is_app_id(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        && !text.contains("__")
}

pub(super) fn is_capability_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .split('_')
            .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()))
}

/// What is wrong with another credential beside those that are declared.
pub(super) fn credential(spec: &CredentialSpec, declared: &AuthSpec) -> Option<IntegrationError> {
    let taken = declared
        .several()
        .is_some_and(|set| set.of_id(&spec.id).is_some());
    if spec.id.is_empty() || taken {
        return Some(IntegrationError::CredentialId(spec.id.clone()));
    }
    None
}
