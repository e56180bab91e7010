//! The words of the product as types. Text from outside (a path, a header, a manifest, a configuration value) is parsed
//! into these once, at the edge; everything behind the edge can rely on them.
#![forbid(unsafe_code)]

mod app_id;
mod capability;
mod digest;
mod generation;
mod key;
mod scope;

pub use app_id::{AppId, AppIdError};
pub use capability::{CapabilityName, CapabilityNameError, Level};
pub use digest::{Sha256, Sha256Error};
pub use generation::Generation;
pub use key::{KeyId, KeyIdError, TrustedKey, TrustedKeyError};
pub use scope::{Scope, ScopeError, Scopes};
