//! What a local clone knows: asked of the `git` program, with arguments only, never through a shell.

use crate::out::BadInput;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A clone.
pub struct Clone {
    folder: PathBuf,
    shallow: bool,
}

impl Clone {
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let clone = Self { folder: folder.to_owned(), shallow: false };
        let said = clone.ask(&["rev-parse", "--is-shallow-repository"])?;
        Ok(Self { shallow: said.trim() == "true", ..clone })
    }
    /// A command of git in this clone; a clone's own configuration may not start programs for us.
    pub fn git(&self) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.folder).args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager"]);
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
        command
    }
    fn ask(&self, args: &[&str]) -> anyhow::Result<String> {
        let bad = |why: String| BadInput(format!("{}: git {}: {why}", self.folder.display(), args.join(" ")));
        let output = self.git().args(args).output().map_err(|why| bad(why.to_string()))?;
        if !output.status.success() {
            return Err(bad(String::from_utf8_lossy(&output.stderr).trim().to_owned()).into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
    /// The full name of a commit.
    pub fn commit(&self, name: &str) -> anyhow::Result<String> {
        Ok(self.ask(&["rev-parse", "--verify", "--end-of-options", &format!("{name}^{{commit}}")])?.trim().to_owned())
    }
    /// Whether `older` is `newer` or one of its ancestors. A commit that a complete clone does not have is no ancestor.
    pub fn contains(&self, older: &str, newer: &str) -> Option<bool> {
        let hexadecimal = |name: &str| (7..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hexadecimal(older) || !hexadecimal(newer) {
            return None;
        }
        let status = self.git().args(["merge-base", "--is-ancestor", older, newer]).stderr(Stdio::null()).status().ok()?;
        match status.code() {
            Some(0) => Some(true),
            Some(1) if !self.shallow => Some(false),
            // 128: it is not there at all.
            Some(_) if !self.shallow => Some(false),
            _ => None,
        }
    }
}
