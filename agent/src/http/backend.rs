//! What the listeners need of the connectors. A trait, so that a test can put a script in their place.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::call::{Answer, Call, CallError};
use crate::connectors::{Connectors, Detail, Listing};
use crate::domain::{AppId, CapabilityName, Level};

/// See the methods of the same names of [`Connectors`].
pub(crate) trait Backend: Send + Sync + 'static {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, CallError>>;
    fn level(&self, app_id: &AppId, capability: &CapabilityName) -> Level;
    fn repeatable(&self, app_id: &AppId, capability: &CapabilityName) -> bool;
    fn secret_settings(&self, app_id: &AppId) -> Arc<[String]>;
    fn ready(&self) -> Vec<AppId>;
    fn list(&self) -> Vec<Listing>;
    fn show(&self, app_id: &AppId) -> Option<Detail>;
    fn info(&self, app_id: &AppId) -> Option<Bytes>;
    fn first_scan_done(&self) -> bool;
    fn rescan(&self) -> BoxFuture<'_, ()>;
}

impl Backend for Connectors {
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, CallError>> {
        Connectors::call(self, call).boxed()
    }

    fn level(&self, app_id: &AppId, capability: &CapabilityName) -> Level {
        Connectors::level(self, app_id, capability)
    }

    fn repeatable(&self, app_id: &AppId, capability: &CapabilityName) -> bool {
        Connectors::repeatable(self, app_id, capability)
    }

    fn secret_settings(&self, app_id: &AppId) -> Arc<[String]> {
        Connectors::secret_settings(self, app_id)
    }

    fn ready(&self) -> Vec<AppId> {
        Connectors::ready(self)
    }

    fn list(&self) -> Vec<Listing> {
        Connectors::list(self)
    }

    fn show(&self, app_id: &AppId) -> Option<Detail> {
        Connectors::show(self, app_id)
    }

    fn info(&self, app_id: &AppId) -> Option<Bytes> {
        Connectors::info(self, app_id)
    }

    fn first_scan_done(&self) -> bool {
        Connectors::first_scan_done(self)
    }

    fn rescan(&self) -> BoxFuture<'_, ()> {
        Connectors::rescan(self).boxed()
    }
}
