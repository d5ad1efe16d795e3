//! M5.1 Approvals (first depth): quorum by role, bound to content, never by an author.
//!
//! An approval names the manifest's digest and the root of the evidence that was shown. It counts while both are still
//! so, while the approver still holds the role, and while no provenance names the approver as an author.

use crate::evidence;
use crate::gate::{Atom, Condition, Gate, Light, Question};
use crate::kernel::{AccountKind, Actor, Decision, Kind, Note, Refusal, Stop, Timestamp, View};
use crate::nouns::{Approval, ApprovalState, Fact, Person, ReleaseState};
use holdpoint_seal::digest::Digest;
use serde_json::json;

pub const GATE: Gate = Gate { id: "approval", title: "Approval", ask };

/// Why a given approval does not count (any more).
fn void_because(question: &Question, vote: &Approval) -> Option<(&'static str, String)> {
    if vote.manifest_digest != *question.release.manifest_digest() {
        return Some((
            "GOV-005",
            format!("the manifest changed since ({} → {})", vote.manifest_digest.short(), question.release.manifest_digest().short()),
        ));
    }
    if vote.evidence_root != evidence::root(question) {
        return Some(("GOV-006", "evidence that was shown was added to, replaced or revoked since".to_owned()));
    }
    if evidence::authors(question).contains_key(&vote.by) {
        return Some(("GOV-003", "given by one of its authors".to_owned()));
    }
    let rules = &question.stage.gates.approvals;
    let standing = question.people.get(&vote.by).is_some_and(|person| rules.iter().any(|rule| person.has(&rule.role)));
    if !standing {
        return Some(("GOV-008", "the approver no longer holds a role that counts here".to_owned()));
    }
    None
}

/// A vote with whether it counts, for pages.
pub fn standing(question: &Question, vote: &Approval) -> Result<(), String> {
    match vote.state {
        ApprovalState::Withdrawn => Err("withdrawn".to_owned()),
        ApprovalState::Given | ApprovalState::Rejected => void_because(question, vote).map_or(Ok(()), |(_, why)| Err(why)),
    }
}

fn ask(question: &Question) -> Condition {
    let rules = &question.stage.gates.approvals;
    if rules.is_empty() {
        return Atom::open("not asked for in this stage").into();
    }
    let here: Vec<&Approval> = question.release.approvals.iter().filter(|vote| vote.environment == question.stage.environment).collect();
    let mut parts: Vec<Condition> = Vec::new();
    for vote in &here {
        if vote.state == ApprovalState::Rejected && vote.manifest_digest == *question.release.manifest_digest() {
            parts.push(
                Atom::shut(
                    "GOV-009",
                    "rejected",
                    "the person who rejected approves, or withdraws the rejection, or the release is amended",
                )
                .with(json!({"by": vote.by, "at": vote.at, "comment": vote.comment}))
                .into(),
            );
        }
    }
    let unknown = evidence::unknown_authors(question);
    if unknown > 0 {
        parts.push(
            Atom::shut(
                "GOV-004",
                format!(
                    "{unknown} of its author addresses belong to nobody who is registered, so nobody can be shown not to be the author"
                ),
                "register the address with its person in the organisation folder, and build again",
            )
            .into(),
        );
    }
    for rule in rules {
        let given: Vec<&&Approval> = here.iter().filter(|vote| vote.state == ApprovalState::Given).collect();
        let mut atoms: Vec<Condition> = Vec::new();
        let mut counted = 0_usize;
        for vote in &given {
            let holds = question.people.get(&vote.by).is_some_and(|person| person.has(&rule.role));
            match void_because(question, vote) {
                None if holds => {
                    counted += 1;
                    atoms.push(
                        Atom::open(format!("approved for {}", rule.role))
                            .with(json!({"by": vote.by, "role": rule.role, "at": vote.at}))
                            .into(),
                    );
                }
                None => {}
                Some((code, why)) => atoms.push(
                    Atom {
                        light: Light::Waiting,
                        ..Atom::waiting(code, format!("void: an approval, {why}"), "approve again after looking at the difference")
                    }
                    .with(json!({"by": vote.by, "at": vote.at, "approved_manifest": vote.manifest_digest}))
                    .into(),
                ),
            }
        }
        let wanted = rule.count as usize;
        if counted < wanted {
            let missing = wanted - counted;
            atoms.push(
                Atom::waiting(
                    "GOV-001",
                    format!("{counted} of {wanted} approvals by {}", rule.role),
                    format!("{missing} more by {}, not an author of the release", rule.role),
                )
                .with(json!({"role": rule.role, "given": counted, "wanted": wanted}))
                .into(),
            );
        }
        parts.push(if counted >= wanted { Condition::AtLeast(wanted, atoms) } else { Condition::All(atoms) });
    }
    Condition::All(parts)
}

