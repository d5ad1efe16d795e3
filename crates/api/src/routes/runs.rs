//! Runs: shown, turned back, cleared up; logs and the comparison of versions.

use crate::doors::{Reader, Signed};
use crate::problem::{Answer, Problem};
use crate::routes::releases::checked_cursor;
use crate::show::run::{self, get};
use crate::show::{canary, id};
use crate::state::{Api, note};
use crate::strict::{Nothing, Params, Strict};
use axum::Json;
use axum::extract::{Path, State};
use holdpoint_domain::kernel::{DocKey, Kind};
use holdpoint_domain::nouns::{Outcome, Run};
use holdpoint_domain::orchestration::{rollback, runs};
use holdpoint_store::{Filter, Order};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default)]
    release: Option<String>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    environment: Option<String>,
    /// `running`, `held`, `rolling-back` or `ended`.
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
}

/// Runs, newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "orchestration", params(Which), responses((status = 200, description = "a page of runs")))]
pub async fn list(_: Reader, State(api): State<Api>, Params(which): Params<Which>) -> Answer<Json<Value>> {
    let filter = Filter {
        service: which.service,
        environment: which.environment,
        label: which.state,
        order: Order::Newest,
        cursor: checked_cursor(which.cursor)?,
        limit: which.limit.unwrap_or(100).clamp(1, 500),
        ..Filter::default()
    };
    let (found, next) = api.store().list::<Run>(api.project(), &filter).await?;
    let found: Vec<&Run> = found
        .iter()
        .filter(|run| which.release.is_none() || run.release.as_ref().map(|id| id.as_str()) == which.release.as_deref())
        .collect();
    let names = api.handles(found.iter().filter_map(|run| run.by.clone()).collect()).await?;
    let shown: Vec<Value> = found.iter().map(|one| run::summary(one, &names)).collect();
    Ok(Json(json!({"runs": shown, "next_cursor": next})))
}

/// A run with its steps, traffic and comparison.
#[utoipa::path(get, path = "/v1/runs/{id}", tag = "orchestration", params(("id" = String, Path)), responses((status = 200, description = "the run")))]
pub async fn show(Reader(signed): Reader, State(api): State<Api>, Path(id): Path<String>) -> Answer<Json<Value>> {
    run::view(&api, &signed, &get(&api, &id).await?).await.map(Json)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    #[serde(default)]
    reason: String,
}

/// Turns a run back, or brings back what ran before it.
#[utoipa::path(post, path = "/v1/runs/{id}/rollback", tag = "orchestration", params(("id" = String, Path)), request_body = Reason, responses((status = 200, description = "the run that goes back")))]
pub async fn rollback(
    signed: Signed,
    State(api): State<Api>,
    Path(key): Path<String>,
    Strict { value, asked }: Strict<Reason>,
) -> Answer<Json<Value>> {
    let mut locks = runs::locks(&get(&api, &key).await?);
    let new = id("run")?;
    locks.push(DocKey::new(Kind::Run, holdpoint_domain::kernel::RunId::as_str(&new)));
    let reason = note(&value.reason)?;
    let actor = signed.actor.clone();
    api.decide("rollback.ask", &signed.actor, &asked, locks, move |view, now| rollback::ask(view, &key, &new, reason.clone(), &actor, now))
        .await
        .map(Json)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    step: String,
    /// `done`, `failed` or `not-started`.
    outcome: String,
    #[serde(default)]
    reason: String,
}

/// Says what became of a step that nobody knows about.
#[utoipa::path(post, path = "/v1/runs/{id}/resolve", tag = "orchestration", params(("id" = String, Path)), request_body = Resolve, responses((status = 200, description = "the run goes on")))]
pub async fn resolve(
    signed: Signed,
    State(api): State<Api>,
    Path(key): Path<String>,
    Strict { value, asked }: Strict<Resolve>,
) -> Answer<Json<Value>> {
    let said = format!("resolved by {}", signed.row.handle);
    let outcome = match value.outcome.as_str() {
        "done" => Outcome::Done { outputs: Value::Null },
        "failed" => Outcome::Failed { reason: said, outputs: Value::Null },
        "not-started" => Outcome::NotStarted { reason: said },
        other => return Err(Problem::parameter(format!("outcome: expected done, failed or not-started, found {other:?}"))),
    };
    let locks = runs::locks(&get(&api, &key).await?);
    let reason = note(&value.reason)?;
    let actor = signed.actor.clone();
    api.decide("run.resolve", &signed.actor, &asked, locks, move |view, now| {
        rollback::resolve(view, &key, &value.step, outcome.clone(), reason.clone(), &actor, now)
    })
    .await
    .map(Json)
}

