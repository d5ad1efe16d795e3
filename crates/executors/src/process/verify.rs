//! Looks whether what should run does run: answers that name the right version, several in a row, and processes whose
//! executable has the right digest. Changes nothing.

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::time::Duration;

use super::directory::Seen;
use super::{health, image, start};
use crate::context::Context;
use crate::outbound;
use crate::spec::{Instance, Outcome, Spec, VerifySpec};
use crate::{Executor, Observation, OnLoss, misdirected};

pub struct Verify;

impl Executor for Verify {
    fn kind(&self) -> &'static str {
        "verify"
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::Kill
    }

    fn start<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match spec {
                Spec::Verify(spec) => verify(spec, cx).await,
                other => misdirected("verify", other),
            }
        })
    }

    fn observe<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, Observation> {
        // It has no effect, so nothing of it was begun.
        Box::pin(async { Observation::NotStarted })
    }

    fn cancel<'a>(&'a self, _: &'a Spec, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

async fn verify(spec: &VerifySpec, cx: &Context) -> Outcome {
    for instance in &spec.instances {
        if let Err(reason) = runs(instance, cx).await {
            return Outcome::failed(format!("{}: {reason}", instance.name));
        }
    }
    let mut observed = vec![];
    let mut last = String::new();
    let limit = tokio::time::sleep(Duration::from_secs(spec.timeout_s));
    let all = async {
        for target in &spec.targets {
            let url = if target.contains("://") { target.clone() } else { health::url(target, &spec.path) };
            observed.push(in_a_row(spec, cx, &url, &mut last).await?);
        }
        Ok(())
    };
    let result: Result<(), String> = tokio::select! {
        result = all => result,
        () = limit => Err(format!("not verified after {} s", spec.timeout_s)),
        () = cx.cancel.cancelled() => Err("cancelled".into()),
        () = cx.deadline.wait() => return Outcome::indeterminate("the lease ended"),
    };
    let outputs = json!({ "checked": spec.targets.len() + spec.instances.len(), "observed": observed });
    match result {
        Ok(()) => Outcome::Done { outputs },
        Err(reason) if last.is_empty() => Outcome::Failed { reason, outputs },
        Err(reason) => Outcome::Failed { reason: format!("{reason}: {last}"), outputs },
    }
}

/// Stays with a target until it has given enough good answers without a bad one between.
async fn in_a_row(spec: &VerifySpec, cx: &Context, url: &str, last: &mut String) -> Result<Value, String> {
    let client = match cx.outbound.judge(url).await {
        Ok(judged) => judged.client(health::ANSWER_TIME_MAX).map_err(|e| outbound::reason(&e))?,
        // What this worker itself has started it may ask, without a list.
        Err(_) if own_address(spec, cx, url) => health::client().map_err(|e| outbound::reason(&e))?,
        Err(barred) => return Err(barred.to_string()),
    };
    let wanted = spec.version_field.is_some().then_some(spec.version.as_str());
    let mut good = 0;
    loop {
        let answer = health::ask(&client, url, spec.version_field.as_deref()).await;
        match answer.and_then(|answer| answer.expect(wanted).map(|()| answer)) {
            Ok(answer) => {
                good += 1;
                last.clear();
                if good >= spec.times.max(1) {
                    return Ok(json!({ "url": url, "status": answer.status, "version": answer.version }));
                }
            }
            Err(why) => {
                good = 0;
                *last = format!("{url}: {why}");
            }
        }
        tokio::time::sleep(Duration::from_millis(spec.interval_ms.max(10))).await;
    }
}

fn own_address(spec: &VerifySpec, cx: &Context, url: &str) -> bool {
    spec.instances.iter().any(|instance| {
        url.starts_with(&format!("http://{}/", instance.address))
            && start::directory(cx, &instance.name)
                .is_ok_and(|directory| directory.state().and_then(|s| s.address).as_deref() == Some(instance.address.as_str()))
    })
}

async fn runs(instance: &Instance, cx: &Context) -> Result<(), String> {
    let directory = start::directory(cx, &instance.name)?;
    let state = match directory.look() {
        Seen::Supervised(Some(state)) | Seen::Orphaned { state: Some(state), .. } => state,
        Seen::Exited(_, exit) => return Err(super::describe(&exit)),
        Seen::Unclaimed => return Err("this worker has no such instance".into()),
        _ => return Err("it does not run".into()),
    };
    if state.pid != Some(instance.pid) || state.start_time_ticks != Some(instance.start_time) {
        return Err("another process runs under its name".into());
    }
    let recorded = state.exe_digest.unwrap_or_default();
    if !image::same_digest(&recorded, &instance.digest) {
        return Err(format!("digest_mismatch: it runs {recorded}, not {}", instance.digest));
    }
    // Where the image itself is executed (no interpreter, nothing rendered), the kernel's view is asked, not our record.
    let exe = format!("/proc/{}/exe", instance.pid);
    if std::fs::read_link(&exe).is_ok_and(|to| to.to_string_lossy().starts_with("/memfd:")) {
        let running = tokio::task::spawn_blocking(move || image::digest_of(exe.as_ref()))
            .await
            .map_err(|e| e.to_string())?
            .map_err(|e| format!("its executable cannot be read: {e}"))?;
        if !image::same_digest(&running, &instance.digest) {
            return Err(format!("digest_mismatch: it runs {running}, not {}", instance.digest));
        }
    }
    Ok(())
}
