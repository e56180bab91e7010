//! What several tests need.

#[cfg(unix)]
pub(crate) mod agent;
#[cfg(target_os = "linux")]
pub(crate) mod blocks;
#[cfg(target_os = "linux")]
pub(crate) mod booted;
pub(crate) mod cc;
#[cfg(unix)]
pub(crate) mod connectors;
pub(crate) mod home;
#[cfg(unix)]
pub(crate) mod http2;
#[cfg(target_os = "linux")]
pub(crate) mod levels;
#[cfg(target_os = "linux")]
pub(crate) mod load;
#[cfg(unix)]
pub(crate) mod raw;
#[cfg(target_os = "linux")]
pub(crate) mod residue;
#[cfg(unix)]
pub(crate) mod scenario;
