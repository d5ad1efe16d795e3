//! Bytes by digest. Nothing of a request becomes a path; what comes back is never shown by a browser as a page.

use crate::doors::{Depot, DepotReader};
use crate::problem::{Answer, Problem};
use crate::state::Api;
use crate::strict::{BODY_TIME, slow};
use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Json, extract::Request};
use futures_util::StreamExt as _;
use holdpoint_seal::digest::Digest;
use holdpoint_store::StoreError;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// An uploaded blob has at most this many bytes.
pub const BLOB_MAX: u64 = 1 << 30;

/// A digest in a path or parameter.
pub fn digest(text: &str) -> Answer<Digest> {
    text.parse().map_err(|why| Problem::parameter(format!("expected sha256:… with 64 hexadecimal digits: {why}")))
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "HTTP-002", format!("the blob has more than {BLOB_MAX} bytes"), "send smaller files")
}

/// Stores bytes under the digest that they must have.
#[utoipa::path(put, path = "/v1/blobs/{digest}", tag = "blobs", params(("digest" = String, Path)), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, description = "stored"), (status = 422, description = "other bytes than the digest says")))]
pub async fn put(_: Depot, State(api): State<Api>, Path(name): Path<String>, request: Request) -> Answer<(StatusCode, Json<Value>)> {
    let expected = digest(&name)?;
    let declared =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > BLOB_MAX) {
        return Err(too_large());
    }
    let mut upload = api.store().blob_upload(BLOB_MAX).await?;
    let mut pieces: BodyDataStream = request.into_body().into_data_stream();
    loop {
        let piece = tokio::time::timeout(BODY_TIME, pieces.next()).await.map_err(|_| slow())?;
        let Some(piece) = piece else { break };
        let piece =
            piece.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "HTTP-001", "the body ended before its end", "send it again"))?;
        if upload.size() + piece.len() as u64 > BLOB_MAX {
            return Err(too_large());
        }
        upload.write(&piece).await?;
    }
    let size = upload.size();
    match upload.finish(Some(expected)).await {
        Ok(stored) => Ok((StatusCode::CREATED, Json(json!({"digest": stored, "size": size})))),
        Err(StoreError::Broken(why)) if why.contains("not what they were said to be") => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "BLB-002",
            format!("these bytes are not {}: {why}", expected.short()),
            "send the bytes that the digest was made of",
        )),
        Err(other) => Err(other.into()),
    }
}

/// The bytes of a digest.
#[utoipa::path(get, path = "/v1/blobs/{digest}", tag = "blobs", params(("digest" = String, Path)), responses((status = 200, description = "the bytes", content_type = "application/octet-stream"), (status = 404, description = "no such blob")))]
pub async fn get(_: DepotReader, State(api): State<Api>, Path(name): Path<String>) -> Answer<Response> {
    let wanted = digest(&name)?;
    send(&api, &wanted, "application/octet-stream").await
}

/// A blob as an attachment.
pub async fn send(api: &Api, wanted: &Digest, kind: &'static str) -> Answer<Response> {
    let missing = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "BLB-001",
            format!("there is no blob {}", wanted.short()),
            "check the digest; what no fact names is deleted after a while",
        )
    };
    let (file, size) = api.store().blob_open(wanted).await?.ok_or_else(missing)?;
    let stream = tokio_util::io::ReaderStream::with_capacity(file, 64 << 10);
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    attachment(headers, &format!("{}.bin", wanted.hex()));
    Ok(response)
}

/// Kept, never rendered: whatever is in it.
pub fn attachment(headers: &mut http::HeaderMap, name: &str) {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
}
