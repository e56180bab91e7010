//! What `info` and `app_info` say of the declarations, which they know without the type of the settings.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Declared, Given, OAuth};
use crate::settings::Settings;

/// A declaration as it is told.
pub(crate) struct Told {
    /// The API's name of the flow.
    pub(crate) flow: &'static str,
    /// Empty where there is none, or where it depends on settings that nobody has sent.
    pub(crate) authorization_url: String,
    /// Empty likewise.
    pub(crate) token_url: String,
    /// Scopes by the capability that needs them, in the order of the declaration.
    pub(crate) scopes: Vec<(&'static str, String)>,
    pub(crate) pkce: bool,
    /// The capabilities of the flow, and whether the declaration gives them.
    pub(crate) capabilities: Vec<(&'static str, bool)>,
}

type OfSettings = Box<dyn Fn(Option<&Value>) -> Told + Send + Sync>;

/// One declaration of a connector.
pub(crate) struct Tell {
    /// The credential that it is for, where the connector has several.
    pub(crate) id: Option<String>,
    /// What `info` says of scopes: those that are the same for all tenants.
    pub(crate) fixed_scopes: Option<BTreeMap<String, String>>,
    /// Makes the rest from the settings, if they are known.
    pub(crate) told: OfSettings,
}

pub(super) fn all<S: Settings>(declared: &Arc<Declared<S>>) -> Vec<Tell> {
    let tell = |(at, (id, oauth)): (usize, &(Option<String>, OAuth<S>))| {
        let declared = declared.clone();
        Tell {
            id: id.clone(),
            fixed_scopes: oauth.fixed_scopes(),
            told: Box::new(move |settings| {
                // Settings were checked; what does not fit their type all the same is told like none.
                let settings = settings.and_then(|settings| S::deserialize(settings).ok());
                declared.list[at].1.told(settings.as_ref())
            }),
        }
    };
    declared.list.iter().enumerate().map(tell).collect()
}

impl<S: Settings> OAuth<S> {
    fn fixed_scopes(&self) -> Option<BTreeMap<String, String>> {
        let Some(Given::Fixed(scopes)) = &self.scopes else {
            return None;
        };
        let owned = |(name, scopes): &(&str, String)| ((*name).to_owned(), scopes.clone());
        Some(scopes.iter().map(owned).collect())
    }

    fn told(&self, settings: Option<&S>) -> Told {
        let address = |given: &Given<S, String>| given.if_known(settings).unwrap_or_default();
        let capabilities = self.flow().iter().map(|name| (*name, self.gives(name)));
        Told {
            flow: match self.authorization {
                Some(_) => "CODE_FLOW",
                None => "CLIENT_CREDENTIALS",
            },
            authorization_url: self.authorization.as_ref().map(address).unwrap_or_default(),
            token_url: address(&self.token),
            scopes: self
                .scopes
                .as_ref()
                .and_then(|scopes| scopes.if_known(settings))
                .unwrap_or_default(),
            pkce: self.pkce,
            capabilities: capabilities.collect(),
        }
    }
}

impl<S, T: Clone> Given<S, T> {
    fn if_known(&self, settings: Option<&S>) -> Option<T> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::OfSettings(make) => settings.map(|settings| make(settings)),
        }
    }
}
