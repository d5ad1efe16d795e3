//! `holdpoint compat openapi`.

use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{Out, read};
use clap::Args;
use holdpoint_inspect::compat;
use holdpoint_inspect::finding::{Finding, Severity};
use std::path::PathBuf;

#[derive(Args)]
pub struct Openapi {
    /// What runs, or may come back.
    base: PathBuf,
    /// What is to run.
    revision: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl Openapi {
    pub fn run(self, out: &Out) -> Ended {
        let Openapi { base, revision, reporting } = self;
        let mut findings = Vec::new();
        if read(&base)? != read(&revision)? {
            let what = "The documents differ; which of the differences matter is not judged yet.";
            findings.push(Finding::new("documents-differ", Severity::Risky, what).at(revision.display().to_string(), None));
        }
        let verdict = compat::verdict(&findings);
        reporting.end(out, &Judgement { command: "compat openapi", verdict, blocks: false, findings, more: serde_json::Map::new() })
    }
}
