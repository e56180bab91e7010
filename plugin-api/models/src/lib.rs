//! The wire types of the Lumos Connector API.
//!
//! Both sides speak these documents: the agent reads error envelopes and capability levels, connectors take requests and
//! give responses. Field order is the order on the wire, and an absent value is written as `null`, because that is what
//! callers of the API get from every connector.
//!
//! The API has 52 capabilities. Each has a request payload and a response payload; both travel in the same two
//! envelopes, [`Request`] and [`Response`], so a capability is fully described by its two payload types, its name and its
//! [`CapabilityLevel`]. Payloads live in one module for each family: [`account`], [`entitlement`], [`resource`],
//! [`activity`], [`credentials`], [`info`], [`probe`].
//!
//! Types derive [`schemars::JsonSchema`]; the connector SDK turns that into the API's own schema dialect.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod account;
pub mod activity;
pub mod auth;
pub mod capability;
pub mod credential_input;
pub mod credentials;
pub mod entitlement;
mod envelope;
pub mod error;
pub mod execution;
pub mod info;
pub mod probe;
pub mod rate_limit;
pub mod resource;
mod secret;

pub use account::*;
pub use activity::*;
pub use auth::*;
pub use capability::{CapabilityCategory, CapabilityInfo, CapabilityLevel, capability, capability_level};
pub use credential_input::*;
pub use credentials::*;
pub use entitlement::*;
pub use envelope::{Page, Request, Response};
pub use error::{Error, ErrorCategory, ErrorCode, ErrorFault, ErrorMetadata, ErrorResponse};
pub use execution::*;
pub use info::*;
pub use probe::*;
pub use rate_limit::*;
pub use resource::*;
pub use secret::Secret;

/// A JSON object with any members, in the order in which they came.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;
