//! M5.1 Refused votes (first depth): whoever tries to give a word that cannot be theirs stays in the ledger.
//!
//! A refusal rolls its own transaction back, so the attempt is a decision of its own, made right after it. Kept is what was
//! refused for *who* asked. What was refused for what was shown (GOV-005, GOV-006) or for the release's state is how
//! honest people meet changes, and says nothing about anybody.

use super::approvals::Vote;
use crate::kernel::{Decision, Kind, Refusal, Stop, Timestamp, View};
use crate::nouns::{ApprovalState, Fact, RefusedVote, Release};
use serde_json::json;

/// The same attempt is recorded this often in an hour: nobody fills the ledger by being refused.
pub const HOURLY_MAX: u32 = 20;

/// Whether a refused vote is one that the ledger keeps.
pub fn kept(vote: &Vote, refusal: &Refusal) -> bool {
    let about_the_person = match refusal.code.as_str() {
        "GOV-003" | "GOV-007" => true,
        // Where a stage asks for nobody, nobody is the wrong one.
        "GOV-008" => refusal.facts.get("roles").and_then(|roles| roles.as_array()).is_some_and(|roles| !roles.is_empty()),
        _ => false,
    };
    about_the_person && vote.state != ApprovalState::Withdrawn
}

/// Records that a vote was refused. The answer's `recorded` is false where the hour is full.
pub fn record(view: &View, vote: &Vote, code: &str, now: Timestamp) -> Result<Decision, Stop> {
    let nothing = || Decision::unchanged(json!({"recorded": false}));
    let release: Option<Release> = view.get(&vote.release)?;
    let (Some(release), Some(by)) = (release, &vote.actor.person) else { return Ok(nothing()) };
    let manifest_digest = *release.manifest_digest();
    let full = release
        .refused
        .iter()
        .find(|old| old.is(by, &vote.environment, vote.state, code, &manifest_digest))
        .is_some_and(|old| old.within_hour(now) >= HOURLY_MAX);
    if full {
        return Ok(nothing());
    }
    let mut decision = Decision { answer: json!({"recorded": true}), ..Decision::default() };
    let fact = Fact::ApprovalRefused {
        by: by.clone(),
        environment: vote.environment.clone(),
        word: vote.state,
        code: code.to_owned(),
        manifest_digest,
        account: vote.actor.kind,
    };
    decision.fact(Kind::Release, vote.release.as_str(), fact);
    Ok(decision)
}

impl RefusedVote {
    /// How many of these attempts were recorded in the hour that runs now.
    fn within_hour(&self, now: Timestamp) -> u32 {
        if self.hour_is_over(now) { 0 } else { self.in_hour }
    }
}
