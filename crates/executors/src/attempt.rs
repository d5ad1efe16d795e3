//! The record of one attempt on the worker's disk: what was asked, and how it ended.
//!
//! It makes a repeated or replayed `start` harmless. An indeterminate outcome is not recorded: a later look may know more.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::context::Context;
use crate::process::directory::write_json;
use crate::spec::{Outcome, Spec};

pub(crate) struct Attempt {
    dir: PathBuf,
}

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

    pub fn find(cx: &Context) -> Option<Self> {
        let dir = cx.attempt_dir().ok()?;
        dir.join("asked.json").exists().then_some(Self { dir })
    }

    pub fn outcome(&self) -> Option<Outcome> {
        serde_json::from_slice(&fs::read(self.dir.join("outcome.json")).ok()?).ok()
    }

    pub fn record(&self, outcome: Outcome) -> Outcome {
        if !matches!(outcome, Outcome::Indeterminate { .. })
            && let Err(error) = write_json(&self.dir.join("outcome.json"), &outcome)
        {
            // The outcome is true all the same; only a repetition would have to find it out again.
            tracing::warn!(dir = %self.dir.display(), %error, "cannot record an outcome");
        }
        outcome
    }
}
