//! One request from a client to a backend and its answer back.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::body::{Relayed, ResponseBody, Upload, UploadBody};
use super::counters::{Ending, Ticket};
use super::pool::{Connection, Occupied};
use super::routes::{Picked, Route, Version};
use super::{Limits, headers, upgrade};

const VERSION_HEADER: HeaderName = HeaderName::from_static("holdpoint-version");
/// Reused connections that may turn out to be closed before a new one is opened.
const REUSES_MAX: u32 = 3;

/// Why there is no answer of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// No address of the version took a connection; nothing was sent.
    Unreachable,
    /// A backend broke off before its answer.
    BrokeOff,
    /// A backend was silent for the request timeout.
    Silent,
    /// The client stopped in mid-request.
    ClientStopped,
}

struct Exchange {
    response: Response<Incoming>,
    connection: Connection,
    occupied: Occupied,
}

/// Answers one request of a client.
pub(crate) async fn handle(
    limits: &Limits,
    route: &Route,
    client: IpAddr,
    ambiguous: bool,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let checked = if ambiguous {
        Err((400, "The length of a request on this connection can be read in two ways."))
    } else {
        headers::check(&request)
    };
    if let Err((status, detail)) = checked {
        route.refused.fetch_add(1, Relaxed);
        return closing(problem(status, "PROXY-REFUSED", detail));
    }
    let Some(Picked { version, mut ticket, first, expose_version }) = route.pick() else {
        route.refused.fetch_add(1, Relaxed);
        return problem(503, "PROXY-NO-VERSION", "No version takes requests on this route.");
    };
    let websocket = headers::wants_websocket(&request);
    let client_side = websocket.then(|| hyper::upgrade::on(&mut request));
    let (mut head, incoming) = request.into_parts();
    let (body, upload) = UploadBody::new(incoming);
    headers::to_backend(&mut head, client, websocket, &route.name);
    head.extensions.clear();
    let request = Request::from_parts(head, body);

    let exchange = match exchange(limits, &version, first, &ticket, request, upload.as_ref(), websocket).await {
        Ok(exchange) => exchange,
        Err(failure) => return failed(failure, &mut ticket),
    };
    let Exchange { response, connection, occupied } = exchange;
    let mut response = match (response.status(), client_side) {
        (StatusCode::SWITCHING_PROTOCOLS, Some(client_side)) => upgrade::tunnel(response, client_side, ticket, occupied),
        (StatusCode::SWITCHING_PROTOCOLS, None) => return failed(Failure::BrokeOff, &mut ticket),
        (status, _) => {
            let (mut head, incoming) = response.into_parts();
            headers::to_client(&mut head);
            head.extensions.clear();
            let stall = limits.request_timeout;
            let relayed = Relayed::new(incoming, status.as_u16(), ticket, occupied, connection, upload, stall);
            Response::from_parts(head, ResponseBody::Relayed(Box::new(relayed)))
        }
    };
    response.headers_mut().remove(VERSION_HEADER);
    if expose_version && let Ok(value) = HeaderValue::from_str(&version.name) {
        response.headers_mut().insert(VERSION_HEADER, value);
    }
    response
}

/// Finds a backend of the version that answers. Sends again only what cannot have been acted upon (see the module).
async fn exchange(
    limits: &Limits,
    version: &Version,
    first: Occupied,
    ticket: &Ticket,
    mut request: Request<UploadBody>,
    upload: Option<&Arc<Upload>>,
    fresh_only: bool,
) -> Result<Exchange, Failure> {
    let mut tried = Vec::new();
    let mut reuses_left = if fresh_only { 0 } else { REUSES_MAX };
    let mut may_repeat = upload.is_none() && !fresh_only && headers::is_repeatable(request.method());
    let mut next = Some(first);
    loop {
        let occupied = match next.take() {
            Some(first) => first,
            None => {
                let other = version.choose(&tried).ok_or(Failure::Unreachable)?;
                ticket.retried();
                other
            }
        };
        let upstream = occupied.0.clone();
        let reused = if reuses_left > 0 { upstream.reuse(limits).await } else { None };
        let was_reused = reused.is_some();
        let mut connection = match reused {
            Some(connection) => connection,
            None => match upstream.connect(limits).await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::debug!(address = %upstream.address, %error, "a backend refused the connection");
                    tried.push(upstream);
                    continue;
                }
            },
        };
        let copy = (may_repeat && was_reused).then(|| without_body(&request));
        let sent = connection.try_send_request(request);
        let mut error = match await_head(sent, upload, limits).await? {
            Ok(response) => return Ok(Exchange { response, connection, occupied }),
            Err(error) => error,
        };
        if upload.is_some_and(|upload| upload.has_failed()) {
            return Err(Failure::ClientStopped);
        }
        if let Some(unsent) = error.take_message() {
            request = unsent;
            if was_reused {
                reuses_left -= 1;
            } else {
                tried.push(upstream);
            }
        } else if let Some(copy) = copy {
            request = copy;
            may_repeat = false;
            reuses_left = 0;
        } else {
            tracing::debug!(address = %upstream.address, error = %error.error(), "a backend broke off");
            return Err(Failure::BrokeOff);
        }
    }
}

type Answer = Result<Response<Incoming>, TrySendError<Request<UploadBody>>>;

/// Waits for the head of the answer for as long as something moves.
async fn await_head(sent: impl Future<Output = Answer>, upload: Option<&Arc<Upload>>, limits: &Limits) -> Result<Answer, Failure> {
    let mut sent = pin!(sent);
    let Some(upload) = upload else {
        return tokio::time::timeout(limits.request_timeout, sent).await.map_err(|_| Failure::Silent);
    };
    loop {
        let left = limits.request_timeout.saturating_sub(upload.stalled_for());
        if left.is_zero() {
            let client = upload.awaits_client() && !upload.is_done();
            return Err(if client { Failure::ClientStopped } else { Failure::Silent });
        }
        if let Ok(answer) = tokio::time::timeout(left, &mut sent).await {
            return Ok(answer);
        }
    }
}

fn without_body(request: &Request<UploadBody>) -> Request<UploadBody> {
    let mut copy = Request::new(UploadBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn failed(failure: Failure, ticket: &mut Ticket) -> Response<ResponseBody> {
    if failure != Failure::ClientStopped {
        ticket.settle(Ending::BackendFailed);
    }
    match failure {
        Failure::Unreachable => problem(502, "PROXY-UNREACHABLE", "No backend took the connection; nothing was sent."),
        Failure::BrokeOff => problem(502, "PROXY-BROKE-OFF", "The backend broke off before its answer."),
        Failure::Silent => problem(504, "PROXY-SILENT", "The backend did not answer in time."),
        Failure::ClientStopped => closing(problem(408, "PROXY-CLIENT", "The request was not sent to its end.")),
    }
}

/// An answer of our own, which names neither versions nor addresses.
pub(crate) fn problem(status: u16, code: &'static str, detail: &str) -> Response<ResponseBody> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let document = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
    });
    let mut response = Response::new(ResponseBody::Own(Full::new(Bytes::from(document.to_string()))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

fn closing(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
