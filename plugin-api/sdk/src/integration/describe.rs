//! What a declaration says to people, and about the app.
#![forbid(unsafe_code)]

use lumos_connector_models::{
    AccessGraphEntitlementRule, AccessGraphEntitlementType, AccessGraphImpliedAccessRule, AppCategory,
    EntitlementType, RateLimitMode, ResourceType,
};

use super::{Integration, IntegrationError};
use crate::auth::Auth;
use crate::connector::CapabilityEntry;
use crate::settings::Settings;

impl<A: Auth, S: Settings> Integration<A, S> {
    /// The app's name for people.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.declaration.description.name = Some(name.into());
        self
    }

    /// What the connector does, in a sentence or two.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.declaration.description.text = Some(text.into());
        self
    }

    /// Address of the app's logo.
    pub fn logo_url(mut self, url: impl Into<String>) -> Self {
        self.declaration.description.logo_url = Some(url.into());
        self
    }

    /// Domain of the company that makes the app.
    pub fn vendor_domain(mut self, domain: impl Into<String>) -> Self {
        self.declaration.description.vendor_domain = Some(domain.into());
        self
    }

    /// What the app is for.
    pub fn categories(mut self, categories: impl IntoIterator<Item = AppCategory>) -> Self {
        self.declaration.description.categories.extend(categories);
        self
    }

    /// The kinds of resources in the app.
    pub fn resource_types(mut self, types: impl IntoIterator<Item = ResourceType>) -> Self {
        self.declaration.resource_types.extend(types);
        self
    }

    /// The kinds of entitlements in the app.
    pub fn entitlement_types(mut self, types: impl IntoIterator<Item = EntitlementType>) -> Self {
        self.declaration.entitlement_types.extend(types);
        self
    }

    /// The kinds of entitlements in the app's access graph.
    pub fn access_graph_entitlement_types(
        mut self,
        types: impl IntoIterator<Item = AccessGraphEntitlementType>,
    ) -> Self {
        self.declaration.access_graph.entitlement_types.extend(types);
        self
    }

    /// Entitlements of the access graph that every resource of a kind has, in every tenant.
    pub fn entitlement_rules(mut self, rules: impl IntoIterator<Item = AccessGraphEntitlementRule>) -> Self {
        self.declaration.access_graph.entitlement_rules.extend(rules);
        self
    }

    /// Entitlements of the access graph that follow from others, in every tenant.
    pub fn implied_access_rules(
        mut self,
        rules: impl IntoIterator<Item = AccessGraphImpliedAccessRule>,
    ) -> Self {
        self.declaration.access_graph.implied_access_rules.extend(rules);
        self
    }

    /// Gives a registered capability another name for people.
    pub fn display_name(self, capability: &str, text: impl Into<String>) -> Self {
        self.annotate(capability, |entry| entry.display_name = Some(text.into()))
    }

    /// Says what is special about a registered capability in this connector.
    pub fn capability_description(self, capability: &str, text: impl Into<String>) -> Self {
        self.annotate(capability, |entry| entry.description = Some(text.into()))
    }

    /// Says how a registered capability treats the app's rate limits, whatever the caller asks for. Without it reads keep
    /// within the limits and writes only try again.
    pub fn rate_limit_mode(self, capability: &str, mode: RateLimitMode) -> Self {
        self.annotate(capability, |entry| entry.rate_limit_mode = Some(mode))
    }

    /// Says that a registered write may be repeated without harm.
    pub fn idempotent(mut self, capability: &str) -> Self {
        self.declaration.idempotent.insert(capability.to_owned());
        self.annotate(capability, |_| ())
    }

    fn annotate(mut self, capability: &str, change: impl FnOnce(&mut CapabilityEntry)) -> Self {
        match self.declaration.capabilities.get_mut(capability) {
            Some(entry) => change(entry),
            None => self
                .errors
                .push(IntegrationError::Unregistered(capability.to_owned())),
        }
        self
    }
}
