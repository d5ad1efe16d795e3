//! M7.1 What follows from an outcome: the next step, the turn back, or the end.

use super::{rollback, runs};
use crate::kernel::{Action, ActionChange, Decision, Kind, Noun, Refusal, Stop, Timestamp, View};
use crate::nouns::{
    Cause, Closure, Fact, Outcome, Pipeline, Purpose, Release, ReleaseState, Run, RunResult, RunState, Running, Service, Side, Slot,
    StepSpec, StepState,
};
use serde_json::json;

/// How often a step may be begun anew after proof that it had no effect; then a person looks.
const STARTS_MAX: usize = 3;
/// How often a step that does no harm twice is offered again while nobody knows what became of it; any other step once.
const OFFERS_MAX: usize = 4;

/// Applies a fact about a run and decides what comes next.
pub fn after(view: &View, run: &Run, fact: Fact, now: Timestamp) -> Result<Decision, Stop> {
    let mut decision = Decision::default();
    let mut next = run.clone();
    let about = match &fact {
        Fact::StepFinished { step, .. } | Fact::StepResolved { step, .. } => Some(step.clone()),
        _ => None,
    };
    push(&mut decision, &mut next, fact, now);
    if let Some(step) = about {
        settle(view, &mut decision, &mut next, &step, now)?;
    } else {
        go_on(view, &mut decision, &mut next, now)?;
    }
    decision.answer = json!({"run": next.id, "state": next.state, "result": next.result});
    Ok(decision)
}

/// Writes a fact on the run's stream and keeps the working copy in step with it.
pub(super) fn push(decision: &mut Decision, run: &mut Run, fact: Fact, now: Timestamp) {
    run.apply(&fact, now);
    decision.fact(Kind::Run, run.id.as_str(), fact);
}

fn settle(view: &View, decision: &mut Decision, run: &mut Run, id: &str, now: Timestamp) -> Result<(), Stop> {
    let Some(step) = run.step(id).cloned() else { return Ok(()) };
    decision.actions.push(ActionChange::Remove { run: run.id.to_string(), step: id.to_owned() });
    if run.turned && step.forward {
        // The run turned back while this step was out: whatever became of it, now it is known what to undo.
        return go_on(view, decision, run, now);
    }
    match step.state {
        StepState::Done => go_on(view, decision, run, now),
        StepState::Pending => {
            // Proven not started: it may be leased anew, but not for ever.
            let times = step.attempts.iter().filter(|attempt| matches!(attempt.outcome, Some(Outcome::NotStarted { .. }))).count();
            if times < STARTS_MAX {
                enqueue(decision, run, &step.id, &step.spec);
            } else {
                let cause = Cause {
                    code: "ORC-012".to_owned(),
                    sentence: format!("{:?} was interrupted {times} times before it had an effect", step.title),
                    facts: json!({"step": step.id, "unblock": format!("find out what interrupts it, then: holdpoint release resume {}", run.id)}),
                };
                push(decision, run, Fact::RunHeld { cause }, now);
            }
            Ok(())
        }
        StepState::Indeterminate => {
            let asked = step.attempts.iter().filter(|attempt| matches!(attempt.outcome, Some(Outcome::Indeterminate { .. }))).count();
            if asked <= if step.idempotent { OFFERS_MAX } else { 1 } {
                // Once, somebody who can look is asked: the same pool observes the attempt's directory, or probes.
                enqueue(decision, run, &step.id, &step.spec);
            } else {
                let cause = Cause {
                    code: "ORC-008".to_owned(),
                    sentence: format!("nobody knows whether {:?} happened", step.title),
                    facts: json!({"step": step.id, "unblock": format!("find out, then: holdpoint release resolve {} {} done|failed|not-started", run.id, step.id)}),
                };
                push(decision, run, Fact::RunHeld { cause }, now);
            }
            Ok(())
        }
        StepState::Failed => {
            let reason = match step.attempts.last().and_then(|attempt| attempt.outcome.clone()) {
                Some(Outcome::Failed { reason, .. }) => reason,
                _ => "it failed".to_owned(),
            };
            let cause =
                Cause { code: "RBK-001".to_owned(), sentence: format!("{}: {reason}", step.title), facts: json!({"step": step.id}) };
            if run.turned || run.purpose == Purpose::Rollback {
                return finish(view, decision, run, RunResult::RollbackFailed, now);
            }
            turn_back(view, decision, run, cause, now)
        }
        StepState::Leased | StepState::Skipped => Ok(()),
    }
}

/// Decides the rollback, or ends the run where there is nothing to undo.
pub(super) fn turn_back(view: &View, decision: &mut Decision, run: &mut Run, cause: Cause, now: Timestamp) -> Result<(), Stop> {
    let steps = rollback::steps(run);
    let over = |step: &&crate::nouns::Step| {
        matches!(step.state, StepState::Pending | StepState::Indeterminate) || matches!(step.spec, StepSpec::Watch(_))
    };
    for step in run.steps.iter().filter(over) {
        decision.actions.push(ActionChange::Remove { run: run.id.to_string(), step: step.id.clone() });
    }
    push(decision, run, Fact::RollbackDecided { cause, steps }, now);
    go_on(view, decision, run, now)
}

