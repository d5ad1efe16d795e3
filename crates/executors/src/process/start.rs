//! Starts the instances of one component and stays until each is healthy *and* says that it is the version it should be.
//!
//! All or none: when one does not come up, those that this attempt has started are ended again.

use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use super::directory::{Artifact, Cause, Directory, Mode, Seen, ShimSpec, State};
use super::supervise::{Ended, LOOK, end, ensure};
use super::{health, proc};
use crate::context::{Context, plain_name};
use crate::spec::{Instance, Outcome, Spec, StartSpec};
use crate::{Executor, Observation, OnLoss, misdirected};

pub const INSTANCES_MAX: u32 = 200;
/// How often an instance is tried on another port.
const PORT_TRIES: u32 = 5;

pub struct Start;

impl Executor for Start {
    fn kind(&self) -> &'static str {
        "start"
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::Adopt
    }

    fn start<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match spec {
                Spec::Start(spec) => start(spec, cx).await,
                other => misdirected("start", other),
            }
        })
    }

    fn observe<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            let Spec::Start(spec) = spec else { return Observation::NotStarted };
            let seen: Vec<Seen> = (0..spec.instances).filter_map(|n| latest(cx, n)).map(|(_, d)| d.look()).collect();
            if seen.iter().all(|s| matches!(s, Seen::Unclaimed | Seen::NeverBegan)) {
                Observation::NotStarted
            } else {
                // Joining finds out whether they are healthy.
                Observation::Running
            }
        })
    }

    fn cancel<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Spec::Start(spec) = spec {
                end_all(spec, cx).await;
            }
        })
    }
}

async fn start(spec: &StartSpec, cx: &Context) -> Outcome {
    if spec.instances > INSTANCES_MAX {
        return Outcome::failed(format!("at most {INSTANCES_MAX} instances are started by one step"));
    }
    let artifact = match cx.blobs.get(&spec.digest).await {
        Ok(path) => path,
        Err(error) => return Outcome::failed(error.to_string()),
    };
    let all = join_all((0..spec.instances).map(|n| bring_up(spec, cx, artifact.clone(), n)));
    let results = tokio::select! {
        results = all => results,
        () = cx.cancel.cancelled() => {
            end_all(spec, cx).await;
            return Outcome::failed("cancelled; what had been started was ended");
        }
        // They outlive us, and a worker that is granted the attempt again joins them.
        () = cx.deadline.wait() => return Outcome::indeterminate("the lease ended while instances were coming up"),
    };
    let mut instances = vec![];
    let mut reasons = vec![];
    let mut logs = BTreeMap::new();
    for (n, result) in results.into_iter().enumerate() {
        match result {
            Ok(instance) => instances.push(instance),
            Err(trouble) => {
                reasons.push(format!("instance {n}: {}", trouble.reason));
                logs.insert(n.to_string(), cx.output.masked(&trouble.log));
            }
        }
    }
    if reasons.is_empty() {
        return Outcome::Done { outputs: json!({ "instances": instances }) };
    }
    end_all(spec, cx).await;
    let reason = cx.output.masked(&reasons.join("; "));
    cx.output.line(&reason).await;
    Outcome::Failed { reason, outputs: json!({ "logs": logs, "instances": Value::Array(vec![]) }) }
}

struct Trouble {
    reason: String,
    log: String,
}

impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Self { reason, log: String::new() }
    }
}

/// `ATTEMPT.N`, then `ATTEMPT.N.rTRY`: derived, so that everybody who knows the attempt finds the instance.
fn name(attempt: &str, n: u32, attempt_no: u32) -> String {
    match attempt_no {
        0 => format!("{attempt}.{n}"),
        again => format!("{attempt}.{n}.r{again}"),
    }
}

/// The directory of an instance, by its name.
pub(crate) fn directory(cx: &Context, name: &str) -> Result<Directory, String> {
    Ok(Directory::at(cx.root.join("instances").join(plain_name(name)?)))
}

/// The last try of an instance that has a directory.
fn latest(cx: &Context, n: u32) -> Option<(u32, Directory)> {
    (0..PORT_TRIES)
        .rev()
        .filter_map(|again| Some((again, directory(cx, &name(&cx.attempt, n, again)).ok()?)))
        .find(|(_, directory)| directory.path().join("spec.json").exists())
}

async fn bring_up(spec: &StartSpec, cx: &Context, artifact: PathBuf, n: u32) -> Result<Instance, Trouble> {
    let first = latest(cx, n).map_or(0, |(again, _)| again);
    for again in first..PORT_TRIES {
        let name = name(&cx.attempt, n, again);
        let directory = directory(cx, &name)?;
        let port = free_port().map_err(|e| format!("no free port: {e}"))?;
        directory.prepare(&shim_spec(spec, cx, artifact.clone(), port)).map_err(|e| format!("its directory cannot be made: {e}"))?;
        let seen = ensure(&directory, cx).await.map_err(|e| e.to_string())?;
        match until_healthy(spec, &directory, &name, seen).await {
            Ok(instance) => {
                cx.output.line(&format!("{} {} is up at {} (pid {})", spec.component, spec.version, instance.address, instance.pid)).await;
                return Ok(instance);
            }
            Err(trouble) => {
                let exited = matches!(directory.look(), Seen::Exited(_, ref exit) if exit.cause == Cause::Exited);
                let taken = directory.spec().ok().and_then(|s| s.port).is_some_and(|port| !is_free(port));
                if !(exited && taken && again + 1 < PORT_TRIES) {
                    return Err(trouble);
                }
                cx.output.line(&format!("{}: its port was taken by another process; trying another", spec.component)).await;
            }
        }
    }
    Err("no port stayed free".to_owned().into())
}

