//! Which queued actions this process is trying to lease right now, so that its callers do not all run into the same one.
//!
//! Decides nothing: between processes, and after all, the transaction that grants the lease settles who has it.

use holdpoint_store::QueuedAction;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

type Key = (String, String, String);

/// See the module.
#[derive(Default)]
pub(crate) struct Claims {
    tried: Mutex<HashSet<Key>>,
}

/// Held while somebody tries.
pub(crate) struct Claim<'a> {
    claims: &'a Claims,
    key: Key,
}

impl Claims {
    /// `None` where somebody else in this process is at it.
    pub(crate) fn claim(&self, action: &QueuedAction) -> Option<Claim<'_>> {
        let key = (action.project.clone(), action.run.clone(), action.step.clone());
        let fresh = self.set().insert(key.clone());
        // Only what is claimed may be dropped as a claim.
        fresh.then(|| Claim { claims: self, key })
    }
    fn set(&self) -> std::sync::MutexGuard<'_, HashSet<Key>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.set().remove(&self.key);
    }
}
