//! What a release's interfaces break where it goes, and for whom.

use crate::doors::Reader;
use crate::problem::{Answer, Problem};
use crate::routes::releases;
use crate::state::Api;
use axum::Json;
use axum::extract::{Path, State};
use holdpoint_domain::build::compatibility::overview;
use holdpoint_domain::gates;
use holdpoint_domain::nouns::{Pipeline, Service};
use holdpoint_store::StoreError;
use serde_json::{Value, json};

/// A release's interfaces against every version that runs or may come back, in each environment whose gate asks for it.
#[utoipa::path(get, path = "/v1/releases/{id}/compatibility", tag = "validation", params(("id" = String, Path)), responses((status = 200, description = "comparisons, changes and the consumers that they hit")))]
pub async fn show(Reader(signed): Reader, State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<Value>> {
    let release = releases::get(&api, &name).await?;
    let service: Option<Service> = api.store().get(api.project(), &release.manifest().service).await?;
    let pipeline: Option<Pipeline> = match &service {
        Some(service) => api.store().get(api.project(), &service.spec.pipeline).await?,
        None => None,
    };
    let stages = pipeline.into_iter().flat_map(|pipeline| pipeline.spec.stages).filter(|stage| stage.gates.compatibility.is_some());
    let mut environments = Vec::new();
    for stage in stages {
        let asked = api
            .engine()
            .ask(|view, now| gates::question(view, release.id.as_str(), &stage.environment, None, now).map(|question| overview(&question)));
        match asked.await {
            Ok(overview) => environments.push(overview),
            // Its environment is retired: nothing goes there.
            Err(StoreError::Refused(_)) => {}
            Err(other) => return Err(Problem::from(other)),
        }
    }
    let may_not = signed.needs(&["security", "release-manager", "admin"], "bearing a break").err().map(|why| why.short());
    Ok(Json(json!({"environments": environments, "refusals": {"waive": may_not}})))
}
