//! The worker protocol: leases by the pool's key, everything about an attempt by its own secret.

use crate::doors::{AttemptSecret, PoolKey};
use crate::problem::{Answer, Problem};
use crate::state::Api;
use crate::strict::{Params, Strict, collect};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use holdpoint_engine::protocol::{Asking, Attempt};
use holdpoint_executors::spec::Outcome;
use holdpoint_seal::digest::Digest;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    pool: String,
    worker: String,
    /// How long to wait for work, 30,000 at most.
    #[serde(default)]
    wait_ms: u64,
}

const WAIT_MAX_MS: u64 = 30_000;
/// A log ends here.
pub const LOG_MAX: u64 = 64 << 20;
const PIECE_MAX: usize = 1 << 20;

fn stale(attempt: &Attempt) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "ORC-006",
        "stale token: the lease of this attempt is no longer held",
        "stop; the step belongs to another lease or is over",
    )
    .with(json!({"attempt": attempt.attempt}))
}

/// Asks for work; waits for it.
#[utoipa::path(post, path = "/v1/worker/lease", tag = "worker", request_body = Ask, responses((status = 200, description = "a lease"), (status = 204, description = "no work")))]
pub async fn lease(key: PoolKey, State(api): State<Api>, headers: http::HeaderMap, Strict { value, .. }: Strict<Ask>) -> Answer<Response> {
    let wait = Duration::from_millis(value.wait_ms.min(WAIT_MAX_MS));
    let asking = asking(&key, &headers, value.pool, value.worker)?;
    Ok(match api.engine().lease(&asking, wait).await? {
        Some(lease) => Json(lease).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Who asks: within its pool, with a name, and perhaps with what only its folder holds.
fn asking(key: &PoolKey, headers: &http::HeaderMap, pool: String, worker: String) -> Answer<Asking> {
    if pool != key.pool {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "AUTH-011",
            format!("this key is not of pool {pool:?}"),
            "use the key of the pool whose work is asked for",
        ));
    }
    if worker.is_empty() || worker.len() > 100 || worker.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Problem::parameter("worker: expected a name of 1 to 100 characters without spaces"));
    }
    // Kept as its digest: whoever reads the database cannot pass for a worker.
    let identity = headers.get(holdpoint_engine::worker::IDENTITY).map(|value| Digest::of(value.as_bytes()).to_string());
    Ok(Asking { pool, worker, identity })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Again {
    pool: String,
    /// The worker's name, without a slot.
    worker: String,
}

/// Says that a worker was started again on its folder and that nobody else works there: what it held is looked for at once.
#[utoipa::path(post, path = "/v1/worker/reclaim", tag = "worker", request_body = Again, responses((status = 200, description = "how many leases were given up")))]
pub async fn reclaim(
    key: PoolKey,
    State(api): State<Api>,
    headers: http::HeaderMap,
    Strict { value, .. }: Strict<Again>,
) -> Answer<Json<Value>> {
    let asking = asking(&key, &headers, value.pool, value.worker)?;
    Ok(Json(json!({"reclaimed": api.engine().reclaim(&asking).await?})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    token: u64,
}

/// Renews the lease.
#[utoipa::path(post, path = "/v1/worker/attempts/{attempt}/heartbeat", tag = "worker", params(("attempt" = String, Path)), request_body = Beat, responses((status = 200, description = "renewed"), (status = 409, description = "no longer held: stop")))]
pub async fn heartbeat(
    AttemptSecret(attempt): AttemptSecret,
    State(api): State<Api>,
    Strict { value, .. }: Strict<Beat>,
) -> Answer<Json<Value>> {
    if api.engine().heartbeat(&attempt, value.token).await? {
        return Ok(Json(json!({"lease_ms": u64::try_from(holdpoint_engine::protocol::LEASE.as_millis()).unwrap_or(15_000)})));
    }
    Err(stale(&attempt))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// Where this piece begins.
    offset: u64,
}

/// Takes a piece of output. The same piece again changes nothing.
#[utoipa::path(post, path = "/v1/worker/attempts/{attempt}/output", tag = "worker", params(("attempt" = String, Path), At), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, description = "the log's length now")))]
pub async fn output(
    AttemptSecret(attempt): AttemptSecret,
    State(api): State<Api>,
    Params(at): Params<At>,
    request: Request,
) -> Answer<Json<Value>> {
    let (parts, body) = request.into_parts();
    let bytes = collect(&parts.headers, body, PIECE_MAX).await?;
    if at.offset.saturating_add(bytes.len() as u64) > LOG_MAX {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "LOG-001",
            format!("a log has at most {LOG_MAX} bytes; what follows is not kept"),
            "write less",
        ));
    }
    let length =
        append(&api, &attempt.attempt, at.offset, &bytes).await.map_err(|why| Problem::from(holdpoint_store::StoreError::from(why)))?;
    Ok(Json(json!({"length": length})))
}