fn shim_spec(spec: &StartSpec, cx: &Context, artifact: PathBuf, port: u16) -> ShimSpec {
    let mut variables = cx.variables.clone();
    variables.extend(spec.variables.clone());
    let mut env = super::clean_env("${dir}");
    env.extend(spec.env.clone());
    ShimSpec {
        mode: Mode::Instance,
        argv: spec.argv.clone(),
        env,
        work: None,
        artifact: Some(Artifact { path: artifact, digest: spec.digest.clone(), name: spec.component.clone() }),
        render: spec.render,
        port: Some(port),
        version: spec.version.clone(),
        variables,
        config: spec.config.clone(),
        timeout_ms: 0,
        grace_ms: 10_000,
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

async fn until_healthy(spec: &StartSpec, directory: &Directory, name: &str, mut seen: Seen) -> Result<Instance, Trouble> {
    let limit = Duration::from_secs(spec.health.timeout_s);
    let interval = Duration::from_millis(spec.health.interval_ms.max(20));
    let trouble = |reason: String| Trouble { reason, log: directory.log_tail(4096) };
    let client = health::client().map_err(|e| trouble(e.to_string()))?;
    let mut last = "no answer yet".to_owned();
    let up = async {
        loop {
            let state = match seen {
                Seen::Supervised(Some(state)) | Seen::Orphaned { state: Some(state), .. } if state.pid.is_some() => state,
                Seen::Exited(_, exit) => return Err(super::describe(&exit)),
                Seen::Supervised(_) | Seen::Unclaimed => return Err("its shim has not begun".into()),
                Seen::NeverBegan => return Err("its shim died before anything ran".into()),
                Seen::Orphaned { .. } | Seen::Lost(_) => return Err("its shim died while it was being started".into()),
            };
            let address = state.address.clone().unwrap_or_default();
            // A program that has ended is noticed at once, also while something else on its port keeps silent.
            let answered = tokio::select! {
                answered = answer(spec, &client, &state, &address) => answered,
                () = gone(directory) => Err("it has ended".into()),
            };
            // It must still be there after it has answered: the answer may have been another's.
            seen = directory.look();
            match answered {
                Ok(()) if is_up(&seen) => return Ok(instance(name, &state, address)),
                Ok(()) => {}
                Err(why) => {
                    last = why;
                    if is_up(&seen) {
                        tokio::time::sleep(interval).await;
                        seen = directory.look();
                    }
                }
            }
        }
    };
    let ended = tokio::time::timeout(limit, up).await;
    match ended {
        Ok(result) => result.map_err(trouble),
        Err(_) => Err(trouble(format!("not healthy after {} s: {last}", spec.health.timeout_s))),
    }
}

fn is_up(seen: &Seen) -> bool {
    matches!(seen, Seen::Supervised(_) | Seen::Orphaned { .. })
}

async fn gone(directory: &Directory) {
    while is_up(&directory.look()) {
        tokio::time::sleep(LOOK * 4).await;
    }
}

async fn answer(spec: &StartSpec, client: &reqwest::Client, state: &State, address: &str) -> Result<(), String> {
    if spec.health.path.is_empty() {
        // Nothing to ask: it is up when it has stayed for a moment.
        tokio::time::sleep(Duration::from_millis(spec.health.interval_ms.max(500))).await;
        return Ok(());
    }
    let url = health::url(address, &spec.health.path);
    let answer = health::ask(client, &url, spec.health.version_field.as_deref()).await?;
    answer.expect(spec.health.version_field.is_some().then_some(spec.version.as_str()))?;
    if let (Some(pid), Some(port)) = (state.pid, state.port)
        && proc::owns_port(pid, port) == Some(false)
    {
        return Err("another process answers on its port".into());
    }
    Ok(())
}

fn instance(name: &str, state: &State, address: String) -> Instance {
    Instance {
        name: name.to_owned(),
        address,
        pid: state.pid.unwrap_or_default(),
        start_time: state.start_time_ticks.unwrap_or_default(),
        digest: state.exe_digest.clone().unwrap_or_default(),
    }
}

async fn end_all(spec: &StartSpec, cx: &Context) -> Vec<Ended> {
    let all = (0..spec.instances.min(INSTANCES_MAX)).flat_map(|n| (0..PORT_TRIES).map(move |again| (n, again)));
    join_all(
        all.filter_map(|(n, again)| directory(cx, &name(&cx.attempt, n, again)).ok())
            .map(|directory| async move { end(&directory, Duration::from_secs(5)).await }),
    )
    .await
}
