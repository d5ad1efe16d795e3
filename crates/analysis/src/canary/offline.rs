//! Judging two recorded series: the offline command.

use serde::{Deserialize, Serialize};

use super::judge::{CanaryReport, Judge};
use super::plan::{CanaryPlan, Direction, Exposure, MetricKind, MetricPlan, Observation, PlanError, Tolerance, Verdict};
use super::series::PicturePoint;

/// A recorded series of one version. `null` values were not measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedSeries {
    #[serde(default)]
    pub metric: String,
    pub kind: RecordedKind,
    #[serde(default)]
    pub interval_seconds: Option<f64>,
    pub values: Vec<Option<f64>>,
    /// Requests per interval, where they are known (counts only).
    #[serde(default)]
    pub requests: Option<Vec<Option<f64>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedKind {
    Count,
    Gauge,
}

/// What is declared about a recorded canary.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesOptions {
    pub direction: Direction,
    /// α
    pub error_rate: f64,
    /// β
    pub pass_error_rate: f64,
    /// `None`: 25 % for counts, 10 % for gauges.
    pub tolerance: Option<Tolerance>,
    /// `None`: the series are complete, and their length is what was planned.
    pub planned: Option<u32>,
    /// Candidate's share of exposure, where requests are not recorded.
    pub share: f64,
    /// Whether to draw.
    pub picture: bool,
}

impl Default for SeriesOptions {
    fn default() -> SeriesOptions {
        SeriesOptions {
            direction: Direction::Either,
            error_rate: 0.05,
            pass_error_rate: 0.05,
            tolerance: None,
            planned: None,
            share: 0.5,
            picture: true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SeriesError {
    #[error("baseline and candidate are of different kinds")]
    Kinds,
    #[error("baseline has intervals of {0} s, candidate of {1} s")]
    Intervals(f64, f64),
    #[error("baseline is of {0:?}, candidate of {1:?}")]
    Metrics(String, String),
    #[error("value {index} of the {version} is {value}: a count is a whole number from 0")]
    Count { version: &'static str, index: usize, value: f64 },
    #[error("the candidate's share has to lie between 0 and 1")]
    Share,
    #[error("{0} intervals are more than can be judged")]
    Length(usize),
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Most intervals of a recorded series.
const LENGTH_MAX: usize = 100_000;

/// The answer of [`judge_series`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use]
pub struct SeriesVerdict {
    pub verdict: Verdict,
    pub report: CanaryReport,
    pub points: Vec<PicturePoint>,
}

/// Judges a recorded canary. Without `planned` it is taken as complete, so never feed a growing file without it.
pub fn judge_series(baseline: &RecordedSeries, candidate: &RecordedSeries, options: &SeriesOptions) -> Result<SeriesVerdict, SeriesError> {
    agree(baseline, candidate)?;
    if !(options.share > 0.0 && options.share < 1.0) {
        return Err(SeriesError::Share);
    }
    let length = baseline.values.len().max(candidate.values.len());
    if length > LENGTH_MAX {
        return Err(SeriesError::Length(length));
    }
    let (kind, relative) = match baseline.kind {
        RecordedKind::Count => (MetricKind::Events, 0.25),
        RecordedKind::Gauge => (MetricKind::Gauge, 0.10),
    };
    let metric = MetricPlan {
        name: candidate.metric.clone(),
        kind,
        direction: options.direction,
        weight: 1.0,
        tolerance: options.tolerance.unwrap_or(Tolerance::relative(relative)),
    };
    let planned = options.planned.unwrap_or((length as u32).max(1));
    let plan = CanaryPlan { alpha: options.error_rate, beta: options.pass_error_rate, planned, metrics: vec![metric] };
    let mut judge = Judge::new(plan)?;
    let mut points = Vec::new();
    for index in 0..length.min(planned as usize) {
        let observation = observation(baseline, candidate, index, options.share)?;
        if judge.finished() {
            continue;
        }
        // The plan was made for this very kind, so the observation fits.
        let _ = judge.observe(&[observation]);
        if options.picture {
            points.extend(judge.picture().into_iter().flatten());
        }
    }
    if options.planned.is_none() {
        judge.close();
    }
    Ok(SeriesVerdict { verdict: judge.verdict(), report: judge.report(), points })
}

fn agree(baseline: &RecordedSeries, candidate: &RecordedSeries) -> Result<(), SeriesError> {
    if baseline.kind != candidate.kind {
        return Err(SeriesError::Kinds);
    }
    if let (Some(a), Some(b)) = (baseline.interval_seconds, candidate.interval_seconds)
        && a != b
    {
        return Err(SeriesError::Intervals(a, b));
    }
    if !baseline.metric.is_empty() && !candidate.metric.is_empty() && baseline.metric != candidate.metric {
        return Err(SeriesError::Metrics(baseline.metric.clone(), candidate.metric.clone()));
    }
    Ok(())
}

fn observation(baseline: &RecordedSeries, candidate: &RecordedSeries, index: usize, share: f64) -> Result<Observation, SeriesError> {
    let value = |series: &RecordedSeries| series.values.get(index).copied().flatten();
    let (Some(own), Some(other)) = (value(candidate), value(baseline)) else { return Ok(Observation::Missing) };
    if baseline.kind == RecordedKind::Gauge {
        return Ok(Observation::Gauge { candidate: own, baseline: other });
    }
    let requests = |series: &RecordedSeries| series.requests.as_ref().map(|r| r.get(index).copied().flatten());
    let exposure = match (requests(candidate), requests(baseline)) {
        (Some(Some(own)), Some(Some(other))) => Exposure::Requests {
            candidate: whole(own, "candidate's requests", index)?,
            baseline: whole(other, "baseline's requests", index)?,
        },
        (None, None) => Exposure::Share(share),
        _ => return Ok(Observation::Missing),
    };
    Ok(Observation::Events { candidate: whole(own, "candidate", index)?, baseline: whole(other, "baseline", index)?, exposure })
}

fn whole(value: f64, version: &'static str, index: usize) -> Result<u64, SeriesError> {
    if value >= 0.0 && value.fract() == 0.0 && value <= 9e15 { Ok(value as u64) } else { Err(SeriesError::Count { version, index, value }) }
}