/// Writes what is new. A piece that was lost leaves a gap, and what follows stays in its place.
async fn append(api: &Api, attempt: &str, offset: u64, bytes: &[u8]) -> std::io::Result<u64> {
    tokio::fs::create_dir_all(&api.settings().log_dir).await?;
    let mut file = tokio::fs::OpenOptions::new().create(true).write(true).truncate(false).open(api.log_file(attempt)).await?;
    let length = file.metadata().await?.len();
    let known = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
    let fresh = bytes.get(known..).unwrap_or_default();
    if !fresh.is_empty() {
        file.seek(std::io::SeekFrom::Start(offset + known as u64)).await?;
        file.write_all(fresh).await?;
        file.flush().await?;
    }
    Ok(file.metadata().await?.len())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    token: u64,
    #[schema(value_type = Object)]
    outcome: Outcome,
    /// Proof that nothing was begun.
    #[serde(default)]
    not_started: bool,
    /// The worker would go on with the run's next step: the answer's `next` is its lease, where it may be leased now.
    #[serde(default)]
    go_on: bool,
}

/// Tells what became of the attempt. Told twice, it counts once.
#[utoipa::path(post, path = "/v1/worker/attempts/{attempt}/outcome", tag = "worker", params(("attempt" = String, Path)), request_body = Told, responses((status = 200, description = "taken"), (status = 409, description = "not held, or told otherwise before")))]
pub async fn outcome(
    AttemptSecret(attempt): AttemptSecret,
    State(api): State<Api>,
    Strict { value, .. }: Strict<Told>,
) -> Answer<Json<Value>> {
    let log = keep_log(&api, &attempt.attempt).await?;
    let taken = api.engine().outcome(&attempt, value.token, value.outcome, value.not_started, log, value.go_on).await?;
    if log.is_some() {
        // The blob has it; a file that stays is only space.
        let _it_is_only_space = tokio::fs::remove_file(api.log_file(&attempt.attempt)).await;
    }
    let mut answer = taken.answer;
    if let Some(answer) = answer.as_object_mut() {
        // What the transaction granted is told as a whole lease, with its secret.
        answer.remove("next");
        answer.extend(taken.next.map(|lease| ("next".to_owned(), json!(lease))));
    }
    Ok(Json(answer))
}

async fn keep_log(api: &Api, attempt: &str) -> Answer<Option<Digest>> {
    let Ok(mut file) = tokio::fs::File::open(api.log_file(attempt)).await else { return Ok(None) };
    let mut upload = api.store().blob_upload(LOG_MAX).await?;
    let mut piece = vec![0_u8; 64 << 10];
    loop {
        let length = file.read(&mut piece).await.map_err(|why| Problem::broken(&why))?;
        if length == 0 {
            break;
        }
        upload.write(piece.get(..length).unwrap_or_default()).await?;
    }
    Ok(Some(upload.finish(None).await?))
}
