//! The judge of a whole canary: all metrics of a plan, renewed with every interval.

use serde::{Deserialize, Serialize};

use super::plan::{CanaryPlan, Exposure, MetricKind, MetricPlan, Observation, PlanError, Verdict};
use super::series::{Evidence, JudgedSeries, PicturePoint, Seen};
use crate::histogram::{Histogram, HistogramError};

/// Latency: quantiles of all earlier requests, and their shares of the metric's alpha.
const QUANTILES: [(&str, f64, f64); 3] = [("p50", 0.5, 0.2), ("p90", 0.9, 0.3), ("p99", 0.99, 0.5)];

/// A running canary. Serialisable between observations; the same observations always give the same verdicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    plan: CanaryPlan,
    /// Intervals seen, with or without data.
    seen: u32,
    /// Nothing more is coming, although fewer intervals than planned were seen.
    closed: bool,
    metrics: Vec<Metric>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Metric {
    series: Vec<JudgedSeries>,
    /// Latency of both versions in all earlier intervals.
    pooled: Option<Histogram>,
}

/// An interval that does not fit the plan; it was not counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    #[error("{got} observations for {planned} metrics")]
    Length { got: usize, planned: usize },
    #[error("metric {metric:?} is not of the observed kind")]
    Kind { metric: String },
    #[error("metric {metric:?}: {fault}")]
    Histogram { metric: String, fault: HistogramError },
}

