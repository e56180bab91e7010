//! The life of one instance, from the file to `destroy`: what one thread does, in a host process or in the daemon.
//! Whatever may not hold up calls is done here, one after the other: load, create; then cancel, quiesce, destroy.
#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use lumos_connector_abi::CancelReason;

use super::backend::{Backend, LoadError};
use super::calls::{Calls, Sink};
use super::library::{Connector, Library};
use crate::domain::AppId;

/// What an instance's thread does once the instance is made.
pub(super) enum Order {
    /// Tell the connector that nobody waits for a call.
    Cancel(u64, CancelReason),
    /// No call will come: quiesce, and destroy when the last one has ended.
    Drain,
    /// The last call has ended while draining.
    Idle,
    /// The calls were given up: destroy if that is safe, and return.
    Abandon,
}

/// How an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Destroyed,
    /// Some of its code still runs, so that nothing of it may be freed.
    Left,
}

/// Loads the library at `path`, which must be `app_id`'s; `told` gets its manifest before anything of it is created.
pub(super) fn load(path: &Path, app_id: &AppId, told: impl FnOnce(&Library)) -> Result<Library, LoadError> {
    let library = Library::load(path)?;
    let named = &library.manifest().app_id;
    if named != app_id {
        return Err(LoadError::refused(format!(
            "the library's manifest names the app_id `{named}`, but it was to be loaded as `{app_id}`; install the library \
             of `{app_id}`, or correct its manifest"
        )));
    }
    told(&library);
    Ok(library)
}

/// Makes the instance, under the id `call`.
pub(super) fn create<S: Sink + 'static>(
    library: &Library,
    call: u64,
    calls: &Arc<Calls<S>>,
    config_json: &[u8],
) -> Result<Connector, LoadError> {
    let (outcome, said) = calls.creating(call, || library.create(call, calls.clone(), config_json));
    outcome.map_err(|status| {
        let said = said.filter(|said| !said.is_empty()).unwrap_or(status);
        LoadError::failed(format!("the connector could not be created: {said}"))
    })
}

/// Serves an instance until it is destroyed, or given up with calls that have not ended.
pub(super) fn take<S: Sink>(orders: &Receiver<Order>, calls: &Calls<S>, backend: &dyn Backend) -> Ended {
    let mut draining = false;
    for order in orders {
        let abandoned = matches!(order, Order::Abandon);
        match order {
            Order::Cancel(call, reason) => backend.cancel(call, reason),
            Order::Drain | Order::Abandon if !draining => {
                draining = true;
                calls.drain();
                backend.quiesce();
            }
            Order::Drain | Order::Abandon | Order::Idle => {}
        }
        if draining && calls.idle() {
            backend.destroy();
            return Ended::Destroyed;
        }
        if abandoned {
            return Ended::Left;
        }
    }
    Ended::Left
}
