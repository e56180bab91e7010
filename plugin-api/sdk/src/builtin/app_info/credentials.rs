//! The part of the document that is about credentials: their forms, their security schemes, which of them suffice.
#![forbid(unsafe_code)]

use lumos_connector_models::{
    BasicAuthentication, JsonObject, OAuthAuthentication, OAuthClientCredentialAuthentication,
    TokenAuthentication,
};
use serde_json::{Value, json};

use super::form;
use super::oauth::OAuth;
use crate::connector::AuthSpec;
use crate::credentials::CredentialSpec;
use crate::integration::Declaration;
use crate::schema::input_of;

/// The schema of what requests carry, and its name among the components.
pub(super) fn component(declaration: &Declaration) -> (&'static str, Value) {
    let items = match &declaration.auth {
        AuthSpec::Single { kind, schema } => {
            let schema = form(schema());
            return ("Auth", json!({"properties": {*kind: schema}, "required": [kind]}));
        }
        AuthSpec::Several(set) => set.list.iter().map(item).collect(),
        AuthSpec::None => Vec::new(),
    };
    ("Credentials", json!({"type": "array", "items": {"allOf": items}}))
}

fn item(spec: &CredentialSpec) -> Value {
    let mut schema = match authentication_form(spec) {
        Some(usual) => form(usual),
        None => form((spec.schema)()),
    };
    schema.insert("description".to_owned(), spec.description.as_str().into());
    schema.insert("x-optional".to_owned(), spec.optional.into());
    let name = spec.name.as_deref().unwrap_or_else(|| kind_name(spec.kind));
    schema.insert("x-credential-name".to_owned(), name.into());
    let kind = schema
        .get("x-credential-type")
        .and_then(Value::as_str)
        .unwrap_or("unknown")
        .to_owned();
    json!({
        "type": "object",
        "properties": {"id": {"type": "string", "enum": [spec.id]}, kind.as_str(): schema},
        "required": ["id", kind],
    })
}

/// What people type in, for kinds where that is not what requests carry.
fn authentication_form(spec: &CredentialSpec) -> Option<JsonObject> {
    if spec.own_form {
        return None;
    }
    match spec.kind {
        "oauth" => Some(input_of::<OAuthAuthentication>()),
        "oauth_client_credentials" => Some(input_of::<OAuthClientCredentialAuthentication>()),
        "basic" => Some(input_of::<BasicAuthentication>()),
        "token" => Some(input_of::<TokenAuthentication>()),
        _ => None,
    }
}

fn kind_name(kind: &str) -> &'static str {
    match kind {
        "oauth" => "OAuth 2.0",
        "oauth_client_credentials" => "OAuth 2.0 Client Credentials",
        "oauth1" => "OAuth 1.0",
        "basic" => "Basic Auth",
        "token" => "Token",
        "jwt" => "JWT",
        "service_account" => "Service Account",
        "key_pair" => "Key Pair",
        _ => "Empty Credentials",
    }
}

/// Takes the definitions out of a component's forms.
pub(super) fn definitions(component: &mut Value) -> Vec<JsonObject> {
    let mut found = Vec::new();
    match component {
        Value::Object(members) => {
            if let Some(Value::Object(definitions)) = members.shift_remove("$defs") {
                found.push(definitions);
            }
            for member in members.values_mut() {
                found.extend(definitions(member));
            }
        }
        Value::Array(items) => {
            for item in items {
                found.extend(definitions(item));
            }
        }
        _ => {}
    }
    found
}

/// The combinations of credentials that suffice, by their ids.
pub(super) fn allowed(declaration: &Declaration) -> Vec<Vec<&str>> {
    let Some(set) = declaration.auth.several() else {
        return Vec::new();
    };
    set.combinations()
        .into_iter()
        .map(|combination| combination.into_iter().map(|spec| spec.id.as_str()).collect())
        .collect()
}

/// What the operation of a capability asks for.
pub(super) fn security(declaration: &Declaration, oauth: &OAuth, capability: &str) -> Vec<Value> {
    match &declaration.auth {
        AuthSpec::None => Vec::new(),
        AuthSpec::Single { .. } => {
            let scopes = oauth.scopes_of(None, capability);
            let requirement = scopes.map(|scopes| json!({declaration.app_id.as_str(): scopes}));
            requirement.into_iter().collect()
        }
        AuthSpec::Several(set) => {
            let requirement = |spec: &CredentialSpec| {
                let scopes = oauth.scopes_of(Some(&spec.id), capability)?;
                Some(json!({spec.id.as_str(): scopes}))
            };
            set.list.iter().filter_map(requirement).collect()
        }
    }
}

/// The schemes that the operations refer to.
pub(super) fn security_schemes(declaration: &Declaration, oauth: &OAuth) -> JsonObject {
    match &declaration.auth {
        AuthSpec::None => JsonObject::new(),
        AuthSpec::Single { kind, .. } => single_scheme(kind, oauth)
            .map(|scheme| (declaration.app_id.clone(), scheme))
            .into_iter()
            .collect(),
        AuthSpec::Several(set) => {
            let scheme = |spec: &CredentialSpec| {
                let scheme = oauth
                    .scheme_of(&spec.id)
                    .or_else(|| scheme_of_several(spec.kind))?;
                Some((spec.id.clone(), scheme))
            };
            set.list.iter().filter_map(scheme).collect()
        }
    }
}

fn header(description: &str) -> Value {
    json!({"type": "apiKey", "in": "header", "name": "Authorization", "description": description})
}

fn bearer(description: &str) -> Value {
    json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description})
}

fn single_scheme(kind: &str, oauth: &OAuth) -> Option<Value> {
    Some(match kind {
        "oauth" => oauth.single_scheme("authorizationCode"),
        "oauth_client_credentials" => oauth.single_scheme("clientCredentials"),
        "oauth1" => header("A token signed as OAuth 1.0a asks for."),
        "token" => header("A fixed token or API key."),
        "basic" => json!({"type": "http"}),
        "jwt" => bearer("A signed JSON Web Token."),
        "service_account" => header("A token of a service account."),
        "key_pair" => bearer("A token signed with a private key."),
        _ => return None,
    })
}

/// Of several credentials without OAuth only these kinds have a scheme of their own.
fn scheme_of_several(kind: &str) -> Option<Value> {
    match kind {
        "token" | "jwt" => Some(header("A fixed token or API key.")),
        "basic" => Some(json!({"type": "http"})),
        _ => None,
    }
}
