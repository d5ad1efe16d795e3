//! Leases that this process granted, so that an outcome need not read its run before its own transaction does.
//!
//! Decides nothing: whether a lease still holds is that transaction's to say.

use holdpoint_domain::nouns::{Run, StepSpec};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More than this are not remembered: without one, the run is read.
const REMEMBERED_MAX: usize = 1000;

/// See the module. By attempt.
#[derive(Default)]
pub(crate) struct Leased(Mutex<HashMap<String, Holding>>);

/// Who holds what.
pub(crate) struct Holding {
    token: u64,
    /// As it was before the lease.
    pub(crate) run: Arc<Run>,
    pub(crate) worker: String,
}

impl Holding {
    /// Whether an outcome of the step is evidence: then it counts only while the lease holds, and that is looked up.
    pub(crate) fn proves(&self, step: &str) -> bool {
        self.run.step(step).is_none_or(|step| matches!(step.spec, StepSpec::Build { .. } | StepSpec::Command { junit: Some(_), .. }))
    }
}

impl Leased {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Holding>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn keep(&self, attempt: &str, token: u64, run: Arc<Run>, worker: &str) {
        let mut all = self.all();
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
        all.insert(attempt.to_owned(), Holding { token, run, worker: worker.to_owned() });
    }
    pub(crate) fn take(&self, attempt: &str, token: u64) -> Option<Holding> {
        self.all().remove(attempt).filter(|known| known.token == token)
    }
}
