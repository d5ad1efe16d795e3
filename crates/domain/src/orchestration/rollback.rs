//! M7.2 Rollback: traffic first, then instances in reverse order, verified. As durable as the deployment, never asked at
//! the door, and only to what ran there.

use super::{plan, progress, runs, workers};
use crate::kernel::{Action, ActionChange, Actor, Decision, DocKey, Kind, Note, Refusal, RunId, Stop, Timestamp, View};
use crate::nouns::{Cause, Environment, Fact, Outcome, Purpose, Run, RunResult, RunState, Service, Side, Slot, Step, StepSpec, StepState};
use serde_json::json;

/// The steps that undo what a run has done so far. What never began is not undone; what may have begun is.
pub fn steps(run: &Run) -> Vec<Step> {
    let touched = |step: &Step| !matches!(step.state, StepState::Pending | StepState::Skipped);
    let mut back = Vec::new();
    let mut moved: Vec<&str> = Vec::new();
    for step in run.steps.iter().filter(|step| touched(step)) {
        if let StepSpec::Traffic { component, .. } = &step.spec
            && !moved.contains(&component.as_str())
        {
            moved.push(component);
        }
    }
    let Some(previous) = &run.previous else {
        // Nothing ran here before: what was started is stopped, and nothing serves.
        back.extend(stop_new(run, &touched));
        return back;
    };
    let gone: Vec<&Step> =
        run.steps.iter().filter(|step| matches!(&step.spec, StepSpec::Stop { side: Side::Old, .. }) && touched(step)).collect();
    for step in &gone {
        // Old instances that were stopped already have to be there again before traffic can return to them.
        if let StepSpec::Stop { component, .. } = &step.spec {
            back.push(Step::new(
                format!("back.{component}.start-old"),
                format!("start {component} {} again", previous.version),
                StepSpec::Start { component: component.clone() },
                false,
                true,
            ));
        }
    }
    // What users meet first goes back first: the reverse of the order in which components were moved.
    for component in moved.iter().rev() {
        back.push(Step::new(
            format!("back.{component}.traffic"),
            format!("all traffic of {component} back to {}", previous.version),
            StepSpec::Traffic { component: (*component).to_owned(), new_percent: 0 },
            false,
            true,
        ));
    }
    if !moved.is_empty() {
        back.push(Step::new(
            "back.verify",
            format!("check that {} serves", previous.version),
            StepSpec::Verify { side: Side::Old },
            false,
            true,
        ));
    }
    back.extend(stop_new(run, &touched));
    back
}

fn stop_new(run: &Run, touched: &dyn Fn(&Step) -> bool) -> Vec<Step> {
    run.steps
        .iter()
        .rev()
        .filter(|step| touched(step))
        .filter_map(|step| match &step.spec {
            StepSpec::Start { component } => Some(Step::new(
                format!("back.{component}.stop-new"),
                format!("drain and stop {component} {}", run.version),
                StepSpec::Stop { side: Side::New, component: component.clone() },
                false,
                true,
            )),
            _ => None,
        })
        .collect()
}

/// Turns a run back, for a reason that the engine found.
pub fn decide(view: &View, run: &Run, cause: Cause, now: Timestamp) -> Result<Decision, Stop> {
    let mut decision = Decision::default();
    let mut next = run.clone();
    if run.turned || run.state == RunState::Ended {
        return Ok(Decision::unchanged(json!({"run": run.id, "state": run.state})));
    }
    progress::turn_back(view, &mut decision, &mut next, cause, now)?;
    decision.answer = json!({"run": next.id, "state": next.state});
    Ok(decision)
}

/// A person's rollback. While the run goes on, it turns back; when it has ended well, a new run brings back what ran
/// before. `id` names that new run.
pub fn ask(view: &View, run: &str, id: &RunId, reason: Note, actor: &Actor, now: Timestamp) -> Result<Decision, Stop> {
    let by = runs::may_control(view, actor, "rolling back")?;
    let run: Run = runs::get(view, run)?;
    if run.purpose == Purpose::Build {
        return Err(Refusal::new("RBK-002", "a build has nothing to roll back", "roll back a deployment").into());
    }
    if run.purpose == Purpose::Rollback && run.state != RunState::Ended {
        return Err(Refusal::new(
            "RBK-012",
            format!("{} is a rollback on its way; turning it back would bring the bad version again", run.id),
            "wait until it ends, then deploy the version you want by a release",
        )
        .into());
    }
    if run.state != RunState::Ended {
        let cause = Cause {
            code: "RBK-003".to_owned(),
            sentence: "a person asked for it".to_owned(),
            facts: json!({"by": by, "reason": reason.commit().digest}),
        };
        let mut decision = decide(view, &run, cause, now)?;
        decision.notes.push(reason);
        return Ok(decision);
    }
    if run.result == Some(RunResult::RollbackFailed) {
        return Err(failed(&run).into());
    }
    restore(view, &run, id, reason, by)
}

