//! What START carries.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::AppId;
use crate::os::HostLimits;
use crate::os::sandbox::Confinement;

/// The settings of a host, as JSON in the START frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StartSettings {
    /// The private copy to load.
    pub(super) library: PathBuf,
    /// What it may use.
    pub(super) limits: HostLimits,
    /// What it may reach; none if the sandbox is switched off.
    pub(super) confinement: Option<Confinement>,
    /// What to do with it.
    pub(super) mode: Mode,
}

/// What a host is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub(super) enum Mode {
    /// Read the table and the manifest, and end.
    Inspect,
    /// Make an instance and run calls.
    Serve {
        /// The manifest must name it.
        app_id: AppId,
        /// Handed to `create`.
        config_json: String,
        /// Threads that run calls.
        max_in_flight: u32,
        /// Largest answer in bytes.
        max_response_bytes: u64,
    },
}
