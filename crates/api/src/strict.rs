//! Bodies and parameters, read strictly: one JSON document without duplicate keys, unknown members refused by the types,
//! sizes and times limited. A body that is read slowly does not hold a place for long.

use crate::problem::{Answer, Problem};
use crate::state::Api;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use holdpoint_seal::digest::Digest;
use holdpoint_seal::json;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A JSON body has at most this many bytes.
pub const BODY_MAX: usize = 2 << 20;
/// A piece of evidence.
pub const EVIDENCE_MAX: usize = 64 << 20;
/// A whole body takes at most this long; pieces of streamed ones likewise.
pub const BODY_TIME: Duration = Duration::from_secs(30);

/// Where a command came in and under which key, for "at most once".
#[derive(Debug, Clone)]
pub struct Asked {
    pub route: String,
    pub idempotency: Option<(String, Digest)>,
}

/// A JSON body of a known shape. An empty body stands for an empty object.
pub struct Strict<T> {
    pub value: T,
    pub asked: Asked,
}

/// The body as it came, up to [`EVIDENCE_MAX`].
pub struct Raw {
    pub bytes: Bytes,
}

/// Query parameters of a known shape.
pub struct Params<T>(pub T);

/// For routes that take no body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

fn too_large(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "HTTP-002", format!("the body has more than {limit} bytes"), "send less at once")
}

/// Reads a body to its end, within bounds of size and time.
pub async fn collect(headers: &HeaderMap, body: Body, limit: usize) -> Answer<Bytes> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let reading = http_body_util::Limited::new(body, limit).collect();
    match tokio::time::timeout(BODY_TIME, reading).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(why)) if why.downcast_ref::<http_body_util::LengthLimitError>().is_some() => Err(too_large(limit)),
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "HTTP-001", "the body ended before its end", "send the request again")),
        Err(_) => Err(slow()),
    }
}

/// A body that did not come in time.
pub fn slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "HTTP-008",
        format!("the body did not come within {} s", BODY_TIME.as_secs()),
        "send the request again",
    )
}

fn idempotency(headers: &HeaderMap, body: &[u8]) -> Answer<Option<(String, Digest)>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=200).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
    let key = key.ok_or_else(|| Problem::parameter("Idempotency-Key: expected 1 to 200 visible ASCII characters without spaces"))?;
    Ok(Some((key.to_owned(), Digest::of(body))))
}

/// Reads JSON into a shape, with a sentence that says where and what was expected.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    let value = json::parse(text, BODY_MAX).map_err(|why| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "HTTP-001",
            format!("the body is no JSON document that can be taken: {why}"),
            "send one JSON document in UTF-8 without duplicate keys",
        )
    })?;
    json::shape(value).map_err(|why| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "HTTP-012",
            format!("the body does not have the expected shape: {why}"),
            "see GET /openapi.json for the members of this body",
        )
    })
}

impl<T: DeserializeOwned> FromRequest<Api> for Strict<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &Api) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let bytes = collect(&parts.headers, body, BODY_MAX).await?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        // A form of another site can send text, never this type without asking first.
        let json = ["application/json", "application/merge-patch+json"].iter().any(|known| kind.eq_ignore_ascii_case(known));
        if !bytes.is_empty() && !json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "HTTP-009",
                format!("the body is {kind:?}"),
                "send application/json",
            ));
        }
        let target = parts.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
        let asked = Asked { route: format!("{} {target}", parts.method), idempotency: idempotency(&parts.headers, &bytes)? };
        Ok(Self { value: read(&bytes)?, asked })
    }
}

impl FromRequest<Api> for Raw {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &Api) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        Ok(Self { bytes: collect(&parts.headers, body, EVIDENCE_MAX).await? })
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Params<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, api).await;
        read.map(|axum::extract::Query(value)| Params(value)).map_err(|why| Problem::parameter(why.body_text()))
    }
}
