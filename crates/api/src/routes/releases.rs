//! Releases: made, changed, promoted, closed; and the two calls by which other tools ask our gates.

use crate::doors::{Reader, Signed};
use crate::problem::{Answer, Problem};
use crate::routes::blobs::digest;
use crate::show::release;
use crate::state::{Api, note};
use crate::strict::{Params, Strict};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use holdpoint_domain::kernel::{DocKey, Kind, Refusal, ReleaseId};
use holdpoint_domain::nouns::{Closure, Release, Slot, Trigger};
use holdpoint_domain::orchestration::gate_only::{self, Deployed};
use holdpoint_domain::orchestration::releases::{self, Amendment, CreateRelease};
use holdpoint_domain::review::closure;
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Filter, Order};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelease {
    service: String,
    version: String,
    /// Component -> digest of its bytes.
    #[schema(value_type = BTreeMap<String, String>)]
    components: BTreeMap<String, Digest>,
    #[serde(default)]
    config: BTreeMap<String, String>,
    #[serde(default)]
    work_items: Vec<String>,
    /// Triggers beside those of the pipeline.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    triggers: Vec<Trigger>,
}

/// `rel_SERVICE-VERSION` in the alphabet of identifiers.
fn release_id(service: &str, version: &str) -> Answer<ReleaseId> {
    let plain = |text: &str| -> String {
        text.chars()
            .map(|c| c.to_ascii_lowercase())
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_') { c } else { '-' })
            .collect()
    };
    let mut name = format!("{}-{}", plain(service), plain(version));
    if name.len() > 64 || !name.is_ascii() || version.chars().any(|c| c == '+' || c.is_ascii_uppercase()) {
        // Two versions that differ only in what was replaced or cut must not share an identifier.
        let tail: String = Digest::of(format!("{service}/{version}").as_bytes()).hex().chars().take(8).collect();
        name = format!("{}.{tail}", name.chars().take(55).collect::<String>());
    }
    format!("rel_{name}").parse().map_err(|why| Problem::parameter(format!("service or version: {why}")))
}

/// Seals a manifest and opens the release.
#[utoipa::path(post, path = "/v1/releases", tag = "orchestration", request_body = NewRelease, responses((status = 201, description = "the release")))]
pub async fn create(
    signed: Signed,
    State(api): State<Api>,
    Strict { value, asked }: Strict<NewRelease>,
) -> Answer<(StatusCode, Json<Value>)> {
    let ask = CreateRelease {
        id: release_id(&value.service, &value.version)?,
        service: value.service,
        version: value.version,
        components: value.components,
        work_items: value.work_items,
        config: value.config,
        triggers: value.triggers,
        actor: signed.actor.clone(),
    };
    let locks = vec![DocKey::new(Kind::Release, ask.id.as_str())];
    let answer = api.decide("release.create", &signed.actor, &asked, locks, move |view, _| releases::create(view, &ask)).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default)]
    service: Option<String>,
    /// `open` or `closed`.
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
}

/// Releases, newest first.
#[utoipa::path(get, path = "/v1/releases", tag = "orchestration", params(Which), responses((status = 200, description = "a page of releases")))]
pub async fn list(_: Reader, State(api): State<Api>, Params(which): Params<Which>) -> Answer<Json<Value>> {
    let filter = Filter {
        service: which.service,
        label: which.state,
        order: Order::Newest,
        cursor: checked_cursor(which.cursor)?,
        limit: which.limit.unwrap_or(100).clamp(1, 500),
        ..Filter::default()
    };
    let (found, next) = api.store().list::<Release>(api.project(), &filter).await?;
    let shown: Vec<Value> = found.iter().map(release::summary).collect();
    Ok(Json(json!({"releases": shown, "next_cursor": next})))
}

/// A cursor as this server gives it for lists by age.
pub fn checked_cursor(cursor: Option<String>) -> Answer<Option<String>> {
    match cursor {
        Some(text) if text.split_once('.').is_none_or(|(us, _)| us.parse::<i64>().is_err()) => {
            Err(Problem::parameter("cursor: expected next_cursor of the page before"))
        }
        other => Ok(other),
    }
}

