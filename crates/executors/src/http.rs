//! Sends one request, once, and judges the answer.
//!
//! What was sent and not answered is not known to have failed: unless the request may be repeated without harm the outcome
//! is indeterminate. The fact of sending is on disk before the first byte leaves, so this holds over a crash as well.

use futures_util::future::BoxFuture;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::context::Context;
use crate::outbound;
use crate::placeholder::Values;
use crate::process::directory::write_json;
use crate::spec::{HttpSpec, Outcome, Spec};
use crate::{Executor, Observation, OnLoss, misdirected};

/// More of an answer is not read.
const BODY_BYTES_MAX: usize = 64 << 10;

pub struct Http;

impl Executor for Http {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::Kill
    }

    fn start<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match spec {
                Spec::Http(spec) => send(spec, cx).await,
                other => misdirected("http", other),
            }
        })
    }

    fn observe<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            let (Spec::Http(spec), Ok(sent)) = (spec, sent(cx)) else { return Observation::NotStarted };
            if !sent.exists() {
                Observation::NotStarted
            } else if Method::from_bytes(spec.method.as_bytes()).is_ok_and(|method| idempotent(spec, &method)) {
                // A new start may send it again.
                Observation::Running
            } else {
                Observation::Unknown { reason: "the request was sent and nobody saw the answer".into() }
            }
        })
    }

    fn cancel<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, ()> {
        // What was sent cannot be called back; the waiting ends with `cx.cancel`.
        Box::pin(async {})
    }
}

fn sent(cx: &Context) -> Result<PathBuf, String> {
    Ok(cx.attempt_dir()?.join("sent.json"))
}

/// RFC 9110 9.2.2, unless the step says otherwise.
fn idempotent(spec: &HttpSpec, method: &Method) -> bool {
    spec.idempotent.unwrap_or_else(|| method.is_idempotent())
}

struct Request {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Option<String>,
}

fn build(spec: &HttpSpec, cx: &Context) -> Result<Request, String> {
    let mut variables = cx.variables.clone();
    variables.extend(spec.variables.clone());
    let values = Values {
        version: &spec.version,
        variables: Some(&variables),
        config: Some(&spec.config),
        secrets: Some(cx.secrets.reveal()),
        ..Values::default()
    };
    let method = Method::from_bytes(spec.method.as_bytes()).map_err(|_| format!("{:?} is not a method", spec.method))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &spec.headers {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a header's name"))?;
        let mut value = HeaderValue::from_str(&values.expand(value)?).map_err(|_| format!("header {name}: line breaks"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    let body = spec.body.as_deref().map(|body| values.expand(body)).transpose()?;
    Ok(Request { method, url: values.expand(&spec.url)?, headers, body })
}

async fn send(spec: &HttpSpec, cx: &Context) -> Outcome {
    let failed = |reason: String| Outcome::failed(cx.output.masked(&reason));
    let request = match build(spec, cx) {
        Ok(request) => request,
        Err(reason) => return failed(reason),
    };
    let idempotent = idempotent(spec, &request.method);
    let sent = match sent(cx) {
        Ok(sent) => sent,
        Err(reason) => return failed(reason),
    };
    if sent.exists() && !idempotent {
        return Outcome::indeterminate("the request was sent before and nobody saw the answer");
    }
    let timeout = Duration::from_secs(spec.timeout_s.max(1));
    let judged = match cx.outbound.judge(&request.url).await {
        Ok(judged) => judged,
        Err(barred) => return failed(barred.to_string()),
    };
    let client = match judged.client(timeout) {
        Ok(client) => client,
        Err(error) => return failed(outbound::reason(&error)),
    };
    if let Err(error) = write_json(&sent, &json!({ "method": spec.method })) {
        return failed(format!("the request cannot be noted, so it is not sent: {error}"));
    }
    let mut builder = client.request(request.method, judged.url.clone()).headers(request.headers);
    if let Some(body) = request.body {
        builder = builder.body(body);
    }
    let lost = |reason: String| {
        let reason = cx.output.masked(&reason);
        if idempotent { Outcome::failed(reason) } else { Outcome::indeterminate(format!("sent, but not answered: {reason}")) }
    };
    tokio::select! {
        answer = exchange(builder) => match answer {
            Ok((status, body)) => verdict(spec, cx, status, &body).await,
            Err(error) if error.is_connect() => {
                // Nothing was sent.
                let _ = fs::remove_file(&sent);
                failed(outbound::reason(&error))
            }
            Err(error) => lost(outbound::reason(&error)),
        },
        () = cx.cancel.cancelled() => lost("cancelled".into()),
        () = cx.deadline.wait() => lost("the lease ended".into()),
    }
}

async fn exchange(builder: reqwest::RequestBuilder) -> reqwest::Result<(u16, Vec<u8>)> {
    let mut response = builder.send().await?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    // The status is the answer; a body that breaks off is judged by what came.
    while let Ok(Some(piece)) = response.chunk().await {
        let left = BODY_BYTES_MAX - body.len();
        body.extend_from_slice(&piece[..piece.len().min(left)]);
        if body.len() == BODY_BYTES_MAX {
            break;
        }
    }
    Ok((status, body))
}

async fn verdict(spec: &HttpSpec, cx: &Context, status: u16, body: &[u8]) -> Outcome {
    let text = cx.output.masked(&String::from_utf8_lossy(body));
    cx.output.line(&format!("status {status}\n{text}")).await;
    let outputs = json!({ "status": status, "body": text });
    let expected = if spec.expect_status.is_empty() { (200..300).contains(&status) } else { spec.expect_status.contains(&status) };
    if !expected {
        return Outcome::Failed { reason: format!("it answered with status {status}"), outputs };
    }
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    for (pointer, wanted) in &spec.expect_json {
        if value.pointer(pointer) != Some(wanted) {
            let found = value.pointer(pointer).map_or_else(|| "nothing".to_owned(), Value::to_string);
            let reason = cx.output.masked(&format!("at {pointer} the answer has {found}, not {wanted}"));
            return Outcome::Failed { reason, outputs };
        }
    }
    Outcome::Done { outputs }
}