/// What is said about a canary after an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct CanaryReport {
    pub verdict: Verdict,
    /// Intervals seen of those planned.
    pub seen: u32,
    pub planned: u32,
    /// The verdict stands: it is decided, or all that was planned has been seen.
    pub finished: bool,
    pub metrics: Vec<MetricReport>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricReport {
    pub metric: String,
    pub verdict: Verdict,
    /// Interval of the decision, from 1.
    pub decided_at: Option<u32>,
    /// This metric's part of the canary's alpha.
    pub alpha: f64,
    /// One for gauges and events; p50, p90 and p99 for latency.
    pub parts: Vec<PartReport>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartReport {
    /// Empty, or the quantile.
    pub part: String,
    pub verdict: Verdict,
    pub decided_at: Option<u32>,
    pub evidence: Evidence,
    /// Intervals with both versions.
    pub usable: u32,
    pub candidate: Seen,
    pub baseline: Seen,
}

impl MetricReport {
    /// The part that is nearest to a failure, for a page that shows one line per metric.
    pub fn leading(&self) -> Option<&PartReport> {
        let nearness = |part: &&PartReport| part.evidence.so_far / part.evidence.needed;
        self.parts.iter().max_by(|a, b| nearness(a).total_cmp(&nearness(b)))
    }
}

impl Judge {
    pub fn new(plan: CanaryPlan) -> Result<Judge, PlanError> {
        plan.validate()?;
        let weights: f64 = plan.metrics.iter().map(|metric| metric.weight).sum();
        let metrics = plan.metrics.iter().map(|metric| Metric::new(&plan, metric, metric.weight / weights)).collect();
        Ok(Judge { plan, seen: 0, closed: false, metrics })
    }

    pub fn plan(&self) -> &CanaryPlan {
        &self.plan
    }

    /// Takes in one interval: an observation per metric, in the plan's order. After the end nothing is counted any more.
    pub fn observe(&mut self, interval: &[Observation]) -> Result<Verdict, ObserveError> {
        if interval.len() != self.metrics.len() {
            return Err(ObserveError::Length { got: interval.len(), planned: self.metrics.len() });
        }
        for ((metric, plan), observation) in self.metrics.iter().zip(&self.plan.metrics).zip(interval) {
            metric.accepts(plan, observation)?;
        }
        if self.finished() {
            return Ok(self.verdict());
        }
        self.seen += 1;
        for (metric, observation) in self.metrics.iter_mut().zip(interval) {
            metric.observe(observation, self.seen);
        }
        Ok(self.verdict())
    }

    /// Declares that nothing more is coming: what has no data now has none.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The verdict on the whole canary: one failure fails it, all have to pass, and missing data never passes.
    pub fn verdict(&self) -> Verdict {
        let over = self.closed || self.seen >= self.plan.planned;
        let verdicts: Vec<Verdict> = self.metrics.iter().map(|metric| metric.verdict(over)).collect();
        if verdicts.contains(&Verdict::Fail) {
            Verdict::Fail
        } else if verdicts.iter().all(|verdict| *verdict == Verdict::Pass) {
            Verdict::Pass
        } else if verdicts.contains(&Verdict::NoData) {
            Verdict::NoData
        } else {
            Verdict::Undecided
        }
    }

    pub fn finished(&self) -> bool {
        self.closed || self.seen >= self.plan.planned || matches!(self.verdict(), Verdict::Pass | Verdict::Fail)
    }

    pub fn report(&self) -> CanaryReport {
        let over = self.closed || self.seen >= self.plan.planned;
        let weights: f64 = self.plan.metrics.iter().map(|metric| metric.weight).sum();
        let metrics = self.metrics.iter().zip(&self.plan.metrics);
        CanaryReport {
            verdict: self.verdict(),
            seen: self.seen,
            planned: self.plan.planned,
            finished: self.finished(),
            metrics: metrics
                .map(|(metric, plan)| MetricReport {
                    metric: plan.name.clone(),
                    verdict: metric.verdict(over),
                    decided_at: metric.decided_at(over),
                    alpha: self.plan.alpha * plan.weight / weights,
                    parts: metric.parts(over),
                })
                .collect(),
        }
    }

    /// The points to draw for the interval just seen: for each metric one point per part. Costs about a millisecond a
    /// part, so ask once per interval and keep the answer.
    pub fn picture(&self) -> Vec<Vec<PicturePoint>> {
        let over = self.closed || self.seen >= self.plan.planned;
        let points = |metric: &Metric| metric.series.iter().map(|series| series.picture(self.seen, over)).collect();
        self.metrics.iter().map(points).collect()
    }
}

impl Metric {
    fn new(plan: &CanaryPlan, metric: &MetricPlan, weight: f64) -> Metric {
        let alpha = plan.alpha * weight;
        let (direction, tolerance) = (metric.direction, metric.tolerance);
        let events = |share: f64| JudgedSeries::events(direction, tolerance, alpha * share, plan.beta, plan.planned);
        let series = match metric.kind {
            MetricKind::Gauge => vec![JudgedSeries::gauge(direction, tolerance, alpha, plan.beta, plan.planned)],
            MetricKind::Events => vec![events(1.0)],
            MetricKind::Latency => QUANTILES.iter().map(|(_, _, share)| events(*share)).collect(),
        };
        Metric { series, pooled: None }
    }

    fn accepts(&self, plan: &MetricPlan, observation: &Observation) -> Result<(), ObserveError> {
        let metric = plan.name.clone();
        match (plan.kind, observation) {
            (_, Observation::Missing)
            | (MetricKind::Gauge, Observation::Gauge { .. })
            | (MetricKind::Events, Observation::Events { .. }) => Ok(()),
            (MetricKind::Latency, Observation::Latency { candidate, baseline }) => {
                let same = candidate.bounds() == baseline.bounds()
                    && self.pooled.as_ref().is_none_or(|pooled| pooled.bounds() == candidate.bounds());
                let fault = HistogramError::Different;
                if same { Ok(()) } else { Err(ObserveError::Histogram { metric, fault }) }
            }
            _ => Err(ObserveError::Kind { metric }),
        }
    }

    fn observe(&mut self, observation: &Observation, interval: u32) {
        match observation {
            Observation::Missing => {}
            Observation::Gauge { candidate, baseline } => {
                self.series.iter_mut().for_each(|series| series.observe_gauge(*candidate, *baseline, interval));
            }
            Observation::Events { candidate, baseline, exposure } => {
                self.series.iter_mut().for_each(|series| series.observe_events(*candidate, *baseline, *exposure, interval));
            }
            Observation::Latency { candidate, baseline } => self.observe_latency(candidate, baseline, interval),
        }
    }

    /// Requests above a quantile of all *earlier* intervals of both versions are events.
    fn observe_latency(&mut self, candidate: &Histogram, baseline: &Histogram, interval: u32) {
        let exposure = Exposure::Requests { candidate: candidate.total(), baseline: baseline.total() };
        if let Some(pooled) = &self.pooled {
            for (series, (_, quantile, _)) in self.series.iter_mut().zip(QUANTILES) {
                if let Some(bucket) = pooled.quantile_bucket(quantile) {
                    let (own, other) = (candidate.exceedances(bucket), baseline.exceedances(bucket));
                    series.observe_events(own, other, exposure, interval);
                }
            }
        }
        let pooled = self.pooled.get_or_insert_with(|| Histogram::new(candidate.bounds().clone()));
        // Bounds have been compared before anything was counted.
        let _ = pooled.merge(candidate).and_then(|()| pooled.merge(baseline));
    }

    fn verdict(&self, over: bool) -> Verdict {
        let verdicts = || self.series.iter().map(|series| series.verdict(over));
        [Verdict::Fail, Verdict::NoData, Verdict::Undecided]
            .into_iter()
            .find(|verdict| verdicts().any(|each| each == *verdict))
            .unwrap_or(Verdict::Pass)
    }

    fn decided_at(&self, over: bool) -> Option<u32> {
        let verdict = self.verdict(over);
        let decisions = || self.series.iter().filter_map(|series| series.decided);
        match verdict {
            Verdict::Fail => decisions().filter(|(each, _)| *each == verdict).map(|(_, at)| at).min(),
            Verdict::Pass => decisions().map(|(_, at)| at).max(),
            _ => None,
        }
    }

    fn parts(&self, over: bool) -> Vec<PartReport> {
        let names = QUANTILES.iter().map(|(name, _, _)| *name);
        let name = |index: usize| if self.series.len() > 1 { names.clone().nth(index).unwrap_or("") } else { "" };
        let part = |(index, series): (usize, &JudgedSeries)| PartReport {
            part: name(index).to_owned(),
            verdict: series.verdict(over),
            decided_at: series.decided.map(|(_, at)| at),
            evidence: series.evidence(),
            usable: series.usable(),
            candidate: series.candidate,
            baseline: series.baseline,
        };
        self.series.iter().enumerate().map(part).collect()
    }
}