/// A release or that there is none.
pub async fn get(api: &Api, id: &str) -> Answer<Release> {
    let found: Option<Release> = api.store().get(api.project(), id).await?;
    found.ok_or_else(|| Refusal::new("REL-001", format!("there is no release {id:?}"), "list them: holdpoint release list").into())
}

/// A release with its gates, votes, evidence and runs.
#[utoipa::path(get, path = "/v1/releases/{id}", tag = "orchestration", params(("id" = String, Path)), responses((status = 200, description = "the release")))]
pub async fn show(Reader(signed): Reader, State(api): State<Api>, Path(id): Path<String>) -> Answer<Response> {
    let found = get(&api, &id).await?;
    let mut response = Json(release::view(&api, &signed, &found).await?).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", found.manifest_digest())) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Amend {
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    components: BTreeMap<String, Digest>,
    /// `null` takes a key out.
    #[serde(default)]
    config: BTreeMap<String, Option<String>>,
    #[serde(default)]
    work_items: Option<Vec<String>>,
    /// Take the present definitions of service and pipeline.
    #[serde(default)]
    redefine: bool,
}

/// Changes a release; `If-Match` names the manifest that was seen. Approvals of the old manifest stop counting.
#[utoipa::path(patch, path = "/v1/releases/{id}", tag = "orchestration", params(("id" = String, Path), ("If-Match" = String, Header)), request_body = Amend, responses((status = 200, description = "the new manifest and the difference")))]
pub async fn amend(
    signed: Signed,
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Strict { value, asked }: Strict<Amend>,
) -> Answer<Json<Value>> {
    let seen = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()).ok_or_else(|| {
        Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "HTTP-005",
            "a change names the manifest it was made on",
            "send its digest as If-Match: \"sha256:…\"",
        )
    })?;
    let expected = digest(seen.trim().trim_matches('"'))?;
    let change = Amendment { components: value.components, config: value.config, work_items: value.work_items, redefine: value.redefine };
    let actor = signed.actor.clone();
    let locks = vec![DocKey::new(Kind::Release, id.as_str())];
    api.decide("release.amend", &signed.actor, &asked, locks, move |view, _| releases::amend(view, &id, &expected, &change, &actor))
        .await
        .map(Json)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Between {
    from: String,
    to: String,
}

