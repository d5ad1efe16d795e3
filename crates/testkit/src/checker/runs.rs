//! I2: nothing is started twice. I5: every run ends, or somebody is named who moves it.

use super::json::Json;
use super::{Fact, Report};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Runs {
    runs: BTreeMap<String, Run>,
}

#[derive(Default)]
struct Run {
    pool: String,
    /// In the run's order.
    steps: Vec<Step>,
    tokens: BTreeSet<u64>,
    held: Option<(String, String)>,
    /// The step whose worker is missed.
    missed: Option<String>,
    turned_back: bool,
    result: Option<String>,
}

#[derive(Default)]
struct Step {
    id: String,
    forward: bool,
    idempotent: bool,
    /// The latest attempt's id, and the position of its latest lease.
    attempt: Option<(String, u64)>,
    /// A lease is open: granted and no outcome yet.
    leased: bool,
    /// The latest outcome.
    outcome: Option<String>,
}

fn word(json: &Json, key: &str) -> String {
    json.get(key).text().unwrap_or("").to_owned()
}

impl Runs {
    pub fn apply(&mut self, fact: &Fact, report: &mut Report) {
        let body = &fact.body;
        if fact.kind == "RunOpened" {
            let mut run = Run { pool: word(body, "pool"), turned_back: word(body, "purpose") == "rollback", ..Run::default() };
            run.learn(body.get("steps"), fact, report);
            if self.runs.insert(fact.stream.clone(), run).is_some() {
                report.wrong("I2", Some(fact), "a run is opened twice");
            }
            return;
        }
        let Some(run) = self.runs.get_mut(&fact.stream) else {
            return report.wrong("I2", Some(fact), "a fact of a run that was never opened");
        };
        if let Some(result) = &run.result {
            let late = format!("a fact after the run had ended ({result})");
            report.wrong("I2", Some(fact), late);
        }
        match fact.kind.as_str() {
            "StepLeased" => run.leased(fact, report),
            "StepFinished" => run.finished(fact, report),
            "StepResolved" => run.resolved(fact, report),
            "RunHeld" => {
                let cause = body.get("cause");
                run.missed = (word(cause, "code") == "ORC-014").then(|| word(cause.get("facts"), "step"));
                run.held = Some((word(cause, "code"), word(cause, "sentence")));
            }
            "RunResumed" => run.held = None,
            "RollbackDecided" => {
                run.turned_back = true;
                run.held = None;
                run.learn(body.get("steps"), fact, report);
            }
            "RunFinished" => run.result = Some(word(body, "result")),
            _ => {}
        }
    }

    /// I5, and the summary of runs.
    pub fn finish(self, report: &mut Report) {
        for (stream, run) in self.runs {
            match (&run.result, run.waiter()) {
                (Some(result), _) => _ = report.summary.ended_runs.insert(stream, result.clone()),
                (None, Some(waiter)) => _ = report.summary.open_runs.insert(stream, waiter),
                (None, None) => report.wrong("I5", None, format!("{stream} has not ended and nobody is named who moves it")),
            }
        }
    }
}

impl Run {
    fn learn(&mut self, steps: &Json, fact: &Fact, report: &mut Report) {
        for step in steps.list() {
            let id = word(step, "id");
            if self.step(&id).is_some() {
                report.wrong("I2", Some(fact), format!("step {id} is there twice"));
            }
            let flag = |key: &str| *step.get(key) == Json::Bool(true);
            self.steps.push(Step { id, forward: flag("forward"), idempotent: flag("idempotent"), ..Step::default() });
        }
    }

