//! The record of one attempt on the worker's disk: what was asked, and how it ended.
//!
//! It makes a repeated or replayed `start` harmless, and lets one caller at a time drive the attempt: a second one waits and
//! gets the first one's outcome. The lock goes with the process that holds it. An indeterminate outcome is not recorded: a later look may know more.

use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::context::Context;
use crate::process::directory::write_json;
use crate::spec::{Outcome, Spec};

pub(crate) struct Attempt {
    dir: PathBuf,
}

/// Who holds it drives the attempt.
pub(crate) struct Driving(#[expect(dead_code, reason = "held for its drop")] Flock<File>);

impl Attempt {
    /// Opens or creates it; refuses one that was begun with another spec.
    pub fn open(spec: &Spec, cx: &Context) -> Result<Self, String> {
        let dir = cx.attempt_dir()?;
        let broken = |e: std::io::Error| format!("the attempt's directory cannot be used: {e}");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(broken)?;
        let path = dir.join("asked.json");
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice::<Spec>(&bytes) {
                Ok(asked) if asked == *spec => {}
                _ => return Err(format!("attempt {} was begun with another spec", cx.attempt)),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => write_json(&path, spec).map_err(broken)?,
            Err(error) => return Err(broken(error)),
        }
        Ok(Self { dir })
    }

    /// Waits until nobody else drives the attempt. None: it was cancelled or the lease ended meanwhile.
    pub async fn drive(&self, cx: &Context) -> std::io::Result<Option<Driving>> {
        let mut file = File::options().create(true).truncate(false).write(true).open(self.dir.join("lock"))?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Some(Driving(lock))),
                Err((_, errno)) if errno != nix::errno::Errno::EWOULDBLOCK => return Err(errno.into()),
                Err((unlocked, _)) => file = unlocked,
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
                () = cx.cancel.cancelled() => return Ok(None),
                () = cx.deadline.wait() => return Ok(None),
            }
        }
    }

    pub fn find(cx: &Context) -> Option<Self> {
        let dir = cx.attempt_dir().ok()?;
        dir.join("asked.json").exists().then_some(Self { dir })
    }

    pub fn outcome(&self) -> Option<Outcome> {
        serde_json::from_slice(&fs::read(self.dir.join("outcome.json")).ok()?).ok()
    }

    /// Notes the outcome, and then gives back the room that the attempt's files took. Its log stays.
    pub async fn record(&self, outcome: Outcome) -> Outcome {
        if matches!(outcome, Outcome::Indeterminate { .. }) {
            return outcome;
        }
        if let Err(error) = write_json(&self.dir.join("outcome.json"), &outcome) {
            // The outcome is true all the same; only a repetition would have to find it out again.
            tracing::warn!(dir = %self.dir.display(), %error, "cannot record an outcome");
            return outcome;
        }
        let dir = self.dir.clone();
        let removed = tokio::task::spawn_blocking(move || {
            for name in ["tree", "home"] {
                let _ = fs::remove_dir_all(dir.join(name));
            }
        });
        let _ = removed.await;
        outcome
    }
}
