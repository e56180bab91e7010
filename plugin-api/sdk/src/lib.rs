//! Write Lumos connectors in Rust.
//!
//! A connector translates one app's API into the standard capabilities of the Lumos Connector API. Declare an
//! [`Integration`], register a typed async function for each capability, and export it; the SDK does the rest: request
//! validation, error envelopes, `info` and JSON schemas, page tokens, HTTP, logging, and the library's C interface.
//!
//! ```
//! use lumos_connector_sdk::prelude::*;
//!
//! /// Settings of the Example connector.
//! #[derive(Clone, Deserialize, JsonSchema)]
//! struct ExampleSettings {
//!     /// Where the API is.
//!     api_url: String,
//! }
//!
//! type Ctx = Context<TokenCredential, ExampleSettings>;
//!
//! #[derive(Deserialize)]
//! struct User {
//!     id: String,
//!     email: String,
//! }
//!
//! async fn list_accounts(ctx: Ctx, _: ListAccounts) -> Result<Vec<FoundAccountData>> {
//!     let api = ctx.http(&ctx.settings.api_url)?.token(&ctx.auth);
//!     let users: Vec<User> = api.get("/users").fetch().await?;
//!     let account = |user: User| FoundAccountData {
//!         integration_specific_id: user.id,
//!         email: Some(user.email),
//!         ..Default::default()
//!     };
//!     Ok(users.into_iter().map(account).collect())
//! }
//!
//! fn integration() -> Integration<TokenCredential, ExampleSettings> {
//!     Integration::new("example", "1.0.0")
//!         .name("Example")
//!         .auth::<TokenCredential>()
//!         .settings::<ExampleSettings>()
//!         .register(capability::LIST_ACCOUNTS, list_accounts)
//! }
//!
//! lumos_connector_sdk::export_connector!(integration);
//!
//! // In a test, without an agent:
//! let harness = lumos_connector_sdk::harness::Harness::new(integration()).unwrap();
//! let answer = harness.call("list_accounts", json!({"request": {}}));
//! assert_eq!(answer["error"]["message"], "Missing auth/credentials in request");
//! ```
#![warn(missing_docs)]

pub mod arbitrary_endpoint;
pub mod auth;
mod builtin;
pub mod capability;
mod clock;
mod connector;
mod context;
mod credentials;
mod error;
pub mod export;
pub mod field;
mod fingerprint;
mod handler;
pub mod harness;
pub mod http;
mod integration;
pub mod log;
pub mod oauth;
mod pagination;
pub mod prelude;
mod pyrepr;
pub mod rate_limit;
pub mod redact;
mod schema;
mod settings;
mod validate;

pub use lumos_connector_models as models;

pub use connector::{CallOptions, Connector};
pub use context::Context;
pub use error::{ConnectorError, ErrorKind};
pub use fingerprint::request_fingerprint;
pub use integration::{Input, Integration, IntegrationError, Output};
pub use settings::{NoSettings, Settings};

/// What a capability returns: a result, or a [`ConnectorError`].
pub type Result<T, E = ConnectorError> = std::result::Result<T, E>;
