//! Migrations: what they would do to a PostgreSQL that is in use.

use super::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::{Subcommand, ValueEnum};
use holdpoint_inspect::finding::Severity;
use holdpoint_inspect::migration::script::Unreadable;
use holdpoint_inspect::migration::session::Timeouts;
use holdpoint_inspect::migration::{Options, VERSIONS, check};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, ValueEnum)]
pub enum Threshold {
    Critical,
    High,
    Medium,
    Low,
}

#[derive(Subcommand)]
pub enum Migration {
    /// safe or dangerous: locks, rewrites, data loss and broken readers, without a database.
    #[command(
        after_help = "Examples:\n  holdpoint migration check migrations/ --postgres 16\n  holdpoint migration check 1.sql 2.sql --postgres 16 --json\n  holdpoint migration check 7.sql --postgres 17 --in-transaction --sarif migration.sarif\n"
    )]
    Check {
        /// Files in the order in which they run, each a transaction of its own; a folder stands for its *.sql files, numbers
        /// in their names in numeric order, without *.down.sql.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Major version of the server, 13 to 18.
        #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u32).range(i64::from(*VERSIONS.start())..=i64::from(*VERSIONS.end())))]
        postgres: u32,
        /// Whoever runs the files puts each into a transaction block, whatever it holds.
        #[arg(long)]
        in_transaction: bool,
        /// Whoever runs the files sets lock_timeout before each.
        #[arg(long)]
        lock_timeout_set: bool,
        /// Whoever runs the files sets statement_timeout before each.
        #[arg(long)]
        statement_timeout_set: bool,
        /// Findings of this severity and worse are dangerous.
        #[arg(long, value_enum, default_value_t = Threshold::High)]
        fail_on: Threshold,
        #[command(flatten)]
        reporting: Reporting,
    },
}

impl Migration {
    pub fn run(self, out: &Out) -> Ended {
        let Migration::Check { files, postgres, in_transaction, lock_timeout_set, statement_timeout_set, fail_on, reporting } = self;
        let mut scripts = Vec::new();
        for path in files.iter().map(|file| expand(file)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
            scripts.push((path.display().to_string(), read(&path)?));
        }
        let fail_on = match fail_on {
            Threshold::Critical => Severity::Critical,
            Threshold::High => Severity::High,
            Threshold::Medium => Severity::Medium,
            Threshold::Low => Severity::Low,
        };
        let assumed = Timeouts { lock: lock_timeout_set, statement: statement_timeout_set };
        let options = Options { in_transaction, assumed, fail_on, ..Options::new(postgres) };
        let report = check(&scripts, &options).map_err(|places| BadInput(told(&places)))?;
        out.say(format!("{} statements in {} files, PostgreSQL {postgres}", report.statements, scripts.len()));
        for waived in &report.waived {
            out.say(format!("waived: {} at {}: {}", waived.finding.rule, waived.finding.place(), waived.reason));
        }
        let mut more = serde_json::Map::new();
        more.insert("postgres".to_owned(), json!(postgres));
        more.insert("files".to_owned(), json!(scripts.iter().map(|(name, _)| name).collect::<Vec<_>>()));
        more.insert("statements".to_owned(), json!(report.statements));
        more.insert("waived".to_owned(), serde_json::to_value(&report.waived)?);
        more.insert("effects".to_owned(), serde_json::to_value(&report.effects)?);
        let verdict = report.verdict();
        let judgement = Judgement { command: "migration check", verdict, blocks: report.dangerous, findings: report.findings, more };
        reporting.end(out, &judgement)
    }
}

fn told(places: &[Unreadable]) -> String {
    places.iter().map(Unreadable::to_string).collect::<Vec<_>>().join("\n")
}

/// A folder's migrations in order; a file is itself.
fn expand(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let bad = |why: std::io::Error| BadInput(format!("{}: {why}", path.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(bad)? {
        let name = entry.map_err(bad)?.file_name().to_string_lossy().into_owned();
        let lower = name.to_lowercase();
        if lower.ends_with(".sql") && !lower.ends_with(".down.sql") && !lower.ends_with("_down.sql") {
            found.push(name);
        }
    }
    if found.is_empty() {
        return Err(BadInput(format!("{}: expected *.sql files in this folder", path.display())).into());
    }
    in_order(&mut found);
    Ok(found.into_iter().map(|name| path.join(name)).collect())
}

/// Flyway's order where all names are Flyway's (`V1__a.sql`, `V1_1__b.sql`, `R__c.sql`), without its undo files; otherwise
/// by name, with numbers as numbers.
fn in_order(names: &mut Vec<String>) {
    let undo = |name: &String| name.starts_with('U') && version(name).is_some();
    if names.iter().all(|name| version(name).is_some() || name.starts_with("R__")) {
        names.retain(|name| !undo(name));
        // Repeatable migrations have no version and run last.
        names.sort_by_key(|name| (version(name).unwrap_or_else(|| vec![u128::MAX]), name.clone()));
    } else {
        names.sort_by_key(|name| natural(name));
    }
}

/// The version in `V1_2__name.sql` or `V1.2__name.sql`.
fn version(name: &str) -> Option<Vec<u128>> {
    let (version, _) = name.strip_prefix(['V', 'U'])?.split_once("__")?;
    version.split(['.', '_']).map(|part| part.parse().ok()).collect()
}

/// Runs of digits and what lies between them.
fn natural(name: &str) -> Vec<(String, u128)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text: String = rest.chars().take_while(|c| !c.is_ascii_digit()).collect();
        rest = &rest[text.len()..];
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        rest = &rest[digits.len()..];
        parts.push((text, digits.parse().unwrap_or(u128::MAX)));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::in_order;

    fn sorted(names: &[&str]) -> Vec<String> {
        let mut names = names.iter().map(|&name| name.to_owned()).collect();
        in_order(&mut names);
        names
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        assert_eq!(sorted(&["10_c.sql", "9_b.sql", "1_a.sql"]), ["1_a.sql", "9_b.sql", "10_c.sql"]);
        assert_eq!(sorted(&["20240102_b.sql", "20231231_a.sql"]), ["20231231_a.sql", "20240102_b.sql"]);
    }

    #[test]
    fn flyway_names_go_by_version() {
        let names = ["R__views.sql", "V10__c.sql", "V1_1__z.sql", "U10__c.sql", "V1__a.sql", "V2__b.sql"];
        assert_eq!(sorted(&names), ["V1__a.sql", "V1_1__z.sql", "V2__b.sql", "V10__c.sql", "R__views.sql"]);
    }
}