    fn step(&mut self, id: &str) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.id == id)
    }

    fn leased(&mut self, fact: &Fact, report: &mut Report) {
        let (id, attempt) = (word(&fact.body, "step"), word(&fact.body, "attempt"));
        if !self.tokens.insert(fact.position) {
            report.wrong("I2", Some(fact), "two leases under one token");
        }
        self.held = None;
        self.missed = None;
        let Some(step) = self.step(&id) else { return report.wrong("I2", Some(fact), format!("there is no step {id}")) };
        if step.leased {
            report.wrong("I2", Some(fact), format!("step {id} is leased while its last lease has no outcome"));
        }
        let last = step.outcome.as_deref();
        let after = last.unwrap_or("nothing");
        let trouble = match &step.attempt {
            None => None,
            // The same attempt again: to find out what became of it, never to start it.
            Some((known, _)) if *known == attempt => {
                (last != Some("indeterminate")).then(|| format!("attempt {attempt} is leased again after {after}"))
            }
            Some(_) => {
                let may = match last {
                    Some("not-started") => true,
                    Some("indeterminate" | "failed") => step.idempotent,
                    _ => false,
                };
                let kind = if step.idempotent { "idempotent" } else { "not idempotent" };
                (!may).then(|| format!("step {id} ({kind}) is started again after {after}"))
            }
        };
        if let Some(trouble) = trouble {
            report.wrong("I2", Some(fact), trouble);
        }
        if let Some(step) = self.step(&id) {
            step.attempt = Some((attempt, fact.position));
            step.leased = true;
            step.outcome = None;
        }
    }

    fn finished(&mut self, fact: &Fact, report: &mut Report) {
        let (id, attempt) = (word(&fact.body, "step"), word(&fact.body, "attempt"));
        let token = fact.body.get("token").integer();
        let Some(step) = self.step(&id) else { return report.wrong("I2", Some(fact), format!("there is no step {id}")) };
        match &step.attempt {
            Some((known, position)) if *known == attempt && step.leased => {
                // The token is the lease's place in its stream, counted from 0 or from 1.
                if token != Some(*position) && token != Some(*position - 1) {
                    let sentence = format!("token {token:?} is not that of the lease at position {position}");
                    report.wrong("I2", Some(fact), sentence);
                }
            }
            _ => report.wrong("I2", Some(fact), format!("attempt {attempt} of step {id} reports without an open lease")),
        }
        if let Some(step) = self.step(&id) {
            step.leased = false;
            step.outcome = Some(word(fact.body.get("outcome"), "result"));
        }
    }

    fn resolved(&mut self, fact: &Fact, report: &mut Report) {
        let id = word(&fact.body, "step");
        let Some(step) = self.step(&id) else { return report.wrong("I2", Some(fact), format!("there is no step {id}")) };
        let before = step.outcome.clone();
        // Done by hand, because the only worker that could was missed: said of a step that nobody has begun.
        let by_hand = before.is_none() && !step.leased;
        step.leased = false;
        step.outcome = Some(word(fact.body.get("outcome"), "result"));
        let by_hand = by_hand && self.missed.take().is_some_and(|missed| missed == id);
        if before.as_deref() != Some("indeterminate") && !by_hand {
            report.wrong("I2", Some(fact), format!("step {id} is resolved, but was {}", before.as_deref().unwrap_or("open")));
        }
    }

    /// Who moves a run that has not ended.
    fn waiter(&self) -> Option<String> {
        if let Some((code, sentence)) = &self.held {
            // A hold without a reason names nobody.
            return (!code.is_empty() && !sentence.is_empty()).then(|| format!("{code}: {sentence}"));
        }
        if let Some(step) = self.steps.iter().find(|step| step.leased) {
            return Some(format!("the worker that holds step {}", step.id));
        }
        if let Some(step) = self.steps.iter().find(|step| step.outcome.as_deref() == Some("indeterminate")) {
            return Some(format!("a probe or a person: step {} is indeterminate", step.id));
        }
        let next = self
            .steps
            .iter()
            .filter(|step| step.forward != self.turned_back)
            .find(|step| matches!(step.outcome.as_deref(), None | Some("not-started")));
        next.map(|step| format!("a worker of pool {} for step {}", self.pool, step.id))
    }
}
