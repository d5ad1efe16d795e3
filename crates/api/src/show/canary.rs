//! The comparison of two versions, from the readings that the engine kept.

use crate::problem::Answer;
use crate::state::Api;
use holdpoint_analysis::histogram::Histogram;
use holdpoint_domain::nouns::{Run, StepSpec};
use holdpoint_engine::watcher::{Interval, Seen};
use holdpoint_store::Reading;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All readings of a run's watches, oldest first, with the last watch apart.
pub struct Watched {
    all: Vec<Reading>,
    /// Where the readings of the latest watch begin.
    latest: usize,
}

/// Reads what was read.
pub async fn readings(api: &Api, run: &Run) -> Answer<Watched> {
    let mut watched = Watched { all: Vec::new(), latest: 0 };
    let begun = run.steps.iter().filter(|step| matches!(step.spec, StepSpec::Watch(_)) && !step.attempts.is_empty());
    for step in begun {
        let found = api.store().readings(api.project(), run.id.as_str(), &step.id, run.opened_at).await?;
        if !found.is_empty() {
            watched.latest = watched.all.len();
            watched.all.extend(found);
        }
    }
    Ok(watched)
}

/// Requests, errors and latencies of both versions over all watches.
pub fn traffic(run: &Run, watched: &Watched) -> Vec<Value> {
    #[derive(Default)]
    struct Sum {
        requests: u64,
        errors: u64,
        latency: Option<Histogram>,
    }
    impl Sum {
        fn add(&mut self, seen: &Seen) {
            self.requests += seen.requests;
            self.errors += seen.errors;
            match (&mut self.latency, &seen.latency) {
                (Some(sum), Some(one)) => {
                    // Buckets that changed in between are another measure; what was is kept.
                    let _other_buckets = sum.merge(one);
                }
                (none, Some(one)) => *none = Some(one.clone()),
                (_, None) => {}
            }
        }
    }
    let mut sums: BTreeMap<(String, &'static str), Sum> = BTreeMap::new();
    for reading in &watched.all {
        let interval: Interval = serde_json::from_value(reading.body.get("interval").cloned().unwrap_or_default()).unwrap_or_default();
        for (component, pair) in interval {
            let Some(pair) = pair else { continue };
            for (side, seen) in [("old", &pair.old), ("new", &pair.new)] {
                if let Some(seen) = seen {
                    sums.entry((component.clone(), side)).or_default().add(seen);
                }
            }
        }
    }
    let old = run.previous.as_ref().map(|previous| previous.version.clone()).unwrap_or_default();
    sums.into_iter()
        .map(|((component, side), sum)| {
            let ms = |q: f64| sum.latency.as_ref().and_then(|latency| latency.quantile_us(q)).map(|us| us as f64 / 1000.0);
            let version = if side == "new" { &run.version } else { &old };
            let mut one = json!({"component": component, "version": version, "side": side, "requests": sum.requests, "errors": sum.errors, "p50_ms": ms(0.5), "p99_ms": ms(0.99)});
            super::release::drop_nulls(&mut one);
            one
        })
        .collect()
}

/// Evidence as odds; finite, because JSON has no other numbers.
fn odds(log: f64) -> f64 {
    10_f64.powf(log.clamp(-12.0, 12.0))
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0)
}

/// Which part of a metric leads: the one whose evidence is nearest to its limit.
fn leading(parts: &[Value]) -> usize {
    let share = |part: &Value| number(part, "/evidence/so_far") / number(part, "/evidence/needed").max(1e-9);
    let mut best = 0;
    for (at, part) in parts.iter().enumerate() {
        if share(part) > parts.get(best).map_or(f64::NEG_INFINITY, share) {
            best = at;
        }
    }
    best
}

/// The latest watch's comparison; none where nothing is compared.
pub fn view(run: &Run, watched: &Watched) -> Option<Value> {
    let latest: Vec<&Reading> =
        watched.all.get(watched.latest..)?.iter().filter(|reading| reading.body.pointer("/picture/report").is_some()).collect();
    let report = latest.last()?.body.pointer("/picture/report")?;
    let empty = Vec::new();
    let metrics = report.get("metrics").and_then(Value::as_array).unwrap_or(&empty);
    let shown: Vec<Value> = metrics
        .iter()
        .enumerate()
        .filter_map(|(at, metric)| {
            let parts = metric.get("parts").and_then(Value::as_array)?;
            let lead = leading(parts);
            let part = parts.get(lead)?;
            let points: Vec<Value> = latest
                .iter()
                .filter_map(|reading| {
                    let point = reading.body.pointer(&format!("/picture/points/{at}/{lead}"))?;
                    let mut one = json!({
                        "at": reading.at, "evidence": odds(number(point, "/evidence/so_far")), "estimate": point.get("estimate"), "low": point.get("low"),
                        "high": point.get("high"),
                    });
                    super::release::drop_nulls(&mut one);
                    Some(one)
                })
                .collect();
            let estimate = latest.last().and_then(|reading| reading.body.pointer(&format!("/picture/points/{at}/{lead}/estimate"))).cloned();
            let seen = |side: &str| json!({"n": number(part, &format!("/{side}/n")), "k": number(part, &format!("/{side}/k"))});
            let mut one = json!({
                "metric": metric.get("metric"), "verdict": metric.get("verdict"), "evidence": odds(number(part, "/evidence/so_far")),
                "limit": odds(number(part, "/evidence/needed")), "estimate": estimate, "baseline": seen("baseline"), "candidate": seen("candidate"),
                "points": points,
            });
            super::release::drop_nulls(&mut one);
            Some(one)
        })
        .collect();
    let judged = run.judged.as_ref().map(|(verdict, _)| json!(verdict));
    let ended = run.ended_at.is_some();
    let verdict = judged.filter(|_| ended).or_else(|| report.get("verdict").cloned());
    let sentence = run.cause.as_ref().filter(|cause| cause.facts.get("verdict").is_some()).map(|cause| cause.sentence.clone());
    let mut view = json!({"verdict": verdict, "sentence": sentence, "metrics": shown});
    super::release::drop_nulls(&mut view);
    Some(view)
}
