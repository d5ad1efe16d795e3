//! Which workers are there, and what a worker that was started again may take up at once.
//!
//! A worker is alive while it asks for work or renews a lease. A server that has just begun knows of nobody that is gone:
//! while it was away, nobody could be heard.

use crate::Engine;
use crate::protocol::Asking;
use holdpoint_domain::nouns::Run;
use holdpoint_domain::orchestration::{runs, workers};
use holdpoint_store::{QueuedAction, StoreError};
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Not heard of for so long, a worker is gone. Its leases have ended by then.
pub const GONE: Duration = crate::protocol::LEASE;
/// How often it is written down that a worker is there.
const APART: Duration = Duration::from_secs(2);
/// Workers remembered in this process.
const REMEMBERED_MAX: usize = 10_000;

/// Pool and name to identity and when it was written down.
type Told = HashMap<(String, String), (Option<String>, Instant)>;
/// Who is alive is looked up no more often than this.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What this server has heard of.
pub(crate) struct Presence {
    since: Instant,
    alive: Mutex<HashMap<String, (BTreeSet<String>, Instant)>>,
    told: Mutex<Told>,
}

impl Default for Presence {
    fn default() -> Self {
        Self { since: Instant::now(), alive: Mutex::default(), told: Mutex::default() }
    }
}

impl Presence {
    /// Whether this is news that has to be written down: another identity than the last one, or nothing for a while.
    fn is_news(&self, pool: &str, name: &str, identity: Option<&str>) -> bool {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.len() > REMEMBERED_MAX {
            told.clear();
        }
        let key = (pool.to_owned(), name.to_owned());
        if told.get(&key).is_some_and(|(known, at)| known.as_deref() == identity && now.duration_since(*at) < APART) {
            return false;
        }
        told.insert(key, (identity.map(str::to_owned), now));
        true
    }
}

impl Engine {
    /// A worker asks for work.
    pub(crate) async fn present(&self, asking: &Asking) -> holdpoint_store::Result<()> {
        let (name, identity) = (workers::name_of(&asking.worker), asking.identity.as_deref());
        if self.presence().is_news(&asking.pool, name, identity) {
            self.store().worker_seen(self.project(), &asking.pool, name, identity).await?;
            let mut alive = self.presence().alive.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if alive.get(&asking.pool).is_some_and(|(names, _)| !names.contains(name)) {
                // Somebody new, or somebody who is back.
                alive.remove(&asking.pool);
            }
        }
        Ok(())
    }

    /// A worker renews a lease: it is there, whoever it said it was.
    pub(crate) async fn heard_of(&self, pool: &str, worker: &str) -> holdpoint_store::Result<()> {
        let name = workers::name_of(worker);
        if let Some(known) = self.store().worker(self.project(), pool, name).await? {
            let asking = Asking { pool: pool.to_owned(), worker: name.to_owned(), identity: known.identity };
            self.present(&asking).await?;
        }
        Ok(())
    }

    /// Names of a pool's workers that are alive, as far as this server can know.
    pub(crate) async fn alive(&self, pool: &str) -> holdpoint_store::Result<BTreeSet<String>> {
        let known = || self.presence().alive.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((names, _)) = known().get(pool).filter(|(_, at)| at.elapsed() < LOOK_AGAIN) {
            return Ok(names.clone());
        }
        let names = self.look_who_is_alive(pool).await?;
        known().insert(pool.to_owned(), (names.clone(), Instant::now()));
        Ok(names)
    }

    async fn look_who_is_alive(&self, pool: &str) -> holdpoint_store::Result<BTreeSet<String>> {
        let now = self.store().now().await?;
        // Just begun: whoever was there before this server may be there still.
        let span = if self.presence().since.elapsed() < GONE { Duration::from_secs(86_400) } else { GONE };
        let after = now.checked_sub(jiff::SignedDuration::try_from(span).unwrap_or_default()).unwrap_or(now);
        self.store().workers_since(self.project(), pool, after).await
    }

    /// Whether a step may be this worker's, seen from outside its transaction.
    pub(crate) async fn is_for(&self, action: &QueuedAction, asking: &Asking, alive: &BTreeSet<String>) -> holdpoint_store::Result<bool> {
        let run = self.store().get::<Run>(self.project(), &action.run).await?;
        let step = run.as_ref().and_then(|run| Some((run, run.step(&action.step)?)));
        Ok(step.is_some_and(|(run, step)| workers::turn(run, step, &asking.worker, alive) == workers::Turn::Yours))
    }

    /// A worker was started again on the folder that the name stands for, and nobody else works in it: what it held is lost
    /// now, not only when the leases end. What became of the steps is found out as always.
    ///
    /// Only leases granted since the name has stood for this very folder: of others nothing is proved.
    pub async fn reclaim(&self, asking: &Asking) -> holdpoint_store::Result<usize> {
        let name = workers::name_of(&asking.worker);
        let Some(known) = self.store().worker(self.project(), &asking.pool, name).await? else { return Ok(0) };
        if asking.identity.is_none() || known.identity != asking.identity {
            return Ok(0);
        }
        // Beside other servers this one may have granted a lease to another folder's worker of that name so much later.
        let unsure = if self.store().engine() == holdpoint_store::Engine::Sqlite { Duration::ZERO } else { APART };
        let from = known.since.checked_add(jiff::SignedDuration::try_from(unsure).unwrap_or_default()).unwrap_or(known.since);
        let mut lost = 0;
        for action in self.store().leases_of(self.project(), &asking.pool, name).await? {
            let (Some(attempt), Some(token)) = (action.attempt.clone(), action.token) else { continue };
            let Some(run) = self.store().get::<Run>(self.project(), &action.run).await? else { continue };
            let leased_at = run.step(&action.step).and_then(|step| step.attempts.last()).map(|attempt| attempt.leased_at);
            if leased_at.is_none_or(|at| at < from) {
                continue;
            }
            let held = runs::Lease { run: action.run, step: action.step, attempt, token };
            tracing::info!(run = held.run, step = held.step, worker = name, "its worker was started again");
            match self.decide("lease.lost", runs::locks(&run), move |view, now| runs::lost(view, &held, runs::Lost::Restarted, now)).await {
                Ok(_) => lost += 1,
                Err(StoreError::Refused(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(lost)
    }
}
