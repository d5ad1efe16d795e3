//! `apply -f`: shows what an organisation folder changes, then applies it.

use super::Ended;
use crate::client::Connection;
use crate::out::{BadInput, Code, Out};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Apply {
    /// A folder of YAML files, or one file.
    #[arg(short, long)]
    file: PathBuf,
    /// Only show what would change.
    #[arg(long)]
    dry_run: bool,
    /// Apply without asking.
    #[arg(long)]
    yes: bool,
    /// Retire what is known and not in the folder.
    #[arg(long)]
    retire: bool,
}

/// The YAML files of a folder, sorted, or the one file.
pub fn files(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let bad = |path: &Path, why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", path.display()));
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|why| bad(path, &why))? {
            let entry = entry?.path();
            if entry.extension().is_some_and(|ext| ext == "yaml" || ext == "yml") {
                paths.push(entry);
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err(bad(path, &"no .yaml file in this folder").into());
        }
    } else {
        paths.push(path.to_owned());
    }
    let mut found = Vec::new();
    for one in paths {
        found.push((one.display().to_string(), std::fs::read_to_string(&one).map_err(|why| bad(&one, &why))?));
    }
    Ok(found)
}

impl Apply {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let files = files(&self.file)?;
        // Offline first: places are told without a server.
        if let Err(errors) = holdpoint_api::organisation::parse(&files) {
            let lines: Vec<String> = errors.iter().map(|error| error.to_string()).collect();
            return Err(BadInput(lines.join("\n")).into());
        }
        let documents: Vec<Value> = files.iter().map(|(file, text)| json!({"file": file, "text": text})).collect();
        let client = connection.client()?;
        let body = json!({"documents": documents});
        let retire = if self.retire { "&retire=true" } else { "" };
        let plan = client.post(&format!("/v1/apply?dry_run=true{retire}"), &body)?;
        let changes: Vec<&Value> = plan["changes"].as_array().into_iter().flatten().filter(|change| change["action"] != "same").collect();
        if changes.is_empty() {
            out.result(&plan, || "nothing changes".to_owned());
            return Ok(Code::Done);
        }
        let text = changes.iter().map(|change| line(change)).collect::<Vec<_>>().join("\n");
        if self.dry_run {
            out.result(&plan, || format!("{text}\n{} changes, not applied (--dry-run)", changes.len()));
            return Ok(Code::Done);
        }
        if !out.json {
            println!("{text}");
        }
        if !self.yes && !out.confirm(&format!("Apply {} changes?", changes.len())) {
            return Err(BadInput("not applied: confirm with --yes".to_owned()).into());
        }
        let done = client.post(&format!("/v1/apply?dry_run=false{retire}"), &body)?;
        out.result(&done, || format!("applied {} changes", changes.len()));
        Ok(Code::Done)
    }
}

fn line(change: &Value) -> String {
    let sign = match change["action"].as_str() {
        Some("create") => '+',
        Some("retire") => '-',
        _ => '~',
    };
    let mut text = format!("{sign} {} {}", change["kind"].as_str().unwrap_or_default(), change["name"].as_str().unwrap_or_default());
    for difference in change["diff"].as_array().into_iter().flatten() {
        text.push_str(&format!("\n    {}: {} → {}", difference["path"].as_str().unwrap_or_default(), difference["from"], difference["to"]));
    }
    text
}
