//! Housekeeping of runs: leases that ended without an outcome, deadlines of deciders, releases that were superseded.

use crate::Engine;
use holdpoint_domain::kernel::DocKey;
use holdpoint_domain::nouns::{Run, RunState};
use holdpoint_domain::orchestration::{runs, watch, workers};
use holdpoint_store::{Filter, StoreError};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);
/// Renewed every round; another server takes over this long after the last one.
const TTL: Duration = Duration::from_secs(3);
/// Waiting steps looked at in one round.
const WAITING: u32 = 50;

/// A lease is lost only this long after its end: the worker stops a margin before it, by its own clock.
pub(crate) const GRACE: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

pub(crate) async fn run(engine: Engine) {
    let mut cursor = (String::new(), String::new());
    loop {
        if engine.leads("deployer", TTL).await
            && let Err(why) = once(&engine, &mut cursor).await
        {
            tracing::warn!(%why, "looking after runs failed; it is tried again");
        }
        tokio::select! {
            () = engine.stopped() => return engine.resign("deployer").await,
            () = engine.pause(EVERY) => {}
        }
    }
}

/// One round. `cursor`: the last waiting step looked at.
pub(crate) async fn once(engine: &Engine, cursor: &mut (String, String)) -> holdpoint_store::Result<()> {
    lost_leases(engine).await?;
    missing_workers(engine, cursor).await?;
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
        let held = runs::Lease { run: action.run, step: action.step, attempt, token };
        refusable(engine.decide("lease.lost", locks, move |view, now| runs::lost(view, &held, runs::Lost::Ended, now)).await)?;
    }
    Ok(())
}

/// Steps that only workers could do who are not heard of any more: their runs say so.
async fn missing_workers(engine: &Engine, cursor: &mut (String, String)) -> holdpoint_store::Result<()> {
    let now = engine.store().now().await?;
    let waiting = engine.store().waiting_actions(now.checked_sub(GRACE).unwrap_or(now), cursor, WAITING).await?;
    *cursor =
        waiting.last().filter(|_| waiting.len() >= WAITING as usize).map(|last| (last.run.clone(), last.step.clone())).unwrap_or_default();
    for action in waiting.into_iter().filter(|action| action.project == engine.project()) {
        let Some(run) = engine.store().get::<Run>(engine.project(), &action.run).await? else { continue };
        let Some(step) = run.step(&action.step).filter(|_| run.state != RunState::Held) else { continue };
        let alive = engine.alive(&action.pool).await?;
        if !matches!(workers::turn(&run, step, "", &alive), workers::Turn::Missing(_)) {
            continue;
        }
        let (locks, id, step) = (runs::locks(&run), action.run.clone(), action.step.clone());
        tracing::warn!(run = id, step, "the workers that have its instances are not heard of");
        refusable(engine.decide("worker.missing", locks, move |view, now| workers::missing(view, &id, &step, &alive, now)).await)?;
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