fn restore(view: &View, run: &Run, id: &RunId, reason: Note, by: crate::kernel::PersonId) -> Result<Decision, Stop> {
    let environment = run.environment.clone().unwrap_or_default();
    let key = Slot::key_of(&environment, &run.service);
    let slot: Slot = view.get(&key)?.ok_or_else(|| Refusal::new("RBK-004", "nothing runs there", "deploy a release"))?;
    if let Some(other) = &slot.held_by {
        return Err(Refusal::new("ORC-003", format!("{other} is deploying there"), format!("roll {other} back instead")).into());
    }
    let now_runs = slot.running.as_ref().map(|running| running.version.clone()).unwrap_or_default();
    let entry = slot
        .before(&now_runs)
        .ok_or_else(|| {
            Refusal::new("RBK-004", format!("nothing ran successfully in {environment} before {now_runs}"), "deploy another release")
        })?
        .clone();
    let service: Service =
        view.get(&run.service)?.ok_or_else(|| Refusal::new("ORG-001", format!("there is no service {:?}", run.service), "declare it"))?;
    let names: Vec<&str> = entry.components.keys().map(String::as_str).collect();
    let place: Environment =
        view.get(&environment)?.ok_or_else(|| Refusal::new("ORG-001", format!("there is no environment {environment:?}"), "declare it"))?;
    let steps = plan::back_to(&service, &place, &names, slot.running.as_ref());
    let first = steps.first().map(|step| step.id.clone()).unwrap_or_default();
    if view.position(&DocKey::new(Kind::Run, id.as_str()))? != 0 {
        return Err(Refusal::new("ORC-009", format!("run {id} exists already"), "ask again; ids are drawn anew").into());
    }
    let mut decision = Decision { answer: json!({"run": id, "to": entry.version}), ..Decision::default() };
    decision.fact(
        Kind::Run,
        id.as_str(),
        Fact::RunOpened {
            id: id.clone(),
            purpose: Purpose::Rollback,
            release: entry.release.clone(),
            service: run.service.clone(),
            environment: Some(environment.clone()),
            version: entry.version.clone(),
            pool: run.pool.clone(),
            manifest_digest: entry.manifest_digest,
            components: entry.components.clone(),
            previous: slot.running.clone(),
            steps,
            report: None,
            by: Some(by),
        },
    );
    decision.fact(Kind::Slot, key, Fact::SlotTaken { environment, service: run.service.clone(), run: id.clone() });
    decision.actions.push(ActionChange::Enqueue(Action { run: id.to_string(), step: first, pool: run.pool.clone(), not_before: None }));
    decision.notes.push(reason);
    Ok(decision)
}

/// A rollback that failed is not tried again blindly: the answer says what is where.
fn failed(run: &Run) -> Refusal {
    let word = |state: StepState| serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    let left: Vec<String> =
        run.steps.iter().filter(|step| !step.forward).map(|step| format!("{}: {}", step.title, word(step.state))).collect();
    Refusal::new(
        "RBK-005",
        format!("the rollback of {} failed; it left: {}", run.id, left.join("; ")),
        "put right what the failed step names, then deploy the version you want by a release of its own",
    )
}

/// Goes on with a run that a person or an undecided comparison holds.
pub fn resume(view: &View, run: &str, actor: &Actor, now: Timestamp) -> Result<Decision, Stop> {
    let by = runs::may_control(view, actor, "resuming a run")?;
    let run: Run = runs::get(view, run)?;
    if run.state != RunState::Held {
        return Err(Refusal::new("ORC-010", "the run is not held", "nothing to do").into());
    }
    if run.current().is_some_and(|step| step.state == StepState::Indeterminate) {
        return Err(Refusal::new(
            "ORC-008",
            "nobody knows whether its step happened",
            "resolve the step first: done, failed or not-started",
        )
        .into());
    }
    progress::after(view, &run, Fact::RunResumed { by: Some(by) }, now)
}

/// A person says what became of a step that nobody knows about.
pub fn resolve(
    view: &View,
    run: &str,
    step: &str,
    outcome: Outcome,
    reason: Note,
    actor: &Actor,
    now: Timestamp,
) -> Result<Decision, Stop> {
    let by = runs::may_control(view, actor, "resolving a step")?;
    let run: Run = runs::get(view, run)?;
    // What only a missing worker can do, a person may have done by hand.
    let missing = run.state == RunState::Held && run.cause.as_ref().is_some_and(|cause| cause.code == workers::MISSING);
    let by_hand =
        |found: &&Step| missing && found.state == StepState::Pending && run.current().is_some_and(|current| current.id == found.id);
    let found = run.step(step).filter(|step| step.state == StepState::Indeterminate || by_hand(step)).ok_or_else(|| {
        Refusal::new(
            "ORC-011",
            format!("step {step:?} of {} is not indeterminate", run.id),
            "only a step whose outcome nobody knows is resolved",
        )
    })?;
    if matches!(outcome, Outcome::Indeterminate { .. }) {
        return Err(Refusal::new("ORC-011", "a resolution says what happened", "say done, failed or not-started").into());
    }
    let attempt = found.attempts.last().map(|attempt| attempt.id.clone()).unwrap_or_default();
    let mut working = run.clone();
    let mut decision = Decision::default();
    if run.state == RunState::Held {
        progress::push(&mut decision, &mut working, Fact::RunResumed { by: Some(by.clone()) }, now);
    }
    let fact = Fact::StepResolved { step: step.to_owned(), attempt, outcome, by: Some(by), reason: Some(reason.commit().digest) };
    let rest = progress::after(view, &working, fact, now)?;
    decision.facts.extend(rest.facts);
    decision.actions.extend(rest.actions);
    decision.answer = rest.answer;
    decision.notes.push(reason);
    Ok(decision)
}
