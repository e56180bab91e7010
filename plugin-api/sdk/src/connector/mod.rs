//! A connector at work: from the bytes of a request to the bytes of its answer.
//!
//! The order of checks is fixed, because callers see which one fails first:
//! JSON and model → credential → settings → capability.
#![forbid(unsafe_code)]

mod auth_spec;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lumos_connector_models::{
    AuthCredential, CapabilityLevel, ErrorCode, ErrorResponse, JsonObject, Page, RateLimitMode,
    RateLimitRequestInfo,
};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::Carried;
use crate::builtin;
use crate::clock::Clock;
use crate::context::CallInfo;
use crate::error::ConnectorError;
use crate::handler::{Call, Handler, Outcome};
use crate::http::HttpPool;
use crate::integration::Declaration;
use crate::rate_limit::{CallLimits, Limits};
use crate::settings::Settings;
use crate::validate::{self, Envelope};
use crate::{log, pagination, redact, schema};

pub(crate) use auth_spec::{AuthSpec, CredentialSet};

/// How long before its deadline a call stops waiting, so that the rest of its work is done in time.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a call waits where nobody sets it a deadline.
const USUAL: Duration = Duration::from_secs(30 * 60);
/// A deadline that is further away is none.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// How long a call may wait that has `time` for all it does.
fn waiting_time(time: Option<Duration>) -> Duration {
    let time = time.unwrap_or(USUAL);
    time - MARGIN.min(time / 10)
}

/// One capability of a connector.
pub(crate) struct CapabilityEntry {
    pub(crate) name: String,
    /// What the reference calls the request's model in its messages.
    pub(crate) class_name: String,
    pub(crate) envelope: Envelope,
    pub(crate) level: CapabilityLevel,
    pub(crate) custom: bool,
    /// Whether the function's input is the connector's `info` instead of the request's payload.
    pub(crate) takes_info: bool,
    pub(crate) raised_in: String,
    pub(crate) handler: Handler,
    pub(crate) input_schema: fn() -> JsonObject,
    /// The input's as requests are checked against it.
    pub(crate) exact_schema: fn() -> JsonObject,
    pub(crate) output_schema: fn() -> JsonObject,
    /// The same with their envelopes.
    pub(crate) full_request: fn() -> JsonObject,
    pub(crate) full_response: fn() -> JsonObject,
    /// Made at the first call: a connector that idles should be small.
    pub(crate) request_schema: OnceLock<validate::Model>,
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) rate_limit_mode: Option<RateLimitMode>,
}

/// The settings that a connector asks for.
pub(crate) struct SettingsSpec {
    pub(crate) needed: bool,
    pub(crate) schema: fn() -> JsonObject,
    exact_schema: fn() -> JsonObject,
    model: OnceLock<validate::Model>,
}

impl SettingsSpec {
    pub(crate) fn model(&self) -> &validate::Model {
        self.model
            .get_or_init(|| validate::Model::form((self.exact_schema)()))
    }
}

/// A connector, ready to be called. Made by [`Integration::build`](crate::Integration::build).
pub struct Connector {
    pub(crate) declaration: Declaration,
    pub(crate) settings: SettingsSpec,
    http: Arc<HttpPool>,
    limits: Arc<Limits>,
    pub(crate) clock: Clock,
    tenants: RandomState,
}

/// What comes with a call besides its document.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// How long the caller waits; without it, for ever.
    pub timeout: Option<Duration>,
    /// W3C traceparent to pass on to the app.
    pub trace: Option<String>,
}

impl Connector {
    pub(crate) fn new<S: Settings>(declaration: Declaration) -> Self {
        Self {
            declaration,
            settings: SettingsSpec {
                needed: crate::settings::needed::<S>(),
                schema: schema::input_of::<S>,
                exact_schema: schema::exact_of::<S>,
                model: OnceLock::new(),
            },
            http: Arc::new(HttpPool::default()),
            limits: Arc::default(),
            clock: Clock::default(),
            tenants: RandomState::new(),
        }
    }

