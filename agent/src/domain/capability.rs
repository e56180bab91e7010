//! What can be asked of a connector, and whether asking changes anything.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a capability, as it stands in the path: `[a-z0-9][a-z0-9_-]{0,127}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CapabilityName(Arc<str>);

/// The text is not a capability's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a capability's name is 1 to 128 letters, digits, `_` or `-`, beginning with a letter or digit")]
pub struct CapabilityNameError;

/// Whether a call changes something in the app. Decides the scope it needs, whether a deadline may cancel it, and whether
/// it may be repeated after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Changes nothing: may be cancelled and repeated.
    Read,
    /// May change something: goes on to its end once it was sent.
    Write,
}

impl CapabilityName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CapabilityName {
    type Err = CapabilityNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let begins_well = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if !begins_well || text.len() > 128 || !text.bytes().all(alphabet) {
            return Err(CapabilityNameError);
        }
        Ok(CapabilityName(text.into()))
    }
}

impl TryFrom<String> for CapabilityName {
    type Error = CapabilityNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CapabilityName> for String {
    fn from(name: CapabilityName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for CapabilityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CapabilityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Read => "read",
            Level::Write => "write",
        })
    }
}
