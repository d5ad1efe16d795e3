//! `ledger-check FILE`: the independent checker over an exported ledger. Exit 0 whole, 1 violations, 2 unreadable.

use holdpoint_testkit::checker::check;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: ledger-check FILE   (the output of `holdpoint ledger export`)");
        return ExitCode::from(2);
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let report = check(&text);
            println!("{report}");
            if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("{path}: {why}");
            ExitCode::from(2)
        }
    }
}
