//! From a typed function to something that every connector's capabilities have in common.
#![forbid(unsafe_code)]

use std::any::type_name;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use lumos_connector_models::{
    AuthCredential, CapabilityLevel, ErrorCode, Page, RateLimitRequestInfo, Request, Response,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::{Auth, Carried, CredentialKind, NoAuth};
use crate::connector::CapabilityEntry;
use crate::context::{CallInfo, Context};
use crate::credentials::Check;
use crate::error::ConnectorError;
use crate::integration::{Input, Output};
use crate::schema;
use crate::settings::Settings;
use crate::validate::Envelope;

/// A request that was validated, with its parts still untyped.
pub(crate) struct Call {
    pub(crate) payload: Value,
    pub(crate) carried: Carried,
    pub(crate) settings: Value,
    pub(crate) page: Option<Page>,
    pub(crate) include_raw_data: bool,
    pub(crate) rate_limit: Option<RateLimitRequestInfo>,
    pub(crate) info: CallInfo,
}

/// The answer as bytes of JSON, or the error.
pub(crate) type Outcome = Result<Vec<u8>, ConnectorError>;
pub(crate) type HandlerFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;
pub(crate) type Handler = Box<dyn Fn(Call) -> HandlerFuture + Send + Sync>;

/// The entry of `function` in a connector's table.
pub(crate) fn entry<A, S, I, O, R, F, Fut>(
    name: &str,
    envelope: Envelope,
    class_name: String,
    level: CapabilityLevel,
    function: F,
) -> CapabilityEntry
where
    A: Auth,
    S: Settings,
    I: Input,
    O: Output,
    R: Into<Response<O>> + Send + 'static,
    F: Fn(Context<A, S>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, ConnectorError>> + Send + 'static,
{
    let handler: Handler = Box::new(move |call| match typed::<A, S, I>(call) {
        Ok((context, input)) => {
            let limits = context.call.limits.clone();
            let future = function(context, input);
            Box::pin(async move {
                let mut response: Response<O> = future.await?.into();
                response.rate_limit = response.rate_limit.or_else(|| limits.report());
                serialize(&response)
            })
        }
        Err(error) => Box::pin(std::future::ready(Err(error))),
    });
    CapabilityEntry {
        name: name.to_owned(),
        class_name,
        envelope,
        level,
        custom: false,
        takes_info: false,
        raised_in: place_of(type_name::<F>(), name),
        handler,
        input_schema: schema::input_of::<I>,
        exact_schema: schema::exact_of::<I>,
        output_schema: schema::output_of::<O>,
        full_request: schema::input_of::<Request<I>>,
        full_response: schema::output_of::<Response<O>>,
        request_schema: OnceLock::new(),
        display_name: None,
        description: None,
        rate_limit_mode: None,
    }
}

/// The check of a credential, made of `function`.
pub(crate) fn check<S, K, F, Fut>(function: F) -> Check
where
    S: Settings,
    K: CredentialKind,
    F: Fn(Context<NoAuth, S>, K) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<String>, ConnectorError>> + Send + 'static,
{
    Arc::new(move |call, credential| {
        let typed = typed::<NoAuth, S, serde::de::IgnoredAny>(call);
        match typed.and_then(|(context, _)| Ok((context, of_kind::<K>(credential)?))) {
            Ok((context, credential)) => Box::pin(function(context, credential)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    })
}

fn of_kind<K: CredentialKind>(credential: &AuthCredential) -> Result<K, ConnectorError> {
    K::of(credential)
        .ok_or_else(|| ConnectorError::internal("the credential to check is not of its declared kind"))
}

fn typed<A: Auth, S: Settings, I: DeserializeOwned>(
    call: Call,
) -> Result<(Context<A, S>, I), ConnectorError> {
    let mismatch = |what: &str| {
        // serde's message would repeat values of the request.
        ConnectorError::framework(
            ErrorCode::BadRequest,
            format!("Invalid request - {what} does not have the expected form"),
        )
    };
    let input = serde_json::from_value(call.payload).map_err(|_| mismatch("request"))?;
    let settings = serde_json::from_value(call.settings).map_err(|_| mismatch("settings"))?;
    let auth = A::take(call.carried).ok_or_else(|| mismatch("auth"))?;
    let context = Context {
        auth,
        settings,
        page: call.page.unwrap_or_default(),
        include_raw_data: call.include_raw_data,
        rate_limit: call.rate_limit,
        call: call.info,
    };
    Ok((context, input))
}

pub(crate) fn serialize<O: serde::Serialize>(response: &Response<O>) -> Outcome {
    serde_json::to_vec(response).map_err(|_| {
        ConnectorError::framework(
            ErrorCode::InvalidResponse,
            "Unexpected response from executed capability.",
        )
    })
}

/// `mockapp::read::list_accounts` as `mockapp.read:list_accounts`; a closure has no name of its own.
fn place_of(type_name: &str, capability: &str) -> String {
    let path = type_name.split('<').next().unwrap_or(type_name);
    let path = path.trim_end_matches("::{{closure}}");
    match path.rsplit_once("::") {
        Some((module, function)) if !type_name.contains("{{closure}}") => {
            format!("{}:{function}", module.replace("::", "."))
        }
        Some((module, _)) => format!("{}:{capability}", module.replace("::", ".")),
        None => capability.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_as_module_and_function() {
        assert_eq!(
            place_of("mockapp::read::list_accounts", "x"),
            "mockapp.read:list_accounts"
        );
        assert_eq!(
            place_of("app::integration::{{closure}}", "list_accounts"),
            "app:list_accounts"
        );
    }
}
