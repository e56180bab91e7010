//! How many calls each caller has at one time, so that none of them takes all of `dispatch.max_in_flight`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts of those who have any. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Callers(Arc<Mutex<HashMap<Arc<str>, u32>>>);

/// One call of a caller, for as long as it lives.
pub(super) struct Share {
    callers: Callers,
    caller: Arc<str>,
}

impl Callers {
    /// One more call of `caller`; `None` if there are `max`.
    pub(super) fn place(&self, caller: &Arc<str>, max: u32) -> Option<Share> {
        let mut counts = self.lock();
        let count = counts.entry(caller.clone()).or_insert(0);
        // The configuration allows no limit below 1, so that a caller who is refused has an entry already.
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Share {
            callers: self.clone(),
            caller: caller.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.callers.lock();
        let Some(count) = counts.get_mut(&self.caller) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_his_own_limit_and_nobody_is_remembered() {
        let callers = Callers::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let first = callers.place(&a, 2).unwrap();
        let second = callers.place(&a, 2).unwrap();
        assert!(callers.place(&a, 2).is_none());
        let other = callers.place(&b, 2).unwrap();
        drop(first);
        let third = callers.place(&a, 2).unwrap();
        drop((second, third, other));
        assert!(callers.lock().is_empty());
    }
}
