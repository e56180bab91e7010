//! The wire types of the Lumos Connector API.
//!
//! Both sides speak these documents: the agent reads error envelopes and capability levels, connectors take requests and
//! give responses. Field order is the order on the wire, and an absent value is written as `null`, because that is what
//! callers of the API get from every connector.
//!
//! The API has 52 capabilities. Each has a request payload and a response payload; both travel in envelopes, [`Request`]
//! (or [`UnauthenticatedRequest`]) and [`Response`], so a capability is fully described by its two payload types, its name
//! and its [`CapabilityLevel`]. Payloads live in one module for each family.
//!
//! # What is new to a reader
//!
//! Reading is as strict as the API's own SDK: a text is not a number, a member that is required must be there, whole numbers
//! have 64 bits. Of what later versions of the API may add,
//!
//! * **members** that a type does not know are skipped, and are not written again. None of the reference's models keeps them,
//!   which a test holds it to. Members that are declared as any object (`extra_data`, `raw_data`, …) keep all they have;
//! * **values** of an enumeration that it does not list are refused, in requests as in responses, as the reference refuses
//!   them: a connector that passed on a status that its caller cannot read would only move the failure;
//! * **error codes** are the exception: any text is kept ([`ErrorCode::Other`]), so that no error is lost for its code.
//!
//! Whoever only hands documents on, as the agent does, hands on their bytes: nothing is lost on the way between a connector and
//! Lumos, whichever versions the two are of.
//!
//! Types derive [`schemars::JsonSchema`]; the connector SDK turns that into the API's own schema dialect.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access_graph;
pub mod account;
pub mod activity;
pub mod application;
pub mod arbitrary_endpoint;
pub mod auth;
pub mod capability;
pub mod credential_input;
pub mod credentials;
pub mod custom_attribute;
pub mod entitlement;
mod envelope;
pub mod error;
pub mod execution;
pub mod expense;
pub mod info;
pub mod non_human_account;
pub mod oauth;
pub mod offboarding;
pub mod probe;
pub mod rate_limit;
pub mod recency;
pub mod resource;
mod secret;
pub mod specification;
mod time;

pub use access_graph::*;
pub use account::*;
pub use activity::*;
pub use application::*;
pub use arbitrary_endpoint::*;
pub use auth::*;
pub use capability::{CapabilityCategory, CapabilityInfo, CapabilityLevel, capability, capability_level};
pub use credential_input::*;
pub use credentials::*;
pub use custom_attribute::*;
pub use entitlement::*;
pub use envelope::{Page, Request, Response, UnauthenticatedRequest};
pub use error::{Error, ErrorCategory, ErrorCode, ErrorFault, ErrorMetadata, ErrorResponse};
pub use execution::*;
pub use expense::*;
pub use info::*;
pub use non_human_account::*;
pub use oauth::*;
pub use offboarding::*;
pub use probe::*;
pub use rate_limit::*;
pub use recency::*;
pub use resource::*;
pub use secret::Secret;
pub use specification::*;
pub use time::{DateTime, DateTimeError};

/// A JSON object with any members, in the order in which they came.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;
