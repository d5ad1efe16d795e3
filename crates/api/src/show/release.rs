//! A release as its page shows it.

use super::{run, words};
use crate::doors::Signed;
use crate::problem::{Answer, Problem};
use crate::state::{Api, note};
use holdpoint_domain::gate::Report;
use holdpoint_domain::governance::approvals::{self, Vote};
use holdpoint_domain::kernel::{Note, PersonId, Stop, Timestamp, View};
use holdpoint_domain::nouns::{
    Approval, ApprovalState, Author, Closure, Environment, EvidenceItem, Manifest, Pipeline, RefusedVote, Release, Run, Service, Slot,
};
use holdpoint_domain::orchestration::releases;
use holdpoint_domain::review::closure;
use holdpoint_domain::{evidence, gates};
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Filter, Order};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One line of a list.
pub fn summary(release: &Release) -> Value {
    let manifest = release.manifest();
    json!({
        "id": release.id, "service": manifest.service, "version": manifest.version, "state": release.state, "closure": release.closure,
        "created_at": release.created_at, "manifest_digest": release.manifest_digest(),
    })
}

/// A gate report with its headline.
pub fn report(report: &Report) -> Value {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    if let (Some(object), Some(gate)) = (value.as_object_mut(), report.headline()) {
        object.insert("headline".to_owned(), json!(format!("{}: {}", gate.title, gate.sentence)));
    }
    value
}

/// What is asked about one environment, in one go.
struct Look {
    report: Report,
    seen: Vec<Digest>,
    votes: Vec<(Approval, Option<String>, Option<String>)>,
    authors: Vec<Author>,
    evidence: Vec<(Digest, EvidenceItem)>,
}

fn look(view: &View, release: &str, environment: &str, now: Timestamp) -> Result<Look, Stop> {
    let question = gates::question(view, release, environment, None, now)?;
    let votes = question
        .release
        .approvals
        .iter()
        .filter(|vote| vote.environment == environment)
        .map(|vote| {
            let role = question
                .stage
                .gates
                .approvals
                .iter()
                .map(|rule| &rule.role)
                .find(|role| question.people.get(&vote.by).is_some_and(|person| person.has(role)));
            (vote.clone(), approvals::standing(&question, vote).err(), role.cloned())
        })
        .collect();
    let evidence =
        question.subjects.iter().flat_map(|(digest, subject)| subject.items.iter().map(move |item| (*digest, item.clone()))).collect();
    Ok(Look {
        report: gates::ask(&question),
        seen: evidence::all(&question).into_iter().map(|(_, item)| item.envelope).collect(),
        votes,
        authors: evidence::authors(&question).into_values().collect(),
        evidence,
    })
}

/// The whole view.
pub async fn view(api: &Api, signed: &Signed, release: &Release) -> Answer<Value> {
    let manifest = release.manifest();
    let stages = stages(api, &manifest.service).await?;
    let runs = runs(api, release).await?;
    let mut looks: Vec<(Environment, Look)> = Vec::new();
    for name in &stages {
        let Some(place) = api.store().get::<Environment>(api.project(), name).await? else { continue };
        let found = api.engine().ask(|view, now| look(view, release.id.as_str(), name, now)).await?;
        looks.push((place, found));
    }
    let authors = looks.first().map(|(_, look)| look.authors.clone()).unwrap_or_default();
    let names = names(api, release, &authors, &runs).await?;
    let mut places = Vec::new();
    for (place, look) in &looks {
        places.push(environment(api, signed, release, place, look, &runs, &names).await?);
    }
    let mut shown = json!({
        "id": release.id, "service": manifest.service, "version": manifest.version, "state": release.state, "closure": release.closure,
        "superseded_by": release.superseded_by, "created_at": release.created_at, "created_by": names.get(&release.created_by),
        "manifest": manifest, "manifest_digest": release.manifest_digest(), "work_items": manifest.work_items,
        "authors": authors.iter().map(|author| json!({"person": author.person, "handle": names.get(&author.person), "commits": author.commits})).collect::<Vec<_>>(),
        "evidence": known(&looks), "approvals": votes(api, release, &looks, &names).await?, "refused_votes": refused(release, &names), "environments": places,
        "runs": runs.iter().map(|one| run::summary(one, &names)).collect::<Vec<_>>(), "history": history(release, &names),
    });
    let why = note("")?;
    let actor = signed.actor.clone();
    let withdraw = api.refusal_of(|view, _| closure::close(view, release.id.as_str(), Closure::Withdrawn, None, why.clone(), &actor)).await;
    if let (Some(object), Some(refusal)) = (shown.as_object_mut(), withdraw) {
        object.insert("refusals".to_owned(), json!({"withdraw": refusal}));
    }
    drop_nulls(&mut shown);
    Ok(shown)
}

