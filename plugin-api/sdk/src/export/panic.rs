//! Panics in a connector: caught, and told without what they say.
//!
//! A panic's message may hold anything, a credential too (`unwrap` prints the error it met). The default hook would print
//! it; this one logs the place only, for the connector's own threads.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Marks the current thread as one of the connector's runtime.
pub(super) fn mark_thread() {
    OURS.set(true);
}

/// Installs the hook, once for the library.
pub(super) fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !OURS.get() {
                previous(info);
                return;
            }
            match info.location() {
                Some(place) => crate::log::error!(
                    "panic at {}:{}:{} (its message is withheld)",
                    place.file(),
                    place.line(),
                    place.column()
                ),
                None => crate::log::error!("panic at an unknown place (its message is withheld)"),
            }
        }));
    });
}
