//! Moves the shares of a route and waits until the versions that were taken off have no request in flight.
//!
//! The generation makes a repetition harmless: a load balancer keeps the highest it has seen.

use futures_util::future::BoxFuture;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

use crate::context::Context;
use crate::placeholder::Values;
use crate::spec::{ControlSpec, Outcome, Spec, TrafficSpec};
use crate::traffic::{Backend, ProxyAdmin, Token, TrafficControl};
use crate::{Executor, Observation, OnLoss, misdirected};

pub struct Shift;

impl Executor for Shift {
    fn kind(&self) -> &'static str {
        "traffic"
    }

    fn on_loss(&self) -> OnLoss {
        // The shares stay as they were set.
        OnLoss::Adopt
    }

    fn start<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match spec {
                Spec::Traffic(spec) => shift(spec, cx).await,
                other => misdirected("traffic", other),
            }
        })
    }

    fn observe<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, Observation> {
        // The generation makes a repetition harmless: a new start finds out.
        Box::pin(async { Observation::Running })
    }

    fn cancel<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, ()> {
        // Shares are moved back by a step of their own.
        Box::pin(async {})
    }
}

/// The control of a spec, with the worker's own secrets. Also for those who only read its counts.
pub fn control(spec: &ControlSpec, cx: &Context) -> Result<TrafficControl, String> {
    match spec {
        ControlSpec::Proxy { admin, token, token_file } => {
            // The token goes to this place: it must be one that the worker's owner has named.
            cx.outbound.lists(admin).map_err(|e| e.to_string())?;
            match (token, token_file) {
                (Some(token), None) => {
                    let values = Values { secrets: Some(cx.secrets.reveal()), ..Values::default() };
                    let token = Token::new(&values.expand(token)?).map_err(|e| e.to_string())?;
                    Ok(TrafficControl::Proxy(ProxyAdmin::new(admin, token).map_err(|e| e.to_string())?))
                }
                (None, Some(file)) => TrafficControl::proxy(admin, Path::new(file)).map_err(|e| e.to_string()),
                _ => Err("a proxy has either a token or a token file".into()),
            }
        }
        ControlSpec::HaProxy { socket, backends } => {
            TrafficControl::haproxy(Path::new(socket), backends.clone()).map_err(|e| e.to_string())
        }
    }
}

async fn shift(spec: &TrafficSpec, cx: &Context) -> Outcome {
    let control = match control(&spec.control, cx) {
        Ok(control) => control,
        Err(reason) => return Outcome::failed(cx.output.masked(&reason)),
    };
    let backends =
        spec.backends.iter().map(|b| Backend { version: b.version.clone(), address: b.address.clone(), weight: b.weight }).collect();
    let stopped = async {
        tokio::select! {
            () = cx.cancel.cancelled() => "cancelled",
            () = cx.deadline.wait() => "the lease ended",
        }
    };
    tokio::pin!(stopped);
    tokio::select! {
        applied = control.set(&spec.route, spec.generation, backends) => match applied {
            Ok(_) => {}
            Err(error) if error.is_indeterminate() => return Outcome::indeterminate(cx.output.masked(&error.to_string())),
            Err(error) => return Outcome::failed(cx.output.masked(&error.to_string())),
        },
        why = &mut stopped => return Outcome::indeterminate(format!("{why} while the shares were being set")),
    }
    let shares: Vec<String> = spec.backends.iter().map(|b| format!("{}={}", b.version, b.weight)).collect();
    cx.output.line(&format!("route {}: generation {}: {}", spec.route, spec.generation, shares.join(" "))).await;
    let drained = tokio::select! {
        drained = drain(spec, &control) => drained,
        // Set they are; only the waiting is cut short.
        why = &mut stopped => return Outcome::indeterminate(format!("{why}; the shares are set, requests may be in flight")),
    };
    let mut outputs = json!({ "generation": spec.generation, "drained": drained.is_ok() });
    if let Err(left) = drained {
        outputs["in_flight"] = left.into();
    }
    Outcome::Done { outputs }
}

/// Until nothing is in flight, or the time is over: then those who stop the instances end the rest.
async fn drain(spec: &TrafficSpec, control: &TrafficControl) -> Result<(), u64> {
    let mut in_flight = 0;
    let all = async {
        for version in &spec.drain {
            loop {
                match control.drained(&spec.route, version).await {
                    Ok(drain) if drain.is_drained() => break,
                    Ok(drain) => in_flight = drain.in_flight,
                    // Unknown is not drained; it may answer again in time.
                    Err(error) => tracing::debug!(%error, "cannot ask for requests in flight"),
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(spec.drain_timeout_s), all).await;
    ended.map_err(|_| in_flight)
}
