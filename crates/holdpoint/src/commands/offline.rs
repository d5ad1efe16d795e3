//! Judgements that need no server: canary, calendar, test reports.

use super::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Code, Out, read};
use clap::{Subcommand, ValueEnum};
use holdpoint_analysis::calendar::{self, DenialReason, Kind, Occurrence, Recurrence, Rule, Start, Window, WindowSpec, icalendar};
use holdpoint_analysis::canary::{Direction, SeriesOptions, Tolerance, Verdict, judge_series};
use holdpoint_inspect::finding::{Finding, Severity};
use holdpoint_inspect::junit;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, ValueEnum)]
pub enum Way {
    Either,
    HigherIsWorse,
    LowerIsWorse,
}

#[derive(Subcommand)]
pub enum Canary {
    /// pass, fail, undecided or no-data, from two series.
    Judge {
        #[arg(long)]
        baseline: PathBuf,
        #[arg(long)]
        candidate: PathBuf,
        #[arg(long, value_enum, default_value_t = Way::Either)]
        direction: Way,
        /// Chance that a harmless canary fails.
        #[arg(long, default_value_t = 0.05)]
        error_rate: f64,
        /// Tolerated relative difference.
        #[arg(long)]
        tolerance: Option<f64>,
        /// Planned number of observations; without it the files are complete.
        #[arg(long)]
        planned: Option<u32>,
    },
}

#[derive(Subcommand)]
pub enum Calendar {
    /// The occurrences of a recurrence rule, or of all events of an iCalendar file (RFC 5545).
    Expand {
        /// iCalendar file, instead of --rule and --start.
        #[arg(conflicts_with_all = ["rule", "start"], required_unless_present = "rule")]
        file: Option<PathBuf>,
        #[arg(long, requires = "start")]
        rule: Option<String>,
        /// First start, local: 19970902T090000, 19970902 or ISO 8601.
        #[arg(long)]
        start: Option<String>,
        /// IANA name. With a zone, occurrences carry the offset they have there.
        #[arg(long)]
        zone: Option<String>,
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Nothing that starts after this, RFC 3339.
        #[arg(long, value_name = "T")]
        until: Option<Timestamp>,
    },
    /// Whether a change may start at an instant, by windows in a file.
    Check {
        file: PathBuf,
        /// RFC 3339.
        #[arg(long)]
        at: String,
        /// Expected length, ISO 8601.
        #[arg(long)]
        duration: Option<String>,
        /// A person goes ahead where a window lets people.
        #[arg(long)]
        manual: bool,
    },
}

#[derive(Subcommand)]
pub enum Test {
    /// Totals and verdict of JUnit reports.
    Import {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        reporting: Reporting,
    },
}