/// Members that are not there are left out, as the page's types have it.
pub fn drop_nulls(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
}

async fn stages(api: &Api, service: &str) -> Answer<Vec<String>> {
    let Some(service) = api.store().get::<Service>(api.project(), service).await? else { return Ok(Vec::new()) };
    let pipeline: Option<Pipeline> = api.store().get(api.project(), &service.spec.pipeline).await?;
    Ok(pipeline.map(|pipeline| pipeline.spec.stages.into_iter().map(|stage| stage.environment).collect()).unwrap_or_default())
}

/// The runs of a release, newest first, from the latest thousand of its service.
async fn runs(api: &Api, release: &Release) -> Answer<Vec<Run>> {
    let filter = Filter { service: Some(release.manifest().service.clone()), order: Order::Newest, limit: 1000, ..Filter::default() };
    let (found, _) = api.store().list::<Run>(api.project(), &filter).await?;
    Ok(found.into_iter().filter(|run| run.release.as_ref() == Some(&release.id)).collect())
}

async fn names(api: &Api, release: &Release, authors: &[Author], runs: &[Run]) -> Answer<BTreeMap<PersonId, String>> {
    let mut ids: BTreeSet<PersonId> = release.editors().cloned().collect();
    ids.extend(release.approvals.iter().map(|vote| vote.by.clone()));
    ids.extend(release.refused.iter().map(|vote| vote.by.clone()));
    ids.extend(release.wanted.values().cloned());
    ids.extend(authors.iter().map(|author| author.person.clone()));
    ids.extend(runs.iter().filter_map(|run| run.by.clone()));
    api.handles(ids.into_iter().collect()).await
}

fn known(looks: &[(Environment, Look)]) -> Vec<Value> {
    let mut items: Vec<&(Digest, EvidenceItem)> = looks.first().map(|(_, look)| look.evidence.iter().collect()).unwrap_or_default();
    items.sort_by_key(|item| std::cmp::Reverse(item.1.received));
    items.into_iter().map(|(subject, item)| words::evidence(subject, item)).collect()
}

async fn votes(api: &Api, release: &Release, looks: &[(Environment, Look)], names: &BTreeMap<PersonId, String>) -> Answer<Vec<Value>> {
    let comments: Vec<Digest> = release.approvals.iter().filter_map(|vote| vote.comment).collect();
    let notes: BTreeMap<Digest, Note> = api.store().notes(api.project(), &comments).await?;
    let mut shown = Vec::new();
    for (_, look) in looks {
        for (vote, void, role) in &look.votes {
            let mut one = json!({
                "handle": names.get(&vote.by).cloned().unwrap_or_else(|| vote.by.to_string()), "role": role, "environment": vote.environment, "at": vote.at,
                "state": vote.state, "valid": void.is_none(), "void_because": void, "manifest_digest": vote.manifest_digest,
                "comment": vote.comment.and_then(|digest| notes.get(&digest)).map(|note| note.text.clone()),
            });
            drop_nulls(&mut one);
            shown.push(one);
        }
    }
    Ok(shown)
}

/// Who tried to give a word that was not theirs to give, latest first.
fn refused(release: &Release, names: &BTreeMap<PersonId, String>) -> Vec<Value> {
    let mut all: Vec<_> = release.refused.iter().collect();
    all.sort_by_key(|vote| std::cmp::Reverse(vote.last_at));
    let show = |vote: &RefusedVote| {
        json!({
            "handle": names.get(&vote.by).cloned().unwrap_or_else(|| vote.by.to_string()), "environment": vote.environment, "word": vote.word,
            "code": vote.code, "count": vote.count, "at": vote.last_at, "manifest_digest": vote.manifest_digest,
        })
    };
    all.into_iter().map(show).collect()
}

