//! `migration_check VERSION FILE…`: the judgement alone, for the benchmark. Prints the report as one JSON object.

use holdpoint_inspect::finding::Finding;
use holdpoint_inspect::migration::{Effect, Options, check};
use std::io::Write as _;

#[derive(serde::Serialize)]
struct Said {
    verdict: &'static str,
    findings: Vec<Finding>,
    effects: Vec<Effect>,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let version = args.next().and_then(|text| text.parse().ok()).unwrap_or(18);
    let files: Vec<(String, Vec<u8>)> = args.map(|name| (name.clone(), std::fs::read(name).expect("a file"))).collect();
    let started = std::time::Instant::now();
    let report = check(&files, &Options::new(version)).unwrap_or_else(|places| panic!("{places:?}"));
    let judged = started.elapsed();
    let (statements, found) = (report.statements, report.findings.len());
    let said = Said { verdict: report.verdict(), findings: report.findings, effects: report.effects };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer(&mut out, &said).expect("an open standard output");
    out.flush().expect("an open standard output");
    eprintln!("{statements} statements, {found} findings, {:.3} s", judged.as_secs_f64());
}
