//! D6 Life cycle and closure codes: withdrawn, superseded, partial, backed out, successful with issues.

use crate::kernel::{Actor, Decision, Kind, Note, Refusal, ReleaseId, Stop, View};
use crate::nouns::{Closure, Fact, Person, Release, ReleaseState, RunResult};
use serde_json::json;

/// A person closes a release with a code.
pub fn close(
    view: &View,
    release: &str,
    closure: Closure,
    superseded_by: Option<ReleaseId>,
    reason: Note,
    actor: &Actor,
) -> Result<Decision, Stop> {
    let by = actor.person.clone().ok_or_else(|| Refusal::new("AUTH-002", "only a person closes a release", "sign in"))?;
    let person: Option<Person> = view.get(by.as_str())?;
    if !person.is_some_and(|person| ["admin", "release-manager", "developer", "operator"].iter().any(|role| person.has(role))) {
        return Err(Refusal::new(
            "AUTH-003",
            "closing a release needs the role developer, release-manager, operator or admin",
            "ask somebody who holds one",
        )
        .into());
    }
    let found: Release = view
        .get(release)?
        .ok_or_else(|| Refusal::new("REL-001", format!("there is no release {release:?}"), "list them: holdpoint release list"))?;
    if found.state == ReleaseState::Closed {
        if found.closure == Some(closure) {
            return Ok(Decision::unchanged(json!({"release": release, "closure": closure})));
        }
        return Err(Refusal::new(
            "REL-002",
            format!("the release is closed already, as {:?}", found.closure),
            "a closed release stays closed; make a new one",
        )
        .into());
    }
    fits(&found, closure)?;
    if let Some(newer) = &superseded_by {
        let newer: Release = view
            .get(newer.as_str())?
            .ok_or_else(|| Refusal::new("REL-001", format!("there is no release {newer}"), "name the release that takes its place"))?;
        if newer.manifest().service != found.manifest().service || newer.created_at <= found.created_at {
            return Err(Refusal::new(
                "REL-004",
                "only a newer release of the same service supersedes",
                "name a newer release of this service",
            )
            .into());
        }
    } else if closure == Closure::Superseded {
        return Err(Refusal::new("REL-004", "superseded needs the release that takes its place", "name it").into());
    }
    let mut decision = Decision { answer: json!({"release": release, "closure": closure}), ..Decision::default() };
    decision.fact(Kind::Release, release, Fact::ReleaseClosed { closure, superseded_by, reason: Some(reason.commit().digest) });
    decision.notes.push(reason);
    Ok(decision)
}

/// A code must agree with what happened.
fn fits(release: &Release, closure: Closure) -> Result<(), Stop> {
    let ran = |result: RunResult| release.promoted.iter().any(|one| one.result == result);
    let (fits, why) = match closure {
        Closure::Successful | Closure::SuccessfulWithIssues | Closure::Partial => {
            (ran(RunResult::Succeeded), "it never ran successfully anywhere")
        }
        Closure::BackedOut => {
            (ran(RunResult::RolledBack) || ran(RunResult::Succeeded), "it was never deployed, so there was nothing to back out")
        }
        Closure::Failed => (!release.promoted.is_empty(), "it was never deployed, so it did not fail; withdraw it"),
        Closure::Withdrawn | Closure::Superseded => (true, ""),
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::new(
        "REL-003",
        format!("this code does not fit what happened: {why}"),
        "choose a code that agrees with the release's deployments",
    )
    .into())
}

/// The engine's chore: older open releases of a service whose newer release ended well in the last stage.
pub fn supersede(view: &View, old: &str, new: &str) -> Result<Decision, Stop> {
    let (Some(older), Some(newer)) = (view.get::<Release>(old)?, view.get::<Release>(new)?) else { return Ok(Decision::default()) };
    let done = newer.state == ReleaseState::Closed && matches!(newer.closure, Some(Closure::Successful | Closure::SuccessfulWithIssues));
    let same = newer.manifest().service == older.manifest().service;
    let mut decision = Decision::default();
    if older.state == ReleaseState::Open && done && same && newer.created_at > older.created_at {
        decision.fact(
            Kind::Release,
            old,
            Fact::ReleaseClosed { closure: Closure::Superseded, superseded_by: Some(newer.id.clone()), reason: None },
        );
    }
    Ok(decision)
}
