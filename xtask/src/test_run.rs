//! `cargo xtask test`: one way to run the tests, with nextest where it is installed and with [`crate::runner`] elsewhere.
//!
//! Both start each test in a process of its own, so a test that passes with one passes with the other.

use crate::report::{Case, JUNIT, SKIPPED, State, mark_skipped, print_slowest, read};
use crate::runner;
use anyhow::{Context, Result, bail};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Kinds of test that `make test` leaves out: they are `#[ignore]`d and carry the word in their name.
const SEPARATE: [&str; 3] = ["soak", "conformance", "fuzz"];
/// Sums of the runs since the last full one, one line each.
const TOTALS: &str = "target/test-totals.txt";

pub struct Selection {
    /// Run only `#[ignore]`d tests.
    pub ignored: bool,
    /// Words of which one must be in the test's name; none means every test.
    pub word: Option<String>,
    /// One package instead of all.
    pub package: Option<String>,
}

impl Selection {
    /// Cargo's words for what to build.
    pub fn packages(&self) -> Vec<&str> {
        self.package.as_deref().map_or(vec!["--workspace"], |package| vec!["--package", package])
    }
}

pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    let selection = select(args)?;
    let skipped = root.join(SKIPPED);
    std::fs::create_dir_all(root.join("target"))?;
    std::fs::write(&skipped, "")?;
    let report = root.join(JUNIT);
    // A report of an earlier run must never pass for this one's.
    if report.exists() {
        std::fs::remove_file(&report)?;
    }
    let succeeded = if nextest() { run_nextest(root, &selection, &skipped)? } else { runner::run(root, &selection, &skipped)? };
    let mut cases = if report.exists() { read(&report)? } else { Vec::new() };
    mark_skipped(root, &mut cases);
    if !cases.is_empty() {
        print_slowest(&cases, 10);
    }
    finish(root, &selection, &cases, &skipped, succeeded)
}

fn select(args: &[String]) -> Result<Selection> {
    let mut selection = Selection { ignored: false, word: None, package: None };
    let mut rest = args.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().with_context(|| format!("{flag} needs a value"))?.clone();
        match flag.as_str() {
            "--only" => {
                selection.ignored = SEPARATE.contains(&value.as_str());
                selection.word = Some(value);
            }
            "--filter" => selection.word = Some(value),
            "--package" | "-p" => selection.package = Some(value),
            _ => bail!("test takes --only WORD, --filter WORD and --package NAME, not {flag:?}"),
        }
    }
    Ok(selection)
}

fn nextest() -> bool {
    std::env::var("HOLDPOINT_RUNNER").as_deref() != Ok("plain")
        && Command::new("cargo-nextest").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn run_nextest(root: &Path, selection: &Selection, skipped: &Path) -> Result<bool> {
    let mut command = Command::new("cargo");
    command.args(["nextest", "run", "--no-fail-fast", "--no-tests", "pass", "--locked"]).args(selection.packages()).current_dir(root);
    command.args(["--status-level", "fail", "--final-status-level", "fail"]);
    command.env("HOLDPOINT_SKIPPED_LOG", skipped);
    if selection.ignored {
        command.args(["--run-ignored", "only"]);
    }
    if let Some(word) = &selection.word {
        command.args(["-E", &format!("test({word})")]);
    }
    Ok(command.status().context("running cargo nextest")?.success())
}

fn finish(root: &Path, selection: &Selection, cases: &[Case], skipped: &Path, succeeded: bool) -> Result<bool> {
    let count = |state| cases.iter().filter(|case| case.state == state).count();
    let (passed, failed) = (count(State::Passed), count(State::Failed));
    if let (0, Some(word)) = (cases.len(), &selection.word) {
        println!("no test has the word {word:?} in its name: nothing was shown");
    }
    let totals = root.join(TOTALS);
    let mut file = if selection.word.is_none() && selection.package.is_none() {
        std::fs::File::create(&totals)?
    } else {
        std::fs::OpenOptions::new().append(true).create(true).open(&totals)?
    };
    writeln!(file, "{passed} {failed}")?;
    let notes = std::fs::read_to_string(skipped)?;
    let mut notes: Vec<&str> = notes.lines().collect();
    notes.sort_unstable();
    notes.dedup();
    if !notes.is_empty() {
        println!("{passed} passed, {failed} failed, {} skipped", notes.len());
        println!("SKIPPED by HOLDPOINT_SKIP: these tests have not looked");
        notes.iter().for_each(|note| println!("  {note}"));
    } else {
        println!("{passed} passed, {failed} failed");
    }
    // A run that ended badly without a failed test (it did not build, it was ended) is no success.
    Ok(succeeded && failed == 0)
}

/// The closing line of several runs.
pub fn total(root: &Path) -> Result<bool> {
    let text = std::fs::read_to_string(root.join(TOTALS)).context("no test has run yet")?;
    let (mut passed, mut failed) = (0u64, 0u64);
    for line in text.lines() {
        let (a, b) = line.split_once(' ').context("an odd line of totals")?;
        passed += a.parse::<u64>()?;
        failed += b.parse::<u64>()?;
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0 && passed > 0)
}
