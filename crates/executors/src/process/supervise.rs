//! The worker's side of a supervised process: begin it under a shim, join it, end it.

use nix::sys::signal::Signal;
use std::fs::File;
use std::io;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

use super::directory::{Directory, Seen};
use super::proc::{self, Identity};
use crate::context::Context;

/// How often a state is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(25);

/// Sees to it that the directory's program has been started, once: an unclaimed directory gets a shim. Returns when the
/// program runs or has ended; a shim that another worker process has started is joined.
pub(crate) async fn ensure(directory: &Directory, cx: &Context) -> io::Result<Seen> {
    let mut shim = None;
    loop {
        match directory.look() {
            Seen::Unclaimed => match &mut shim {
                None => shim = Some(spawn_shim(directory, cx).await?),
                Some(child) => {
                    if let Some(status) = child.try_wait()?
                        && directory.look() == Seen::Unclaimed
                    {
                        let why = std::fs::read_to_string(directory.path().join("shim.log")).unwrap_or_default();
                        return Err(io::Error::other(format!("the shim ended with {status}: {}", why.trim())));
                    }
                }
            },
            Seen::Supervised(None) => {}
            Seen::Supervised(Some(state)) if state.pid.is_none() => {}
            seen => return Ok(seen),
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn spawn_shim(directory: &Directory, cx: &Context) -> io::Result<tokio::process::Child> {
    let Some((program, arguments)) = cx.shim.split_first() else {
        return Err(io::Error::other("the worker has no shim program"));
    };
    let errors = File::options().create(true).append(true).open(directory.path().join("shim.log"))?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .arg("--dir")
        .arg(directory.path())
        .env_clear()
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .map_err(|e| io::Error::other(format!("the shim {program} cannot be started: {e}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A shim that has died says why in its log; the pipe's error would only hide that.
        let _ = stdin.write_all(serde_json::to_string(cx.secrets.reveal())?.as_bytes()).await;
    }
    Ok(child)
}

/// How an end was brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    WasGone,
    Stopped,
    Killed,
}

/// Ends the directory's program and all of its processes, with or without its shim. Returns when none is left.
pub(crate) async fn end(directory: &Directory, grace: Duration) -> Ended {
    let mut how = Ended::WasGone;
    if !directory.path().exists() {
        return how;
    }
    if let Err(error) = directory.mark_stopped() {
        tracing::warn!(dir = %directory.path().display(), %error, "cannot mark as stopped");
    }
    if let Seen::Supervised(state) = directory.look() {
        how = Ended::Stopped;
        // The program itself is told, not its shim: the grace is ours, and the shim notes the end when it comes.
        match state.and_then(|s| s.pid) {
            Some(pid) => proc::signal_group(pid, Signal::SIGTERM),
            None => directory.shim().iter().for_each(|shim| proc::signal_one(shim.pid, Signal::SIGTERM)),
        }
        if !wait_until(grace, || !matches!(directory.look(), Seen::Supervised(_))).await {
            how = Ended::Killed;
            if let Some(process) = directory.birth().filter(Identity::alive) {
                proc::signal_group(process.pid, Signal::SIGKILL);
            }
            // The shim takes note of the end; if it cannot, it has to go too.
            if !wait_until(Duration::from_secs(10), || !matches!(directory.look(), Seen::Supervised(_))).await
                && let Some(shim) = directory.shim().filter(Identity::alive)
            {
                proc::signal_one(shim.pid, Signal::SIGKILL);
                wait_until(Duration::from_secs(5), || !shim.alive()).await;
            }
        }
    }
    if let Seen::Orphaned { process, .. } = directory.look() {
        how = Ended::Stopped;
        proc::signal_group(process.pid, Signal::SIGTERM);
        if !wait_until(grace, || !process.alive()).await {
            how = Ended::Killed;
            proc::signal_group(process.pid, Signal::SIGKILL);
            wait_until(Duration::from_secs(5), || !process.alive()).await;
        }
    }
    // Strays that left the group after the shim had died.
    if !matches!(directory.look(), Seen::Exited(..) | Seen::Unclaimed) && proc::kill_marked(directory.path()).await > 0 {
        how = Ended::Killed;
    }
    how
}

pub(crate) async fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let until = proc::boot_clock().saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
    loop {
        if done() {
            return true;
        }
        if proc::boot_clock() >= until {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
}
