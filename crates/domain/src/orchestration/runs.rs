//! M7.1 Runs: opened when every gate is open, leased step by step, each forward step asked at the door again.

use super::{plan, progress, releases, workers};
use crate::gate::Light;
use crate::gates;
use crate::kernel::{Action, ActionChange, Decision, Kind, Note, Noun, Refusal, RunId, Salt, Span, Stop, Timestamp, View};
use crate::nouns::{Cause, Fact, Outcome, Promotion, Purpose, Release, ReleaseState, Run, RunState, Slot, StepSpec, StepState};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Pool of the engine's own steps.
pub const ENGINE_POOL: &str = "@engine";

/// How long a run that is held at the door waits before it asks again.
pub const ASK_AGAIN: Span = Span::from_s(2);

/// The promoter's question: may this release start in this environment now? Takes no input but what is known.
pub fn open(view: &View, id: &RunId, release: &str, environment: &str, now: Timestamp) -> Result<Decision, Stop> {
    let question = gates::question(view, release, environment, None, now)?;
    let report = gates::ask(&question);
    let automatic = question.stage.promotion == Promotion::Automatic && !question.environment.spec.production;
    let wanted_by = question.release.wanted.get(environment).cloned();
    let mut decision = Decision { answer: json!({"report": report}), ..Decision::default() };
    if report.verdict != Light::Open || !(automatic || wanted_by.is_some()) {
        return Ok(decision);
    }
    let manifest = question.release.manifest();
    let steps = plan::deploy(&question);
    let first = steps.first().map(|step| (step.id.clone(), pool_of(&step.spec, &question.environment.spec.pool)));
    let note = Note { salt: Salt::from_random([0; 32]), text: serde_json::to_string(&report).unwrap_or_default() };
    decision.fact(
        Kind::Run,
        id.as_str(),
        Fact::RunOpened {
            id: id.clone(),
            purpose: Purpose::Deploy,
            release: Some(question.release.id.clone()),
            service: manifest.service.clone(),
            environment: Some(environment.to_owned()),
            version: manifest.version.clone(),
            pool: question.environment.spec.pool.clone(),
            manifest_digest: Some(*question.release.manifest_digest()),
            components: manifest.components.clone(),
            previous: question.slot.as_ref().and_then(|slot| slot.running.clone()),
            steps,
            report: Some(note.commit().digest),
            by: wanted_by,
        },
    );
    decision.notes.push(note);
    decision.fact(
        Kind::Slot,
        Slot::key_of(environment, &manifest.service),
        Fact::SlotTaken { environment: environment.to_owned(), service: manifest.service.clone(), run: id.clone() },
    );
    if let Some((step, pool)) = first {
        decision.actions.push(ActionChange::Enqueue(Action { run: id.to_string(), step, pool, not_before: None }));
    }
    decision.answer = json!({"report": report, "run": id});
    Ok(decision)
}

/// Which pool a step's action waits in.
pub fn pool_of(spec: &StepSpec, pool: &str) -> String {
    match spec {
        StepSpec::Watch(_) => ENGINE_POOL.to_owned(),
        _ => pool.to_owned(),
    }
}

/// What a lease hands out.
#[derive(Debug, Clone)]
pub struct LeaseStep {
    pub run: String,
    pub step: String,
    pub worker: String,
    /// Names of the pool's workers that were heard of lately.
    pub alive: BTreeSet<String>,
    /// How long the lease holds.
    pub length: Span,
}

/// How a leased attempt is to be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nothing was started yet.
    Start,
    /// Somebody may have started it: find out, adopt it, or prove that it was not started.
    Observe,
    /// Another worker began it and is gone: only its probe can say what became of it.
    Probe,
}

/// Grants a lease, in the transaction that asks the gates at the door.
pub fn lease(view: &View, ask: &LeaseStep, now: Timestamp) -> Result<Decision, Stop> {
    grant(view, &get(view, &ask.run)?, ask, now)
}

