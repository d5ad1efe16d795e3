//! M7.1 Which worker a step is for. What a worker began, and the instances that it started, only that worker can see; so
//! stopping, checking and taking up again are its own while it is alive. When it is gone, another worker may ask the
//! step's probe or begin what does no harm twice; what nobody else can see is held, with the worker's name.
//!
//! It chooses no worker for new work: whoever asks first gets it.

use super::{progress, runs};
use crate::kernel::{ActionChange, Decision, Stop, Timestamp, View};
use crate::nouns::{Cause, Fact, Purpose, Run, RunState, Step, StepSpec, StepState};
use serde_json::json;
use std::collections::BTreeSet;

/// Held because the worker that has the instances is not heard of. Its return ends the hold.
pub const MISSING: &str = "ORC-014";

/// A worker's name without its slot: `name/2` shares folder and instances with `name/0`.
pub fn name_of(worker: &str) -> &str {
    worker.rsplit_once('/').map_or(worker, |(name, _)| name)
}

/// Whether a worker may take a step now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    Yours,
    /// Another worker that is alive has what the step is about.
    Theirs,
    /// Only these workers have what the step is about, and none of them is alive.
    Missing(BTreeSet<String>),
}

/// The workers that have what a step is about; empty where any worker of the pool will do.
pub fn holders(run: &Run, step: &Step) -> BTreeSet<String> {
    let of = |side, about: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
        let instances = run.side(side).into_iter().filter(|one| about(&one.component) && !one.worker.is_empty());
        instances.map(|one| name_of(&one.worker).to_owned()).collect()
    };
    match &step.spec {
        StepSpec::Stop { side, component } => of(*side, &|name| name == component),
        StepSpec::Verify { side } => of(*side, &|name| run.components.contains_key(name)),
        // The engine's own: any server goes on with the readings.
        StepSpec::Watch(_) => BTreeSet::new(),
        _ if step.state == StepState::Indeterminate => {
            step.attempts.last().map(|attempt| name_of(&attempt.worker).to_owned()).into_iter().collect()
        }
        // One worker for all instances of a run, so that one can check and stop them.
        StepSpec::Start { .. } => run.instances().into_iter().map(|one| name_of(&one.worker).to_owned()).collect(),
        _ => BTreeSet::new(),
    }
}

/// See [`Turn`]. `alive`: names of the pool's workers that were heard of lately.
pub fn turn(run: &Run, step: &Step, worker: &str, alive: &BTreeSet<String>) -> Turn {
    let holders = holders(run, step);
    if holders.is_empty() || holders.contains(name_of(worker)) {
        return Turn::Yours;
    }
    if !holders.is_disjoint(alive) {
        return Turn::Theirs;
    }
    match step.spec {
        StepSpec::Stop { .. } | StepSpec::Verify { .. } => Turn::Missing(holders),
        _ => Turn::Yours,
    }
}

/// Whether another worker than the one that began a step may ask its probe what became of it.
pub fn probes(step: &Step, worker: &str) -> bool {
    let elsewhere = step.attempts.last().is_some_and(|attempt| name_of(&attempt.worker) != name_of(worker));
    elsewhere && matches!(&step.spec, StepSpec::Command { probe, .. } if !probe.is_empty())
}

/// Whether an unknown step is begun anew instead of being looked for once more: it does no harm twice, and a worker that
/// looked could not tell. Its program has ended with its lease.
pub fn begins_anew(step: &Step) -> bool {
    let Some(last) = step.attempts.last() else { return false };
    let looked = step.attempts.iter().filter(|attempt| attempt.id == last.id).count() >= 2;
    let told = matches!(&last.outcome, Some(crate::nouns::Outcome::Indeterminate { reason }) if !runs::LOST.contains(&reason.as_str()));
    step.idempotent && looked && told && matches!(step.spec, StepSpec::Command { .. } | StepSpec::Build { .. } | StepSpec::Http(_))
}

/// The engine's chore: a run whose next step only missing workers could do is held, and says so.
pub fn missing(view: &View, run: &str, step: &str, alive: &BTreeSet<String>, now: Timestamp) -> Result<Decision, Stop> {
    let run: Run = runs::get(view, run)?;
    let Some(current) = run.current().filter(|current| current.id == step && current.state != StepState::Leased) else {
        return Ok(Decision::default());
    };
    let Turn::Missing(workers) = turn(&run, current, "", alive) else { return Ok(Decision::default()) };
    if run.state == RunState::Held || run.state == RunState::Ended {
        return Ok(Decision::default());
    }
    let names: Vec<String> = workers.iter().cloned().collect();
    let what = if run.purpose == Purpose::Rollback || run.turned { "the rollback" } else { "the run" };
    let cause = Cause {
        code: MISSING.to_owned(),
        sentence: format!("{what} waits for worker {}, which has the instances and is not heard of", names.join(", ")),
        facts: json!({"step": step, "workers": names, "unblock": format!(
            "start that worker again; if it is gone for good, end what it ran and say so: holdpoint release resolve {} {step} done", run.id)}),
    };
    let (mut decision, mut working) = (Decision::default(), run.clone());
    progress::push(&mut decision, &mut working, Fact::RunHeld { cause }, now);
    let not_before = now.checked_add(runs::ASK_AGAIN.signed()).unwrap_or(now);
    decision.actions.push(ActionChange::Postpone { run: run.id.to_string(), step: step.to_owned(), not_before });
    decision.answer = json!({"run": run.id, "state": working.state});
    Ok(decision)
}
