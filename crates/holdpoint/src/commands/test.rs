//! Test reports of other runners: totals and a verdict.

use super::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::Subcommand;
use holdpoint_inspect::finding;
use holdpoint_inspect::test_report::{self, TestReport};
use serde_json::json;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Test {
    /// Totals and verdict of reports: JUnit, TRX, NUnit 2 and 3, xUnit.net (told apart by their root element).
    #[command(
        after_help = "Examples:\n  holdpoint test import target/junit.xml\n  holdpoint --json test import results/*.trx --sarif tests.sarif\n"
    )]
    Import {
        /// Reports, of which several count together; `-` is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        reporting: Reporting,
    },
}

impl Test {
    pub fn run(self, out: &Out) -> Ended {
        let Test::Import { files, reporting } = self;
        let mut total = TestReport::default();
        let mut findings = Vec::new();
        let mut reports = Vec::new();
        for file in &files {
            let name = file.display().to_string();
            let (format, report) = test_report::read(&read(file)?).map_err(|why| BadInput(format!("{name}: {why}")))?;
            findings.extend(report.findings(&name));
            reports.push(json!({"file": name, "format": format, "verdict": report.verdict(), "tests": report.tests}));
            total.add(&report);
        }
        finding::sort(&mut findings);
        out.say(format!(
            "{} tests, {} passed, {} failed, {} errors, {} skipped",
            total.tests, total.passed, total.failed, total.errors, total.skipped
        ));
        let mut more = serde_json::Map::new();
        more.insert("totals".to_owned(), serde_json::to_value(&total)?);
        more.insert("reports".to_owned(), json!(reports));
        let verdict = total.verdict();
        reporting.end(out, &Judgement { command: "test import", verdict, blocks: verdict != "passed", findings, more })
    }
}
