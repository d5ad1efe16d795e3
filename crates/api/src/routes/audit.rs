//! The ledger for readers and verifiers: entries, checkpoints, proofs, keys, dossiers.

use crate::doors::Reader;
use crate::problem::{Answer, Problem};
use crate::routes::blobs::attachment;
use crate::routes::releases;
use crate::state::Api;
use crate::strict::Params;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use holdpoint_domain::kernel::{DocKey, PersonId};
use holdpoint_seal::proof::ProofFile;
use holdpoint_store::StoredFact;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Entries below this index, newest first.
    #[serde(default)]
    before: Option<u64>,
    /// Facts above this index, oldest first.
    #[serde(default)]
    after: Option<u64>,
    #[serde(default)]
    limit: Option<u32>,
    /// `release/rel_…`
    #[serde(default)]
    stream: Option<String>,
    /// `ApprovalGiven`
    #[serde(default, rename = "type")]
    fact_type: Option<String>,
}

const PAGE_MAX: u32 = 1000;
/// How far back one answer looks for entries of a type.
const LOOKED_AT_MAX: u64 = 20_000;

/// Sealed facts. `entries` come newest first (next page: `before`), `facts` oldest first (next page: `after`).
#[utoipa::path(get, path = "/v1/ledger", tag = "review", params(Which), responses((status = 200, description = "a page of the ledger")))]
pub async fn ledger(_: Reader, State(api): State<Api>, Params(which): Params<Which>) -> Answer<Json<Value>> {
    let limit = which.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let size = api.store().checkpoint().await?.map_or(0, |checkpoint| checkpoint.size);
    let stream = match &which.stream {
        Some(text) => match DocKey::from_stream(text) {
            Some(key) => Some(key),
            None => return Ok(Json(json!({"entries": [], "facts": [], "size": size}))),
        },
        None => None,
    };
    let mut answer = json!({"size": size});
    let Some(object) = answer.as_object_mut() else { return Ok(Json(answer)) };
    if which.after.is_none() {
        let (found, next) = newest(&api, &which, stream.as_ref(), size, limit).await?;
        object.insert("entries".to_owned(), entries(&api, &found).await?);
        object.insert("next_before".to_owned(), json!(next));
    }
    if which.before.is_none() {
        let from = which.after.map_or(0, |after| after.saturating_add(1));
        let scope = stream.as_ref().map(|key| (api.project(), key));
        let found = api.store().facts(from, limit, scope).await?;
        let next = found.last().filter(|_| found.len() == limit as usize).and_then(|last| last.index);
        let facts: Vec<Value> =
            found.iter().filter(|fact| fits(&which, fact)).filter_map(StoredFact::logged).map(|fact| json!(fact)).collect();
        object.insert("facts".to_owned(), json!(facts));
        object.insert("next_after".to_owned(), json!(next));
    }
    Ok(Json(answer))
}

fn fits(which: &Which, fact: &StoredFact) -> bool {
    which.fact_type.as_ref().is_none_or(|wanted| fact.envelope.fact_type == *wanted)
}

async fn newest(api: &Api, which: &Which, stream: Option<&DocKey>, size: u64, limit: u32) -> Answer<(Vec<StoredFact>, Option<u64>)> {
    let mut before = which.before.unwrap_or(size).min(size);
    let mut found: Vec<StoredFact> = Vec::new();
    if let Some(key) = stream {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let page = api.store().facts_of_stream(api.project(), key, after, 10_000).await?;
            let Some(last) = page.last() else { break };
            after = last.envelope.position;
            let full = page.len() == 10_000;
            all.extend(page.into_iter().filter(|fact| fact.index.is_some_and(|index| index < before) && fits(which, fact)));
            if !full {
                break;
            }
        }
        let more = all.len() > limit as usize;
        found.extend(all.into_iter().rev().take(limit as usize));
        return Ok((found.clone(), found.last().filter(|_| more).and_then(|last| last.index)));
    }
    let (mut looked_at, step) = (0_u64, if which.fact_type.is_some() { u64::from(PAGE_MAX) } else { u64::from(limit) });
    while before > 0 && found.len() < limit as usize && looked_at < LOOKED_AT_MAX {
        let from = before.saturating_sub(step);
        let page = api.store().facts(from, u32::try_from(before - from).unwrap_or(PAGE_MAX), None).await?;
        looked_at += before - from;
        for fact in page.into_iter().rev().filter(|fact| fact.index.is_some_and(|index| index < before) && fits(which, fact)) {
            if found.len() < limit as usize {
                found.push(fact);
            }
        }
        before = from;
    }
    let last = found.last().and_then(|last| last.index);
    let next = if found.len() == limit as usize { last } else { Some(before) };
    Ok((found, next.filter(|next| *next > 0)))
}

async fn entries(api: &Api, found: &[StoredFact]) -> Answer<Value> {
    let people = found.iter().filter_map(|fact| fact.envelope.actor.parse::<PersonId>().ok()).collect();
    let names = api.handles(people).await?;
    let mut list = Vec::new();
    for fact in found {
        let name = fact.envelope.actor.parse::<PersonId>().ok().and_then(|id| names.get(&id).cloned());
        list.push(json!({
            "index": fact.index, "leaf": fact.hash, "at": fact.at()?, "envelope": fact.envelope, "body": fact.body, "actor_name": name,
        }));
    }
    Ok(Value::Array(list))
}