fn history(release: &Release, names: &BTreeMap<PersonId, String>) -> Vec<Value> {
    let mut before: Option<&Manifest> = None;
    let mut shown = Vec::new();
    for version in &release.manifests {
        let diff = before.map(|old| releases::diff(old, &version.manifest)).unwrap_or_default();
        shown.push(json!({"digest": version.digest, "at": version.at, "by": names.get(&version.by), "diff": diff}));
        before = Some(&version.manifest);
    }
    shown
}

async fn environment(
    api: &Api,
    signed: &Signed,
    release: &Release,
    place: &Environment,
    look: &Look,
    runs: &[Run],
    names: &BTreeMap<PersonId, String>,
) -> Answer<Value> {
    let name = place.spec.name.as_str();
    let slot: Option<Slot> = api.store().get(api.project(), &Slot::key_of(name, &release.manifest().service)).await?;
    let latest = runs.iter().find(|run| run.environment.as_deref() == Some(name));
    let running = slot.as_ref().and_then(|slot| slot.running.as_ref()).and_then(|running| {
        let digest = running.manifest_digest?;
        Some(json!({"manifest_digest": digest, "at": running.since, "version": running.version, "release": running.release}))
    });
    let approved = look.votes.iter().filter(|(vote, _, _)| vote.state == ApprovalState::Given).max_by_key(|(vote, _, _)| vote.at);
    let approved =
        approved.map(|(vote, _, _)| json!({"manifest_digest": vote.manifest_digest, "at": vote.at, "handle": names.get(&vote.by)}));
    let mut told = report(&look.report);
    if let Some(object) = told.as_object_mut() {
        object.insert("evidence".to_owned(), json!(look.seen));
    }
    let mut shown = json!({
        "name": name, "production": place.spec.production, "zone": place.spec.zone, "state": latest.map(run::state), "run": latest.map(|run| run.id.clone()),
        "wanted_by": release.wanted.get(name).map(|by| names.get(by).cloned().unwrap_or_else(|| by.to_string())), "running": running,
        "last_approved": approved, "report": told, "refusals": refusals(api, signed, release, name, look).await?,
    });
    drop_nulls(&mut shown);
    Ok(shown)
}

/// What the caller would be refused here, asked of the domain.
async fn refusals(api: &Api, signed: &Signed, release: &Release, environment: &str, look: &Look) -> Answer<Value> {
    let mut found = Map::new();
    let actor = &signed.actor;
    for (what, at_once) in [("promote", false), ("deploy", true)] {
        let refusal = api.refusal_of(|view, now| releases::request(view, release.id.as_str(), environment, at_once, actor, now)).await;
        found.extend(refusal.map(|why| (what.to_owned(), why)));
    }
    for (what, state) in [("approve", ApprovalState::Given), ("reject", ApprovalState::Rejected)] {
        let vote = Vote {
            release: release.id.to_string(),
            environment: environment.to_owned(),
            manifest_digest: look.report.manifest_digest,
            evidence_root: look.report.evidence_root,
            state,
            comment: None,
            actor: actor.clone(),
        };
        let refusal = api.refusal_of(|view, now| approvals::vote(view, &vote, now)).await;
        found.extend(refusal.map(|why| (what.to_owned(), why)));
    }
    let mine = look.votes.iter().any(|(vote, _, _)| vote.by == signed.id && vote.state != ApprovalState::Withdrawn);
    if !mine {
        let why = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "GOV-010",
            "you have said nothing here that could be taken back",
            "nothing to do",
        );
        found.insert("withdraw_approval".to_owned(), why.short());
    }
    Ok(Value::Object(found))
}

/// A manifest by its digest: one that this release had, or one that ran or was approved elsewhere in its service.
pub async fn manifest(api: &Api, release: &Release, digest: &Digest) -> Answer<Manifest> {
    if let Some(version) = release.manifests.iter().find(|version| version.digest == *digest) {
        return Ok(version.manifest.clone());
    }
    // What runs may be of another release of the service.
    let filter = Filter { service: Some(release.manifest().service.clone()), order: Order::Newest, limit: 200, ..Filter::default() };
    let (others, _) = api.store().list::<Release>(api.project(), &filter).await?;
    let found = others.into_iter().flat_map(|other| other.manifests).find(|version| version.digest == *digest);
    found.map(|version| version.manifest).ok_or_else(|| {
        Problem::not_found(
            format!("there is no manifest {} of {}", digest.short(), release.manifest().service),
            "see history in GET /v1/releases/{id}",
        )
    })
}
