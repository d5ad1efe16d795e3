//! A run as its page shows it.

use super::canary;
use super::release::drop_nulls;
use crate::doors::Signed;
use crate::problem::{Answer, Problem};
use crate::state::{Api, note};
use holdpoint_domain::kernel::{PersonId, Refusal};
use holdpoint_domain::nouns::{Environment, Outcome, Purpose, Run, RunState, Side, Step, StepSpec, StepState};
use holdpoint_domain::orchestration::{rollback, runs};
use holdpoint_engine::resolve;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A run, or that there is none.
pub async fn get(api: &Api, id: &str) -> Answer<Run> {
    let found: Option<Run> = api.store().get(api.project(), id).await?;
    found.ok_or_else(|| Refusal::new("ORC-007", format!("there is no run {id:?}"), "list them: GET /v1/runs").into())
}

/// One word: how it ended, or where it is.
pub fn state(run: &Run) -> Value {
    run.result.map_or_else(|| json!(run.state), |result| json!(result))
}

/// One line of a list.
pub fn summary(run: &Run, names: &BTreeMap<PersonId, String>) -> Value {
    let mut shown = json!({
        "id": run.id, "purpose": run.purpose, "release": run.release, "service": run.service, "version": run.version, "environment": run.environment,
        "state": run.state, "result": run.result, "started": run.opened_at, "finished": run.ended_at, "by": run.by.as_ref().and_then(|by| names.get(by)),
        "cause": run.cause,
    });
    drop_nulls(&mut shown);
    shown
}

/// The whole view.
pub async fn view(api: &Api, signed: &Signed, run: &Run) -> Answer<Value> {
    let names = api.handles(run.by.iter().cloned().collect()).await?;
    let mut shown = summary(run, &names);
    let zone = match &run.environment {
        Some(name) => api.store().get::<Environment>(api.project(), name).await?.map(|place| place.spec.zone),
        None => None,
    };
    let watched = canary::readings(api, run).await?;
    if let Some(object) = shown.as_object_mut() {
        object.insert("steps".to_owned(), Value::Array(run.steps.iter().map(|one| step(run, one)).collect()));
        object.insert("weights".to_owned(), weights(run));
        object.insert("instances".to_owned(), instances(run));
        object.insert("traffic".to_owned(), json!(canary::traffic(run, &watched)));
        object.insert("outputs".to_owned(), outputs(run));
        object.insert("refusals".to_owned(), refusals(api, signed, run).await?);
        object.insert("zone".to_owned(), json!(zone));
        object.insert("previous_version".to_owned(), json!(run.previous.as_ref().map(|previous| previous.version.clone())));
        object.insert("canary".to_owned(), json!(canary::view(run, &watched)));
    }
    drop_nulls(&mut shown);
    Ok(shown)
}

/// A build's products by name, once it is done.
fn outputs(run: &Run) -> Value {
    if run.purpose != Purpose::Build {
        return Value::Null;
    }
    run.steps.first().and_then(Step::outputs).cloned().unwrap_or_default()
}

fn step(run: &Run, step: &Step) -> Value {
    let last = step.attempts.last();
    let state = match (step.state, run.current().map(|current| current.id == step.id)) {
        (StepState::Leased, _) => "running",
        (StepState::Pending, Some(true)) if run.state != RunState::Held => "ready",
        (StepState::Pending, _) => "pending",
        (StepState::Done, _) => "done",
        (StepState::Failed, _) => "failed",
        (StepState::Indeterminate, _) => "indeterminate",
        (StepState::Skipped, _) => "skipped",
    };
    let outcome = last.and_then(|attempt| attempt.outcome.as_ref()).and_then(|outcome| match outcome {
        Outcome::Done { .. } => None,
        Outcome::Failed { reason, .. } | Outcome::Indeterminate { reason } | Outcome::NotStarted { reason } => Some(reason.clone()),
    });
    let waiting = match state {
        "ready" => Some(format!("a worker of pool {}", runs::pool_of(&step.spec, &run.pool))),
        "pending" if run.current().is_some_and(|current| current.id == step.id) => run.cause.as_ref().map(|cause| cause.sentence.clone()),
        _ => None,
    };
    let mut shown = json!({
        "id": step.id, "title": step.title, "kind": kind(&step.spec), "state": state, "attempt": last.map(|attempt| attempt.id.clone()),
        "started": last.map(|attempt| attempt.leased_at), "finished": last.and_then(|attempt| attempt.finished_at),
        "worker": last.map(|attempt| attempt.worker.clone()), "outcome": outcome, "waiting_for": waiting, "rollback": !step.forward,
    });
    drop_nulls(&mut shown);
    shown
}

fn kind(spec: &StepSpec) -> &'static str {
    match spec {
        StepSpec::Build { .. } => "build",
        StepSpec::Command { junit: Some(_), .. } => "test",
        StepSpec::Command { .. } => "command",
        StepSpec::Http(_) => "http",
        StepSpec::Start { .. } => "start",
        StepSpec::Traffic { .. } => "traffic",
        StepSpec::Watch(_) => "watch",
        StepSpec::Stop { .. } => "stop",
        StepSpec::Verify { .. } => "verify",
    }
}

/// Component -> version -> per cent, after the traffic steps that are done.
fn weights(run: &Run) -> Value {
    let mut shares: BTreeMap<&str, u32> = BTreeMap::new();
    for step in &run.steps {
        if let StepSpec::Traffic { component, new_percent } = &step.spec {
            let share = shares.entry(component).or_insert(0);
            if step.state == StepState::Done {
                *share = *new_percent;
            }
        }
    }
    let mut shown = Map::new();
    for (component, new) in shares {
        let mut versions = Map::new();
        if let Some(previous) = &run.previous {
            versions.insert(previous.version.clone(), json!(100_u32.saturating_sub(new)));
        }
        // Of one version twice, what is new counts as all of it.
        let both = run.previous.as_ref().is_some_and(|previous| previous.version == run.version);
        versions.insert(run.version.clone(), json!(if both { 100 } else { new }));
        shown.insert(component.to_owned(), Value::Object(versions));
    }
    Value::Object(shown)
}

/// Instances of both sides. `started` and `stopped` are what the run's steps did; whether one still lives is for its health
/// to say.
fn instances(run: &Run) -> Value {
    let gone = |side: Side, component: &str| {
        let stops = |step: &&Step| matches!(&step.spec, StepSpec::Stop { side: of, component: name } if *of == side && name == component);
        run.steps.iter().any(|step| stops(&step) && step.state == StepState::Done)
    };
    let old = run.previous.as_ref().map(|previous| previous.version.clone()).unwrap_or_default();
    let mut list = Vec::new();
    for (side, version) in [(Side::New, run.version.clone()), (Side::Old, old)] {
        for one in resolve::instances(run, side) {
            let state = if gone(side, &one.component) { "stopped" } else { "started" };
            list.push(json!({"component": one.component, "name": one.name, "address": one.address, "worker": one.worker, "version": version, "state": state}));
        }
    }
    Value::Array(list)
}

async fn refusals(api: &Api, signed: &Signed, run: &Run) -> Answer<Value> {
    let mut found = Map::new();
    let (why, new) = (note("")?, super::id("run")?);
    let back = api.refusal_of(|view, now| rollback::ask(view, run.id.as_str(), &new, why.clone(), &signed.actor, now)).await;
    found.extend(back.map(|why| ("rollback".to_owned(), why)));
    let roles = signed.needs(&["release-manager", "operator", "admin"], "resolving a step");
    found.extend(roles.err().map(|why: Problem| ("resolve".to_owned(), why.short())));
    Ok(Value::Object(found))
}
