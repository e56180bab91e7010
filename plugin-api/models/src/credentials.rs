//! Whether credentials work, and whose they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `validate_credentials`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-capability-level" = "read"))]
pub struct ValidateCredentials {}

/// Result of `validate_credentials`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidatedCredentials {
    /// Whether the credentials work.
    pub valid: bool,
    /// Names the customer's tenant in the app, and never changes: an account id, a domain, a subdomain.
    pub unique_tenant_id: String,
}
