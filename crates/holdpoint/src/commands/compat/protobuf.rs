//! `holdpoint compat protobuf`.

use super::against;
use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out};
use clap::{Args, ValueEnum};
use holdpoint_inspect::compat;
use holdpoint_inspect::compat::protobuf::{Level, Source, Tree, Unreadable, compare, read};
use serde_json::{Map, json};
use std::path::{Path, PathBuf};

/// More files are no tree of contracts.
const FILES_MAX: usize = 100_000;
const FOLDERS_DEEP_MAX: usize = 64;

#[derive(Clone, Copy, ValueEnum)]
pub enum Strictness {
    /// Generated code, file by file, and everything below.
    Source,
    /// Generated code, wherever in its package a thing is declared.
    Package,
    /// JSON and bytes.
    WireJson,
    /// Bytes alone.
    Wire,
}

#[derive(Args)]
#[command(after_help = "Examples:
  holdpoint compat protobuf main/proto branch/proto
  holdpoint compat protobuf running/proto branch/proto --against previous/proto --level wire-json")]
pub struct Protobuf {
    /// The .proto files of what runs, or may come back.
    base: PathBuf,
    /// The .proto files of what is to run.
    revision: PathBuf,
    /// What must not break.
    #[arg(long, value_enum, default_value_t = Strictness::Source)]
    level: Strictness,
    /// A further base, beside the first: every version that runs or may come back.
    #[arg(long, value_name = "DIR")]
    against: Vec<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Protobuf {
    pub fn run(self, out: &Out) -> Ended {
        let Protobuf { base, revision, level, against, reporting } = self;
        let level = match level {
            Strictness::Source => Level::Source,
            Strictness::Package => Level::Package,
            Strictness::WireJson => Level::WireJson,
            Strictness::Wire => Level::Wire,
        };
        let now = tree(&revision)?;
        let mut found = Vec::new();
        for folder in std::iter::once(&base).chain(&against) {
            let before = tree(folder)?;
            found.push((folder.display().to_string(), "forward", compare(&before, &now, level)));
        }
        let (findings, bases) = against::joined(found);
        let verdict = compat::verdict(&findings);
        let mut more = Map::new();
        more.insert("level".to_owned(), json!(level.word()));
        more.insert("against".to_owned(), bases);
        more.insert("files".to_owned(), json!(now.files.len()));
        reporting.end(out, &Judgement { command: "compat protobuf", verdict, blocks: verdict == "breaking", findings, more })
    }
}

fn tree(folder: &Path) -> anyhow::Result<Tree> {
    let mut files = Vec::new();
    walk(folder, Path::new(""), 0, &mut files)?;
    if files.is_empty() {
        return Err(BadInput(format!("{}: expected .proto files below it", folder.display())).into());
    }
    files.sort();
    let sources: Vec<Source<'_>> = files.iter().map(|(path, bytes)| Source { path, bytes }).collect();
    read(&folder.display().to_string(), &sources).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(Unreadable::to_string).collect();
        BadInput(lines.join("\n")).into()
    })
}

/// Every .proto file below a folder. Hidden folders are none of the tree, and links to folders are not followed: they may go round.
fn walk(root: &Path, below: &Path, depth: usize, files: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    let folder = root.join(below);
    let bad = |path: &Path, why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", path.display()));
    if depth > FOLDERS_DEEP_MAX {
        return Err(bad(&folder, &format!("folders are more than {FOLDERS_DEEP_MAX} deep")).into());
    }
    for entry in std::fs::read_dir(&folder).map_err(|why| bad(&folder, &why))? {
        let entry = entry.map_err(|why| bad(&folder, &why))?;
        let name = entry.file_name();
        let path = below.join(&name);
        let kind = entry.file_type().map_err(|why| bad(&entry.path(), &why))?;
        if kind.is_dir() {
            if !name.to_string_lossy().starts_with('.') {
                walk(root, &path, depth + 1, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            let Some(text) = path.to_str() else { return Err(bad(&entry.path(), &"expected a name in UTF-8").into()) };
            if files.len() >= FILES_MAX {
                return Err(bad(root, &format!("more than {FILES_MAX} .proto files")).into());
            }
            files.push((text.replace('\\', "/"), std::fs::read(entry.path()).map_err(|why| bad(&entry.path(), &why))?));
        }
    }
    Ok(())
}
