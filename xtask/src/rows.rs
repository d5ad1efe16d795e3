//! Which of the 48 capability rows and 16 day-one rows work, by the test run's own report: nobody types it in.
//!
//! A row works when its test module ran all four views (`cli`, `api`, `page`, `refuses`) and every test in it passed.
//! A day-one row works when its module ran at least one test and every one passed.

use crate::report::{Case, JUNIT, State, mark_skipped, read};
use anyhow::{Result, bail};
use std::path::Path;

const MODULES: [(&str, [&str; 6]); 8] = [
    ("Release strategy and planning", ["Scope", "Release model", "Calendar", "Dependency map", "Resources", "Rollback criteria"]),
    (
        "Release design and build",
        [
            "Standard configuration",
            "Versions and traceability",
            "Modular packages",
            "Security scanning",
            "Backward compatibility",
            "Schema changes",
        ],
    ),
    (
        "Test environments and data",
        ["Allocation", "Masking and subsetting", "Certification", "Refresh cycles", "Utilisation", "Ownership and access"],
    ),
    (
        "Release testing and validation",
        ["Integration tests", "Load tests", "Acceptance", "Disaster recovery", "Synthetic transactions", "Gaps and residual risk"],
    ),
    (
        "Deployment and go/no-go governance",
        ["Change approval board", "Freezes", "Partners", "Backups before production", "Windows from SLAs", "Checklists"],
    ),
    ("Post-implementation review and knowledge", ["Reviews within 72 hours", "Runbooks", "Handover", "Dashboards", "Archive", "Training"]),
    ("Automation and orchestration", ["Pipelines", "Automatic rollback", "Standardisation", "Incident link", "Immutability", "Control"]),
    (
        "Metrics and improvement",
        ["MTTR", "Frequency and lead time", "Failure rates", "Change success against testing rigor", "Root causes", "Business outcomes"],
    ),
];
const DAY_ONE: [&str; 16] = [
    "Out-of-band deployment",
    "Gate-only mode",
    "Observe mode",
    "The existing world",
    "ITSM change number",
    "Life cycle and closure codes",
    "Cutover runbook",
    "Hotfix",
    "Waiting for me",
    "Absence",
    "Notifications",
    "Auditor's desk",
    "Programme release",
    "Flags and tenants",
    "Search, release notes, bulk",
    "Anything, not only the sample",
];
const VIEWS: [&str; 4] = ["cli", "api", "page", "refuses"];

pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    let report = match args {
        [] => root.join(JUNIT),
        [path] => root.join(path),
        _ => bail!("rows takes one report"),
    };
    let mut cases = read(&report)?;
    if args.is_empty() {
        mark_skipped(root, &mut cases);
    }
    let mut works = 0;
    for (module, (title, rows)) in MODULES.iter().enumerate() {
        println!("M{} {title}", module + 1);
        for (row, title) in rows.iter().enumerate() {
            let verdict = judge(&cases, "rows", &format!("r{}_{}", module + 1, row + 1), &VIEWS);
            works += usize::from(verdict == WORKS);
            println!("  {}.{} {title:40} {verdict}", module + 1, row + 1);
        }
    }
    println!("Day one");
    let mut day_one = 0;
    for (row, title) in DAY_ONE.iter().enumerate() {
        let verdict = judge(&cases, "day_one", &format!("d{}", row + 1), &[]);
        day_one += usize::from(verdict == WORKS);
        println!("  D{:<3}{title:40} {verdict}", row + 1);
    }
    println!("{works} of 48 rows work, {day_one} of 16 day-one rows work (report: {})", report.display());
    Ok(true)
}

const WORKS: &str = "works";

fn judge(cases: &[Case], binary: &str, module: &str, views: &[&str]) -> String {
    let prefix = format!("{module}::");
    let own: Vec<&Case> =
        cases.iter().filter(|case| case.binary.rsplit("::").next() == Some(binary) && case.name.starts_with(&prefix)).collect();
    if own.is_empty() {
        return "-".to_owned();
    }
    let failed: Vec<&str> = own.iter().filter(|case| case.state == State::Failed).map(|case| case.name.as_str()).collect();
    if !failed.is_empty() {
        return format!("fails: {}", failed.join(", "));
    }
    let ran = |view: &str| own.iter().any(|case| case.state == State::Passed && case.name[prefix.len()..].starts_with(view));
    let missing: Vec<&str> = views.iter().copied().filter(|view| !ran(view)).collect();
    if !missing.is_empty() {
        return format!("partly: not seen through {}", missing.join(", "));
    }
    if own.iter().any(|case| case.state == State::Skipped) { "partly: tests skipped".to_owned() } else { WORKS.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{VIEWS, judge};
    use crate::report::{Case, State};

    #[test]
    fn a_row_works_when_all_four_views_passed() {
        let case = |name: &str, state| Case {
            binary: "holdpoint-tests::rows".into(),
            name: name.into(),
            seconds: None,
            state,
            output: String::new(),
        };
        let mut cases: Vec<Case> = VIEWS.iter().map(|view| case(&format!("r5_2::{view}_freeze"), State::Passed)).collect();
        assert_eq!(judge(&cases, "rows", "r5_2", &VIEWS), "works");
        assert_eq!(judge(&cases, "day_one", "r5_2", &VIEWS), "-");
        assert_eq!(judge(&cases, "rows", "r5", &VIEWS), "-");
        cases.push(case("r5_2::more", State::Failed));
        assert_eq!(judge(&cases, "rows", "r5_2", &VIEWS), "fails: r5_2::more");
        cases.truncate(3);
        assert_eq!(judge(&cases, "rows", "r5_2", &VIEWS), "partly: not seen through refuses");
    }
}