/// What differs between two manifests that this release had.
#[utoipa::path(get, path = "/v1/releases/{id}/diff", tag = "orchestration", params(("id" = String, Path), Between), responses((status = 200, description = "changes by path")))]
pub async fn diff(_: Reader, State(api): State<Api>, Path(id): Path<String>, Params(between): Params<Between>) -> Answer<Json<Value>> {
    let (from, to) = (digest(&between.from)?, digest(&between.to)?);
    let found = get(&api, &id).await?;
    let old = release::manifest(&api, &found, &from).await?;
    let new = release::manifest(&api, &found, &to).await?;
    Ok(Json(json!({"from": from, "to": to, "changes": releases::diff(&old, &new)})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    #[serde(default)]
    reason: String,
    /// Closure code, `withdrawn` where none is named.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    closure: Option<Closure>,
    #[serde(default)]
    superseded_by: Option<String>,
}

/// Closes a release.
#[utoipa::path(post, path = "/v1/releases/{id}/withdraw", tag = "orchestration", params(("id" = String, Path)), request_body = Withdraw, responses((status = 200, description = "closed")))]
pub async fn withdraw(
    signed: Signed,
    State(api): State<Api>,
    Path(id): Path<String>,
    Strict { value, asked }: Strict<Withdraw>,
) -> Answer<Json<Value>> {
    let code = value.closure.unwrap_or(Closure::Withdrawn);
    let newer: Option<ReleaseId> =
        value.superseded_by.map(|id| id.parse()).transpose().map_err(|why| Problem::parameter(format!("superseded_by: {why}")))?;
    let reason = note(&value.reason)?;
    let actor = signed.actor.clone();
    let locks = vec![DocKey::new(Kind::Release, id.as_str())];
    api.decide("release.withdraw", &signed.actor, &asked, locks, move |view, _| {
        closure::close(view, &id, code, newer.clone(), reason.clone(), &actor)
    })
    .await
    .map(Json)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Where {
    environment: String,
}

/// Asks for a promotion: the run begins as soon as every gate is open.
#[utoipa::path(post, path = "/v1/releases/{id}/promotions", tag = "orchestration", params(("id" = String, Path)), request_body = Where, responses((status = 200, description = "asked for, with the gates as they are")))]
pub async fn promote(
    signed: Signed,
    State(api): State<Api>,
    Path(id): Path<String>,
    Strict { value, asked }: Strict<Where>,
) -> Answer<Json<Value>> {
    let actor = signed.actor.clone();
    let locks = vec![DocKey::new(Kind::Release, id.as_str())];
    api.decide("promotion.request", &signed.actor, &asked, locks, move |view, now| {
        releases::request(view, &id, &value.environment, false, &actor, now)
    })
    .await
    .map(Json)
}

/// How long an answer waits for the run that it asked for.
const RUN_WAIT: Duration = Duration::from_secs(3);

/// Deploys now, or says which gates are not open.
#[utoipa::path(post, path = "/v1/releases/{id}/deployments", tag = "orchestration", params(("id" = String, Path)), request_body = Where, responses((status = 200, description = "the run, once it was opened")))]
pub async fn deploy(
    signed: Signed,
    State(api): State<Api>,
    Path(id): Path<String>,
    Strict { value, asked }: Strict<Where>,
) -> Answer<Json<Value>> {
    let (actor, environment, key) = (signed.actor.clone(), value.environment.clone(), id.clone());
    let locks = vec![DocKey::new(Kind::Release, id.as_str())];
    let mut answer = api
        .decide("promotion.request", &signed.actor, &asked, locks, move |view, now| {
            releases::request(view, &key, &environment, true, &actor, now)
        })
        .await?;
    // The promoter opens the run; it is awake already.
    let service = get(&api, &id).await?.manifest().service.clone();
    let end = tokio::time::Instant::now() + RUN_WAIT;
    while tokio::time::Instant::now() < end {
        if let Some(run) = run_of(&api, &id, &value.environment, &service).await? {
            if let Some(object) = answer.as_object_mut() {
                object.insert("run".to_owned(), json!(run));
            }
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Json(answer))
}

async fn run_of(api: &Api, release: &str, environment: &str, service: &str) -> Answer<Option<String>> {
    let slot: Option<Slot> = api.store().get(api.project(), &Slot::key_of(environment, service)).await?;
    if let Some(run) = slot.and_then(|slot| slot.held_by) {
        return Ok(Some(run.to_string()));
    }
    let found = get(api, release).await?;
    // It may be over already.
    let ended = found.promoted.iter().rev().find(|one| one.environment == environment && one.manifest_digest == *found.manifest_digest());
    Ok(ended.filter(|_| !found.wanted.contains_key(environment)).map(|one| one.run.to_string()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    #[schema(value_type = String)]
    digest: Digest,
    environment: String,
    service: String,
}

/// Whether a digest may go to an environment, for tools that deploy by themselves.
#[utoipa::path(post, path = "/v1/gates/check", tag = "orchestration", request_body = Check, responses((status = 200, description = "verdict and report")))]
pub async fn check(_: Reader, State(api): State<Api>, Strict { value, .. }: Strict<Check>) -> Answer<Json<Value>> {
    let report = api.engine().ask(|view, now| gate_only::check(view, &value.service, &value.environment, &value.digest, now)).await?;
    Ok(Json(json!({"verdict": report.verdict, "report": release::report(&report)})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    #[schema(value_type = String)]
    digest: Digest,
    environment: String,
    service: String,
    /// `succeeded` or `failed`.
    result: String,
    /// What the running thing itself answered.
    #[serde(default)]
    observed: Option<String>,
}

/// Records what another tool deployed.
#[utoipa::path(post, path = "/v1/deployments/report", tag = "orchestration", request_body = Told, responses((status = 200, description = "recorded")))]
pub async fn report(signed: Signed, State(api): State<Api>, Strict { value, asked }: Strict<Told>) -> Answer<Json<Value>> {
    let locks = vec![DocKey::new(Kind::Slot, Slot::key_of(&value.environment, &value.service))];
    let told = Deployed {
        service: value.service,
        environment: value.environment,
        digest: value.digest,
        result: value.result,
        observed: value.observed,
        actor: signed.actor.clone(),
    };
    api.decide("gate.report", &signed.actor, &asked, locks, move |view, _| gate_only::report(view, &told)).await.map(Json)
}
