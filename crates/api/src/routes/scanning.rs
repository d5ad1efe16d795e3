//! Advisories, waivers, and what is known to be wrong with a release's components.

use crate::doors::{Reader, Signed};
use crate::problem::{Answer, Problem};
use crate::routes::releases;
use crate::show::id;
use crate::state::{Api, note};
use crate::strict::{Asked, Params, Raw, Strict};
use axum::Json;
use axum::extract::{Path, State};
use holdpoint_domain::build::advisories::{self, GrantWaiver};
use holdpoint_domain::kernel::{DocKey, Kind, PersonId, Refusal, Timestamp, WaiverId};
use holdpoint_domain::nouns::{Advisories, FreezeScope, Subject, Summary, Waiver};
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Filter, Order};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

const ROLES: [&str; 3] = ["security", "release-manager", "admin"];

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Delivered {
    /// A whole database, that takes the place of all before it: its receive time is the database's age.
    #[serde(default)]
    whole: bool,
}

/// Takes advisories in: one OSV record, or a zip of them. What was approved is judged anew within a second.
#[utoipa::path(post, path = "/v1/advisories", tag = "validation", params(Delivered), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, description = "the delivery's number")))]
pub async fn deliver(
    signed: Signed,
    State(api): State<Api>,
    Params(delivered): Params<Delivered>,
    Raw { bytes }: Raw,
) -> Answer<(StatusCode, Json<Value>)> {
    signed.needs(&["ci", "security", "release-manager", "admin"], "sending advisories")?;
    let records = api.engine().count_advisories(bytes.clone()).await.map_err(|why| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "VULN-006",
            format!("these are no advisories that can be read: {why}"),
            "send an OSV record as JSON, or a zip of such files",
        )
    })?;
    let source = api.store().blob_put(&bytes).await?;
    let (whole, actor) = (delivered.whole, signed.actor.clone());
    let asked = Asked { route: "POST /v1/advisories".to_owned(), idempotency: None };
    let decide = move |view: &holdpoint_domain::kernel::View, _: Timestamp| advisories::receive(view, source, whole, records, &actor);
    let answer = api.decide("advisories.receive", &signed.actor, &asked, vec![advisories::key()], decide).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// What was delivered since the last whole database.
#[utoipa::path(get, path = "/v1/advisories", tag = "validation", responses((status = 200, description = "deliveries")))]
pub async fn deliveries(_: Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let known: Option<Advisories> = api.store().get(api.project(), Advisories::KEY).await?;
    Ok(Json(known.map_or_else(
        || json!({"whole": null, "last": 0, "judged": 0, "deliveries": []}),
        |known| json!({"whole": known.whole, "last": known.last, "judged": known.judged, "deliveries": known.deliveries}),
    )))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWaiver {
    /// Any of the weakness's names.
    advisory: String,
    /// The package's URL without its version, or its name.
    package: String,
    /// None means all.
    #[serde(default)]
    environments: Vec<String>,
    #[serde(default)]
    services: Vec<String>,
    #[schema(value_type = String)]
    until: Timestamp,
    reason: String,
}

/// Bears a weakness for a reason until an instant.
#[utoipa::path(post, path = "/v1/waivers", tag = "governance", request_body = NewWaiver, responses((status = 201, description = "the waiver")))]
pub async fn grant(
    signed: Signed,
    State(api): State<Api>,
    Strict { value, asked }: Strict<NewWaiver>,
) -> Answer<(StatusCode, Json<Value>)> {
    for (name, text, most) in [("advisory", &value.advisory, 60), ("package", &value.package, 200), ("reason", &value.reason, 2000)] {
        if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
            return Err(Problem::parameter(format!("{name}: expected 1 to {most} characters, none of them a control character")));
        }
    }
    let ask = GrantWaiver {
        id: id("wvr")?,
        advisory: value.advisory,
        package: value.package,
        scope: FreezeScope { environments: value.environments, services: value.services },
        until: value.until,
        reason: note(&value.reason)?,
        actor: signed.actor.clone(),
    };
    let locks = vec![DocKey::new(Kind::Waiver, ask.id.as_str())];
    let answer = api.decide("waiver.grant", &signed.actor, &asked, locks, move |view, now| advisories::grant(view, &ask, now)).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// A waiver as lists show it.
async fn shown(api: &Api, waivers: &[Waiver], now: Timestamp) -> Answer<Vec<Value>> {
    let reasons = api.store().notes(api.project(), &waivers.iter().map(|one| one.reason).collect::<Vec<_>>()).await?;
    let people: Vec<PersonId> = waivers.iter().map(|one| one.by.clone()).collect();
    let handles = api.handles(people).await?;
    let state = |one: &Waiver| match (one.withdrawn, one.holds(now)) {
        (true, _) => "withdrawn",
        (false, true) => "holds",
        (false, false) => "expired",
    };
    Ok(waivers
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "advisory": one.advisory, "package": one.package, "environments": one.scope.environments,
                "services": one.scope.services, "by": handles.get(&one.by), "from": one.from, "until": one.until,
                "reason": reasons.get(&one.reason).map(|note| note.text.clone()), "state": state(one),
            })
        })
        .collect())
}

