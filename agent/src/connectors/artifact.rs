//! A library that passed every check: its private copy and what it says about itself.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::{KeyId, Sha256};
use crate::hosting::Manifest;

/// Content that may be started.
#[derive(Debug, PartialEq)]
pub(super) struct Artifact {
    /// Name of the file in the connectors directory that it came from.
    pub(super) file: Arc<str>,
    pub(super) sha256: Sha256,
    pub(super) manifest: Arc<Manifest>,
    /// The private copy.
    pub(super) library: PathBuf,
    /// The trusted key that it was signed by when it was examined.
    pub(super) signed_by: Option<KeyId>,
}
