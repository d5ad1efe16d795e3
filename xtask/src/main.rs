//! `cargo xtask`: the checks and errands of this repository that no ready-made tool does.
//!
//! Deliberately light: no dependency beyond JSON and error texts, so that it compiles in seconds on a cold machine.

mod fresh;
mod layers;
mod mutants;
mod report;
mod rows;
mod runner;
mod rust_source;
mod test_run;
mod tidy;
mod tree;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND
  tidy [--self-test] [--only RULE]   the rules that keep the house as it is; --self-test plants a violation for each
  layers                             the crates and what they stand on
  test [--only WORD] [--filter WORD] [--package NAME]
                                     run the tests (nextest, or its stand-in), then the 10 slowest and what was skipped
  slowest [N] [REPORT]               the slowest tests of the last run
  rows [REPORT]                      which capability rows work, by the last run's own report
  total                              the sum of all runs since the last `test`
  mutants [NAME]...                  take checks out one at a time: the named test must fail
  fresh [--warm] [--keep]            clone into a temporary folder and run the two README commands there";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask: {why:#}");
            ExitCode::from(2)
        }
    }
}

/// `Ok(false)` is a finding, an error is a command that could not do its work.
fn run() -> Result<bool> {
    let mut args = std::env::args().skip(1);
    let Some(command) = args.next() else { bail!("which command?\n{USAGE}") };
    let args: Vec<String> = args.collect();
    let root = root()?;
    match command.as_str() {
        "tidy" => tidy::run(&root, &args),
        "layers" => layers::run(&root),
        "test" => test_run::run(&root, &args),
        "slowest" => report::slowest(&root, &args),
        "rows" => rows::run(&root, &args),
        "total" => test_run::total(&root),
        "mutants" => mutants::run(&root, &args),
        "fresh" => fresh::run(&root, &args),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(true)
        }
        other => bail!("no command {other:?}\n{USAGE}"),
    }
}

/// The repository: the folder above this crate, wherever the command was typed.
fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    let root = PathBuf::from(manifest).parent().context("this crate has no parent folder")?.to_owned();
    Ok(root)
}
