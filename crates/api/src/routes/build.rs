//! Builds: asked for here, run by a worker, seen as runs.

use crate::doors::{Maker, Reader};
use crate::problem::Answer;
use crate::show::{id, run};
use crate::state::Api;
use crate::strict::Strict;
use axum::Json;
use axum::extract::{Path, State};
use holdpoint_domain::build::builds::{self, StartBuild};
use holdpoint_domain::kernel::{DocKey, Kind};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBuild {
    service: String,
    component: String,
    /// As the worker reaches it.
    repository: String,
    /// Full object id.
    commit: String,
    #[serde(default)]
    base: Option<String>,
    /// Pool of the workers that may build; `default` where none is named.
    #[serde(default)]
    pool: Option<String>,
}

/// Builds a component at a commit.
#[utoipa::path(post, path = "/v1/builds", tag = "build", request_body = NewBuild, responses((status = 201, description = "the run")))]
pub async fn start(
    Maker(signed): Maker,
    State(api): State<Api>,
    Strict { value, asked }: Strict<NewBuild>,
) -> Answer<(StatusCode, Json<Value>)> {
    let ask = StartBuild {
        id: id("run")?,
        service: value.service,
        component: value.component,
        repository: value.repository,
        commit: value.commit,
        base: value.base,
        pool: value.pool.unwrap_or_else(|| "default".to_owned()),
        actor: signed.actor.clone(),
    };
    let locks = vec![DocKey::new(Kind::Run, ask.id.as_str())];
    let answer = api.decide("build.start", &signed.actor, &asked, locks, move |view, _| builds::start(view, &ask)).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// A build, as a run.
#[utoipa::path(get, path = "/v1/builds/{run}", tag = "build", params(("run" = String, Path)), responses((status = 200, description = "the run")))]
pub async fn show(Reader(signed): Reader, State(api): State<Api>, Path(id): Path<String>) -> Answer<Json<Value>> {
    run::view(&api, &signed, &run::get(&api, &id).await?).await.map(Json)
}
