//! What nearly every connector uses: `use lumos_connector_sdk::prelude::*;`

pub use lumos_connector_models::*;
pub use schemars::{self, JsonSchema};
pub use serde::{Deserialize, Serialize};
pub use serde_json::{Value as Json, json};

pub use crate::auth::{CredentialConfig, Credentials, NoAuth};
pub use crate::http::path_segment;
pub use crate::{
    ConnectorError, Context, ErrorKind, Integration, NoSettings, Result, Settings, capability,
    export_connector, field, log,
};