/// One person's word on a release for an environment.
#[derive(Debug, Clone)]
pub struct Vote {
    pub release: String,
    pub environment: String,
    pub manifest_digest: Digest,
    /// The root that was shown with the manifest.
    pub evidence_root: Digest,
    pub state: ApprovalState,
    pub comment: Option<Note>,
    pub actor: Actor,
}

/// Records a vote, or says why it cannot count.
pub fn vote(view: &View, vote: &Vote, now: Timestamp) -> Result<Decision, Stop> {
    let question = crate::gates::question(view, &vote.release, &vote.environment, None, now)?;
    let by = match (vote.actor.kind, &vote.actor.person) {
        (AccountKind::Person, Some(person)) => person.clone(),
        _ => {
            return Err(Refusal::new(
                "GOV-007",
                "an approval is a person's: service accounts, workers and the engine cannot give one",
                "sign in as yourself",
            )
            .into());
        }
    };
    if question.release.state != ReleaseState::Open {
        return Err(Refusal::new("REL-002", "the release is closed", "approve a release that is open").into());
    }
    let mut decision =
        Decision { answer: json!({"release": vote.release, "environment": vote.environment, "state": vote.state}), ..Decision::default() };
    if vote.state == ApprovalState::Withdrawn {
        let had = question
            .release
            .approvals
            .iter()
            .any(|old| old.by == by && old.environment == vote.environment && old.state != ApprovalState::Withdrawn);
        if had {
            decision.fact(Kind::Release, vote.release.as_str(), Fact::ApprovalWithdrawn { by, environment: vote.environment.clone() });
        }
        return Ok(decision);
    }
    let person: Option<Person> = view.get(by.as_str())?;
    may_vote(&question, vote, person.as_ref())?;
    let same = question.release.approvals.iter().any(|old| {
        old.by == by
            && old.environment == vote.environment
            && old.state == vote.state
            && old.manifest_digest == vote.manifest_digest
            && old.evidence_root == vote.evidence_root
    });
    if same {
        return Ok(decision);
    }
    let comment = vote.comment.as_ref().map(|note| note.commit().digest);
    let (environment, manifest_digest, evidence_root) = (vote.environment.clone(), vote.manifest_digest, vote.evidence_root);
    let fact = match vote.state {
        ApprovalState::Rejected => Fact::ApprovalRejected { by, environment, manifest_digest, evidence_root, comment },
        ApprovalState::Given | ApprovalState::Withdrawn => Fact::ApprovalGiven { by, environment, manifest_digest, evidence_root, comment },
    };
    decision.fact(Kind::Release, vote.release.as_str(), fact);
    decision.notes.extend(vote.comment.clone());
    Ok(decision)
}

fn may_vote(question: &Question, vote: &Vote, person: Option<&Person>) -> Result<(), Stop> {
    let now_manifest = question.release.manifest_digest();
    if vote.manifest_digest != *now_manifest {
        return Err(Refusal::new(
            "GOV-005",
            format!(
                "what you saw is not what would be released: the manifest is {} now, you were shown {}",
                now_manifest.short(),
                vote.manifest_digest.short()
            ),
            "look at the difference and decide again",
        )
        .with(json!({"shown": vote.manifest_digest, "current": now_manifest}))
        .into());
    }
    let root = evidence::root(question);
    if vote.evidence_root != root {
        return Err(Refusal::new(
            "GOV-006",
            "the evidence changed since it was shown to you",
            "look at the evidence as it is now and decide again",
        )
        .with(json!({"shown": vote.evidence_root, "current": root}))
        .into());
    }
    // A rejection is anybody's who holds a role that counts; an approval never an author's.
    if vote.state == ApprovalState::Given {
        let authors = evidence::authors(question);
        if let Some(author) = vote.actor.humans().find_map(|person| authors.get(person)) {
            let commits: Vec<&str> = author.commits.iter().map(|commit| commit.get(..8).unwrap_or(commit)).collect();
            let what = match commits.len() {
                0 => "edited its manifest".to_owned(),
                1 => format!("wrote 1 of its commits ({})", commits[0]),
                many => format!("wrote {many} of its commits ({})", commits.join(" ")),
            };
            return Err(Refusal::new(
                "GOV-003",
                format!("self-approval: you {what}"),
                "somebody who holds the role and wrote none of it approves",
            )
            .with(json!({"person": author.person, "commits": author.commits, "rule": "self_approval"}))
            .into());
        }
    }
    let roles: Vec<&str> = question.stage.gates.approvals.iter().map(|rule| rule.role.as_str()).collect();
    if !roles.iter().any(|role| person.is_some_and(|person| person.has(role))) {
        return Err(Refusal::new(
            "GOV-008",
            if roles.is_empty() {
                "this stage asks for no approval".to_owned()
            } else {
                format!("a vote here counts from holders of: {}", roles.join(", "))
            },
            "ask somebody who holds the role, or have the role given to you in the organisation folder",
        )
        .with(json!({"roles": roles}))
        .into());
    }
    Ok(())
}
