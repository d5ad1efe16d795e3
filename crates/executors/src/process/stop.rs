//! Ends instances that run on this worker, with or without their shims. Ending what has ended is no error.

use futures_util::future::{BoxFuture, join_all};
use serde_json::json;
use std::time::Duration;

use super::start::directory;
use super::supervise::{Ended, end};
use crate::context::Context;
use crate::spec::{Outcome, Spec, StopSpec};
use crate::{Executor, Observation, OnLoss, misdirected};

pub struct Stop;

impl Executor for Stop {
    fn kind(&self) -> &'static str {
        "stop"
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::Adopt
    }

    fn start<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match spec {
                Spec::Stop(spec) => stop(spec, cx).await,
                other => misdirected("stop", other),
            }
        })
    }

    fn observe<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, Observation> {
        // Ending what has ended is harmless: a new start finds out.
        Box::pin(async { Observation::Running })
    }

    fn cancel<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

async fn stop(spec: &StopSpec, cx: &Context) -> Outcome {
    let mut directories = vec![];
    for name in &spec.instances {
        match directory(cx, name) {
            Ok(directory) if directory.path().exists() => directories.push((name, directory)),
            // On another machine it would run on: that must not pass for stopped.
            Ok(_) => return Outcome::failed(format!("this worker has no instance {name}")),
            Err(reason) => return Outcome::failed(reason),
        }
    }
    let grace = Duration::from_secs(spec.drain_s);
    let all = join_all(directories.iter().map(|(name, directory)| async move { (*name, end(directory, grace).await) }));
    let ended = tokio::select! {
        ended = all => ended,
        () = cx.cancel.cancelled() => return Outcome::indeterminate("cancelled while instances were ending"),
        () = cx.deadline.wait() => return Outcome::indeterminate("the lease ended while instances were ending"),
    };
    let named = |how: Ended| ended.iter().filter(|(_, h)| *h == how).map(|(name, _)| *name).collect::<Vec<_>>();
    cx.output.line(&format!("ended {} of {}", ended.len() - named(Ended::WasGone).len(), ended.len())).await;
    Outcome::Done { outputs: json!({ "stopped": named(Ended::Stopped), "killed": named(Ended::Killed), "gone": named(Ended::WasGone) }) }
}
