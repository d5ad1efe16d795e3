//! Around every route: a place among those served at once, the right host, no foreign origin, headers that keep what is
//! stored from acting, and a net under panics. Decides no access: that is the doors'.

use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::panic::AssertUnwindSafe;

/// The page's policy: everything from here, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// See the module.
pub async fn around(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Ok(place) = api.places().clone().try_acquire_owned() else {
        return with_headers(
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "HTTP-010",
                "too many requests are being served at this moment",
                "ask again in a moment",
            )
            .retry(1)
            .into_response(),
        );
    };
    if let Err(refused) = host(&api, request.headers(), request.uri()).and_then(|()| origin(&api, request.method(), request.headers())) {
        return with_headers(refused.into_response());
    }
    let response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let why = panic.downcast_ref::<&str>().copied().map(str::to_owned).or_else(|| panic.downcast_ref::<String>().cloned());
            Problem::broken(&why.unwrap_or_else(|| "a panic".to_owned())).into_response()
        }
    };
    drop(place);
    with_headers(spoken(response))
}

/// What the framework itself refuses (a method, a path) becomes a problem like every other.
fn spoken(response: Response) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/problem+json") {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let (code, detail, unblock) = match status {
        StatusCode::NOT_FOUND => ("HTTP-006", "there is nothing at this address", "see GET /openapi.json for what there is"),
        StatusCode::METHOD_NOT_ALLOWED => ("HTTP-007", "this address does not take this method", "see GET /openapi.json for what there is"),
        _ => ("HTTP-011", "the request cannot be read", "see GET /openapi.json for what there is"),
    };
    let mut problem = Problem::new(status, code, detail, unblock).into_response();
    if let Some(allow) = allow {
        problem.headers_mut().insert(header::ALLOW, allow);
    }
    problem
}

fn name_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.rsplit_once(':').map_or(authority, |(name, _)| name)
}

/// Host and port of the public URL.
fn public(api: &Api) -> Option<&str> {
    let (_, rest) = api.settings().public_url.as_deref()?.split_once("://")?;
    rest.split('/').next()
}

/// Another name may have been pointed at this address to make a browser believe it is that other site.
fn host(api: &Api, headers: &HeaderMap, uri: &http::Uri) -> Result<(), Problem> {
    let Some(authority) =
        headers.get(header::HOST).and_then(|value| value.to_str().ok()).or_else(|| uri.authority().map(|one| one.as_str()))
    else {
        return Ok(());
    };
    let name = name_of(authority).to_ascii_lowercase();
    let ours = |known: &str| name_of(known).eq_ignore_ascii_case(&name);
    let settings = api.settings();
    let public = public(api);
    let known = name == "localhost"
        || name.parse::<std::net::IpAddr>().is_ok()
        || public.is_some_and(ours)
        || settings.allowed_hosts.iter().any(|host| ours(host));
    if known {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "HTTP-004",
        format!("this server does not answer to the name {:?}", name.chars().take(80).collect::<String>()),
        "start it with this name as its public URL or as an allowed host",
    ))
}

/// A change that a browser sends from another site is refused, whatever it carries.
fn origin(api: &Api, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign_site = matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"));
    let foreign_origin = headers.get(header::ORIGIN).is_some_and(|_| {
        let origin = text("origin").and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        // Behind a proxy the host may be another one than users see.
        origin.is_none() || (origin != text("host") && origin != public(api))
    });
    if foreign_site || foreign_origin {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "HTTP-003",
            "a change that comes from another site",
            "open Holdpoint's own page, or use a token without a browser",
        ));
    }
    Ok(())
}

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
