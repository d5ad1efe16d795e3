//! `holdpoint compat graphql`: reads two schemas and, where given, operations, and has them compared.

use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::Args;
use holdpoint_inspect::compat;
use holdpoint_inspect::compat::graphql::{Given, Schema, Usage, compare};
use std::path::{Path, PathBuf};

/// Endings of files that hold a schema.
const ENDINGS: [&str; 3] = ["graphql", "graphqls", "gql"];

#[derive(Args)]
#[command(after_help = "Examples:
  holdpoint compat graphql old.graphql new.graphql
  holdpoint compat graphql main/schema/ branch/schema/ --usage app/operations.graphql
  holdpoint compat graphql old.graphql new.graphql --usage requests.jsonl --sarif compat.sarif")]
pub struct Graphql {
    /// The schema that clients know: a file, or a folder of .graphql, .graphqls and .gql files.
    base: PathBuf,
    /// The schema that is to take its place.
    revision: PathBuf,
    /// Operations that clients send: documents, or one request a line (.jsonl) with `query`, `consumer` and `time`.
    #[arg(long, value_name = "FILE")]
    usage: Vec<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

type Files = Vec<(String, Vec<u8>)>;

impl Graphql {
    pub fn run(self, out: &Out) -> Ended {
        let (base, revision) = (schema(&self.base)?, schema(&self.revision)?);
        let mut findings = compare(&base, &revision);
        let mut more = serde_json::Map::new();
        if !self.usage.is_empty() {
            let files = self.usage.iter().map(|path| Ok((path.display().to_string(), read(path)?))).collect::<anyhow::Result<Files>>()?;
            let usage = Usage::read(&base, &given(&files)).map_err(|why| BadInput(why.to_string()))?;
            usage.annotate(&mut findings);
            let count =
                if usage.operations == 1 { "one operation was".to_owned() } else { format!("{} operations were", usage.operations) };
            out.say(format!("{count} looked at; unseen is not unused"));
            more.insert("observation".to_owned(), usage.observation());
        }
        let verdict = compat::verdict(&findings);
        self.reporting.end(out, &Judgement { command: "compat graphql", verdict, blocks: verdict == "breaking", findings, more })
    }
}

fn given(files: &Files) -> Vec<Given<'_>> {
    files.iter().map(|(name, bytes)| Given { name, bytes }).collect()
}

/// The schema in a file, or in all files of a folder and the folders in it.
fn schema(path: &Path) -> anyhow::Result<Schema> {
    let mut files = Files::new();
    if path.is_dir() {
        let mut open = vec![path.to_path_buf()];
        while let Some(folder) = open.pop() {
            let bad = |why: std::io::Error| BadInput(format!("{}: {why}", folder.display()));
            for entry in std::fs::read_dir(&folder).map_err(bad)? {
                let entry = entry.map_err(bad)?;
                let kind = entry.file_type().map_err(bad)?;
                let path = entry.path();
                // Links are not followed: a folder may hold one to itself.
                if kind.is_dir() {
                    open.push(path);
                } else if kind.is_file() && path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known)) {
                    files.push((path.display().to_string(), read(&path)?));
                }
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(BadInput(format!("{}: expected .graphql, .graphqls or .gql files", path.display())).into());
        }
    } else {
        files.push((path.display().to_string(), read(path)?));
    }
    Ok(Schema::read(&given(&files)).map_err(|why| BadInput(why.to_string()))?)
}
