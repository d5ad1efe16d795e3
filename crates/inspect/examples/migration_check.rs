//! `migration_check VERSION FILE…`: the judgement alone, for the benchmark. Prints the report as one JSON object.

use holdpoint_inspect::migration::{Options, check};
use std::io::Write as _;

fn main() {
    let mut args = std::env::args().skip(1);
    let version = args.next().and_then(|text| text.parse().ok()).unwrap_or(18);
    let files: Vec<(String, Vec<u8>)> = args.map(|name| (name.clone(), std::fs::read(name).expect("a file"))).collect();
    let started = std::time::Instant::now();
    let report = check(&files, &Options::new(version)).unwrap_or_else(|places| panic!("{places:?}"));
    let judged = started.elapsed();
    let said = serde_json::json!({"verdict": report.verdict(), "findings": report.findings, "effects": report.effects});
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "{said}").expect("an open standard output");
    eprintln!("{} statements, {} findings, {:.3} s", report.statements, report.findings.len(), judged.as_secs_f64());
}