impl Canary {
    pub fn run(self, out: &Out) -> Ended {
        let Canary::Judge { baseline, candidate, direction, error_rate, tolerance, planned } = self;
        let series = |path: &PathBuf| -> anyhow::Result<_> {
            Ok(serde_json::from_slice(&read(path)?).map_err(|why| BadInput(format!("{}: {why}", path.display())))?)
        };
        let direction = match direction {
            Way::Either => Direction::Either,
            Way::HigherIsWorse => Direction::HigherIsWorse,
            Way::LowerIsWorse => Direction::LowerIsWorse,
        };
        let options =
            SeriesOptions { direction, error_rate, tolerance: tolerance.map(Tolerance::relative), planned, ..SeriesOptions::default() };
        let judged = judge_series(&series(&baseline)?, &series(&candidate)?, &options).map_err(|why| BadInput(why.to_string()))?;
        let verdict = serde_json::to_value(judged.verdict)?;
        out.result(&json!({"verdict": verdict, "report": judged.report, "points": judged.points}), || {
            let seen = &judged.report;
            format!("{} after {} of {} observations", verdict.as_str().unwrap_or_default(), seen.seen, seen.planned)
        });
        Ok(if judged.verdict == Verdict::Pass { Code::Done } else { Code::Blocked })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowFile {
    windows: Vec<WindowEntry>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowEntry {
    name: String,
    kind: Kind,
    rule: String,
    start: String,
    duration: String,
    #[serde(default = "utc")]
    zone: String,
    #[serde(default)]
    manual: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Calendar {
    pub fn run(self, out: &Out) -> Ended {
        match self {
            Calendar::Expand { file: Some(file), zone, limit, until, .. } => expand_file(out, &file, zone.as_deref(), limit, until),
            Calendar::Expand { file: None, rule, start, zone, limit, until } => {
                expand_rule(out, &rule.unwrap_or_default(), &start.unwrap_or_default(), zone.as_deref(), limit, until)
            }
            Calendar::Check { file, at, duration, manual } => {
                let text = String::from_utf8_lossy(&read(&file)?).into_owned();
                let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", file.display()));
                let parsed: WindowFile = serde_saphyr::from_str(&text).map_err(|why| bad(&why))?;
                let mut windows = Vec::new();
                for one in parsed.windows {
                    let spec = WindowSpec {
                        name: one.name,
                        kind: one.kind,
                        rule: one.rule,
                        start: one.start,
                        duration: one.duration,
                        zone: one.zone,
                        manual: one.manual,
                    };
                    windows.push(Window::parse(&spec).map_err(|why| bad(&why))?);
                }
                let at: Timestamp = at.parse().map_err(|why| BadInput(format!("--at {at}: {why}")))?;
                let runway = duration
                    .map(|text| calendar::parse_duration(&text).map_err(|why| BadInput(format!("--duration: {why}"))))
                    .transpose()?;
                let runway = runway.map(|length| length.after(at, &TimeZone::UTC).duration_since(at));
                let verdict = calendar::check(&windows, at, manual, runway);
                let word = if verdict.allowed { "allowed" } else { "denied" };
                let mut value = serde_json::to_value(&verdict)?;
                value["verdict"] = json!(word);
                out.result(&value, || {
                    let why: Vec<String> = verdict.denied_by.iter().map(|one| format!("  {}", reason(&one.window, &one.reason))).collect();
                    let next = verdict.next_open.map(|at| format!("\n  next open {at}")).unwrap_or_default();
                    format!("{word}\n{}{next}", why.join("\n"))
                });
                Ok(if verdict.allowed { Code::Done } else { Code::Blocked })
            }
        }
    }
}

fn named_zone(name: Option<&str>) -> Result<Option<TimeZone>, BadInput> {
    name.map(|name| calendar::zone(name).map_err(|why| BadInput(format!("--zone: {why}")))).transpose()
}

fn expand_rule(out: &Out, rule: &str, start: &str, zone: Option<&str>, limit: usize, until: Option<Timestamp>) -> Ended {
    let bad = |what: &str, why: &dyn std::fmt::Display| BadInput(format!("{what}: {why}"));
    let rule: Rule = rule.parse().map_err(|why| bad("--rule", &why))?;
    let (start, own_zone) = Start::parse(start).map_err(|why| bad("--start", &why))?;
    let named = named_zone(zone)?;
    let zone = own_zone.or_else(|| named.clone()).unwrap_or(TimeZone::UTC);
    let recurrence = Recurrence::new(start, zone, Some(rule.clone())).map_err(|why| bad("--rule", &why))?;
    let until = until.unwrap_or(Timestamp::MAX);
    // What was asked without a zone is answered without one.
    let told = |one: Occurrence| match &named {
        Some(zone) => one.at.display_with_offset(zone.to_offset(one.at)).to_string(),
        None => one.local.to_string(),
    };
    let occurrences: Vec<String> = recurrence.occurrences().take_while(|one| one.at <= until).take(limit).map(told).collect();
    let warnings: Vec<String> = recurrence.warnings(&rule).iter().map(|warning| warning.to_string()).collect();
    out.result(&json!({"occurrences": occurrences, "warnings": warnings}), || occurrences.join("\n"));
    for warning in warnings {
        out.say(format!("! {warning}"));
    }
    Ok(Code::Done)
}

/// All events of a file, merged in order of time; one with a billion occurrences costs no more than those that are asked for.
fn expand_file(out: &Out, file: &Path, zone: Option<&str>, limit: usize, until: Option<Timestamp>) -> Ended {
    let events = icalendar::read(&read(file)?).map_err(|why| BadInput(format!("{}: {why}", file.display())))?;
    let named = named_zone(zone)?;
    let until = until.unwrap_or(Timestamp::MAX);
    let mut series: Vec<_> = events.iter().map(|event| event.recurrence.occurrences()).collect();
    let mut next: BinaryHeap<Reverse<(Timestamp, usize)>> =
        series.iter_mut().enumerate().filter_map(|(number, series)| Some(Reverse((series.next()?.at, number)))).collect();
    let mut occurrences = Vec::new();
    while let Some(Reverse((at, number))) = next.pop().filter(|Reverse((at, _))| *at <= until && occurrences.len() < limit) {
        let event = &events[number];
        let zone = named.as_ref().unwrap_or_else(|| event.recurrence.zone());
        let told = |at: Timestamp| at.display_with_offset(zone.to_offset(at)).to_string();
        let end = event.length.after(at, event.recurrence.zone());
        occurrences.push(json!({"start": told(at), "end": told(end), "uid": event.uid, "summary": event.summary}));
        next.extend(series[number].next().map(|one| Reverse((one.at, number))));
    }
    out.result(&json!({"occurrences": occurrences}), || {
        let word = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let lines: Vec<String> =
            occurrences.iter().map(|one| format!("{} to {}  {}", word(one, "start"), word(one, "end"), word(one, "summary"))).collect();
        lines.join("\n")
    });
    Ok(Code::Done)
}

/// Why a window is in the way, in words.
fn reason(window: &str, reason: &DenialReason) -> String {
    match reason {
        DenialReason::Deny { until: Some(until) } => format!("{window:?} denies until {until}"),
        DenialReason::Deny { until: None } => format!("{window:?} denies, with no end in sight"),
        DenialReason::OutsideAllow { opens: Some(opens) } => format!("outside {window:?}, which next opens at {opens}"),
        DenialReason::OutsideAllow { opens: None } => format!("outside {window:?}, which does not open again"),
        DenialReason::Runway { closes } => format!("{window:?} closes at {closes}, before the change would end"),
    }
}

impl Test {
    pub fn run(self, out: &Out) -> Ended {
        let Test::Import { files, reporting } = self;
        let mut total = junit::TestReport::default();
        for file in &files {
            let report = junit::read(&read(file)?).map_err(|why| BadInput(format!("{}: {why}", file.display())))?;
            total.add(&report);
        }
        let findings =
            total.broken.iter().map(|test| Finding::new("test-failed", Severity::High, "This test failed.").inside(test)).collect();
        out.say(format!(
            "{} tests, {} passed, {} failed, {} errors, {} skipped",
            total.tests, total.passed, total.failed, total.errors, total.skipped
        ));
        let mut more = serde_json::Map::new();
        more.insert("totals".to_owned(), serde_json::to_value(&total)?);
        let verdict = total.verdict();
        reporting.end(out, &Judgement { command: "test import", verdict, blocks: verdict != "passed", findings, more })
    }
}
