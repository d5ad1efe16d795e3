//! The board, from what is stored: slots, open releases and the promoter's latest reports. No gate is asked for it.

use crate::problem::Answer;
use crate::state::Api;
use holdpoint_domain::gate::Light;
use holdpoint_domain::kernel::ReleaseId;
use holdpoint_domain::nouns::{Environment, Pipeline, Release, Run, Service, Slot};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The owner of services.
    #[serde(default)]
    pub team: Option<String>,
    #[serde(default)]
    pub service: Option<String>,
    /// A state or a verdict that one of the row's cells has.
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default)]
    pub cursor: Option<String>,
    /// Rows; 200 where it is not said, 500 at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// What is known, looked up by key.
struct Known {
    pipelines: HashMap<String, Pipeline>,
    slots: HashMap<String, Slot>,
    runs: HashMap<String, Run>,
    /// The newest open release of each service.
    next: HashMap<String, Release>,
}

/// A page of the board.
pub async fn view(api: &Api, ask: &Ask) -> Answer<Value> {
    let (store, project) = (api.store(), api.project());
    let mut places: Vec<Environment> = store.all(project).await?;
    places.sort_by(|a, b| (a.spec.order, &a.spec.name).cmp(&(b.spec.order, &b.spec.name)));
    let services: Vec<Service> = store.all(project).await?;
    let limit = ask.limit.unwrap_or(200).clamp(1, 500);
    let mut page: Vec<&Service> = services
        .iter()
        .filter(|service| ask.cursor.as_ref().is_none_or(|cursor| service.spec.name > *cursor))
        .filter(|service| ask.service.as_ref().is_none_or(|name| service.spec.name == *name))
        .filter(|service| ask.team.as_ref().is_none_or(|team| service.spec.owner == *team))
        .take(limit + 1)
        .collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let known = known(api).await?;
    let reports = reports(api, &page, &known).await?;
    let mut rows = Vec::new();
    for service in &page {
        let cells = cells(service, &places, &known, &reports);
        let fits = ask.state.as_ref().is_none_or(|wanted| {
            cells.values().any(|cell| {
                [cell.get("state"), cell.pointer("/next/verdict")].into_iter().flatten().any(|state| state.as_str() == Some(wanted))
            })
        });
        if fits {
            rows.push(json!({"service": service.spec.name, "team": service.spec.owner, "cells": cells}));
        }
    }
    let environments: Vec<Value> =
        places.iter().map(|place| json!({"name": place.spec.name, "production": place.spec.production, "zone": place.spec.zone})).collect();
    let next = page.last().filter(|_| more).map(|service| service.spec.name.clone());
    Ok(json!({"environments": environments, "rows": rows, "as_of": store.now().await?, "next_cursor": next}))
}

async fn known(api: &Api) -> Answer<Known> {
    let (store, project) = (api.store(), api.project());
    let pipelines: Vec<Pipeline> = store.all(project).await?;
    let slots: Vec<Slot> = store.all(project).await?;
    let runs: Vec<Run> = store.all(project).await?;
    let mut open: Vec<Release> = store.all(project).await?;
    open.sort_by_key(|release| release.created_at);
    Ok(Known {
        pipelines: pipelines.into_iter().map(|pipeline| (pipeline.spec.name.clone(), pipeline)).collect(),
        slots: slots.into_iter().map(|slot| (Slot::key_of(&slot.environment, &slot.service), slot)).collect(),
        runs: runs.into_iter().map(|run| (run.id.to_string(), run)).collect(),
        next: open.into_iter().map(|release| (release.manifest().service.clone(), release)).collect(),
    })
}

/// Stored reports by release and environment.
type Reports = HashMap<(String, String), Told>;

/// Of a stored report what a cell shows: of thousands of cells nobody reads the facts.
#[derive(Deserialize)]
struct Told {
    verdict: Light,
    gates: Vec<ToldGate>,
}

#[derive(Deserialize)]
struct ToldGate {
    gate: String,
    title: String,
    state: Light,
    sentence: String,
}

async fn reports(api: &Api, page: &[&Service], known: &Known) -> Answer<Reports> {
    let wanted: Vec<ReleaseId> =
        page.iter().filter_map(|service| known.next.get(&service.spec.name)).map(|release| release.id.clone()).collect();
    let stored = api.store().reports_of(api.project(), &wanted).await?;
    Ok(stored.into_iter().map(|one| ((one.release, one.environment), one.body)).collect())
}

fn cells(service: &Service, places: &[Environment], known: &Known, reports: &Reports) -> Map<String, Value> {
    let mut cells = Map::new();
    let name = &service.spec.name;
    let pipeline = known.pipelines.get(&service.spec.pipeline);
    for place in places.iter().map(|place| &place.spec.name) {
        if pipeline.is_none_or(|pipeline| pipeline.stage(place).is_none()) {
            continue;
        }
        let slot = known.slots.get(&Slot::key_of(place, name));
        let running = slot.and_then(|slot| slot.running.as_ref());
        let run = slot.and_then(|slot| slot.held_by.as_ref()).map(|id| id.to_string());
        let state = match run.as_ref().map(|id| known.runs.get(id)) {
            Some(Some(run)) => json!(run.state),
            Some(None) => json!("running"),
            None if running.is_some() => json!("live"),
            None => json!("none"),
        };
        let mut cell = json!({
            "release": running.and_then(|running| running.release.clone()), "version": running.map(|running| running.version.clone()),
            "since": running.map(|running| running.since), "state": state, "run": run,
        });
        super::release::drop_nulls(&mut cell);
        if let (Some(next), Some(object)) = (next(known.next.get(name), place, reports, slot), cell.as_object_mut()) {
            object.insert("next".to_owned(), next);
        }
        cells.insert(place.clone(), cell);
    }
    cells
}

fn next(release: Option<&Release>, place: &str, reports: &Reports, slot: Option<&Slot>) -> Option<Value> {
    let release = release?;
    let there = slot.and_then(|slot| slot.running.as_ref()).and_then(|running| running.manifest_digest);
    if there.as_ref() == Some(release.manifest_digest()) || release.succeeded_in(place) {
        return None;
    }
    let report = reports.get(&(release.id.to_string(), place.to_owned()))?;
    let Told { verdict, gates } = report;
    let count = |light: Light| gates.iter().filter(|gate| gate.state == light).count();
    // The same choice as `Report::headline`: what waits for the stage before comes last.
    let speaks = gates.iter().filter(|gate| *verdict != Light::Open && gate.state == *verdict);
    let speaks = speaks.min_by_key(|gate| gate.gate == "previous");
    let mut next = json!({
        "release": release.id, "version": release.manifest().version, "verdict": verdict,
        "gates": {"open": count(Light::Open), "waiting": count(Light::Waiting), "shut": count(Light::Shut)},
        "headline": speaks.map(|gate| format!("{}: {}", gate.title, gate.sentence)),
        "run": slot.and_then(|slot| slot.held_by.clone()),
    });
    super::release::drop_nulls(&mut next);
    Some(next)
}
