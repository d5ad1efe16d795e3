//! Housekeeping of runs: leases that ended without an outcome, deadlines of deciders, releases that were superseded.

use crate::Engine;
use holdpoint_domain::kernel::DocKey;
use holdpoint_domain::nouns::Run;
use holdpoint_domain::orchestration::{runs, watch};
use holdpoint_store::{Filter, StoreError};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(10);

/// A lease is lost only this long after its end: the worker stops a margin before it, by its own clock.
pub(crate) const GRACE: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

pub(crate) async fn run(engine: Engine) {
    loop {
        match engine.store().lead("deployer", engine.holder(), TTL).await {
            Ok(Some(_)) => {
                if let Err(why) = once(&engine).await {
                    tracing::warn!(%why, "looking after runs failed; it is tried again");
                }
            }
            Ok(None) => {}
            Err(why) => tracing::warn!(%why, "no leadership"),
        }
        tokio::select! {
            () = engine.stopped() => return,
            () = engine.pause(EVERY) => {}
        }
    }
}

/// One round.
pub(crate) async fn once(engine: &Engine) -> holdpoint_store::Result<()> {
    lost_leases(engine).await?;
    let held = Filter { label: Some("held".to_owned()), live: Some(true), limit: 500, ..Filter::default() };
    let (held, _) = engine.store().list::<Run>(engine.project(), &held).await?;
    for run in held.into_iter().filter(|run| run.cause.as_ref().is_some_and(|cause| cause.facts.get("deadline").is_some())) {
        let (locks, id) = (runs::locks(&run), run.id.to_string());
        refusable(engine.decide("run.overdue", locks, move |view, now| watch::overdue(view, &id, now)).await)?;
    }
    crate::promoter::supersede(engine).await
}

async fn lost_leases(engine: &Engine) -> holdpoint_store::Result<()> {
    let now = engine.store().now().await?;
    let before = now.checked_sub(GRACE).unwrap_or(now);
    for action in engine.store().expired_leases(before, 100).await? {
        let (Some(attempt), Some(token)) = (action.attempt.clone(), action.token) else { continue };
        let Some(run) = engine.store().get::<Run>(engine.project(), &action.run).await? else { continue };
        let locks: Vec<DocKey> = runs::locks(&run);
        tracing::warn!(run = action.run, step = action.step, attempt, "a lease ended without an outcome");
        let (id, step) = (action.run.clone(), action.step.clone());
        refusable(engine.decide("lease.lost", locks, move |view, now| runs::lost(view, &id, &step, &attempt, token, now)).await)?;
    }
    Ok(())
}

/// A refusal means that somebody else was faster; that is no fault.
fn refusable<T>(result: holdpoint_store::Result<T>) -> holdpoint_store::Result<()> {
    match result {
        Ok(_) | Err(StoreError::Refused(_)) => Ok(()),
        Err(other) => Err(other),
    }
}
