//! `holdpoint compat avro`: one reader and one writer, or a schema against those that run.

use super::against;
use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::{Args, ValueEnum};
use holdpoint_inspect::compat;
use holdpoint_inspect::compat::avro::{Schema, reads};
use holdpoint_inspect::finding::Finding;
use serde_json::{Map, json};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The revision reads what the bases wrote.
    Backward,
    /// The bases read what the revision writes.
    Forward,
    /// Both.
    Full,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Mode::Backward => "backward",
            Mode::Forward => "forward",
            Mode::Full => "full",
        }
    }
}

#[derive(Args)]
#[command(after_help = "Examples:
  holdpoint compat avro old.avsc new.avsc --mode full
  holdpoint compat avro v1.avsc v2.avsc v3.avsc new.avsc --mode backward --transitive
  holdpoint compat avro --reader consumer.avsc --writer producer.avsc")]
pub struct Avro {
    /// One or more schemas, oldest first, then the one that is to follow them.
    #[arg(num_args = 0.., value_names = ["BASE", "REVISION"])]
    files: Vec<PathBuf>,
    /// Who must read whom.
    #[arg(long, value_enum, default_value_t = Mode::Backward)]
    mode: Mode,
    /// Every BASE counts, not the last one alone.
    #[arg(long)]
    transitive: bool,
    /// A further base that counts: every version that runs or may come back.
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    /// One pair: who reads …
    #[arg(long, value_name = "FILE", requires = "writer", conflicts_with_all = ["files", "against", "transitive", "mode"])]
    reader: Option<PathBuf>,
    /// … what this one wrote.
    #[arg(long, value_name = "FILE", requires = "reader")]
    writer: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Avro {
    pub fn run(self, out: &Out) -> Ended {
        let mut more = Map::new();
        let findings = if let (Some(reader), Some(writer)) = (&self.reader, &self.writer) {
            more.insert("mode".to_owned(), json!("pair"));
            reads(&schema(reader)?, &schema(writer)?)
        } else {
            let (findings, bases) = against::joined(self.found()?);
            more.insert("mode".to_owned(), json!(self.mode.word()));
            more.insert("against".to_owned(), bases);
            findings
        };
        let verdict = compat::verdict(&findings);
        self.reporting.end(out, &Judgement { command: "compat avro", verdict, blocks: verdict == "breaking", findings, more })
    }

    /// What speaks against each base and way.
    fn found(&self) -> anyhow::Result<Vec<(String, &'static str, Vec<Finding>)>> {
        let mut bases = self.files.clone();
        let revision = bases.pop().ok_or_else(|| BadInput("expected BASE and REVISION, or --reader and --writer".to_owned()))?;
        if !self.transitive {
            bases.drain(..bases.len().saturating_sub(1));
        }
        bases.extend(self.against.iter().cloned());
        if bases.is_empty() {
            return Err(BadInput("expected BASE and REVISION, or --against FILE and REVISION".to_owned()).into());
        }
        let now = schema(&revision)?;
        let mut found = Vec::new();
        for base in &bases {
            let (name, before) = (base.display().to_string(), schema(base)?);
            if self.mode != Mode::Forward {
                found.push((name.clone(), "backward", reads(&now, &before)));
            }
            if self.mode != Mode::Backward {
                found.push((name, "forward", reads(&before, &now)));
            }
        }
        Ok(found)
    }
}

fn schema(path: &Path) -> anyhow::Result<Schema> {
    let bytes = read(path)?;
    Ok(holdpoint_inspect::compat::avro::read(&path.display().to_string(), &bytes).map_err(|why| BadInput(why.to_string()))?)
}
