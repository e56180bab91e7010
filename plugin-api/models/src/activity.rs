//! What accounts did last.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an account did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ActivityEventType {
    LastLogin,
    LastActivity,
}

impl ActivityEventType {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LastLogin => "last_login",
            Self::LastActivity => "last_activity",
        }
    }
}

impl From<ActivityEventType> for String {
    fn from(kind: ActivityEventType) -> Self {
        kind.as_str().to_owned()
    }
}

/// Parameters of `get_last_activity`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct GetLastActivity {
    /// Ids of the accounts to look at.
    pub account_ids: Vec<String>,
}

/// The last thing that an account did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastActivityData {
    /// The account's id in the app.
    pub account_id: String,
    /// What it did: an [`ActivityEventType`], or a word of the connector's own.
    pub event_type: String,
    /// When, as an RFC 3339 time.
    pub happened_at: String,
}