/// Waivers, newest first, expired and withdrawn ones too.
#[utoipa::path(get, path = "/v1/waivers", tag = "governance", responses((status = 200, description = "waivers")))]
pub async fn waivers(_: Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let now = api.store().now().await?;
    let filter = Filter { order: Order::Newest, limit: 200, ..Filter::default() };
    let (found, _) = api.store().list::<Waiver>(api.project(), &filter).await?;
    Ok(Json(json!({"waivers": shown(&api, &found, now).await?})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[serde(default)]
    reason: String,
}

/// Withdraws a waiver before its end.
#[utoipa::path(delete, path = "/v1/waivers/{id}", tag = "governance", params(("id" = String, Path)), request_body = Why, responses((status = 200, description = "withdrawn")))]
pub async fn withdraw(
    signed: Signed,
    State(api): State<Api>,
    Path(key): Path<String>,
    Strict { value, asked }: Strict<Why>,
) -> Answer<Json<Value>> {
    signed.needs(&ROLES, "withdrawing a waiver")?;
    let missing = || Problem::from(Refusal::new("WVR-002", format!("there is no waiver {key:?}"), "list them: GET /v1/waivers"));
    let id: WaiverId = key.parse().map_err(|_| missing())?;
    let locks = vec![DocKey::new(Kind::Waiver, id.as_str())];
    let (reason, actor) = (note(&value.reason)?, signed.actor.clone());
    let decide = move |view: &holdpoint_domain::kernel::View, _: Timestamp| advisories::withdraw(view, &id, &actor, reason.clone());
    api.decide("waiver.withdraw", &signed.actor, &asked, locks, decide).await.map(Json)
}

/// What a release is made of and what is known to be wrong with it, with who bears what.
#[utoipa::path(get, path = "/v1/releases/{id}/weaknesses", tag = "validation", params(("id" = String, Path)), responses((status = 200, description = "components and weaknesses")))]
pub async fn weaknesses(Reader(signed): Reader, State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<Value>> {
    let release = releases::get(&api, &name).await?;
    let now = api.store().now().await?;
    let all: Vec<Waiver> = api.store().all(api.project()).await?;
    let known: Option<Advisories> = api.store().get(api.project(), Advisories::KEY).await?;
    let manifest = release.manifest();
    let mut subjects = vec![("the release".to_owned(), *release.manifest_digest())];
    subjects.extend(manifest.components.iter().map(|(name, pin)| (name.clone(), pin.digest)));
    let mut rows = Vec::new();
    let mut named: Vec<Waiver> = Vec::new();
    for (what, digest) in subjects {
        let subject: Option<Subject> = api.store().get(api.project(), &digest.to_string()).await?;
        if let Some(row) = subject.as_ref().and_then(|subject| row(&what, digest, subject, &all, manifest.service.as_str(), &mut named)) {
            rows.push(row);
        }
    }
    let may_not = signed.needs(&ROLES, "bearing a weakness").err().map(|why| why.short());
    Ok(Json(json!({
        "database": known.map(|known| json!({"whole": known.whole, "last": known.last, "judged": known.judged})),
        "subjects": rows, "waivers": shown(&api, &named, now).await?, "refusals": {"waive": may_not},
    })))
}

fn row(what: &str, digest: Digest, subject: &Subject, all: &[Waiver], service: &str, named: &mut Vec<Waiver>) -> Option<Value> {
    let (source, format, count, at) = subject.standing().find_map(|item| match &item.summary {
        Summary::Components { source, format, count } => Some((source, format, count, item.received)),
        _ => None,
    })?;
    let judged = subject.standing().find_map(|item| match &item.summary {
        Summary::Vulnerabilities { components, counts, found, new, .. } if components == source => {
            let found: Vec<Value> = found
                .iter()
                .map(|one| {
                    let here = |waiver: &&Waiver| {
                        waiver.names(one) && (waiver.scope.services.is_empty() || waiver.scope.services.iter().any(|name| name == service))
                    };
                    let waivers: Vec<&Waiver> = all.iter().filter(here).collect();
                    for waiver in &waivers {
                        if !named.iter().any(|known| known.id == waiver.id) {
                            named.push((*waiver).clone());
                        }
                    }
                    json!({"weakness": one, "new": new.iter().any(|id| one.ids.contains(id)),
                        "waivers": waivers.iter().map(|waiver| &waiver.id).collect::<Vec<_>>()})
                })
                .collect();
            Some(json!({"at": item.received, "counts": counts, "found": found, "new": new}))
        }
        _ => None,
    });
    Some(json!({"what": what, "subject": digest, "format": format, "components": count, "source": source, "at": at, "judged": judged}))
}
