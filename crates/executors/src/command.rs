//! Runs one program to its end, under a shim, in a directory named by the attempt.
//!
//! When the worker dies the program goes on until its lease ends; a worker that comes back before joins it and reads the
//! exit code that the shim has noted. Nothing is run twice. Where nobody saw the end, the probe is asked; without one the
//! outcome is indeterminate.

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::context::Context;
use crate::git::{self, Facts};
use crate::process::directory::{Artifact, Cause, Directory, Exit, Mode, Seen, ShimSpec, write_json};
use crate::process::proc;
use crate::process::supervise::{LOOK, end, ensure, wait_until};
use crate::process::{clean_env, describe, image};
use crate::spec::{CommandSpec, Outcome, Spec};
use crate::{Executor, Observation, OnLoss, misdirected};

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
const PROBE_TIME_MAX: Duration = Duration::from_secs(60);

pub struct Command;

impl Executor for Command {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::Adopt
    }

    fn start<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match spec {
                Spec::Command(spec) => match Place::of(cx) {
                    Ok(place) => start(spec, cx, &place).await,
                    Err(reason) => Outcome::failed(reason),
                },
                other => misdirected("command", other),
            }
        })
    }

    fn observe<'a>(&'a self, spec: &'a Spec, cx: &'a Context) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            let (Spec::Command(spec), Ok(place)) = (spec, Place::of(cx)) else { return Observation::NotStarted };
            match place.run.look() {
                Seen::Unclaimed | Seen::NeverBegan => Observation::NotStarted,
                Seen::Supervised(_) | Seen::Orphaned { .. } => Observation::Running,
                Seen::Exited(_, exit) if exit.cause != Cause::LeaseEnded => Observation::Ended(finish(spec, cx, &place).await),
                // A new start asks the probe.
                Seen::Exited(..) | Seen::Lost(_) if spec.probe.is_some() => Observation::Running,
                Seen::Exited(..) | Seen::Lost(_) => Observation::Unknown { reason: NOBODY_SAW.into() },
            }
        })
    }

    fn cancel<'a>(&'a self, _: &'a Spec, cx: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Ok(place) = Place::of(cx) {
                end(&place.run, GRACE).await;
            }
        })
    }
}

const NOBODY_SAW: &str = "the command was interrupted and nobody saw how it ended";

/// Where an attempt keeps its things.
struct Place {
    dir: PathBuf,
    /// The shim's.
    run: Directory,
    tree: PathBuf,
    facts: PathBuf,
}

impl Place {
    fn of(cx: &Context) -> Result<Self, String> {
        let dir = cx.attempt_dir()?;
        Ok(Self { run: Directory::at(dir.join("run")), tree: dir.join("tree"), facts: dir.join("checkout.json"), dir })
    }

    fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    fn facts(&self) -> Option<Facts> {
        serde_json::from_slice(&fs::read(&self.facts).ok()?).ok()
    }

    /// The working directory, inside the attempt's tree whatever links there are.
    fn work(&self, spec: &CommandSpec) -> Result<PathBuf, String> {
        inside(&self.tree, spec.directory.as_deref().unwrap_or("."))
    }
}

/// A relative path below `root`, after all links.
fn inside(root: &Path, relative: &str) -> Result<PathBuf, String> {
    let path = Path::new(relative);
    if !path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) || relative.contains('\0') {
        return Err(format!("{relative:?} leads out of the working tree"));
    }
    let missing = |e: std::io::Error| format!("{relative:?}: {e}");
    let (root, full) = (root.canonicalize().map_err(missing)?, root.join(path).canonicalize().map_err(missing)?);
    if full.starts_with(&root) { Ok(full) } else { Err(format!("{relative:?} leads out of the working tree")) }
}

