//! The simulator's judge: invariants over facts alone, written without the domain's own rules.

#![allow(clippy::collapsible_match, reason = "a fact is recorded first and judged then; a guard that records would hide it")]

use holdpoint_domain::kernel::{DocKey, Kind, Timestamp};
use holdpoint_domain::nouns::{Fact, Outcome, Purpose, RunResult};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct RunSeen {
    release: Option<String>,
    environment: String,
    deploy: bool,
    forward: BTreeSet<String>,
    repeatable: BTreeMap<String, bool>,
    /// step -> (token, outcome)
    attempts: BTreeMap<String, Vec<(u64, Option<Outcome>)>>,
    facts: u64,
    turned: bool,
    result: Option<RunResult>,
}

struct Vote {
    by: String,
    environment: String,
    given: bool,
    manifest: String,
}

/// What is wrong, as sentences; nothing is fine.
pub fn check(facts: &[(DocKey, Fact, Timestamp)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut runs: BTreeMap<String, RunSeen> = BTreeMap::new();
    let mut manifests: BTreeMap<String, String> = BTreeMap::new();
    let mut votes: BTreeMap<String, Vec<Vote>> = BTreeMap::new();
    let mut closed: BTreeSet<String> = BTreeSet::new();
    let mut held: BTreeMap<String, String> = BTreeMap::new();
    let mut freezes: BTreeMap<String, (Vec<String>, Timestamp, Timestamp)> = BTreeMap::new();
    let mut editors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (index, (stream, fact, at)) in facts.iter().enumerate() {
        let mut bad = |text: String| wrong.push(format!("[{index}] {}: {text}", stream.stream()));
        match (stream.kind, fact) {
            (Kind::Release, Fact::ReleaseCreated { manifest_digest, by, .. } | Fact::ManifestAmended { manifest_digest, by, .. }) => {
                if closed.contains(&stream.key) {
                    bad("a closed release changed".to_owned());
                }
                manifests.insert(stream.key.clone(), manifest_digest.to_string());
                editors.entry(stream.key.clone()).or_default().insert(by.to_string());
            }
            (Kind::Release, Fact::ApprovalGiven { by, environment, manifest_digest, .. }) => {
                if editors.get(&stream.key).is_some_and(|editors| editors.contains(by.as_str())) {
                    bad(format!("{by} approved what {by} made"));
                }
                let list = votes.entry(stream.key.clone()).or_default();
                list.retain(|vote| !(vote.by == by.as_str() && vote.environment == *environment));
                list.push(Vote {
                    by: by.to_string(),
                    environment: environment.clone(),
                    given: true,
                    manifest: manifest_digest.to_string(),
                });
            }
            (Kind::Release, Fact::ApprovalRejected { by, environment, .. } | Fact::ApprovalWithdrawn { by, environment }) => {
                for vote in votes.entry(stream.key.clone()).or_default() {
                    vote.given &= !(vote.by == by.as_str() && vote.environment == *environment);
                }
            }
            (Kind::Release, Fact::ReleaseClosed { .. }) => {
                if !closed.insert(stream.key.clone()) {
                    bad("closed twice".to_owned());
                }
            }
            (Kind::Freeze, Fact::FreezeDeclared { scope, from, until, .. }) => {
                freezes.insert(stream.key.clone(), (scope.environments.clone(), *from, *until));
            }
            (Kind::Freeze, Fact::FreezeLifted { .. }) => {
                freezes.remove(&stream.key);
            }
            (Kind::Slot, Fact::SlotTaken { run, .. }) => {
                if let Some(other) = held.insert(stream.key.clone(), run.to_string()) {
                    bad(format!("{run} took the slot that {other} holds"));
                }
            }
            (Kind::Slot, Fact::SlotFreed { run, .. }) => {
                if held.remove(&stream.key).as_deref() != Some(run.as_str()) {
                    bad(format!("{run} freed a slot that it did not hold"));
                }
            }
            (Kind::Slot, Fact::RunningChanged { running: Some(running), .. }) => {
                let by = running.run.as_ref().map(ToString::to_string).unwrap_or_default();
                if runs.get(&by).is_none_or(|run| run.result != Some(RunResult::Succeeded)) {
                    bad(format!("{by} is said to run without having succeeded"));
                }
            }
            (Kind::Run, fact) => run_fact(&mut runs, stream, fact, *at, &manifests, &votes, &freezes, &closed, &mut bad),
            _ => {}
        }
    }
    for (id, run) in &runs {
        if run.result.is_none() {
            wrong.push(format!("run/{id}: it never ended"));
        }
        if run.result == Some(RunResult::Succeeded) && run.turned {
            wrong.push(format!("run/{id}: it turned back and succeeded"));
        }
    }
    for (slot, run) in held {
        wrong.push(format!("slot/{slot}: still held by {run}"));
    }
    wrong
}

#[allow(clippy::too_many_arguments)]
fn run_fact(
    runs: &mut BTreeMap<String, RunSeen>,
    stream: &DocKey,
    fact: &Fact,
    at: Timestamp,
    manifests: &BTreeMap<String, String>,
    votes: &BTreeMap<String, Vec<Vote>>,
    freezes: &BTreeMap<String, (Vec<String>, Timestamp, Timestamp)>,
    closed: &BTreeSet<String>,
    bad: &mut dyn FnMut(String),
) {
    if let Fact::RunOpened { purpose, release, environment, manifest_digest, steps, .. } = fact {
        let mut seen = RunSeen {
            release: release.as_ref().map(ToString::to_string),
            environment: environment.clone().unwrap_or_default(),
            deploy: *purpose == Purpose::Deploy,
            facts: 1,
            ..RunSeen::default()
        };
        for step in steps {
            if step.forward {
                seen.forward.insert(step.id.clone());
            }
            seen.repeatable.insert(step.id.clone(), step.idempotent);
        }
        if seen.deploy {
            let release = seen.release.clone().unwrap_or_default();
            let current = manifests.get(&release);
            if current.map(String::as_str) != manifest_digest.as_ref().map(ToString::to_string).as_deref() {
                bad("it deploys another manifest than the release has".to_owned());
            }
            let approved = votes
                .get(&release)
                .into_iter()
                .flatten()
                .any(|vote| vote.given && vote.environment == seen.environment && Some(&vote.manifest) == current);
            if seen.environment == "production" && !approved {
                bad("nobody approved this manifest for production".to_owned());
            }
            if closed.contains(&release) {
                bad("its release is closed".to_owned());
            }
        }
        runs.insert(stream.key.clone(), seen);
        return;
    }
    let Some(run) = runs.get_mut(&stream.key) else { return bad("a fact before the run was opened".to_owned()) };
    run.facts += 1;
    if run.result.is_some() {
        bad(format!("a fact after its end: {}", fact.write().0));
    }
    match fact {
        Fact::StepLeased { step, .. } => {
            let token = run.facts;
            let attempts = run.attempts.entry(step.clone()).or_default();
            if let Some((_, last)) = attempts.last() {
                match last {
                    None => bad(format!("{step} was leased while another lease holds")),
                    Some(Outcome::Done { .. } | Outcome::Failed { .. }) => bad(format!("{step} was leased after it had ended")),
                    // Observed; or proven not to have begun.
                    Some(Outcome::Indeterminate { .. } | Outcome::NotStarted { .. }) => {}
                }
            }
            let first_or_anew = attempts.last().is_none_or(|(_, last)| matches!(last, Some(Outcome::NotStarted { .. })));
            if run.deploy && first_or_anew && run.forward.contains(step) && !run.turned {
                let frozen = freezes
                    .values()
                    .any(|(places, from, until)| (places.is_empty() || places.contains(&run.environment)) && *from <= at && at < *until);
                if frozen {
                    bad(format!("{step} went forward in a freeze"));
                }
                if run.release.as_ref().is_some_and(|release| closed.contains(release)) {
                    bad(format!("{step} went forward for a closed release"));
                }
            }
            attempts.push((token, None));
        }
        Fact::StepFinished { step, token, outcome, .. } => {
            let Some((held, last)) = run.attempts.get_mut(step).and_then(|attempts| attempts.last_mut()) else {
                return bad(format!("{step} ended without a lease"));
            };
            if *held != *token {
                bad(format!("{step}: token {token} counted, {held} holds"));
            }
            if last.is_some() {
                bad(format!("{step} ended twice"));
            }
            *last = Some(outcome.clone());
        }
        Fact::StepResolved { step, outcome, .. } => match run.attempts.get_mut(step).and_then(|attempts| attempts.last_mut()) {
            Some((_, last)) if matches!(last, Some(Outcome::Indeterminate { .. })) => *last = Some(outcome.clone()),
            _ => bad(format!("{step} was resolved without being unknown")),
        },
        Fact::RollbackDecided { steps, .. } => {
            if run.turned {
                bad("it turned back twice".to_owned());
            }
            run.turned = true;
            let moves = steps.iter().position(|step| step.id.ends_with(".traffic"));
            let stops = steps.iter().position(|step| step.id.ends_with(".stop-new"));
            if let (Some(moves), Some(stops)) = (moves, stops)
                && stops < moves
            {
                bad("instances stop before traffic is back".to_owned());
            }
            for step in steps {
                run.repeatable.insert(step.id.clone(), step.idempotent);
            }
        }
        Fact::RunFinished { result } => {
            let open = run.attempts.iter().any(|(_, attempts)| attempts.last().is_some_and(|(_, last)| last.is_none()));
            if open && *result == RunResult::Succeeded {
                bad("it succeeded with a lease still out".to_owned());
            }
            let undone = run
                .forward
                .iter()
                .any(|step| !matches!(run.attempts.get(step).and_then(|a| a.last()), Some((_, Some(Outcome::Done { .. })))));
            if *result == RunResult::Succeeded && undone {
                bad("it succeeded with a step that was not done".to_owned());
            }
            run.result = Some(*result);
        }
        _ => {}
    }
}
