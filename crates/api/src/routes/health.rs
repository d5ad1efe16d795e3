//! The server itself: whether it lives, whether it can work, numbers without names, its own description.

use crate::doors::Anyone;
use crate::problem::{Answer, Problem};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// Facts that wait to be sealed; beyond this the sequencer does not keep up.
const LAG_MAX: u64 = 20_000;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "it lives")))]
pub async fn healthz(_: Anyone) -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The process can work: its database answers, its clock is sound, sealing keeps up.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, description = "it can work"), (status = 503, description = "it cannot at present")))]
pub async fn readyz(_: Anyone, State(api): State<Api>) -> Answer<Json<Value>> {
    api.store().ping().await?;
    let unsealed = api.store().unsealed().await?;
    let not_ready = |why: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STO-007", why, "see the server's log").retry(5);
    if api.store().clock_jump() {
        return Err(not_ready("the database's clock has jumped backwards"));
    }
    let scrub = api.engine().scrubbed();
    if let Some(first) = scrub.differences.first() {
        return Err(not_ready(&format!("the ledger is not what was sealed: {first}")));
    }
    if unsealed > LAG_MAX {
        return Err(not_ready("committed facts are not being sealed"));
    }
    Ok(Json(json!({"status": "ok", "unsealed": unsealed, "scrub": {"next": scrub.next, "facts": scrub.facts, "round_at": scrub.round_at}})))
}

/// Numbers for Prometheus; no names of anything.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "Prometheus text", content_type = "text/plain")))]
pub async fn metrics(_: Anyone, State(api): State<Api>) -> Answer<Response> {
    let counts = api.store().counts().await?;
    let mut text = String::new();
    for (name, what, value) in [
        ("holdpoint_facts", "Committed facts.", counts.facts),
        ("holdpoint_facts_unsealed", "Committed facts that are not in the log yet.", counts.unsealed),
        ("holdpoint_documents", "Documents folded from facts.", counts.documents),
        ("holdpoint_actions_ready", "Steps that wait for a worker.", counts.actions_ready),
        ("holdpoint_actions_leased", "Steps that workers hold.", counts.actions_leased),
        ("holdpoint_sessions", "Browser sessions.", counts.sessions),
        ("holdpoint_blobs", "Stored blobs.", counts.blobs),
        ("holdpoint_blob_bytes", "Bytes of stored blobs.", counts.blob_bytes),
    ] {
        text.push_str(&format!("# HELP {name} {what}\n# TYPE {name} gauge\n{name} {value}\n"));
    }
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    Ok(response)
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "health", responses((status = 200, description = "OpenAPI 3.1")))]
pub async fn description(_: Anyone) -> Answer<Json<Value>> {
    serde_json::to_value(crate::openapi()).map(Json).map_err(|why| Problem::broken(&why))
}