async fn start(spec: &CommandSpec, cx: &Context, place: &Place) -> Outcome {
    if let Seen::Unclaimed = place.run.look()
        && let Err(reason) = prepare(spec, cx, place).await
    {
        // After the lease nothing is recorded: whoever holds the next one finds that nothing was begun.
        if cx.deadline.passed() {
            return Outcome::indeterminate("the lease ended before the command began");
        }
        return Outcome::failed(cx.output.masked(&reason));
    }
    run(&place.run, cx).await;
    match place.run.look() {
        // A command that was through before the cancellation reached it has its own outcome.
        Seen::Exited(_, Exit { cause: Cause::Exited, .. }) => finish(spec, cx, place).await,
        _ if cx.cancel.is_cancelled() => Outcome::failed("cancelled; the command and all its processes were ended"),
        Seen::Exited(_, exit) if exit.cause == Cause::LeaseEnded => unseen(spec, cx, place).await,
        Seen::Exited(..) | Seen::NeverBegan => finish(spec, cx, place).await,
        Seen::Unclaimed => Outcome::failed(format!("the shim did not begin: {}", shim_log(&place.run))),
        Seen::Supervised(_) | Seen::Orphaned { .. } => Outcome::indeterminate("the lease ended while it ran"),
        Seen::Lost(_) => unseen(spec, cx, place).await,
    }
}

fn shim_log(directory: &Directory) -> String {
    fs::read_to_string(directory.path().join("shim.log")).unwrap_or_default().trim().to_owned()
}

async fn prepare(spec: &CommandSpec, cx: &Context, place: &Place) -> Result<(), String> {
    let shim_spec = prepared(spec, cx, place).await?;
    place.run.prepare(&shim_spec).map_err(|e| format!("the attempt's directory cannot be used: {e}"))
}

/// Tree, home and artifact are there; nothing has begun.
async fn prepared(spec: &CommandSpec, cx: &Context, place: &Place) -> Result<ShimSpec, String> {
    let mut env = clean_env(&place.home().to_string_lossy());
    env.extend(cx.base_env.clone());
    match &spec.checkout {
        Some(checkout) => {
            let facts = git::check_out(checkout, &place.tree, cx).await?;
            env.insert("SOURCE_DATE_EPOCH".into(), facts.committed_at.to_string());
            // Before anything runs in the tree: what runs there could rewrite its history.
            write_json(&place.facts, &facts).map_err(|e| e.to_string())?;
        }
        None => fs::create_dir_all(&place.tree).map_err(|e| e.to_string())?,
    }
    fs::create_dir_all(place.home()).map_err(|e| e.to_string())?;
    let artifact = match &spec.artifact {
        Some(digest) => {
            Some(Artifact { path: cx.blobs.get(digest).await.map_err(|e| e.to_string())?, digest: digest.clone(), name: "artifact".into() })
        }
        None => None,
    };
    env.extend(spec.env.clone());
    Ok(shim_spec(spec, cx, env, artifact, place.work(spec)?))
}

fn shim_spec(spec: &CommandSpec, cx: &Context, env: BTreeMap<String, String>, artifact: Option<Artifact>, work: PathBuf) -> ShimSpec {
    let mut variables = cx.variables.clone();
    variables.extend(spec.variables.clone());
    ShimSpec {
        mode: Mode::Command,
        argv: spec.argv.clone(),
        env,
        work: Some(work),
        artifact,
        render: false,
        port: None,
        version: spec.version.clone(),
        variables,
        config: spec.config.clone(),
        timeout_ms: spec.timeout_s.saturating_mul(1000).max(1),
        grace_ms: u64::try_from(GRACE.as_millis()).unwrap_or(5000),
    }
}

