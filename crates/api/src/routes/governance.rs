//! Gates, votes and freezes.

use crate::doors::{Reader, Signed};
use crate::problem::{Answer, Problem};
use crate::routes::environments::names;
use crate::show::{id, release};
use crate::state::{Api, note};
use crate::strict::{Asked, Params, Strict};
use axum::Json;
use axum::extract::{Path, State};
use holdpoint_domain::governance::approvals::{self, Vote};
use holdpoint_domain::governance::attempts;
use holdpoint_domain::governance::freezes::{self, DeclareFreeze};
use holdpoint_domain::kernel::{DocKey, FreezeId, Kind, PersonId, Timestamp};
use holdpoint_domain::nouns::{ApprovalState, Environment, Freeze, FreezeScope};
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Filter, Order, StoreError};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Where {
    environment: String,
}

/// All gates of a release before an environment, asked now.
#[utoipa::path(get, path = "/v1/releases/{id}/gates", tag = "governance", params(("id" = String, Path), Where), responses((status = 200, description = "the report")))]
pub async fn gates(_: Reader, State(api): State<Api>, Path(id): Path<String>, Params(place): Params<Where>) -> Answer<Json<Value>> {
    let report = api.engine().report(&id, &place.environment).await?;
    Ok(Json(json!({"report": release::report(&report)})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Word {
    environment: String,
    /// The manifest that was shown.
    #[schema(value_type = String)]
    manifest_digest: Digest,
    /// The root of the evidence that was shown.
    #[schema(value_type = String)]
    evidence_root: Digest,
    #[serde(default)]
    comment: String,
}

async fn vote(api: &Api, signed: &Signed, release: String, word: Word, state: ApprovalState, asked: &Asked) -> Answer<Json<Value>> {
    let comment = if word.comment.trim().is_empty() { None } else { Some(note(&word.comment)?) };
    let locks = vec![DocKey::new(Kind::Release, release.as_str())];
    let vote = Vote {
        release,
        environment: word.environment,
        manifest_digest: word.manifest_digest,
        evidence_root: word.evidence_root,
        state,
        comment,
        actor: signed.actor.clone(),
    };
    let request = api.request("approval.vote", &signed.actor, asked, locks.clone());
    let asking = vote.clone();
    match api.store().decide(&request, move |view, now| approvals::vote(view, &asking, now)).await {
        Ok(committed) => Ok(Json(committed.answer)),
        Err(StoreError::Refused(refusal)) => {
            if attempts::kept(&vote, &refusal) {
                refused(api, asked, vote, refusal.code.clone(), locks).await;
            }
            Err(Problem::from(*refusal))
        }
        Err(why) => Err(why.into()),
    }
}

/// Keeps a refused vote, in a commit after the refusal: that one left nothing. The caller's answer does not depend on it.
async fn refused(api: &Api, asked: &Asked, vote: Vote, code: String, locks: Vec<DocKey>) {
    // The same request again is the same attempt. Another body under the same key is another one: as the refusal used
    // the key up for nobody, it must not hide what comes after it.
    let idempotency = asked.idempotency.as_ref().map(|(key, body)| (Digest::of(format!("{key} {body}").as_bytes()).to_string(), *body));
    let asked = Asked { route: format!("{} refused", asked.route), idempotency };
    let (by, release, environment) = (vote.actor.name.clone(), vote.release.clone(), vote.environment.clone());
    let request = api.request("approval.refused", &vote.actor, &asked, locks);
    let about = code.clone();
    match api.store().decide(&request, move |view, now| attempts::record(view, &vote, &about, now)).await {
        Ok(kept) if kept.replayed || kept.answer["recorded"] == true => {}
        Ok(_) => {
            let left_out = LEFT_OUT.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(by, release, environment, code, left_out, "a refused vote was not recorded: the hour has its share of this one");
        }
        Err(why) => tracing::error!(%why, by, release, environment, code, "a refused vote could not be recorded"),
    }
}

/// Refused votes that were beyond the hour's share, since the server's start.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Approves what was shown: the manifest and the evidence by their digests.
#[utoipa::path(post, path = "/v1/releases/{id}/approvals", tag = "governance", params(("id" = String, Path)), request_body = Word, responses((status = 200, description = "recorded"), (status = 409, description = "what was shown is not what is there now")))]
pub async fn approve(
    signed: Signed,
    State(api): State<Api>,
    Path(id): Path<String>,
    Strict { value, asked }: Strict<Word>,
) -> Answer<Json<Value>> {
    vote(&api, &signed, id, value, ApprovalState::Given, &asked).await
}

/// Rejects what was shown.
#[utoipa::path(post, path = "/v1/releases/{id}/rejections", tag = "governance", params(("id" = String, Path)), request_body = Word, responses((status = 200, description = "recorded")))]
pub async fn reject(
    signed: Signed,
    State(api): State<Api>,
    Path(id): Path<String>,
    Strict { value, asked }: Strict<Word>,
) -> Answer<Json<Value>> {
    vote(&api, &signed, id, value, ApprovalState::Rejected, &asked).await
}

#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaybeWhere {
    #[serde(default)]
    environment: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WhereAsked {
    #[serde(default)]
    environment: Option<String>,
}

/// Takes one's own word back.
#[utoipa::path(delete, path = "/v1/releases/{id}/approvals/mine", tag = "governance", params(("id" = String, Path), WhereAsked), responses((status = 200, description = "taken back")))]
pub async fn withdraw_vote(
    signed: Signed,
    State(api): State<Api>,
    Path(id): Path<String>,
    Params(place): Params<WhereAsked>,
    Strict { value, asked }: Strict<MaybeWhere>,
) -> Answer<Json<Value>> {
    let environment = place
        .environment
        .or(value.environment)
        .ok_or_else(|| Problem::parameter("environment: expected the environment that the word was for"))?;
    let nothing = Digest::of(b"");
    let word = Word { environment, manifest_digest: nothing, evidence_root: nothing, comment: String::new() };
    vote(&api, &signed, id, word, ApprovalState::Withdrawn, &asked).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFreeze {
    name: String,
    #[serde(default)]
    environments: Vec<String>,
    #[serde(default)]
    services: Vec<String>,
    /// From now on where it is not said.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    from: Option<Timestamp>,
    #[schema(value_type = String)]
    until: Timestamp,
    #[serde(default)]
    reason: String,
}

/// Declares a freeze: no forward step in its scope while it holds.
#[utoipa::path(post, path = "/v1/freezes", tag = "governance", request_body = NewFreeze, responses((status = 201, description = "the freeze")))]
pub async fn declare_freeze(
    signed: Signed,
    State(api): State<Api>,
    Strict { value, asked }: Strict<NewFreeze>,
) -> Answer<(StatusCode, Json<Value>)> {
    if value.name.trim().is_empty() || value.name.chars().count() > 200 || value.name.chars().any(char::is_control) {
        return Err(Problem::parameter("name: expected 1 to 200 characters, none of them a control character"));
    }
    let from = match value.from {
        Some(from) => from,
        None => api.store().now().await?,
    };
    let ask = DeclareFreeze {
        id: id("frz")?,
        name: value.name,
        scope: FreezeScope { environments: value.environments, services: value.services },
        from,
        until: value.until,
        reason: note(&value.reason)?,
        actor: signed.actor.clone(),
    };
    let locks = freezes::locks(&ask.id, &ask.scope, &names::<Environment>(&api).await?);
    let answer = api.decide("freeze.declare", &signed.actor, &asked, locks, move |view, _| freezes::declare(view, &ask)).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Freezes, newest first, lifted and past ones too.
#[utoipa::path(get, path = "/v1/freezes", tag = "governance", responses((status = 200, description = "freezes")))]
pub async fn freezes(Reader(signed): Reader, State(api): State<Api>) -> Answer<Json<Value>> {
    let now = api.store().now().await?;
    let filter = Filter { order: Order::Newest, limit: 200, ..Filter::default() };
    let (found, _) = api.store().list::<Freeze>(api.project(), &filter).await?;
    let reasons = api.store().notes(api.project(), &found.iter().map(|freeze| freeze.reason).collect::<Vec<_>>()).await?;
    let may_not = signed.needs(&["admin", "release-manager", "operator"], "declaring or lifting a freeze").err().map(|why| why.short());
    let mut shown = Vec::new();
    for freeze in &found {
        let state = if freeze.lifted {
            "lifted"
        } else if freeze.until <= now {
            "over"
        } else if freeze.holds(now) {
            "holds"
        } else {
            "planned"
        };
        let first = api.store().facts_of_stream(api.project(), &DocKey::new(Kind::Freeze, freeze.id.as_str()), 0, 1).await?;
        let by: Option<PersonId> = first.first().and_then(|fact| fact.envelope.actor.parse().ok());
        let by = api.handles(by.into_iter().collect()).await?.into_values().next();
        let mut one = json!({
            "id": freeze.id, "name": freeze.name, "environments": freeze.scope.environments, "services": freeze.scope.services, "from": freeze.from,
            "until": freeze.until, "reason": reasons.get(&freeze.reason).map(|note| note.text.clone()), "by": by, "state": state,
        });
        if let (Some(object), Some(why)) = (one.as_object_mut(), &may_not) {
            object.insert("refusals".to_owned(), json!({"lift": why}));
        }
        shown.push(one);
    }
    Ok(Json(json!({"freezes": shown})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    #[serde(default)]
    reason: String,
}

/// Lifts a freeze before its end.
#[utoipa::path(delete, path = "/v1/freezes/{id}", tag = "governance", params(("id" = String, Path)), request_body = Reason, responses((status = 200, description = "lifted")))]
pub async fn lift_freeze(
    signed: Signed,
    State(api): State<Api>,
    Path(key): Path<String>,
    Strict { value, asked }: Strict<Reason>,
) -> Answer<Json<Value>> {
    let missing = || {
        Problem::from(holdpoint_domain::kernel::Refusal::new(
            "FRZ-003",
            format!("there is no freeze {key:?}"),
            "list them: GET /v1/freezes",
        ))
    };
    let id: FreezeId = key.parse().map_err(|_| missing())?;
    let known: Freeze = api.store().get(api.project(), id.as_str()).await?.ok_or_else(missing)?;
    let locks = freezes::locks(&id, &known.scope, &names::<Environment>(&api).await?);
    let reason = note(&value.reason)?;
    let actor = signed.actor.clone();
    api.decide("freeze.lift", &signed.actor, &asked, locks, move |view, _| freezes::lift(view, &id, &actor, reason.clone())).await.map(Json)
}