    /// The connector's app id.
    #[must_use]
    pub fn app_id(&self) -> &str {
        &self.declaration.app_id
    }

    /// The connector's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.declaration.version
    }

    /// Whether a capability changes something; an unknown one counts as a write.
    #[must_use]
    pub fn level(&self, capability: &str) -> CapabilityLevel {
        match self.declaration.capabilities.get(capability) {
            Some(entry) => entry.level,
            None => lumos_connector_models::capability_level(capability).unwrap_or(CapabilityLevel::Write),
        }
    }

    /// The manifest that the library carries (header, `manifest_json`).
    pub(crate) fn manifest(&self) -> Value {
        let levels: JsonObject = self
            .declaration
            .capabilities
            .iter()
            .filter(|(_, entry)| entry.custom)
            .map(|(name, entry)| {
                let level = match entry.level {
                    CapabilityLevel::Read => "read",
                    CapabilityLevel::Write => "write",
                };
                (name.clone(), level.into())
            })
            .collect();
        serde_json::json!({
            "app_id": self.declaration.app_id,
            "version": self.declaration.version,
            "abi": format!("{}.{}", lumos_connector_abi::ABI_MAJOR, lumos_connector_abi::ABI_MINOR),
            "requires": [],
            "max_concurrency": self.declaration.max_concurrency,
            "idempotent": self.declaration.idempotent,
            "levels": levels,
        })
    }

    /// Runs a capability on the JSON document `body` and gives the JSON of its answer, an error envelope included.
    pub async fn call(&self, capability: &str, body: &[u8], options: CallOptions) -> Vec<u8> {
        let raised_in = self
            .declaration
            .capabilities
            .get(capability)
            .map_or(capability, |entry| entry.raised_in.as_str());
        match self.run(capability, body, &options).await {
            Ok(answer) => answer,
            Err(error) => {
                let model = self.settings.model().schema();
                let document: Value = serde_json::from_slice(body).unwrap_or_default();
                // An app may repeat in its errors what it was sent.
                let secrets = redact::Secrets::of(&document, model);
                let envelope = self.envelope(error.masked(&secrets), raised_in);
                if let Some(settings) = redact::settings(model, &document) {
                    log::error!("{raised_in}: settings were {}", secrets.mask(&settings));
                }
                envelope
            }
        }
    }

    /// The error envelope of `error`.
    pub(crate) fn envelope(&self, error: ConnectorError, raised_in: &str) -> Vec<u8> {
        let error = error.into_wire(&self.declaration.app_id, raised_in);
        log::error!("{}: {} ({})", raised_in, error.message, error.error_code);
        serde_json::to_vec(&ErrorResponse::from(error)).expect("an error envelope is plain data")
    }

    pub(crate) async fn run(&self, capability: &str, body: &[u8], options: &CallOptions) -> Outcome {
        if capability == "info" {
            return builtin::info(self);
        }
        if let Some(entry) = self.declaration.capabilities.get(capability) {
            let mut call = self.prepare(entry, body, options)?;
            if entry.takes_info {
                call.payload = builtin::info_value(self);
            }
            return (entry.handler)(call).await;
        }
        match capability {
            "app_info" => builtin::app_info(self, body),
            "probe_integration" => builtin::probe(self, body, options).await,
            _ => Err(ConnectorError::framework(
                ErrorCode::UnsupportedOperation,
                format!("Capability '{capability}' is not implemented."),
            )),
        }
    }

    /// Checks a request and takes it apart.
    fn prepare(
        &self,
        entry: &CapabilityEntry,
        body: &[u8],
        options: &CallOptions,
    ) -> Result<Call, ConnectorError> {
        let mut document = validate::parse(body)?;
        let model = entry.request_schema.get_or_init(|| {
            validate::Model::request(entry.envelope, &entry.class_name, (entry.exact_schema)())
        });
        model.check(&mut document)?;
        let open = entry.envelope == Envelope::Standard { open: true };
        if open {
            // Nobody looked at them: they are no part of such a request.
            for name in ["auth", "credentials"] {
                document
                    .as_object_mut()
                    .and_then(|members| members.shift_remove(name));
            }
        } else {
            validate::check_auth(&document, &self.declaration.auth)?;
        }
        let settings = self.check_settings(document.get("settings"))?;
        let tenant = self.tenant(&document);
        let seal = self
            .declaration
            .sealed_pages
            .then(|| pagination::Key::new(self.app_id(), &entry.name, &document));
        let parts = Parts::of(document)?;
        let told = parts.rate_limit.as_ref();
        let info = self.call_info(entry, options, told, tenant, seal);
        let carried = Carried {
            auth: parts.auth,
            credentials: parts.credentials.unwrap_or_default(),
        };
        Ok(Call {
            payload: parts.request,
            carried,
            settings,
            page: parts.page,
            include_raw_data: parts.include_raw_data.unwrap_or(false),
            rate_limit: parts.rate_limit,
            info,
        })
    }

    /// What a call knows besides its request; `told` is what its caller says of rate limits.
    fn call_info(
        &self,
        entry: &CapabilityEntry,
        options: &CallOptions,
        told: Option<&RateLimitRequestInfo>,
        tenant: u64,
        seal: Option<pagination::Key>,
    ) -> CallInfo {
        let caller = told
            .and_then(|told| told.max_execution_time)
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        let time = [options.timeout, caller].into_iter().flatten().min();
        let time = time.map(|time| time.min(LONGEST));
        let now = self.clock.now();
        CallInfo {
            http: self.http.clone(),
            tenant,
            clock: self.clock.clone(),
            deadline: time.map(|time| now + time),
            latest_wait: now + waiting_time(time),
            limits: CallLimits::new(
                self.limits.clone(),
                told.and_then(|told| told.caller_override_mode),
                told.and_then(|told| told.last_known_state.clone()),
            ),
            trace: options.trace.as_deref().map(Arc::from),
            level: entry.level,
            rate_limit_mode: entry.rate_limit_mode,
            idempotent: self.declaration.idempotent.contains(&entry.name),
            seal,
            app_id: self.declaration.app_id.as_str().into(),
            raised_in: entry.raised_in.as_str().into(),
        }
    }

    pub(crate) fn check_settings(&self, settings: Option<&Value>) -> Result<Value, ConnectorError> {
        if !self.settings.needed {
            return Ok(Value::Object(JsonObject::new()));
        }
        let model = self.settings.model();
        let mut settings = match settings {
            Some(settings) if !settings.is_null() => settings.clone(),
            _ => {
                let message = format!(
                    "No settings passed on request: {} requires {}",
                    self.declaration.app_id,
                    model.name()
                );
                return Err(ConnectorError::framework(ErrorCode::BadRequest, message));
            }
        };
        model.check_settings(&mut settings)?;
        let unknown = model.unknown(&settings);
        if !unknown.is_empty() {
            // Not an error: they may be those of another version.
            log::warning!(
                "the settings have what this connector does not know: {}",
                unknown.join(", ")
            );
        }
        Ok(settings)
    }

    /// The same for two requests with the same credential and settings. Keyed afresh in each process, so it says nothing
    /// about either.
    fn tenant(&self, document: &Value) -> u64 {
        let parts = ["auth", "credentials", "settings"].map(|name| document.get(name));
        self.tenants.hash_one(format!("{parts:?}"))
    }
}

/// A request that was checked, in its parts. Settings are not among them: they have a model of their own.
#[derive(Deserialize)]
struct Parts {
    auth: Option<AuthCredential>,
    credentials: Option<Vec<AuthCredential>>,
    request: Value,
    include_raw_data: Option<bool>,
    page: Option<Page>,
    rate_limit: Option<RateLimitRequestInfo>,
}

impl Parts {
    fn of(document: Value) -> Result<Self, ConnectorError> {
        serde_json::from_value(document).map_err(|_| {
            // serde's message would repeat values of the request.
            ConnectorError::framework(ErrorCode::BadRequest, "Invalid request, expected JSON input.")
        })
    }
}
