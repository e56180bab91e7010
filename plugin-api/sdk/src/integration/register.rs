//! From functions to capabilities.
#![forbid(unsafe_code)]

use std::future::Future;

use lumos_connector_models::{
    CapabilityLevel, CustomAttributeSchema, GetConnectedInfo, Info, ListCustomAttributesSchema, Request,
    Response, capability_level,
};

use super::{Input, Integration, IntegrationError, Output, check};
use crate::auth::Auth;
use crate::capability::{self, Guard, Standard};
use crate::connector::CapabilityEntry;
use crate::context::Context;
use crate::error::ConnectorError;
use crate::handler;
use crate::schema;
use crate::settings::Settings;
use crate::validate::Envelope;

/// Standard capabilities whose input a connector can extend.
const EXTENSIBLE: [&str; 2] = ["create_account", "update_account"];
/// What every connector has without writing it.
const BUILT_IN: [&str; 2] = ["app_info", "info"];
const CONNECTED_INFO: &str = "connected_info";

impl<A: Auth, S: Settings> Integration<A, S> {
    /// Registers `function` for a standard capability; the compiler checks the function's types against it.
    ///
    /// A capability that runs before there is a credential, such as `get_authorization_url`, gets a context with
    /// [`NoAuth`](crate::auth::NoAuth).
    pub fn register<I, O, G, R, F, Fut>(self, capability: Standard<I, O, G>, function: F) -> Self
    where
        I: Input,
        O: Output,
        G: Guard,
        R: Into<Response<O>> + Send + 'static,
        F: Fn(Context<G::Auth<A>, S>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ConnectorError>> + Send + 'static,
    {
        let name = capability.name;
        let envelope = Envelope::Standard { open: G::OPEN };
        let class_name = schema::pascal_case(name) + "Request";
        self.insert(
            name,
            handler::entry(name, envelope, class_name, level_of(name), function),
        )
    }

    /// Registers `function` for a standard capability whose input the connector extends with fields of its own:
    /// [`CREATE_ACCOUNT`](crate::capability::CREATE_ACCOUNT) or `UPDATE_ACCOUNT`. The model `I` keeps the standard
    /// fields.
    pub fn register_with_input<Std, I, O, R, F, Fut>(
        mut self,
        capability: Standard<Std, O>,
        function: F,
    ) -> Self
    where
        Std: Input,
        I: Input,
        O: Output,
        R: Into<Response<O>> + Send + 'static,
        F: Fn(Context<A, S>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ConnectorError>> + Send + 'static,
    {
        let name = capability.name;
        if !EXTENSIBLE.contains(&name) {
            self.errors.push(IntegrationError::FixedInput(name.to_owned()));
        }
        for field in schema::changed_fields::<Std, I>() {
            self.errors.push(IntegrationError::Model {
                capability: name.to_owned(),
                field,
            });
        }
        let class_name = format!("CustomRequest[{}]", I::schema_name());
        self.insert(
            name,
            handler::entry(name, Envelope::Custom, class_name, level_of(name), function),
        )
    }

    /// Registers `function` for a capability of the connector's own. Its name is of lower-case letters and underscores, and
    /// none of the standard ones. Say [`CapabilityLevel::Write`] if it may change anything: a read is cancelled when its
    /// caller goes away, and may be repeated.
    ///
    /// A function that gives a whole [`Response`] needs its payload named, because a `Response` could be a payload, too:
    /// `register_custom::<_, Payload, _, _, _>(…)`.
    pub fn register_custom<I, O, R, F, Fut>(
        mut self,
        name: impl Into<String>,
        level: CapabilityLevel,
        function: F,
    ) -> Self
    where
        I: Input,
        O: Output,
        R: Into<Response<O>> + Send + 'static,
        F: Fn(Context<A, S>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ConnectorError>> + Send + 'static,
    {
        let name = name.into();
        if capability_level(&name).is_some() {
            self.errors.push(IntegrationError::Reserved(name));
            return self;
        }
        if !check::is_capability_name(&name) {
            self.errors.push(IntegrationError::Name(name));
            return self;
        }
        let class_name = format!("CustomRequest[{}]", I::schema_name());
        let mut entry = handler::entry(&name, Envelope::Custom, class_name, level, function);
        entry.custom = true;
        self.insert(&name, entry)
    }

    /// Registers `connected_info`, for a connector whose `info` depends on the tenant. The function gets the static `info`
    /// and changes what is different.
    pub fn connected_info<F, Fut>(self, function: F) -> Self
    where
        F: Fn(Context<A, S>, Info) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Info, ConnectorError>> + Send + 'static,
    {
        let envelope = Envelope::Standard { open: false };
        let class_name = "GetConnectedInfoRequest".to_owned();
        let mut entry = handler::entry(
            CONNECTED_INFO,
            envelope,
            class_name,
            level_of(CONNECTED_INFO),
            function,
        );
        // The function takes what the request does not carry.
        entry.input_schema = schema::input_of::<GetConnectedInfo>;
        entry.full_request = schema::input_of::<Request<GetConnectedInfo>>;
        entry.takes_info = true;
        self.insert(CONNECTED_INFO, entry)
    }

    /// Declares the custom attributes that the app has in every tenant, and registers `list_custom_attributes_schema`. Where
    /// they differ from tenant to tenant, register a function for it instead.
    pub fn custom_attributes(self, attributes: impl IntoIterator<Item = CustomAttributeSchema>) -> Self {
        let attributes: Vec<CustomAttributeSchema> = attributes.into_iter().collect();
        let list = move |_: Context<A, S>, _: ListCustomAttributesSchema| {
            let attributes = attributes.clone();
            async move { Ok(attributes) }
        };
        self.register(capability::LIST_CUSTOM_ATTRIBUTES_SCHEMA, list)
    }

    fn insert(mut self, name: &str, entry: CapabilityEntry) -> Self {
        if BUILT_IN.contains(&name)
            || self
                .declaration
                .capabilities
                .insert(name.to_owned(), entry)
                .is_some()
        {
            self.errors.push(IntegrationError::Duplicate(name.to_owned()));
        }
        self
    }
}

fn level_of(name: &str) -> CapabilityLevel {
    capability_level(name).expect("every standard capability has a level")
}
