//! What accounts did last.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

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

/// Parameters of `list_activity_records`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ListActivityRecords {
    /// The earliest record that is wanted, as an ISO 8601 time.
    pub since_date: String,
    /// Whose records are wanted.
    pub actors: Vec<ActivityRecordActor>,
}

/// Something that was done in the app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-unique-hash" = ["id"]))]
pub struct ActivityRecord {
    /// The record's id, never used for another.
    pub id: String,
    /// What was done.
    pub activity_type: ActivityRecordActivityType,
    /// When, as an ISO 8601 time.
    pub timestamp: String,
    /// Who did it.
    pub actor: ActivityRecordActor,
    /// Whom or what it was done to.
    pub targets: Vec<ActivityRecordTarget>,
    /// Anything else that is known, such as the address it was done from.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Who did something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityRecordActor {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: String,
}

/// Whom or what something was done to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityRecordTarget {
    /// The account's id in the app.
    #[schemars(extend("x-semantic" = "account-id"))]
    pub account_id: Option<String>,
    /// The entitlement that it concerned.
    pub entitlement: Option<ActivityRecordEntitlement>,
}

/// An entitlement that an activity concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityRecordEntitlement {
    /// The entitlement's id in the app.
    #[schemars(extend("x-semantic" = "entitlement-id"))]
    pub id: String,
    /// The entitlement's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The resource's id in the app.
    #[schemars(extend("x-semantic" = "resource-id"))]
    pub resource_id: Option<String>,
    /// The resource's type.
    pub resource_type: Option<String>,
}

/// The activities that the API has a word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum ActivityType {
    AccountLogin,
}

/// What was done: an [`ActivityType`], or a word of the connector's own.
///
/// The API's document declares a text. Its SDK writes an object with the text in one of its members and reads nothing else,
/// so that is what travels; a plain text is read, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ActivityRecordActivityType(AnyActivity);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
struct AnyActivity {
    anyof_schema_1_validator: Option<ActivityType>,
    anyof_schema_2_validator: Option<String>,
    #[schemars(with = "Value")]
    actual_instance: Option<String>,
    any_of_schemas: BTreeSet<String>,
}

impl Default for AnyActivity {
    fn default() -> Self {
        Self {
            anyof_schema_1_validator: None,
            anyof_schema_2_validator: None,
            actual_instance: None,
            any_of_schemas: ["ActivityType", "str"].map(str::to_owned).into(),
        }
    }
}

impl ActivityRecordActivityType {
    /// The text; empty if the sender gave none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.actual_instance.as_deref().unwrap_or_default()
    }
}

impl From<String> for ActivityRecordActivityType {
    fn from(text: String) -> Self {
        Self(AnyActivity {
            actual_instance: Some(text),
            ..AnyActivity::default()
        })
    }
}

impl From<&str> for ActivityRecordActivityType {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<ActivityType> for ActivityRecordActivityType {
    fn from(kind: ActivityType) -> Self {
        match kind {
            ActivityType::AccountLogin => "ACCOUNT_LOGIN".into(),
        }
    }
}

impl<'de> Deserialize<'de> for ActivityRecordActivityType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(text.into()),
            Value::Object(members) => AnyActivity::deserialize(Value::Object(members))
                .map(Self)
                .map_err(de::Error::custom),
            _ => Err(de::Error::custom("an activity type is an object or a text")),
        }
    }
}
