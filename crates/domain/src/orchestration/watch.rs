//! M7.2 Verdicts: what the comparison or a trigger found, and what follows.

use super::{progress, rollback, runs};
use crate::kernel::{Decision, Refusal, Stop, Timestamp, View};
use crate::nouns::{Cause, Fact, Outcome, Run, RunState, StepSpec, StepState, TriggerAction, Undecided};
use holdpoint_seal::digest::Digest;
use serde_json::json;

/// What the watcher found at the end of a watch, or when it could be decided.
#[derive(Debug, Clone)]
pub struct Finding {
    pub run: String,
    pub step: String,
    pub token: u64,
    /// `pass`, `fail`, `undecided` or `no-data`.
    pub verdict: String,
    /// For people: which metric, how far, at which evidence.
    pub sentence: String,
    /// Digest of the series that was judged; it is a blob.
    pub series: Digest,
    /// A trigger of the plan that fired, where it was one: metric, reading, threshold, action, decider and deadline.
    pub trigger: Option<Fired>,
}

/// See [`Finding`].
#[derive(Debug, Clone)]
pub struct Fired {
    pub metric: String,
    pub reading: f64,
    pub threshold: Option<f64>,
    pub action: TriggerAction,
    pub decider: String,
    pub deadline: Timestamp,
    pub default: TriggerAction,
    /// Step after whose end a rollback is no longer the method: then the trigger holds and asks its decider.
    pub point_of_no_return: Option<String>,
}

/// Records the verdict and goes on, holds or turns back.
pub fn judge(view: &View, found: &Finding, now: Timestamp) -> Result<Decision, Stop> {
    let run: Run = runs::get(view, &found.run)?;
    let step = run
        .current()
        .filter(|step| step.id == found.step && step.state == StepState::Leased)
        .filter(|step| step.attempts.last().is_some_and(|attempt| attempt.token == found.token))
        .ok_or_else(|| Refusal::new("ORC-006", "stale token: this watch is over", "stop"))?;
    let StepSpec::Watch(watch) = step.spec.clone() else { return Err(Refusal::new("ORC-006", "this step watches nothing", "stop").into()) };
    let attempt = step.attempts.last().map(|attempt| attempt.id.clone()).unwrap_or_default();
    let mut decision = Decision::default();
    let mut working = run.clone();
    if let Some(fired) = &found.trigger {
        let fact = Fact::TriggerFired {
            step: found.step.clone(),
            metric: fired.metric.clone(),
            reading: fired.reading,
            threshold: fired.threshold,
            series: found.series,
        };
        progress::push(&mut decision, &mut working, fact, now);
    }
    let judged = Fact::CanaryJudged {
        step: found.step.clone(),
        verdict: found.verdict.clone(),
        series: found.series,
        sentence: found.sentence.clone(),
    };
    progress::push(&mut decision, &mut working, judged, now);
    let facts = json!({"verdict": found.verdict, "series": found.series, "step": found.step});
    let cause = |code: &str| Cause { code: code.to_owned(), sentence: found.sentence.clone(), facts: facts.clone() };
    let way = way(found, watch.undecided, &run);
    let outcome = match way {
        Way::Back(_) => Outcome::Failed { reason: found.sentence.clone(), outputs: facts.clone() },
        Way::On | Way::Hold(_) => Outcome::Done { outputs: facts.clone() },
    };
    let finished = Fact::StepFinished { step: found.step.clone(), attempt, token: found.token, outcome, log: None };
    let rest = match way {
        Way::On => progress::after(view, &working, finished, now)?,
        Way::Back(code) => {
            progress::push(&mut decision, &mut working, finished, now);
            rollback::decide(view, &working, cause(code), now)?
        }
        Way::Hold(code) => {
            progress::push(&mut decision, &mut working, finished, now);
            let mut held = cause(code);
            if let (Some(object), Some(fired)) = (held.facts.as_object_mut(), &found.trigger) {
                object.insert("decider".to_owned(), json!(fired.decider));
                object.insert("deadline".to_owned(), json!(fired.deadline));
                object.insert("default".to_owned(), json!(fired.default));
            }
            progress::push(&mut decision, &mut working, Fact::RunHeld { cause: held }, now);
            let mut rest = Decision { answer: json!({"run": run.id, "state": working.state}), ..Decision::default() };
            rest.actions.push(crate::kernel::ActionChange::Remove { run: run.id.to_string(), step: found.step.clone() });
            rest
        }
    };
    decision.facts.extend(rest.facts);
    decision.actions.push(crate::kernel::ActionChange::Remove { run: run.id.to_string(), step: found.step.clone() });
    decision.actions.extend(rest.actions);
    decision.answer = rest.answer;
    decision.pins.push(found.series);
    Ok(decision)
}

enum Way {
    On,
    Hold(&'static str),
    Back(&'static str),
}

fn way(found: &Finding, undecided: Undecided, run: &Run) -> Way {
    if let Some(fired) = &found.trigger {
        let passed = fired.point_of_no_return.as_ref().and_then(|id| run.step(id)).is_some_and(|step| step.state == StepState::Done);
        return match fired.action {
            TriggerAction::Rollback if passed => Way::Hold("RBK-007"),
            TriggerAction::Rollback => Way::Back("RBK-006"),
            TriggerAction::Hold => Way::Hold("RBK-007"),
        };
    }
    match (found.verdict.as_str(), undecided) {
        ("pass", _) => Way::On,
        ("fail", _) => Way::Back("RBK-008"),
        ("undecided", Undecided::Promote) => Way::On,
        ("undecided", Undecided::Rollback) => Way::Back("RBK-009"),
        // No data is never a pass, whatever the policy says of undecided.
        ("no-data", Undecided::Rollback) => Way::Back("RBK-010"),
        ("no-data", _) => Way::Hold("RBK-010"),
        _ => Way::Hold("RBK-009"),
    }
}

/// The engine's chore: a held trigger whose decider let the deadline pass; the default happens.
pub fn overdue(view: &View, run: &str, now: Timestamp) -> Result<Decision, Stop> {
    let run: Run = runs::get(view, run)?;
    let Some(cause) = run.cause.clone().filter(|_| run.state == RunState::Held) else { return Ok(Decision::default()) };
    let deadline: Option<Timestamp> = cause.facts.get("deadline").and_then(|text| text.as_str()).and_then(|text| text.parse().ok());
    let back = cause.facts.get("default").and_then(|text| text.as_str()) == Some("rollback");
    match deadline {
        Some(deadline) if deadline <= now && back => {
            let decider = cause.facts.get("decider").and_then(|text| text.as_str()).unwrap_or("its decider").to_owned();
            let cause = Cause {
                code: "RBK-011".to_owned(),
                sentence: format!("{decider} did not decide by the deadline; {}", cause.sentence),
                facts: cause.facts,
            };
            rollback::decide(view, &run, cause, now)
        }
        _ => Ok(Decision::default()),
    }
}
