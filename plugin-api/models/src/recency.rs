//! How old the app's data is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DateTime;

/// Parameters of `get_data_recency`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct GetDataRecency {}

/// Result of `get_data_recency`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataRecency {
    /// When what each capability gives was last brought up to date, by the capability's name. Null where that
    /// cannot be told now; a capability of which it can never be told is left out.
    pub data: BTreeMap<String, Option<DateTime>>,
}
