//! The admin API: routes in, routes and counts out.
//!
//! Every end point but `/healthz` needs the token, and the check comes before the path is looked at, so that the
//! answer to a stranger is the same everywhere.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use super::Shared;
use super::body::ResponseBody;
use super::forward::problem;
use super::routes::{Judged, Route, RouteSpec};

const BODY_BYTES_MAX: usize = 1024 * 1024;

pub(crate) async fn handle(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<ResponseBody> {
    let path = request.uri().path().to_owned();
    if path == "/healthz" && request.method() == Method::GET {
        return answer(StatusCode::OK, &json!({"status": "ok"}));
    }
    if !is_authorised(shared, &request) {
        let mut response = problem(401, "PROXY-TOKEN", "The admin token is missing or wrong.");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    match (request.method(), path.as_str()) {
        (&Method::GET, "/routes") => answer(StatusCode::OK, &routes(shared)),
        (&Method::GET, "/stats") => answer(StatusCode::OK, &stats(shared)),
        (&Method::PUT, path) if path.starts_with("/routes/") => {
            let name = path.trim_start_matches("/routes/").to_owned();
            match shared.routes.get(&name).cloned() {
                Some(route) => put(shared, route, request).await,
                None => problem(404, "PROXY-ROUTE", "The proxy does not listen for a route of this name."),
            }
        }
        (_, path) if path == "/routes" || path == "/stats" || path.starts_with("/routes/") => {
            problem(405, "PROXY-METHOD", "Use GET /routes, PUT /routes/{route} or GET /stats.")
        }
        _ => problem(404, "PROXY-PATH", "There is GET /routes, PUT /routes/{route} and GET /stats."),
    }
}

fn is_authorised(shared: &Shared, request: &Request<Incoming>) -> bool {
    let mut offered = request.headers().get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (offered.next(), offered.next()) else { return false };
    one.as_bytes().strip_prefix(b"Bearer ").is_some_and(|token| shared.token.is(token))
}

async fn put(shared: &Arc<Shared>, route: Arc<Route>, request: Request<Incoming>) -> Response<ResponseBody> {
    let body = match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return problem(413, "PROXY-BODY", "The body was cut off or is above 1 MiB."),
    };
    let wanted: RouteSpec = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => return problem(400, "PROXY-BODY", &format!("The body is not a route: {error}.")),
    };
    if let Err(why) = wanted.check() {
        return problem(422, "PROXY-BODY", &format!("The route cannot be served: {why}."));
    }
    // A task of its own: a caller that hangs up must not leave a route that is saved but not in force.
    let task = tokio::spawn(change(shared.clone(), route, wanted));
    task.await.unwrap_or_else(|_| problem(500, "PROXY-STATE", "The change was not finished."))
}

async fn change(shared: Arc<Shared>, route: Arc<Route>, wanted: RouteSpec) -> Response<ResponseBody> {
    let mut store = shared.store.clone().lock_owned().await;
    match route.judge(&wanted) {
        Judged::Same => return answer(StatusCode::OK, &changed(&route, false)),
        Judged::Overtaken => return overtaken(&route, wanted.generation),
        Judged::New => {}
    }
    let (name, spec) = (route.name.clone(), wanted.clone());
    let saved = tokio::task::spawn_blocking(move || store.save(&name, &spec).map(|()| store)).await;
    match saved {
        Ok(Ok(_still_locked)) => {
            tracing::info!(route = %route.name, generation = wanted.generation, "route changed");
            route.apply(wanted);
            answer(StatusCode::OK, &changed(&route, true))
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the routes could not be saved");
            problem(507, "PROXY-STATE", "The route could not be saved and was not changed.")
        }
        Err(_) => problem(500, "PROXY-STATE", "The route could not be saved and was not changed."),
    }
}

fn overtaken(route: &Route, wanted: u64) -> Response<ResponseBody> {
    let current = route.spec();
    let document = json!({
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "PROXY-GENERATION",
        "detail": format!("Generation {wanted} does not rise above {} and says something else.", current.generation),
        "current": current,
    });
    let mut response = answer(StatusCode::CONFLICT, &document);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

fn changed(route: &Route, changed: bool) -> Value {
    json!({
        "route": route.name,
        "generation": route.spec().generation,
        "changed": changed,
        "versions": versions(route),
    })
}

fn versions(route: &Route) -> Value {
    let versions: Map<String, Value> = route
        .draining()
        .into_iter()
        .map(|(name, (weight, in_flight))| {
            (name, json!({"weight": weight, "in_flight": in_flight, "drained": weight == 0 && in_flight == 0}))
        })
        .collect();
    Value::Object(versions)
}

fn routes(shared: &Shared) -> Value {
    let routes: Map<String, Value> = shared
        .routes
        .values()
        .map(|route| {
            let spec = route.spec();
            let upstreams: Vec<Value> = route
                .upstreams()
                .iter()
                .map(|upstream| {
                    json!({
                        "address": upstream.address,
                        "in_flight": upstream.in_flight(),
                        "refusing": upstream.is_shunned(),
                    })
                })
                .collect();
            let document = json!({
                "generation": spec.generation,
                "listen": shared.bound.get(&route.name),
                "expose_version": spec.expose_version,
                "backends": spec.backends,
                "addresses": upstreams,
                "versions": versions(route),
            });
            (route.name.clone(), document)
        })
        .collect();
    json!({"start_id": shared.start_id, "routes": routes})
}

fn stats(shared: &Shared) -> Value {
    let routes: Map<String, Value> = shared
        .routes
        .values()
        .map(|route| {
            let document = json!({"refused": route.refused.load(Relaxed), "versions": route.stats()});
            (route.name.clone(), document)
        })
        .collect();
    json!({"start_id": shared.start_id, "routes": routes})
}

fn answer(status: StatusCode, document: &Value) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Own(Full::new(Bytes::from(document.to_string()))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