/// The same for a run that is at hand.
pub fn grant(view: &View, run: &Run, ask: &LeaseStep, now: Timestamp) -> Result<Decision, Stop> {
    let gone = || Refusal::new("ORC-004", format!("step {} of {} is not to be leased now", ask.step, ask.run), "ask for other work");
    let Some(step) = run.current().filter(|step| step.id == ask.step) else { return Err(gone().into()) };
    let mode = match step.state {
        StepState::Pending => Mode::Start,
        StepState::Indeterminate if workers::begins_anew(step) => Mode::Start,
        StepState::Indeterminate if workers::probes(step, &ask.worker) => Mode::Probe,
        StepState::Indeterminate => Mode::Observe,
        _ => return Err(gone().into()),
    };
    let waits = |cause: &Cause| cause.code.starts_with("DOOR-") || cause.code == workers::MISSING;
    if run.state == RunState::Held && run.cause.as_ref().is_some_and(|cause| !waits(cause)) {
        return Err(gone().into());
    }
    if workers::turn(run, step, &ask.worker, &ask.alive) != workers::Turn::Yours {
        return Err(gone().into());
    }
    // What was begun is observed to its end whatever the gates say; a rollback never asks.
    let asks = step.forward && run.purpose == Purpose::Deploy && mode == Mode::Start;
    if asks && let Some(held) = door(view, run, now)? {
        return Ok(held_at_door(run, ask, held, now));
    }
    let attempt = match step.attempts.last().filter(|_| mode != Mode::Start) {
        Some(last) => last.id.clone(),
        None => format!("att_{}_{}_{}", run.id.as_str().trim_start_matches(RunId::PREFIX), step.id, step.attempts.len() + 1),
    };
    let token = run.position + 1;
    let until = now.checked_add(ask.length.signed()).unwrap_or(now);
    let mut decision = Decision { answer: granted(&run.id, &step.id, &attempt, token, mode), ..Decision::default() };
    decision.fact(
        Kind::Run,
        ask.run.as_str(),
        Fact::StepLeased { step: ask.step.clone(), attempt: attempt.clone(), worker: ask.worker.clone(), until },
    );
    decision.actions.push(ActionChange::Lease {
        run: ask.run.clone(),
        step: ask.step.clone(),
        attempt,
        token,
        worker: ask.worker.clone(),
        until,
    });
    Ok(decision)
}

fn granted(run: &RunId, step: &str, attempt: &str, token: u64, mode: Mode) -> serde_json::Value {
    json!({"run": run, "step": step, "attempt": attempt, "token": token, "mode": mode})
}

/// The gates at the door: `Some` where they hold the run.
fn door(view: &View, run: &Run, now: Timestamp) -> Result<Option<Cause>, Stop> {
    let (Some(release), Some(environment)) = (&run.release, &run.environment) else { return Ok(None) };
    let question = gates::question(view, release.as_str(), environment, Some(run.id.as_str()), now)?;
    if run.manifest_digest.as_ref() != Some(question.release.manifest_digest()) {
        return Ok(Some(Cause {
            code: "DOOR-002".to_owned(),
            sentence: "the release's manifest changed after this run began".to_owned(),
            facts: json!({"run": run.manifest_digest, "release": question.release.manifest_digest()}),
        }));
    }
    let report = gates::ask(&question);
    if report.verdict == Light::Open {
        return Ok(None);
    }
    let why: Vec<String> =
        report.gates.iter().filter(|gate| gate.light != Light::Open).map(|gate| format!("{}: {}", gate.title, gate.sentence)).collect();
    Ok(Some(Cause {
        code: "DOOR-001".to_owned(),
        sentence: format!("held at the door. {}", why.join("; ")),
        facts: json!({"report": report}),
    }))
}

fn held_at_door(run: &Run, ask: &LeaseStep, cause: Cause, now: Timestamp) -> Decision {
    let mut decision = Decision { answer: json!({"held": cause}), ..Decision::default() };
    let same = run.state == RunState::Held && run.cause.as_ref().is_some_and(|old| old.sentence == cause.sentence);
    if !same {
        decision.fact(Kind::Run, ask.run.as_str(), Fact::RunHeld { cause });
    }
    let not_before = now.checked_add(ASK_AGAIN.signed()).unwrap_or(now);
    decision.actions.push(ActionChange::Postpone { run: ask.run.clone(), step: ask.step.clone(), not_before });
    decision
}

/// What a worker reports of an attempt.
#[derive(Debug, Clone)]
pub struct Report {
    pub run: String,
    pub step: String,
    pub attempt: String,
    pub token: u64,
    pub outcome: Outcome,
    pub log: Option<holdpoint_seal::digest::Digest>,
}

/// Takes an outcome in. Told twice, it counts once; from a lease that is no longer held, not at all.
pub fn report(view: &View, told: &Report, now: Timestamp) -> Result<Decision, Stop> {
    let run = look(view, &told.run)?;
    let stale = |why: &str| {
        Refusal::new("ORC-006", format!("stale token: {why}"), "stop; the step belongs to another lease or is over")
            .with(json!({"attempt": told.attempt, "token": told.token}))
    };
    let step = run.step(&told.step).ok_or_else(|| stale("the run has no such step"))?;
    let attempt = step
        .attempts
        .last()
        .filter(|attempt| attempt.id == told.attempt || attempt.token == told.token)
        .ok_or_else(|| stale("another attempt was leased since"))?;
    if attempt.token != told.token {
        return Err(stale("this attempt was leased again since").into());
    }
    if let Some(known) = &attempt.outcome {
        if *known == told.outcome {
            return Ok(Decision::unchanged(json!({"run": told.run, "state": run.state})));
        }
        return Err(stale("its outcome is recorded already").into());
    }
    let fact = Fact::StepFinished {
        step: told.step.clone(),
        attempt: attempt.id.clone(),
        token: told.token,
        outcome: told.outcome.clone(),
        log: told.log,
    };
    let mut decision = progress::after(view, &run, fact, now)?;
    decision.pins.extend(told.log);
    Ok(decision)
}

