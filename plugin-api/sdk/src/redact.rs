//! Keeps credentials out of errors, logs and raw answers.
//!
//! Two things are known: the names under which credentials usually go, and the credentials of the call itself. The first
//! serve for documents of the app, the second for texts, in which an app may repeat what it was sent.
#![forbid(unsafe_code)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lumos_connector_models::JsonObject;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What stands in the place of a secret.
pub const MASK: &str = "[REDACTED]";
/// Bytes of the shortest secret that is looked for: a shorter one would mask ordinary text.
const SHORTEST: usize = 4;

const SECRET_NAMES: [&str; 12] = [
    "token",
    "secret",
    "password",
    "passphrase",
    "apikey",
    "api_key",
    "api-key",
    "privatekey",
    "private_key",
    "private-key",
    "credential",
    "authorization",
];
/// Endings of names that are about a credential and hold none.
const HARMLESS_ENDINGS: [&str; 6] = ["_url", "_name", "_prefix", "_endpoint", "_source", "_type"];

/// Whether credentials usually go under that name.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if HARMLESS_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        return false;
    }
    name.ends_with("_pem") || SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// `value` with a mask in the place of every text or number that has the name of a credential, at any depth.
#[must_use]
pub fn json(mut value: Value) -> Value {
    mask_members(&mut value, &is_secret_name);
    value
}

fn mask_members(value: &mut Value, is_secret: &dyn Fn(&str) -> bool) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_secret(name) && (member.is_string() || member.is_number()) {
                    *member = MASK.into();
                } else {
                    mask_members(member, is_secret);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask_members(item, is_secret)),
        _ => {}
    }
}

/// A request's settings as they can be logged: those that the model knows, without what it or their name says is secret.
/// Nothing if there are none.
pub(crate) fn settings(model: &JsonObject, document: &Value) -> Option<String> {
    let mut settings = document.get("settings")?.as_object()?.clone();
    let known = model.get("properties")?.as_object()?;
    settings.retain(|name, _| known.contains_key(name));
    if settings.is_empty() {
        return None;
    }
    let mut settings = Value::Object(settings);
    let is_secret = |name: &str| is_secret_name(name) || is_secret_field(model, name);
    mask_members(&mut settings, &is_secret);
    Some(settings.to_string())
}

fn is_secret_field(model: &JsonObject, name: &str) -> bool {
    let field = model
        .get("properties")
        .and_then(|properties| properties.get(name));
    field.and_then(|field| field.get("x-secret")) == Some(&Value::Bool(true))
}

/// The secrets of one call.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Those in a request's credentials, and in settings that `model` or their name says are secret.
    pub(crate) fn of(document: &Value, model: &JsonObject) -> Self {
        let mut found = Vec::new();
        for name in ["auth", "credentials", "request"] {
            collect(document.get(name), name != "request", &mut found);
        }
        let settings = document.get("settings").and_then(Value::as_object);
        for (name, value) in settings.into_iter().flatten() {
            let secret = is_secret_name(name) || is_secret_field(model, name);
            collect(Some(value), secret, &mut found);
        }
        let mut forms: Vec<String> = found.iter().flat_map(|secret| forms_of(secret)).collect();
        // The longest first, or a part of it is masked and the rest shows.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        forms.dedup();
        Self(forms)
    }

    /// `text` with a mask in the place of each of them.
    pub(crate) fn mask(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }
}

/// Members of credentials that name somebody or something.
const NAMES: [&str; 12] = [
    "id",
    "username",
    "client_id",
    "consumer_key",
    "token_id",
    "key_identifier",
    "impersonation_email",
    "tenant_id",
    "service_type",
    "scopes",
    "headers",
    "claims",
];

/// Texts that are secret themselves, or have the name of a secret.
fn collect(value: Option<&Value>, secret: bool, found: &mut Vec<String>) {
    match value {
        Some(Value::String(text)) if secret && text.len() >= SHORTEST => found.push(text.clone()),
        Some(Value::Array(items)) => items.iter().for_each(|item| collect(Some(item), secret, found)),
        Some(Value::Object(members)) => {
            if let (Some(Value::String(user)), Some(Value::String(password))) =
                (members.get("username"), members.get("password"))
            {
                found.push(BASE64.encode(format!("{user}:{password}")));
            }
            for (name, member) in members {
                let secret = (secret && !NAMES.contains(&name.as_str())) || is_secret_name(name);
                collect(Some(member), secret, found);
            }
        }
        _ => {}
    }
}

/// A secret as it is, and as it stands in URLs.
fn forms_of(secret: &str) -> [String; 2] {
    [
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_with_the_name_of_a_credential_are_masked() {
        let masked = json(json!({
            "id": 1, "Api_Key": "k", "token_type": "bearer", "list": [{"client_secret": 5}], "token": {"value": "v"}, "password": null
        }));
        assert_eq!(
            masked,
            json!({
                "id": 1, "Api_Key": MASK, "token_type": "bearer", "list": [{"client_secret": MASK}], "token": {"value": "v"},
                "password": null
            })
        );
    }

    #[test]
    fn the_secrets_of_a_call_are_found_in_every_form() {
        let body = json!({
            "auth": {"basic": {"username": "somebody", "password": "p@ss word"}},
            "settings": {"domain": "example", "api_key": "k3y-of-app", "pin": "1234"},
            "request": {"refresh_token": "r3fresh", "account_id": "account"},
        });
        let Value::Object(model) = json!({"properties": {"pin": {"x-secret": true}}}) else {
            unreachable!()
        };
        let secrets = Secrets::of(&body, &model);
        let encoded = BASE64.encode("somebody:p@ss word");
        let text = format!("p@ss word p%40ss%20word {encoded} k3y-of-app 1234 r3fresh");
        assert_eq!(secrets.mask(&text), [MASK; 6].join(" "));
        assert_eq!(
            secrets.mask("somebody example account"),
            "somebody example account"
        );
    }

    #[test]
    fn settings_are_logged_without_what_is_secret() {
        let Value::Object(model) =
            json!({"properties": {"domain": {}, "pin": {"x-secret": true}, "scim_token": {}}})
        else {
            unreachable!()
        };
        let document = json!({"settings": {"domain": "d", "pin": "1234", "scim_token": "t", "unknown": "u"}});
        assert_eq!(
            settings(&model, &document).unwrap(),
            r#"{"domain":"d","pin":"[REDACTED]","scim_token":"[REDACTED]"}"#
        );
        assert_eq!(settings(&model, &json!({"settings": {"unknown": "u"}})), None);
    }
}
