//! The part of the document that is about OAuth: where tokens come from, and which scopes each capability needs.
#![forbid(unsafe_code)]

use lumos_connector_models::JsonObject;
use serde_json::{Value, json};

use crate::connector::AuthSpec;
use crate::integration::Declaration;
use crate::oauth::Told;

/// The declarations of a connector, as they are for the tenant who asks.
pub(super) struct OAuth {
    list: Vec<(Option<String>, Told)>,
    /// Capabilities that the connector has without a declaration giving them.
    own: Vec<&'static str>,
}

impl OAuth {
    /// With the settings of the request, if it carried sound ones.
    pub(super) fn of(declaration: &Declaration, settings: Option<&Value>) -> Self {
        let mut list: Vec<_> = declaration
            .oauth
            .iter()
            .map(|tell| (tell.id.clone(), (tell.told)(settings)))
            .collect();
        if let AuthSpec::Single { kind, .. } = declaration.auth {
            list.iter_mut()
                .for_each(|(_, told)| keep_what_the_kind_uses(kind, told));
        }
        let own = own_capabilities(declaration, &list);
        Self { list, own }
    }

    fn of_credential(&self, id: Option<&str>) -> Option<&Told> {
        let found = self.list.iter().find(|(known, _)| known.as_deref() == id);
        found.map(|(_, told)| told)
    }

    /// `x-oauth-settings`: of the one credential, or of several by their ids.
    pub(super) fn settings(&self) -> JsonObject {
        if let Some(told) = self.of_credential(None) {
            return self.settings_of(told);
        }
        self.list
            .iter()
            .filter_map(|(id, told)| Some((id.clone()?, Value::Object(self.settings_of(told)))))
            .collect()
    }

    fn settings_of(&self, told: &Told) -> JsonObject {
        let capabilities: JsonObject = told
            .capabilities
            .iter()
            .map(|(name, given)| ((*name).to_owned(), (*given || self.own.contains(name)).into()))
            .collect();
        super::object(json!({
            "oauth_type": told.flow,
            "token_url": told.token_url,
            "authorization_url": told.authorization_url,
            "capabilities": capabilities,
            "scopes": scopes(told),
            "pkce_enabled": told.pkce,
        }))
    }

    /// The security scheme of a connector's one credential, which takes tokens of OAuth.
    pub(super) fn single_scheme(&self, flow: &str) -> Value {
        scheme(flow, self.of_credential(None))
    }

    /// The security scheme of a credential among several, if OAuth is declared for it.
    pub(super) fn scheme_of(&self, id: &str) -> Option<Value> {
        let told = self.of_credential(Some(id))?;
        Some(match told.flow {
            "CODE_FLOW" => scheme("authorizationCode", Some(told)),
            _ => scheme("clientCredentials", Some(told)),
        })
    }

    /// The scopes that a capability needs of a credential; `None` where others need some and it does not, so that the
    /// credential is none that it asks for.
    pub(super) fn scopes_of(&self, id: Option<&str>, capability: &str) -> Option<Vec<&str>> {
        let Some(told) = self.of_credential(id).filter(|told| !told.scopes.is_empty()) else {
            return Some(Vec::new());
        };
        let (_, scopes) = told.scopes.iter().find(|(name, _)| *name == capability)?;
        (!scopes.is_empty()).then(|| scopes.split_whitespace().collect())
    }
}

/// A credential of OAuth without a user has no address where one gives consent; other kinds have no addresses at all.
fn keep_what_the_kind_uses(kind: &str, told: &mut Told) {
    if kind != "oauth" {
        told.authorization_url.clear();
    }
    if !matches!(kind, "oauth" | "oauth_client_credentials") {
        told.token_url.clear();
    }
}

fn own_capabilities(declaration: &Declaration, list: &[(Option<String>, Told)]) -> Vec<&'static str> {
    let all = list.iter().flat_map(|(_, told)| &told.capabilities);
    let given = |name: &str| all.clone().any(|(other, given)| *other == name && *given);
    let is_own = |name: &str| declaration.capabilities.contains_key(name) && !given(name);
    all.clone()
        .map(|(name, _)| *name)
        .filter(|name| is_own(name))
        .collect()
}

fn scheme(flow: &str, told: Option<&Told>) -> Value {
    let address = |address: fn(&Told) -> &String| told.map(address).cloned().unwrap_or_default();
    let mut members = JsonObject::new();
    if flow == "authorizationCode" {
        let authorization = address(|told| &told.authorization_url);
        members.insert("authorizationUrl".to_owned(), authorization.into());
    }
    members.insert("tokenUrl".to_owned(), address(|told| &told.token_url).into());
    members.insert("scopes".to_owned(), told.map(scopes).unwrap_or_default().into());
    json!({"type": "oauth2", "flows": {flow: members}})
}

/// What each scope is needed for, in the words that people read when they give their consent.
fn scopes(told: &Told) -> JsonObject {
    let mut scopes = JsonObject::new();
    for (capability, scope) in told.scopes.iter().filter(|(_, scope)| !scope.is_empty()) {
        let text = match scopes.get(scope).and_then(Value::as_str) {
            Some(text) => format!("{text}, {capability}"),
            None => format!("Required for {capability}"),
        };
        scopes.insert(scope.clone(), text.into());
    }
    scopes
}