/// Begins or joins the directory's program; returns when it has ended, or after it was ended for us.
async fn run(directory: &Directory, cx: &Context) {
    let lease = async {
        let mut written = None;
        loop {
            let at = cx.deadline.at();
            if written != Some(at) && directory.path().exists() && directory.write_lease(at).is_ok() {
                written = Some(at);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // The first lease is there before the program is.
    let _ = directory.write_lease(cx.deadline.at());
    let mut follower = Follower::default();
    let ended = async {
        if let Err(error) = ensure(directory, cx).await {
            cx.output.line(&error.to_string()).await;
            return;
        }
        loop {
            let seen = directory.look();
            follower.catch_up(directory, cx).await;
            match seen {
                Seen::Supervised(_) => {}
                // Its shim was killed: the kernel kills the program; what left the group is killed here.
                Seen::Orphaned { .. } => {
                    end(directory, Duration::ZERO).await;
                    return;
                }
                _ => return,
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = ended => {}
        () = lease => {}
        () = cx.cancel.cancelled() => {
            end(directory, GRACE).await;
        }
        () = cx.deadline.wait() => {
            // The shim ends it by the same clock, and notes why. Only a shim that does not is helped.
            if !wait_until(GRACE + GRACE, || !matches!(directory.look(), Seen::Supervised(_))).await {
                end(directory, Duration::ZERO).await;
            }
        }
    }
    if matches!(directory.look(), Seen::Lost(_)) {
        proc::kill_marked(directory.path()).await;
    }
    // The rest of the log; a reader that does not read does not hold up the outcome.
    let _ = tokio::time::timeout(Duration::from_secs(5), follower.catch_up(directory, cx)).await;
}

/// Hands on the log as it grows. A joined attempt's log is handed on from its beginning.
#[derive(Default)]
struct Follower {
    file: Option<File>,
}

impl Follower {
    async fn catch_up(&mut self, directory: &Directory, cx: &Context) {
        if self.file.is_none() {
            self.file = File::open(directory.log()).ok();
        }
        let Some(file) = &mut self.file else { return };
        let mut buffer = vec![0; 64 << 10];
        while let Ok(n @ 1..) = file.read(&mut buffer) {
            cx.output.write(&buffer[..n]).await;
        }
    }
}

/// The outcome of a program whose end was seen (or that provably never began).
async fn finish(spec: &CommandSpec, cx: &Context, place: &Place) -> Outcome {
    let seen = place.run.look();
    let Seen::Exited(state, exit) = seen else {
        return Outcome::Failed { reason: "its shim died before anything ran".into(), outputs: json!({ "ran": false }) };
    };
    let ran = !matches!(exit.cause, Cause::NotStarted | Cause::DigestMismatch);
    let mut outputs = Map::new();
    outputs.insert("ran".into(), ran.into());
    outputs.insert("exit_code".into(), exit.code.into());
    outputs.insert("signal".into(), exit.signal.into());
    outputs.insert("log_dropped".into(), state.log_dropped.into());
    if let Some(digest) = &state.exe_digest {
        outputs.insert("digest".into(), digest.clone().into());
    }
    if let Some(facts) = place.facts() {
        describe_checkout(&facts, spec, &mut outputs);
    }
    let succeeded = exit.cause == Cause::Exited && exit.code == Some(0);
    let kept = keep(spec, cx, place, succeeded, &mut outputs).await;
    match kept {
        Err(reason) if succeeded => Outcome::Failed { reason, outputs: outputs.into() },
        _ if succeeded => Outcome::Done { outputs: outputs.into() },
        _ => Outcome::Failed { reason: cx.output.masked(&failure(&exit, spec)), outputs: outputs.into() },
    }
}

fn failure(exit: &Exit, spec: &CommandSpec) -> String {
    match exit.cause {
        Cause::TimedOut => format!("it did not end within {} s and was ended", spec.timeout_s),
        _ => describe(exit),
    }
}

fn describe_checkout(facts: &Facts, spec: &CommandSpec, outputs: &mut Map<String, Value>) {
    outputs.insert("commit".into(), facts.commit.clone().into());
    outputs.insert("base".into(), facts.base.clone().into());
    outputs.insert("tree".into(), facts.tree.clone().into());
    outputs.insert("commits".into(), json!(facts.commits));
    outputs.insert("commits_truncated".into(), facts.commits_truncated.into());
    let program = spec.argv.first().and_then(|program| on_path(program));
    outputs.insert(
        "toolchain".into(),
        json!({
            "git": facts.git,
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
            "program": program.as_ref().map(|p| p.to_string_lossy()),
            "program_digest": program.as_ref().and_then(|p| image::digest_of(p).ok()),
        }),
    );
}

fn on_path(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return None;
    }
    let path = clean_env("").remove("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Uploads reports (always) and artifacts (after success); digests are of the bytes that were read.
async fn keep(spec: &CommandSpec, cx: &Context, place: &Place, succeeded: bool, outputs: &mut Map<String, Value>) -> Result<(), String> {
    let mut junit = vec![];
    let mut trouble = None;
    for path in &spec.junit {
        match upload(spec, cx, place, path).await {
            Ok(digest) => junit.push(json!({ "path": path, "digest": digest })),
            Err(reason) => trouble = Some(format!("the report {reason}")),
        }
    }
    outputs.insert("junit".into(), junit.into());
    let mut artifacts = Map::new();
    if succeeded {
        for (name, path) in &spec.artifacts {
            match upload(spec, cx, place, path).await {
                Ok(digest) => {
                    artifacts.insert(name.clone(), digest.into());
                }
                Err(reason) => trouble = Some(format!("the artifact {name}: {reason}")),
            }
        }
    }
    outputs.insert("artifacts".into(), artifacts.into());
    trouble.map_or(Ok(()), Err)
}

async fn upload(spec: &CommandSpec, cx: &Context, place: &Place, path: &str) -> Result<String, String> {
    let work = place.work(spec)?;
    let full = inside(&work, path)?;
    if !full.is_file() {
        return Err(format!("{path:?} is not a regular file"));
    }
    cx.blobs.put(&full).await.map_err(|e| e.to_string())
}

/// Nobody saw the end: the probe says whether the effect is there.
async fn unseen(spec: &CommandSpec, cx: &Context, place: &Place) -> Outcome {
    if spec.probe.is_none() || cx.deadline.passed() {
        return Outcome::indeterminate(NOBODY_SAW);
    }
    let of_the_run = place.run.spec().map_err(|e| e.to_string());
    ask_probe(spec, cx, place, of_the_run).await
}

/// An attempt that another worker began and is not coming back to: only the probe can tell.
pub(crate) async fn probe(spec: &CommandSpec, cx: &Context) -> Outcome {
    let place = match Place::of(cx) {
        Ok(place) => place,
        Err(reason) => return Outcome::failed(reason),
    };
    let outside = prepared(spec, cx, &place).await;
    ask_probe(spec, cx, &place, outside.map_err(|reason| cx.output.masked(&reason))).await
}

/// Runs the probe as the step itself would be run; `of_the_run`: what that is.
async fn ask_probe(spec: &CommandSpec, cx: &Context, place: &Place, of_the_run: Result<ShimSpec, String>) -> Outcome {
    let Some(probe) = &spec.probe else { return Outcome::indeterminate(NOBODY_SAW) };
    cx.output.line("interrupted; asking the probe").await;
    let Some(directory) =
        (0..100).map(|n| Directory::at(place.dir.join(format!("probe-{n}")))).find(|directory| matches!(directory.look(), Seen::Unclaimed))
    else {
        return Outcome::indeterminate("the probe was asked a hundred times");
    };
    let asked = of_the_run.map(|of_the_run| ShimSpec {
        argv: probe.clone(),
        timeout_ms: u64::try_from(PROBE_TIME_MAX.as_millis()).unwrap_or(60_000),
        ..of_the_run
    });
    if let Err(error) = asked.and_then(|asked| directory.prepare(&asked).map_err(|e| e.to_string())) {
        return Outcome::indeterminate(format!("the probe could not be asked: {error}"));
    }
    run(&directory, cx).await;
    match directory.look() {
        Seen::Exited(_, Exit { cause: Cause::Exited, code: Some(0), .. }) => {
            let mut outputs = Map::from_iter([("probed".to_owned(), Value::from(true))]);
            if let Some(facts) = place.facts() {
                describe_checkout(&facts, spec, &mut outputs);
            }
            match keep(spec, cx, place, true, &mut outputs).await {
                Ok(()) => Outcome::Done { outputs: outputs.into() },
                Err(reason) => Outcome::Failed { reason, outputs: outputs.into() },
            }
        }
        Seen::Exited(_, Exit { cause: Cause::Exited, code: Some(1), .. }) => Outcome::Failed {
            reason: "interrupted; the probe says that its effect is not there".into(),
            outputs: json!({ "probed": false }),
        },
        _ => Outcome::indeterminate("interrupted, and the probe gave no answer"),
    }
}
