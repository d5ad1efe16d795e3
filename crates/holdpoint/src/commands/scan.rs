//! What is wrong in what we ship: one variant and one file a kind of scan.
//!
//! Reads files and asks git; what they mean is judged in `holdpoint_inspect`.

mod database;
mod history;
mod inventory;
mod licenses;
mod repository;
mod secrets;
mod tree;
mod vulnerabilities;

use super::Ended;
use crate::out::{BadInput, Out};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

#[derive(Subcommand)]
pub enum Scan {
    /// clean or vulnerable, from components and a database of advisories on disk.
    #[command(after_help = "Examples:
  holdpoint scan vulnerabilities bom.json --advisories osv/ --max critical=0,high=2
  holdpoint scan vulnerabilities Cargo.lock --advisories osv/ --index osv.index --max-age 7d --sarif found.sarif")]
    Vulnerabilities(vulnerabilities::Vulnerabilities),
    /// clean or found: tokens, keys and passwords in files and in git's history.
    #[command(after_help = "Examples:
  holdpoint scan secrets .
  holdpoint scan secrets . --history --range origin/main..HEAD --baseline secrets.yaml --sarif secrets.sarif")]
    Secrets(secrets::Secrets),
    /// clean or found, from declared licences and a policy.
    #[command(after_help = "Example:
  holdpoint scan licenses bom.json --policy licences.yaml --sarif licences.sarif")]
    Licenses(licenses::Licenses),
}

impl Scan {
    pub fn run(self, out: &Out) -> Ended {
        match self {
            Scan::Vulnerabilities(args) => args.run(out),
            Scan::Secrets(args) => args.run(out),
            Scan::Licenses(args) => args.run(out),
        }
    }
}

/// The time by which something is judged: `--now`, else the clock.
fn moment(now: Option<&str>) -> anyhow::Result<Timestamp> {
    match now {
        Some(text) => Ok(text.parse().map_err(|why| BadInput(format!("--now {text}: {why}")))?),
        None =>
        {
            #[expect(clippy::disallowed_methods, reason = "an offline judgement has no other clock; --now replaces it")]
            Ok(Timestamp::now())
        }
    }
}

/// A bar on a terminal, for what takes more than a second.
fn progress(out: &Out, length: u64, what: &'static str) -> ProgressBar {
    if !out.lively() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_message(what)
}
