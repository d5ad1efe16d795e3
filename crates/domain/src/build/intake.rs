//! M2.2 Evidence intake: a verified statement about a digest enters the ledger, once.

use crate::kernel::{Actor, Decision, DocKey, EvidenceId, Kind, Note, Refusal, Stop, View};
use crate::nouns::{Fact, Person, Subject, Summary};
use holdpoint_seal::digest::Digest;
use serde_json::json;

/// Evidence that `seal` verified before it came here.
#[derive(Debug, Clone)]
pub struct ReceiveEvidence {
    pub id: EvidenceId,
    /// Every subject the statement names; it is recorded about each.
    pub subjects: Vec<Digest>,
    pub predicate_type: String,
    pub envelope: Digest,
    pub signer: String,
    pub summary: Summary,
    pub actor: Actor,
}

/// Records it about each subject. The same envelope about the same subject again changes nothing.
pub fn receive(view: &View, ask: &ReceiveEvidence) -> Result<Decision, Stop> {
    if ask.subjects.is_empty() {
        return Err(Refusal::new("EVD-001", "the statement names no subject", "name the sha256 digest that the evidence is about").into());
    }
    let keys: Vec<String> = ask.subjects.iter().map(Digest::to_string).collect();
    let known = view.get_many::<Subject>(&keys)?;
    let mut decision =
        Decision { answer: json!({"evidence": ask.id, "envelope": ask.envelope, "summary": ask.summary}), ..Decision::default() };
    for (subject, known) in ask.subjects.iter().zip(known) {
        if known.is_some_and(|known| known.items.iter().any(|item| item.envelope == ask.envelope)) {
            continue;
        }
        decision.fact(
            Kind::Subject,
            subject.to_string(),
            Fact::EvidenceReceived {
                id: ask.id.clone(),
                subject: *subject,
                predicate_type: ask.predicate_type.clone(),
                envelope: ask.envelope,
                signer: ask.signer.clone(),
                summary: ask.summary.clone(),
            },
        );
    }
    decision.pins.push(ask.envelope);
    Ok(decision)
}

/// The streams that [`receive`] writes.
pub fn locks(ask: &ReceiveEvidence) -> Vec<DocKey> {
    ask.subjects.iter().map(|subject| DocKey::new(Kind::Subject, subject.to_string())).collect()
}

/// Takes a piece of evidence out of force; the fact stays.
pub fn revoke(view: &View, subject: &Digest, id: &EvidenceId, actor: &Actor, reason: Note) -> Result<Decision, Stop> {
    let by = actor.person.clone().ok_or_else(|| Refusal::new("AUTH-002", "only a person revokes evidence", "sign in"))?;
    let person: Person =
        view.get(by.as_str())?.ok_or_else(|| Refusal::new("AUTH-002", "this account is not registered", "ask an administrator"))?;
    if !["admin", "release-manager", "security"].iter().any(|role| person.has(role)) {
        return Err(Refusal::new(
            "AUTH-003",
            "revoking evidence needs the role security, release-manager or admin",
            "ask somebody who holds one",
        )
        .into());
    }
    let known: Subject = view
        .get(&subject.to_string())?
        .ok_or_else(|| Refusal::new("EVD-002", format!("there is no evidence about {subject}"), "check the digest"))?;
    let item = known.items.iter().find(|item| item.id == *id).ok_or_else(|| {
        Refusal::new(
            "EVD-002",
            format!("there is no evidence {id} about {}", subject.short()),
            "list it: holdpoint evidence show --subject DIGEST",
        )
    })?;
    if item.revoked {
        return Ok(Decision::unchanged(json!({"evidence": id, "revoked": true})));
    }
    let mut decision = Decision { answer: json!({"evidence": id, "revoked": true}), ..Decision::default() };
    decision.fact(Kind::Subject, subject.to_string(), Fact::EvidenceRevoked { id: id.clone(), by, reason: reason.commit().digest });
    decision.notes.push(reason);
    Ok(decision)
}