/// Goes on with a run that is held.
#[utoipa::path(post, path = "/v1/runs/{id}/resume", tag = "orchestration", params(("id" = String, Path)), responses((status = 200, description = "the run goes on")))]
pub async fn resume(
    signed: Signed,
    State(api): State<Api>,
    Path(key): Path<String>,
    Strict { asked, .. }: Strict<Nothing>,
) -> Answer<Json<Value>> {
    let locks = runs::locks(&get(&api, &key).await?);
    let actor = signed.actor.clone();
    api.decide("run.resolve", &signed.actor, &asked, locks, move |view, now| rollback::resume(view, &key, &actor, now)).await.map(Json)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// Bytes to skip.
    #[serde(default)]
    offset: u64,
}

/// One answer holds at most this much of a log.
const PIECE: usize = 256 << 10;

/// The log of a step's latest attempt, from an offset on.
#[utoipa::path(get, path = "/v1/runs/{id}/steps/{step}/log", tag = "orchestration", params(("id" = String, Path), ("step" = String, Path), From), responses((status = 200, description = "text and the next offset")))]
pub async fn log(
    _: Reader,
    State(api): State<Api>,
    Path((id, step)): Path<(String, String)>,
    Params(from): Params<From>,
) -> Answer<Json<Value>> {
    let run = get(&api, &id).await?;
    let found = run
        .step(&step)
        .ok_or_else(|| Problem::not_found(format!("there is no step {step:?} in {id}"), "see GET /v1/runs/{id} for its steps"))?;
    let Some(attempt) = found.attempts.last() else { return Ok(Json(json!({"text": "", "next_offset": 0, "complete": false}))) };
    let over = attempt.outcome.is_some();
    let file = match &attempt.log {
        Some(blob) => api.store().blob_open(blob).await?.map(|(file, _)| file),
        None => tokio::fs::File::open(api.log_file(&attempt.id)).await.ok(),
    };
    let Some(file) = file else { return Ok(Json(json!({"text": "", "next_offset": from.offset, "complete": over}))) };
    let (text, next, end) = piece(file, from.offset).await.map_err(|why| Problem::broken(&why))?;
    Ok(Json(json!({"text": text, "next_offset": next, "complete": over && end})))
}

async fn piece(mut file: tokio::fs::File, offset: u64) -> std::io::Result<(String, u64, bool)> {
    let length = file.metadata().await?.len();
    let offset = offset.min(length);
    file.seek(std::io::SeekFrom::Start(offset)).await?;
    let mut bytes = Vec::new();
    file.take(PIECE as u64).read_to_end(&mut bytes).await?;
    let end = offset + bytes.len() as u64 >= length;
    if !end {
        // A character that goes on in the next piece is left for it.
        let cut = match std::str::from_utf8(&bytes) {
            Err(why) if why.error_len().is_none() => why.valid_up_to(),
            _ => bytes.len(),
        };
        if cut > 0 {
            bytes.truncate(cut);
        }
    }
    let next = offset + bytes.len() as u64;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), next, end))
}

/// The comparison of the versions, as it stands.
#[utoipa::path(get, path = "/v1/runs/{id}/canary", tag = "orchestration", params(("id" = String, Path)), responses((status = 200, description = "verdict, evidence and points by metric"), (status = 404, description = "nothing is compared in this run")))]
pub async fn canary(_: Reader, State(api): State<Api>, Path(id): Path<String>) -> Answer<Json<Value>> {
    let run = get(&api, &id).await?;
    let watched = canary::readings(&api, &run).await?;
    canary::view(&run, &watched)
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("{id} compares no versions so far"), "wait until its traffic is split"))
}
