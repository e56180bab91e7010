//! The one who asks, once that is established. However it was established: routing, scopes, fairness and the log only
//! know this type.

use std::sync::Arc;

use crate::domain::{Scope, Scopes};

/// Who sent a request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The credential's name, for the log and for fairness between callers.
    pub name: Arc<str>,
    /// What it may do.
    pub scopes: Arc<Scopes>,
    /// How it proved who it is.
    pub via: Via,
}

/// How a principal proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A bearer token.
    Token,
    /// A client certificate.
    Certificate,
    /// The control socket's peer credentials.
    Local,
    /// Nothing: `dev` on loopback.
    Dev,
}

impl Principal {
    /// One who may do everything.
    #[must_use]
    pub fn unrestricted(name: &str, via: Via) -> Self {
        Principal {
            name: name.into(),
            scopes: Arc::new(Scopes(vec![Scope::Admin])),
            via,
        }
    }
}
