//! M5.2 Freezes (first depth): by service and environment, asked at the instant of every forward step. A rollback is
//! never blocked: its steps do not ask.

use crate::gate::{Atom, Condition, Gate, Question};
use crate::kernel::{Actor, Decision, DocKey, FreezeId, Kind, Note, Refusal, Stop, Timestamp, View};
use crate::nouns::{Environment, Fact, Freeze, FreezeScope, Person, Service};
use serde_json::json;

pub const GATE: Gate = Gate { id: "freeze", title: "Freeze", ask };

fn ask(question: &Question) -> Condition {
    let service = &question.service.spec.name;
    let holding: Vec<Condition> = question
        .freezes
        .iter()
        .filter(|freeze| freeze.holds(question.now) && freeze.scope.covers(service, &question.stage.environment))
        .map(|freeze| {
            let zone = &question.environment.spec.zone;
            let until = local(freeze.until, zone);
            Atom::waiting("FRZ-001", format!("\"{}\" until {until}", freeze.name), format!("wait until {until}, or have the freeze lifted"))
                .with(json!({"freeze": freeze.id, "from": freeze.from, "until": freeze.until}))
                .into()
        })
        .collect();
    if holding.is_empty() { Atom::open("no freeze holds").into() } else { Condition::All(holding) }
}

/// An instant in a zone, as people read it.
fn local(at: Timestamp, zone: &str) -> String {
    match at.in_tz(zone) {
        Ok(there) => format!("{} {zone}", there.strftime("%a %Y-%m-%d %H:%M")),
        Err(_) => at.to_string(),
    }
}

/// Declares a freeze.
#[derive(Debug, Clone)]
pub struct DeclareFreeze {
    pub id: FreezeId,
    pub name: String,
    pub scope: FreezeScope,
    pub from: Timestamp,
    pub until: Timestamp,
    pub reason: Note,
    pub actor: Actor,
}

/// The rows that a freeze takes for update: its own stream, and the guard of every environment it covers, so that a lease
/// either sees the freeze or was granted before it.
pub fn locks(id: &FreezeId, scope: &FreezeScope, environments: &[String]) -> Vec<DocKey> {
    let covered = environments.iter().filter(|name| scope.environments.is_empty() || scope.environments.contains(name));
    std::iter::once(DocKey::new(Kind::Freeze, id.as_str()))
        .chain(covered.map(|name| DocKey::new(Kind::Environment, name.as_str())))
        .collect()
}

/// Declares it; it holds from the moment of commit where `from` has passed.
pub fn declare(view: &View, ask: &DeclareFreeze) -> Result<Decision, Stop> {
    declare_with(view, ask, &|_| None)
}

/// The same beside other declarations of one decision: `here` knows what they make (true) and retire (false).
pub fn declare_with(view: &View, ask: &DeclareFreeze, here: &dyn Fn(&DocKey) -> Option<bool>) -> Result<Decision, Stop> {
    may(view, &ask.actor)?;
    if ask.from >= ask.until {
        return Err(Refusal::new(
            "FRZ-002",
            format!("the freeze ends ({}) before it begins ({})", ask.until, ask.from),
            "give an end after the start",
        )
        .into());
    }
    for name in &ask.scope.environments {
        let known = match here(&DocKey::new(Kind::Environment, name.as_str())) {
            Some(declared) => declared,
            None => view.get::<Environment>(name)?.is_some_and(|place| !place.retired),
        };
        if !known {
            return Err(Refusal::new("ORG-001", format!("there is no environment {name:?}"), "name one that is declared").into());
        }
    }
    for name in &ask.scope.services {
        let known = match here(&DocKey::new(Kind::Service, name.as_str())) {
            Some(declared) => declared,
            None => view.get::<Service>(name)?.is_some_and(|service| !service.retired),
        };
        if !known {
            return Err(Refusal::new("ORG-001", format!("there is no service {name:?}"), "name one that is declared").into());
        }
    }
    let mut decision = Decision { answer: json!({"freeze": ask.id}), ..Decision::default() };
    decision.fact(
        Kind::Freeze,
        ask.id.as_str(),
        Fact::FreezeDeclared {
            id: ask.id.clone(),
            name: ask.name.clone(),
            scope: ask.scope.clone(),
            from: ask.from,
            until: ask.until,
            reason: ask.reason.commit().digest,
        },
    );
    decision.notes.push(ask.reason.clone());
    Ok(decision)
}

/// Lifts a freeze before its end.
pub fn lift(view: &View, id: &FreezeId, actor: &Actor, reason: Note) -> Result<Decision, Stop> {
    let by = may(view, actor)?;
    let freeze: Freeze =
        view.get(id.as_str())?.ok_or_else(|| Refusal::new("FRZ-003", format!("there is no freeze {id}"), "list them: GET /v1/freezes"))?;
    let mut decision = Decision { answer: json!({"freeze": id, "lifted": true}), ..Decision::default() };
    if !freeze.lifted {
        decision.fact(Kind::Freeze, id.as_str(), Fact::FreezeLifted { by, reason: reason.commit().digest });
        decision.notes.push(reason);
    }
    Ok(decision)
}

fn may(view: &View, actor: &Actor) -> Result<crate::kernel::PersonId, Stop> {
    let by = actor.person.clone().ok_or_else(|| Refusal::new("AUTH-002", "only a person declares or lifts a freeze", "sign in"))?;
    let person: Option<Person> = view.get(by.as_str())?;
    if person.is_some_and(|person| ["admin", "release-manager", "operator"].iter().any(|role| person.has(role))) {
        return Ok(by);
    }
    Err(Refusal::new(
        "AUTH-003",
        "declaring or lifting a freeze needs the role release-manager, operator or admin",
        "ask somebody who holds one",
    )
    .into())
}
