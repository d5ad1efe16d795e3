//! Builds: one component from one commit, its products by digest, with provenance.

use super::{Ended, runs};
use crate::client::Connection;
use crate::out::{BadInput, Code, Out};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Subcommand)]
pub enum Build {
    /// Builds and waits; prints the digests.
    Start {
        service: String,
        component: String,
        /// Folder or address of the git repository, as the worker reaches it.
        #[arg(long)]
        repository: String,
        /// Commit, branch or tag; resolved once, now.
        #[arg(long)]
        commit: String,
        /// Commits after this one are the release's own.
        #[arg(long)]
        base: Option<String>,
        #[arg(long, default_value_t = 1800)]
        timeout: u64,
    },
}

/// A branch or tag becomes an object id, once; what is an id stays.
pub fn resolve(repository: &str, name: &str) -> anyhow::Result<String> {
    if matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(name.to_lowercase());
    }
    let folder = PathBuf::from(repository);
    if !folder.is_dir() || name.starts_with('-') {
        return Err(BadInput(format!("{name:?} is no full commit id, and {repository} is no folder in which it could be looked up")).into());
    }
    let answer = std::process::Command::new("git")
        .arg("-C")
        .arg(&folder)
        .args(["rev-parse", "--verify", "--end-of-options"])
        .arg(format!("{name}^{{commit}}"))
        .output()?;
    if !answer.status.success() {
        return Err(BadInput(format!("{repository} has no commit {name:?}")).into());
    }
    Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

impl Build {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let Build::Start { service, component, repository, commit, base, timeout } = self;
        let client = connection.client()?;
        let commit = resolve(&repository, &commit)?;
        let base = base.map(|base| resolve(&repository, &base)).transpose()?;
        let started = client.post(
            "/v1/builds",
            &json!({"service": service, "component": component, "repository": repository, "commit": commit, "base": base}),
        )?;
        let run = started["run"].as_str().unwrap_or_default().to_owned();
        let (view, code) = runs::follow(&client, out, &run, Duration::from_secs(timeout))?;
        let artifacts = artifacts(&view);
        out.result(&json!({"verdict": view["result"], "run": run, "commit": commit, "artifacts": artifacts}), || {
            artifacts
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, digest)| format!("{name} {}", digest.as_str().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join("\n")
        });
        if code != Code::Done {
            let reason =
                view["steps"][0]["outcome"].as_str().or_else(|| view["cause"]["sentence"].as_str()).unwrap_or("no reason is known");
            out.say(format!("✗ not built: {reason}\n  its log: {}/runs/{run}", client.base()));
        }
        Ok(code)
    }
}

/// Name to digest, of a build's view.
pub fn artifacts(view: &Value) -> Value {
    view["outputs"].get("artifacts").cloned().unwrap_or_default()
}