/// Queues the step whose turn it is, or ends the run.
pub(super) fn go_on(view: &View, decision: &mut Decision, run: &mut Run, now: Timestamp) -> Result<(), Stop> {
    if run.state == RunState::Held || run.state == RunState::Ended || run.unfinished().is_some() {
        return Ok(());
    }
    if let Some(step) = run.current().cloned() {
        enqueue(decision, run, &step.id, &step.spec);
        return Ok(());
    }
    let result = match (run.turned, run.previous.is_some()) {
        (true, true) => RunResult::RolledBack,
        (true, false) => RunResult::Failed,
        (false, _) => RunResult::Succeeded,
    };
    finish(view, decision, run, result, now)
}

fn enqueue(decision: &mut Decision, run: &Run, step: &str, spec: &StepSpec) {
    let pool = runs::pool_of(spec, &run.pool);
    decision.actions.push(ActionChange::Enqueue(Action { run: run.id.to_string(), step: step.to_owned(), pool, not_before: None }));
}

/// Ends the run: frees the slot, says what runs now, and tells the release.
fn finish(view: &View, decision: &mut Decision, run: &mut Run, result: RunResult, now: Timestamp) -> Result<(), Stop> {
    push(decision, run, Fact::RunFinished { result }, now);
    let Some(environment) = run.environment.clone() else { return Ok(()) };
    let slot = Slot::key_of(&environment, &run.service);
    if result == RunResult::Succeeded {
        let mut instances = run.instances();
        let mut components = run.components.clone();
        if let Some(previous) = &run.previous {
            // What this run did not touch goes on running.
            instances.extend(previous.instances.iter().filter(|old| !run.components.contains_key(&old.component)).cloned());
            for (name, pin) in &previous.components {
                components.entry(name.clone()).or_insert_with(|| pin.clone());
            }
        }
        decision.fact(
            Kind::Slot,
            slot.as_str(),
            Fact::RunningChanged {
                environment: environment.clone(),
                service: run.service.clone(),
                running: Some(Running {
                    release: run.release.clone(),
                    version: run.version.clone(),
                    manifest_digest: run.manifest_digest,
                    components,
                    instances,
                    run: Some(run.id.clone()),
                    since: now,
                }),
            },
        );
    }
    if let (RunResult::RolledBack, Some(previous)) = (result, &run.previous) {
        let instances = run.side(Side::Old);
        // Old instances that were stopped already live on in new ones: the slot must name those.
        if instances != previous.instances {
            let running = Some(Running { instances, ..previous.clone() });
            let fact = Fact::RunningChanged { environment: environment.clone(), service: run.service.clone(), running };
            decision.fact(Kind::Slot, slot.as_str(), fact);
        }
    }
    decision.fact(
        Kind::Slot,
        slot.as_str(),
        Fact::SlotFreed { environment: environment.clone(), service: run.service.clone(), run: run.id.clone() },
    );
    tell_release(view, decision, run, &environment, result)
}

fn tell_release(view: &View, decision: &mut Decision, run: &Run, environment: &str, result: RunResult) -> Result<(), Stop> {
    let (Some(id), Some(manifest_digest)) = (&run.release, &run.manifest_digest) else { return Ok(()) };
    if run.purpose != Purpose::Deploy {
        return Ok(());
    }
    let release: Release = view.get(id.as_str())?.ok_or_else(|| {
        Refusal::new("REL-001", format!("there is no release {id}"), "this is a fault of the ledger: run holdpoint rebuild --compare")
    })?;
    decision.fact(
        Kind::Release,
        id.as_str(),
        Fact::PromotionEnded { environment: environment.to_owned(), run: run.id.clone(), manifest_digest: *manifest_digest, result },
    );
    let service: Option<Service> = view.get(&run.service)?;
    let Some(service) = service else { return Ok(()) };
    let pipeline: Option<Pipeline> = view.get(&service.spec.pipeline)?;
    let last = pipeline.as_ref().and_then(|pipeline| pipeline.spec.stages.last()).is_some_and(|stage| stage.environment == environment);
    if last && release.state == ReleaseState::Open {
        let closure = match result {
            RunResult::Succeeded => Some(Closure::Successful),
            RunResult::RolledBack => Some(Closure::BackedOut),
            RunResult::Failed | RunResult::RollbackFailed => None,
        };
        if let Some(closure) = closure {
            decision.fact(Kind::Release, id.as_str(), Fact::ReleaseClosed { closure, superseded_by: None, reason: None });
        }
    }
    Ok(())
}
