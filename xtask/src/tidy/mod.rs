//! The rules that keep the house as `ARCHITECTURE.md` describes it. A rule is one line in [`RULES`] and one function.
//!
//! A finding that is right for a reason is allowed where it stands, on its line or the one above, by
//! `tidy-allow(RULE): reason`. Whole files and missing files cannot be allowed.
//! Deliberately absent: what rustc, clippy or rustfmt can say (see clippy.toml).

mod documents;
mod floors;
mod licences;
mod mutations;
mod rooms;
mod texts;

pub use floors::{dependencies, own};

use crate::tree::Tree;
use anyhow::{Result, bail};
use std::path::Path;

pub struct Finding {
    pub path: String,
    /// 1-based; 0 where the whole file is meant.
    pub line: usize,
    pub what: String,
}

pub type Files = Vec<(&'static str, String)>;

pub struct Rule {
    pub name: &'static str,
    /// Why the rule is there, for whoever meets it.
    pub why: &'static str,
    pub check: fn(&Tree) -> Vec<Finding>,
    /// Files with which the rule is content.
    pub good: fn() -> Files,
    /// Violations: each is planted into the good files and into this repository, and must be found.
    pub bad: fn() -> Vec<Files>,
}

/// All rules, in the order in which they report.
const RULES: &[&Rule] = &[
    &floors::FLOORS,
    &floors::PURE,
    &floors::ANYHOW,
    &rooms::IMPORTS,
    &rooms::HEADS,
    &rooms::ROW_TESTS,
    &rooms::ROW_PAGES,
    &texts::LENGTH,
    &texts::NAMES,
    &texts::PLACEHOLDERS,
    &texts::PANICS,
    &texts::UNFINISHED,
    &texts::SQL,
    &texts::SQLX,
    &texts::MODULE_DOCS,
    &texts::MACHINE_PATHS,
    &texts::FIXED_PORTS,
    &documents::REFUSALS,
    &documents::DECISIONS,
    &mutations::MUTATIONS,
    &licences::PAGE_LICENCES,
];

pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    let tree = Tree::load(root)?;
    match args {
        [] => check(&tree, root, None),
        [flag] if flag == "--self-test" => Ok(self_test(&tree)),
        [flag, rule] if flag == "--only" => check(&tree, root, Some(rule)),
        _ => bail!("tidy takes --self-test or --only RULE"),
    }
}

fn check(tree: &Tree, root: &Path, only: Option<&str>) -> Result<bool> {
    let chosen: Vec<&Rule> = RULES.iter().copied().filter(|rule| only.is_none_or(|name| name == rule.name)).collect();
    if chosen.is_empty() && only != Some("licences") {
        bail!("no rule of this name; there are {}", RULES.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", "));
    }
    let mut count = 0;
    for rule in &chosen {
        let findings = judge(rule, tree);
        report(rule.name, rule.why, &findings);
        count += findings.len();
    }
    if only.is_none_or(|name| name == "licences") {
        let findings = licences::check(root)?;
        report("licences", licences::WHY, &findings);
        count += findings.len();
    }
    println!("tidy: {} rules, {count} findings", chosen.len() + 1);
    Ok(count == 0)
}

fn report(name: &str, why: &str, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    println!("{name}: {why}");
    for finding in findings {
        match finding.line {
            0 => println!("  {}: {}", finding.path, finding.what),
            line => println!("  {}:{line}: {}", finding.path, finding.what),
        }
    }
}

/// A rule's findings, less those that are allowed where they stand.
fn judge(rule: &Rule, tree: &Tree) -> Vec<Finding> {
    let mut findings = (rule.check)(tree);
    findings.retain(|finding| !allowed(rule.name, tree, finding));
    findings
}

fn allowed(rule: &str, tree: &Tree, finding: &Finding) -> bool {
    const REASON_CHARS_MIN: usize = 12;
    let Some(text) = tree.get(&finding.path) else { return false };
    let marker = format!("tidy-allow({rule}):");
    let first = finding.line.saturating_sub(2);
    finding.line > 0
        && text
            .lines()
            .skip(first)
            .take(finding.line - first)
            .any(|line| line.split_once(&marker).is_some_and(|(_, reason)| reason.trim().chars().count() >= REASON_CHARS_MIN))
}

fn self_test(tree: &Tree) -> bool {
    let mut failures = 0;
    for rule in RULES {
        let good = Tree::from_files((rule.good)());
        let mut complaints: Vec<String> =
            judge(rule, &good).iter().map(|f| format!("finds fault with good files: {}:{}: {}", f.path, f.line, f.what)).collect();
        let violations = (rule.bad)();
        if violations.is_empty() {
            complaints.push("has no violation to plant".to_owned());
        }
        let here = judge(rule, tree).len();
        for (number, files) in violations.iter().enumerate() {
            if judge(rule, &good.with(files.clone())).is_empty() {
                complaints.push(format!("misses violation {number} among good files"));
            }
            // The same violation in this very repository: the rule looks where the code really is.
            if judge(rule, &tree.with(files.clone())).len() <= here {
                complaints.push(format!("misses violation {number} planted into this repository"));
            }
        }
        failures += complaints.len();
        let word = if complaints.is_empty() { "ok" } else { "FAILED" };
        println!("{word:6} {} ({} planted)", rule.name, violations.len());
        complaints.iter().for_each(|complaint| println!("       {complaint}"));
    }
    let complaints = licences::self_test();
    println!("{:6} licences", if complaints.is_empty() { "ok" } else { "FAILED" });
    complaints.iter().for_each(|complaint| println!("       {complaint}"));
    failures += complaints.len();
    println!("tidy self-test: {} rules, {failures} failures", RULES.len() + 1);
    failures == 0
}

/// A finding at a position of a file.
fn at(path: &str, text: &str, position: usize, what: impl Into<String>) -> Finding {
    Finding { path: path.to_owned(), line: crate::rust_source::line_at(text, position), what: what.into() }
}

/// A finding about a whole file.
fn whole(path: &str, what: impl Into<String>) -> Finding {
    Finding { path: path.to_owned(), line: 0, what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::{RULES, allowed, at};
    use crate::tree::Tree;

    #[test]
    fn an_allowance_needs_its_rule_and_a_reason() {
        for (line, expected) in [
            ("bad(); // tidy-allow(sql): reads the user's own table", true),
            ("// tidy-allow(sql): reads the user's own table\nbad();", true),
            ("bad(); // tidy-allow(sql): ok", false),
            ("bad(); // tidy-allow(names): reads the user's own table", false),
            ("// tidy-allow(sql): reads the user's own table\n\n\nbad();", false),
        ] {
            let tree = Tree::from_files([("a.rs", line.to_owned())]);
            let finding = at("a.rs", line, line.find("bad").unwrap_or(0), "");
            assert_eq!(allowed("sql", &tree, &finding), expected, "{line}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }
}
