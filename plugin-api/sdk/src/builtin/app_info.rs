//! `app_info`: the connector as an OpenAPI document.

use lumos_connector_models::{AppInfo, JsonObject, Response};

use crate::connector::Connector;
use crate::handler::{self, Outcome};

/// Answers `app_info`.
pub(crate) fn app_info(connector: &Connector, _body: &[u8]) -> Outcome {
    handler::serialize(&Response::new(AppInfo {
        app_id: connector.app_id.clone(),
        app_schema: JsonObject::new(),
    }))
}
