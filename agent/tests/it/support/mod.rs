//! What several tests need.

#[cfg(unix)]
pub(crate) mod agent;
pub(crate) mod cc;
#[cfg(unix)]
pub(crate) mod connectors;
pub(crate) mod home;
#[cfg(unix)]
pub(crate) mod scenario;
