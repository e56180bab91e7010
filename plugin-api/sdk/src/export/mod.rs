//! The C interface of a connector library, and the only unsafe code of the SDK.
//!
//! [`export_connector!`](crate::export_connector) makes the one symbol that the host looks for. Everything that crosses
//! goes through here: bytes are copied on the way in, answers are pushed to the host on the way out, and no panic passes.
//!
//! ```text
//!   entry ──► table (static)          create ──► Running: the connector, a small tokio runtime, the calls in flight
//!                                     invoke ──► one task per call ──► host.finish
//!                                     cancel ──► a read's task ends at once; a write goes on
//! ```
#![allow(unsafe_code)]

mod host;
mod panic;
mod running;
mod table;
pub mod testing;

use std::sync::{Arc, OnceLock};

#[doc(hidden)]
pub use lumos_connector_abi::ConnectorTable;

use crate::auth::Auth;
use crate::connector::Connector;
use crate::integration::{Integration, IntegrationError};
use crate::settings::Settings;

/// A declaration, checked or refused.
#[doc(hidden)]
pub struct Declared {
    app_id: String,
    version: String,
    built: Result<Connector, IntegrationError>,
}

impl<A: Auth, S: Settings> From<Integration<A, S>> for Declared {
    fn from(integration: Integration<A, S>) -> Self {
        let (app_id, version) = integration.identity();
        Self {
            app_id,
            version,
            built: integration.build(),
        }
    }
}

/// What a library exports; implemented by [`export_connector!`](crate::export_connector).
#[doc(hidden)]
pub trait Exported: 'static {
    fn declare() -> Declared;
    fn slot() -> &'static Slot;
}

/// Where a library keeps its table, for the life of the process.
#[doc(hidden)]
#[derive(Default)]
pub struct Slot(OnceLock<Library>);

impl Slot {
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }
}

struct Library {
    connector: Result<Arc<Connector>, IntegrationError>,
    table: ConnectorTable,
    /// What the table's `manifest_json` points to.
    _manifest: Box<[u8]>,
}

/// The body of the entry function: the library's table, or null if the declaration panics.
#[doc(hidden)]
#[must_use]
pub fn entry<E: Exported>() -> *const ConnectorTable {
    std::panic::catch_unwind(|| std::ptr::from_ref(&E::slot().0.get_or_init(library::<E>).table))
        .unwrap_or(std::ptr::null())
}

fn library<E: Exported>() -> Library {
    let declared = E::declare();
    let manifest = match &declared.built {
        Ok(connector) => connector.manifest(),
        // Enough for the host to load the library and be told by create what is wrong.
        Err(_) => serde_json::json!({"app_id": declared.app_id, "version": declared.version}),
    };
    let manifest = manifest.to_string().into_bytes().into_boxed_slice();
    Library {
        connector: declared.built.map(Arc::new),
        table: table::new::<E>(&manifest),
        _manifest: manifest,
    }
}

/// Exports a connector from a `cdylib`: takes the function that declares the [`Integration`](crate::Integration).
///
/// ```
/// use lumos_connector_sdk::prelude::*;
///
/// fn integration() -> Integration {
///     Integration::new("example", "1.0.0")
/// }
///
/// export_connector!(integration);
/// ```
#[macro_export]
macro_rules! export_connector {
    ($declare:expr) => {
        #[doc(hidden)]
        pub enum __LumosConnector {}

        impl $crate::export::Exported for __LumosConnector {
            fn declare() -> $crate::export::Declared {
                $crate::export::Declared::from(($declare)())
            }

            fn slot() -> &'static $crate::export::Slot {
                static SLOT: $crate::export::Slot = $crate::export::Slot::new();
                &SLOT
            }
        }

        /// The connector's entry point, for the host and for tests.
        #[unsafe(no_mangle)]
        pub extern "C" fn lumos_connector_entry_v1() -> *const $crate::export::ConnectorTable {
            $crate::export::entry::<__LumosConnector>()
        }
    };
}
