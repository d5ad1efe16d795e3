//! M2.4 Advisories and waivers: what arrives, what stored lists were judged by, and who bears what until when.

use crate::kernel::{Actor, Decision, DocKey, Kind, Note, PersonId, Refusal, Stop, Timestamp, View, WaiverId};
use crate::nouns::{Advisories, Fact, FreezeScope, Person, Waiver};
use holdpoint_seal::digest::Digest;
use serde_json::json;

/// Nobody bears a weakness for longer without saying so again.
const DAYS_MAX: i64 = 366;
/// Between two whole databases, more deliveries are refused.
const DELIVERIES_MAX: usize = 10_000;

/// The one stream of advisories.
pub fn key() -> DocKey {
    DocKey::new(Kind::Advisories, Advisories::KEY)
}

/// Records a delivery whose records were read before it came here.
pub fn receive(view: &View, source: Digest, whole: bool, records: u32, actor: &Actor) -> Result<Decision, Stop> {
    may(view, actor, "sending advisories", &["ci", "security", "release-manager", "admin"])?;
    let known: Option<Advisories> = view.get(Advisories::KEY)?;
    let (last, deliveries) = known.as_ref().map_or((0, 0), |known| (known.last, known.deliveries.len()));
    if !whole && deliveries >= DELIVERIES_MAX {
        let sentence = format!("{deliveries} deliveries have come since the last whole database");
        return Err(Refusal::new("VULN-005", sentence, "send a whole database: POST /v1/advisories?whole=true").into());
    }
    // The same bytes again tell nothing new, but a whole database is fresh again.
    if !whole && known.is_some_and(|known| known.deliveries.last().is_some_and(|delivery| delivery.source == source)) {
        return Ok(Decision::unchanged(json!({"delivery": last, "source": source})));
    }
    let mut decision = Decision { answer: json!({"delivery": last + 1, "source": source, "records": records}), ..Decision::default() };
    decision.fact(Kind::Advisories, Advisories::KEY, Fact::AdvisoriesReceived { source, whole, records });
    decision.pins.push(source);
    Ok(decision)
}

/// Says that all stored lists were judged by the deliveries up to this one.
pub fn judged(view: &View, through: u64, changed: u32) -> Result<Decision, Stop> {
    let known: Option<Advisories> = view.get(Advisories::KEY)?;
    let mut decision = Decision { answer: json!({"through": through}), ..Decision::default() };
    if known.is_some_and(|known| known.judged < through) {
        decision.fact(Kind::Advisories, Advisories::KEY, Fact::AdvisoriesJudged { through, changed });
    }
    Ok(decision)
}

/// A waiver that somebody asks for.
#[derive(Debug, Clone)]
pub struct GrantWaiver {
    pub id: WaiverId,
    pub advisory: String,
    pub package: String,
    pub scope: FreezeScope,
    pub until: Timestamp,
    pub reason: Note,
    pub actor: Actor,
}

pub fn grant(view: &View, ask: &GrantWaiver, now: Timestamp) -> Result<Decision, Stop> {
    let by = may(view, &ask.actor, "bearing a weakness", &["security", "release-manager", "admin"])?;
    let days = ask.until.duration_since(now).as_secs() / 86_400;
    if ask.until <= now || days > DAYS_MAX {
        let sentence = format!("the waiver would end at {}, expected a moment within the next {DAYS_MAX} days", ask.until);
        return Err(Refusal::new("WVR-001", sentence, "give an end that comes; it can be granted anew").into());
    }
    let mut decision = Decision { answer: json!({"waiver": ask.id, "until": ask.until}), ..Decision::default() };
    decision.fact(
        Kind::Waiver,
        ask.id.as_str(),
        Fact::WaiverGranted {
            id: ask.id.clone(),
            advisory: ask.advisory.clone(),
            package: ask.package.clone(),
            scope: ask.scope.clone(),
            by,
            reason: ask.reason.commit().digest,
            until: ask.until,
        },
    );
    decision.notes.push(ask.reason.clone());
    Ok(decision)
}

pub fn withdraw(view: &View, id: &WaiverId, actor: &Actor, reason: Note) -> Result<Decision, Stop> {
    let by = may(view, actor, "withdrawing a waiver", &["security", "release-manager", "admin"])?;
    let waiver: Waiver =
        view.get(id.as_str())?.ok_or_else(|| Refusal::new("WVR-002", format!("there is no waiver {id}"), "list them: GET /v1/waivers"))?;
    let mut decision = Decision { answer: json!({"waiver": id, "withdrawn": true}), ..Decision::default() };
    if !waiver.withdrawn {
        decision.fact(Kind::Waiver, id.as_str(), Fact::WaiverWithdrawn { by, reason: reason.commit().digest });
        decision.notes.push(reason);
    }
    Ok(decision)
}

fn may(view: &View, actor: &Actor, what: &str, roles: &[&str]) -> Result<PersonId, Stop> {
    let by = actor.person.clone().ok_or_else(|| Refusal::new("AUTH-002", format!("{what} needs an account"), "sign in"))?;
    let person: Option<Person> = view.get(by.as_str())?;
    if person.is_some_and(|person| !person.retired && roles.iter().any(|role| person.has(role))) {
        return Ok(by);
    }
    Err(Refusal::new("AUTH-003", format!("{what} needs one of the roles {}", roles.join(", ")), "ask somebody who holds one").into())
}