/// Takes an outcome in and, in the same transaction, grants the worker that tells it the run's next step: one commit for
/// both. The gates at the door are asked as ever; where they hold, or the next step is for others, it waits in the queue.
/// `next` in the answer is the lease. Told again, it names the same lease, as long as nothing is told of that.
/// The run is as it was before that lease.
pub fn report_and_go_on(view: &View, told: &Report, onward: &Onward, now: Timestamp) -> Result<(Decision, Run), Stop> {
    let mut decision = report(view, told, now)?;
    let mut run: Run = get(view, &told.run)?;
    if decision.facts.is_empty() {
        if let Some(lease) = still_held(&run, onward) {
            decision.answer["next"] = lease;
        }
        return Ok((decision, run));
    }
    // What was written of others than the run may have changed what the door asks.
    let alone = decision.facts.iter().all(|new| new.stream.kind == Kind::Run);
    let queued = match decision.actions.last() {
        Some(ActionChange::Enqueue(queued)) if alone && queued.pool == onward.pool && queued.not_before.is_none() => queued.clone(),
        _ => return Ok((decision, run)),
    };
    for new in &decision.facts {
        run.apply(&new.fact, now);
    }
    let ask =
        LeaseStep { run: queued.run, step: queued.step, worker: onward.worker.clone(), alive: onward.alive.clone(), length: onward.length };
    match grant(view, &run, &ask, now) {
        Ok(lease) if lease.answer.get("held").is_none() => {
            decision.answer["next"] = lease.answer;
            decision.facts.extend(lease.facts);
            decision.actions.extend(lease.actions);
        }
        Ok(_) | Err(Stop::Refused(_)) => {}
        Err(other) => return Err(other),
    }
    Ok((decision, run))
}

/// Who tells an outcome and would go on.
#[derive(Debug, Clone)]
pub struct Onward {
    pub pool: String,
    pub worker: String,
    pub alive: BTreeSet<String>,
    pub length: Span,
}

/// The lease that went out with an answer that was perhaps not heard.
fn still_held(run: &Run, onward: &Onward) -> Option<serde_json::Value> {
    let step = run.current()?;
    let last = step.attempts.last().filter(|last| step.state == StepState::Leased && last.worker == onward.worker)?;
    let first = step.attempts.iter().filter(|one| one.id == last.id).count() == 1;
    (first && last.outcome.is_none()).then(|| granted(&run.id, &step.id, &last.id, last.token, Mode::Start))
}

/// How a lease is lost: its time ran out, or its worker was started again and says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    Ended,
    Restarted,
}

/// What [`lost`] writes, by [`Lost`]: nobody has looked yet.
pub(super) const LOST: [&str; 2] = ["the worker's lease ended without an outcome", "the worker that held it was started again"];

/// A lease without an outcome: the engine's own report. What became of the step is to be found out.
pub fn lost(view: &View, held: &Lease, how: Lost, now: Timestamp) -> Result<Decision, Stop> {
    let reason = LOST[usize::from(how == Lost::Restarted)].to_owned();
    let Lease { run, step, attempt, token } = held.clone();
    report(view, &Report { run, step, attempt, token, outcome: Outcome::Indeterminate { reason }, log: None }, now)
}

/// A lease that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub run: String,
    pub step: String,
    pub attempt: String,
    pub token: u64,
}

/// Where the promoter has something to ask for a release: wherever somebody wants it, and where it has yet to run well.
pub fn candidates(release: &Release, pipeline: &crate::nouns::Pipeline) -> Vec<String> {
    if release.state != ReleaseState::Open {
        return Vec::new();
    }
    let asks = |stage: &&crate::nouns::Stage| release.wanted.contains_key(&stage.environment) || !release.succeeded_in(&stage.environment);
    pipeline.spec.stages.iter().filter(asks).map(|stage| stage.environment.clone()).collect()
}

/// The run, or that there is none.
pub fn get(view: &View, run: &str) -> Result<Run, Stop> {
    look(view, run).map(Arc::unwrap_or_clone)
}

fn look(view: &View, run: &str) -> Result<Arc<Run>, Stop> {
    view.look(run)?.ok_or_else(|| Refusal::new("ORC-007", format!("there is no run {run:?}"), "list them: GET /v1/runs").into())
}

/// The streams that a report or a decision about a run may write.
pub fn locks(run: &Run) -> Vec<crate::kernel::DocKey> {
    use crate::kernel::DocKey;
    let mut keys = vec![DocKey::new(Kind::Run, run.id.as_str())];
    if let Some(release) = &run.release {
        keys.push(DocKey::new(Kind::Release, release.as_str()));
    }
    if let Some(environment) = &run.environment {
        keys.push(DocKey::new(Kind::Slot, Slot::key_of(environment, &run.service)));
    }
    keys
}

/// Who may steer a run by hand.
pub fn may_control(view: &View, actor: &crate::kernel::Actor, what: &str) -> Result<crate::kernel::PersonId, Stop> {
    let by = releases::person(actor)?;
    releases::role(view, &by, &["release-manager", "operator", "admin"], what)?;
    Ok(by)
}
