//! What is declared before a canary starts, and what is observed in each interval.

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// Which way a metric moves when the canary is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Either,
    HigherIsWorse,
    LowerIsWorse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// Counts of bad events (errors, restarts) in an interval.
    Events,
    /// One number per interval and version (CPU, queue length).
    Gauge,
    /// A latency histogram per interval and version, judged by its exceedances of p50, p90 and p99.
    Latency,
}

/// The regression that is put up with: the larger of the two. A regression within it may pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// Relative to the baseline: 0.25 is a quarter more (or, where lower is worse, a quarter less of the odds).
    pub relative: f64,
    /// For events: additional events per request (0.02 is two more in a hundred); needs request counts, and lets a
    /// canary pass that has hardly any events. For latency: additional requests above a threshold, per request. For
    /// gauges: in the gauge's unit.
    pub absolute: f64,
}

impl Tolerance {
    pub fn relative(relative: f64) -> Tolerance {
        Tolerance { relative, absolute: 0.0 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricPlan {
    pub name: String,
    pub kind: MetricKind,
    pub direction: Direction,
    /// Share of alpha, relative to the other metrics' weights.
    pub weight: f64,
    pub tolerance: Tolerance,
}

impl MetricPlan {
    /// Counts: higher is worse, 25 % tolerated.
    pub fn events(name: &str) -> MetricPlan {
        MetricPlan::new(name, MetricKind::Events, Direction::HigherIsWorse, 0.25)
    }

    /// A gauge: either direction, 10 % tolerated.
    pub fn gauge(name: &str) -> MetricPlan {
        MetricPlan::new(name, MetricKind::Gauge, Direction::Either, 0.10)
    }

    /// Latency: higher is worse, 25 % more exceedances tolerated.
    pub fn latency(name: &str) -> MetricPlan {
        MetricPlan::new(name, MetricKind::Latency, Direction::HigherIsWorse, 0.25)
    }

    fn new(name: &str, kind: MetricKind, direction: Direction, relative: f64) -> MetricPlan {
        MetricPlan { name: name.to_owned(), kind, direction, weight: 1.0, tolerance: Tolerance::relative(relative) }
    }
}

/// Declared before the start; nothing in it may change while the canary runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CanaryPlan {
    /// Chance that a harmless canary fails, over the whole canary and all metrics.
    pub alpha: f64,
    /// Chance that a canary worse than the tolerance passes.
    pub beta: f64,
    /// Number of intervals, after which the verdict stands.
    pub planned: u32,
    pub metrics: Vec<MetricPlan>,
}

impl CanaryPlan {
    /// α = β = 5 %, 60 intervals.
    pub fn new(metrics: Vec<MetricPlan>) -> CanaryPlan {
        CanaryPlan { alpha: 0.05, beta: 0.05, planned: 60, metrics }
    }

    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        let rate = |rate: f64| rate > 0.0 && rate <= 0.5;
        if !rate(self.alpha) || !rate(self.beta) {
            return Err(PlanError::Rate);
        }
        if self.planned == 0 {
            return Err(PlanError::Planned);
        }
        if self.metrics.is_empty() {
            return Err(PlanError::Metrics);
        }
        for metric in &self.metrics {
            let Tolerance { relative, absolute } = metric.tolerance;
            let sound = |value: f64| value.is_finite() && value >= 0.0;
            if !sound(relative) || !sound(absolute) || (metric.kind != MetricKind::Gauge && absolute >= 1.0) {
                return Err(PlanError::Tolerance(metric.name.clone()));
            }
            if !(metric.weight.is_finite() && metric.weight > 0.0) {
                return Err(PlanError::Weight(metric.name.clone()));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("error rates have to lie above 0 and be at most 0.5")]
    Rate,
    #[error("at least one interval has to be planned")]
    Planned,
    #[error("at least one metric is needed")]
    Metrics,
    #[error("metric {0:?}: tolerances may not be negative, nor an absolute one of events reach 1")]
    Tolerance(String),
    #[error("metric {0:?}: the weight has to be above 0")]
    Weight(String),
}

/// How much of the load each version had in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    Requests {
        candidate: u64,
        baseline: u64,
    },
    /// No request counts: the candidate's declared share, between 0 and 1.
    Share(f64),
}

/// One metric in one interval. Cumulative counters have been subtracted before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// Not measured in one version or both.
    Missing,
    Events {
        candidate: u64,
        baseline: u64,
        exposure: Exposure,
    },
    Gauge {
        candidate: f64,
        baseline: f64,
    },
    Latency {
        candidate: Histogram,
        baseline: Histogram,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    Fail,
    /// Neither shown to be worse nor shown to be within the tolerance.
    Undecided,
    /// Too little was measured. Never a pass.
    NoData,
}