/// The whole sealed ledger as JSON lines, the latest checkpoint last: what `holdpoint ledger verify` reads.
#[utoipa::path(get, path = "/v1/ledger/export", tag = "review", responses((status = 200, description = "header, facts, checkpoint", content_type = "application/jsonl")))]
pub async fn export(_: Reader, State(api): State<Api>) -> Answer<Response> {
    if api.store().checkpoint().await?.is_none() {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "LED-001",
            "nothing is sealed yet",
            "facts are sealed within a second of their commit",
        ));
    }
    let cursor = api.store().export(api.engine().keys().list()).await?;
    // Piece by piece: a ledger may be larger than memory. What breaks on the way breaks the answer off.
    let lines = futures_util::stream::try_unfold(cursor, |mut cursor| async move {
        Ok::<_, holdpoint_store::StoreError>(cursor.next_lines().await?.map(|lines| (lines, cursor)))
    });
    let mut response = axum::body::Body::from_stream(lines).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    attachment(response.headers_mut(), "ledger.jsonl");
    Ok(response)
}

/// How far this server's background check of the ledger and of blobs has come, and what it found.
#[utoipa::path(get, path = "/v1/ledger/scrub", tag = "review", responses((status = 200, description = "progress, and the first 20 differences of each kind")))]
pub async fn scrub(_: Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let found = api.engine().scrubbed();
    let verdict = if found.differences.is_empty() && found.damaged.is_empty() { "sound" } else { "damaged" };
    Ok(Json(json!({
        "verdict": verdict, "ledger": {"next": found.next, "facts": found.facts, "round_at": found.round_at, "differences": found.differences},
        "blobs": {"read": found.blobs, "round_at": found.blobs_round_at, "differences": found.damaged},
    })))
}

/// The latest signed checkpoint.
#[utoipa::path(get, path = "/v1/ledger/checkpoint", tag = "review", responses((status = 200, description = "size, root and the signed note")))]
pub async fn checkpoint(_: Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let found = api.store().checkpoint().await?;
    let found = found.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "LED-001", "nothing is sealed yet", "facts are sealed within a second of their commit")
    })?;
    Ok(Json(json!({"size": found.size, "root": found.root, "at": found.at, "note": found.note})))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Point {
    index: u64,
    /// Size of a signed checkpoint; the first that covers the entry where it is not said.
    #[serde(default)]
    size: Option<u64>,
}

fn no_such(what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "LED-001", format!("there is no {what}"), "see GET /v1/ledger/checkpoint for the size of the log")
}

/// The proof that an entry is in the log (RFC 9162, 2.1.3).
#[utoipa::path(get, path = "/v1/ledger/proof", tag = "review", params(Point), responses((status = 200, description = "an inclusion proof that holdpoint ledger verify reads")))]
pub async fn proof(_: Reader, State(api): State<Api>, Params(point): Params<Point>) -> Answer<Json<Value>> {
    let checkpoint = match point.size {
        Some(size) => api.store().checkpoint_at(size).await?,
        None => api.store().checkpoint_over(point.index).await?,
    };
    let checkpoint =
        checkpoint.filter(|checkpoint| point.index < checkpoint.size).ok_or_else(|| no_such("checkpoint of that size over that entry"))?;
    let fact = api.store().fact_at(point.index).await?.ok_or_else(|| no_such("entry with that index"))?;
    let hashes = api.store().inclusion(point.index, checkpoint.size).await?;
    Ok(Json(json!(ProofFile::inclusion(point.index, checkpoint.size, &fact.hash, &checkpoint.root, &hashes))))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    from: u64,
    to: u64,
}

/// The proof that one checkpoint's log is the beginning of another's (RFC 9162, 2.1.4).
#[utoipa::path(get, path = "/v1/ledger/consistency", tag = "review", params(Sizes), responses((status = 200, description = "a consistency proof that holdpoint ledger verify reads")))]
pub async fn consistency(_: Reader, State(api): State<Api>, Params(sizes): Params<Sizes>) -> Answer<Json<Value>> {
    if sizes.from == 0 || sizes.from > sizes.to {
        return Err(Problem::parameter("from: expected a size from 1 to the size in to"));
    }
    let first = api.store().checkpoint_at(sizes.from).await?.ok_or_else(|| no_such("checkpoint of size `from`"))?;
    let second = api.store().checkpoint_at(sizes.to).await?.ok_or_else(|| no_such("checkpoint of size `to`"))?;
    let hashes = api.store().consistency(sizes.from, sizes.to).await?;
    Ok(Json(json!(ProofFile::consistency(sizes.from, sizes.to, &first.root, &second.root, &hashes))))
}

/// The root key and the signed list of keys. Whoever verifies takes the root from elsewhere and compares.
#[utoipa::path(get, path = "/v1/keys", tag = "review", responses((status = 200, description = "root key, log name, signed key list")))]
pub async fn keys(_: Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let keys = api.engine().keys();
    let list: Value = serde_json::from_slice(keys.list()).map_err(|why| Problem::broken(&why))?;
    Ok(Json(json!({"log": keys.origin(), "root": keys.root().to_pem(), "root_id": keys.root().id().to_string(), "list": list})))
}

/// The dossier: every fact, all evidence and the proofs about a release in one file.
#[utoipa::path(get, path = "/v1/releases/{id}/dossier", tag = "review", params(("id" = String, Path)), responses((status = 200, description = "the dossier", content_type = "application/json")))]
pub async fn dossier(_: Reader, State(api): State<Api>, Path(id): Path<String>) -> Answer<Response> {
    let release = releases::get(&api, &id).await?;
    let bytes = api.engine().dossier(&release).await?;
    let mut response = bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    attachment(response.headers_mut(), &format!("dossier-{}.json", release.id));
    Ok(response)
}
