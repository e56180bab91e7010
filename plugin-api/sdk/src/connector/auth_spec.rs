//! What a connector asks for, and which combinations of it suffice.
#![forbid(unsafe_code)]

use lumos_connector_models::JsonObject;

use crate::credentials::CredentialSpec;

/// The credentials that a connector asks for.
pub(crate) enum AuthSpec {
    None,
    Single {
        /// The member of `auth` that holds it.
        kind: &'static str,
        schema: fn() -> JsonObject,
    },
    Several(CredentialSet),
}

/// Credentials with ids.
#[derive(Default)]
pub(crate) struct CredentialSet {
    pub(crate) list: Vec<CredentialSpec>,
    /// The combinations that were named; without any, `optional` decides.
    pub(crate) allowed: Vec<Vec<String>>,
}

impl AuthSpec {
    pub(crate) fn several(&self) -> Option<&CredentialSet> {
        match self {
            Self::Several(set) => Some(set),
            Self::None | Self::Single { .. } => None,
        }
    }

    pub(crate) fn add(&mut self, spec: CredentialSpec) {
        if let Self::Several(set) = self {
            set.list.push(spec);
        } else {
            let list = vec![spec];
            *self = Self::Several(CredentialSet {
                list,
                ..CredentialSet::default()
            });
        }
    }
}

impl CredentialSet {
    pub(crate) fn of_id(&self, id: &str) -> Option<&CredentialSpec> {
        self.list.iter().find(|spec| spec.id == id)
    }

    /// The combinations that suffice: those that were named, or all that are needed together, and each optional one.
    pub(crate) fn combinations(&self) -> Vec<Vec<&CredentialSpec>> {
        if !self.allowed.is_empty() {
            let specs = |ids: &Vec<String>| ids.iter().filter_map(|id| self.of_id(id)).collect();
            return self.allowed.iter().map(specs).collect();
        }
        let (optional, needed): (Vec<_>, Vec<_>) = self.list.iter().partition(|spec| spec.optional);
        let together = (!needed.is_empty()).then_some(needed);
        together
            .into_iter()
            .chain(optional.into_iter().map(|spec| vec![spec]))
            .collect()
    }
}
