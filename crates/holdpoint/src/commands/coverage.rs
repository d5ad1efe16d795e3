//! Coverage of what a release changes.

use super::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::Subcommand;
use holdpoint_inspect::coverage::{self, Glob, Options};
use holdpoint_inspect::finding::{Finding, Severity};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Coverage {
    /// Changed lines that no test has run.
    #[command(
        after_help = "Examples:\n  git diff origin/main... > change.diff\n  holdpoint coverage gaps --coverage lcov.info --diff change.diff\n  git diff v1.4.0 v1.5.0 | holdpoint coverage gaps --coverage coverage.xml --diff - --min 80%\n"
    )]
    Gaps {
        /// LCOV, Cobertura or JaCoCo report; of several the runs are added.
        #[arg(long, required = true, value_name = "FILE")]
        coverage: Vec<PathBuf>,
        /// Unified diff that leads to the measured version; `-` is standard input.
        #[arg(long, value_name = "FILE")]
        diff: PathBuf,
        /// Share of the changed lines that must have run, such as 80%.
        #[arg(long, value_name = "PERCENT", default_value = "100%", value_parser = percent)]
        min: f64,
        /// Folder to take off the report's paths; may be repeated.
        #[arg(long, value_name = "PREFIX")]
        strip: Vec<String>,
        /// Files that do not count, such as 'generated/**' or '*.pb.rs'; may be repeated.
        #[arg(long, value_name = "PATTERN")]
        exclude: Vec<String>,
        /// A line of which not every way out was taken is a gap, too.
        #[arg(long)]
        branches: bool,
        #[command(flatten)]
        reporting: Reporting,
    },
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim().trim_end_matches('%').trim().parse().map_err(|_| "expected a percentage such as 80%".to_owned())?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("expected 0% to 100%".to_owned()) }
}

impl Coverage {
    pub fn run(self, out: &Out) -> Ended {
        let Coverage::Gaps { coverage: files, diff, min, strip, exclude, branches, reporting } = self;
        let mut measured = coverage::Coverage::default();
        for file in &files {
            let (_, report) = coverage::read(&read(file)?).map_err(|why| bad(file, &why))?;
            measured.add(report);
        }
        let changed = coverage::read_diff(&read(&diff)?).map_err(|why| bad(&diff, &why))?;
        let exclude = exclude.iter().map(|pattern| Glob::new(pattern)).collect();
        let mut gaps = coverage::gaps(&measured, &changed, &Options { percent_min: min, strip, exclude, branches });
        if changed.is_empty() {
            gaps.findings
                .push(Finding::new("no-changes", Severity::Info, "The diff changes no file.").at(diff.display().to_string(), None));
        }
        let totals = &gaps.totals;
        let share = totals.percent.map_or("nothing to run".to_owned(), |percent| format!("{percent} % of what could run"));
        out.say(format!(
            "{} changed lines: {} covered, {} not, {} not instrumented, {} not measured; {share}, {min} % asked for",
            totals.changed, totals.covered, totals.uncovered, totals.not_instrumented, totals.unmeasured
        ));
        let Value::Object(mut more) = serde_json::to_value(&gaps)? else { return Err(anyhow::anyhow!("the result is no object")) };
        more.insert("min_percent".to_owned(), json!(min));
        let verdict = if gaps.enough { "covered" } else { "gaps" };
        reporting.end(out, &Judgement { command: "coverage gaps", verdict, blocks: !gaps.enough, findings: gaps.findings, more })
    }
}

fn bad(file: &Path, why: &dyn std::fmt::Display) -> BadInput {
    BadInput(format!("{}: {why}", file.display()))
}
