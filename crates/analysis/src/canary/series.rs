//! One judged series: a gauge, a count, or the exceedances of one latency quantile.
//!
//! It joins the exact and the horizon test, keeps the first decision, and draws the picture: where the estimate and its
//! band stand, what is tolerated, and how much evidence has been gathered of what is needed.

use serde::{Deserialize, Serialize};

use super::exact::{CleanTest, ExactTest, tilt};
use super::horizon::{HorizonTest, Posterior};
use super::plan::{Direction, Exposure, Tolerance, Verdict};
use super::special::crossing_level;

/// Usable pairs from which the horizon test is looked at, and below which there is no data.
pub(crate) const FIRST: u32 = 12;
/// Share of a count's alpha for the exact test: the horizon test looks late, and sparse errors should not wait for it.
const EXACT_SHARE: f64 = 0.5;
/// Share of a count's beta for the clean test, where there is one.
const CLEAN_SHARE: f64 = 0.2;
/// Least events in both versions, and least expected in the canary, for the horizon test of counts.
const EVENTS_MIN: f64 = 20.0;
const EXPECTED_MIN: f64 = 8.0;
const SHARE_MIN: f64 = 1e-6;

/// Which test leads, and how far it is, as decimal logarithms: 1.3 of 2.3 needed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub test: Test,
    pub so_far: f64,
    pub needed: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    Exact,
    Horizon,
}

/// What was seen of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Requests (0 where only a share was declared), or intervals of a gauge.
    pub n: u64,
    /// Events, or the sum of a gauge's values.
    pub k: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Candidate's rate over baseline's: 1 is equal.
    Ratio,
    /// Candidate minus baseline: 0 is equal.
    Difference,
}

/// The state of a series at one interval, for drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PicturePoint {
    /// From 1.
    pub interval: u32,
    pub unit: Unit,
    /// `None` before the horizon test may look, and where a ratio has no bound.
    pub estimate: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// What is tolerated; the lower limit only where lower is worse too.
    pub limit_low: Option<f64>,
    pub limit_high: Option<f64>,
    pub evidence: Evidence,
    pub verdict: Verdict,
    /// Further intervals at this rate after which it would be settled, if it is not.
    pub intervals_to_settle: Option<u32>,
}

/// The tests of a count series; gauges have the horizon test alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counts {
    exact: ExactTest,
    /// Of the (mirrored) candidate, and of the baseline where the direction is either.
    clean: Vec<CleanTest>,
    events: f64,
    /// Expected in the canary: Σ p(kc + kb).
    expected: f64,
    /// Tolerated score, summed: by the relative and by the absolute tolerance.
    tolerated: f64,
    balance: f64,
    /// Σ p(kc + kb) as mirrored, for the ratio.
    mirrored_expected: f64,
}

/// Levels that follow from the plan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Levels {
    exact_log_e: f64,
    fail: f64,
    pass: f64,
    clean_log_e: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JudgedSeries {
    direction: Direction,
    tolerance: Tolerance,
    levels: Levels,
    planned: u32,
    horizon: HorizonTest,
    counts: Option<Counts>,
    pub candidate: Seen,
    pub baseline: Seen,
    /// Leading test of the last look.
    evidence: Evidence,
    /// (pass or fail, interval)
    pub decided: Option<(Verdict, u32)>,
}

impl JudgedSeries {
    pub fn gauge(direction: Direction, tolerance: Tolerance, alpha: f64, beta: f64, planned: u32) -> JudgedSeries {
        let sides = sides(direction);
        let levels = Levels {
            exact_log_e: f64::MAX,
            fail: crossing_level(alpha / sides, planned),
            pass: crossing_level(beta, planned),
            clean_log_e: f64::MAX,
        };
        JudgedSeries::new(direction, tolerance, levels, planned, HorizonTest::gauge(), None)
    }

    pub fn events(direction: Direction, tolerance: Tolerance, alpha: f64, beta: f64, planned: u32) -> JudgedSeries {
        let sides = sides(direction);
        let cleans = match (tolerance.absolute > 0.0, direction) {
            (false, _) => 0,
            (true, Direction::Either) => 2,
            (true, _) => 1,
        };
        let horizon_beta = if cleans > 0 { (1.0 - CLEAN_SHARE) * beta } else { beta };
        let levels = Levels {
            exact_log_e: -(EXACT_SHARE * alpha).ln(),
            fail: crossing_level((1.0 - EXACT_SHARE) * alpha / sides, planned),
            pass: crossing_level(horizon_beta, planned),
            clean_log_e: -(CLEAN_SHARE * beta).ln(),
        };
        let counts = Counts {
            exact: ExactTest::new(direction),
            clean: vec![CleanTest::new(tolerance.absolute); cleans],
            events: 0.0,
            expected: 0.0,
            tolerated: 0.0,
            balance: 0.0,
            mirrored_expected: 0.0,
        };
        JudgedSeries::new(direction, tolerance, levels, planned, HorizonTest::events(), Some(counts))
    }

    fn new(
        direction: Direction,
        tolerance: Tolerance,
        levels: Levels,
        planned: u32,
        horizon: HorizonTest,
        counts: Option<Counts>,
    ) -> JudgedSeries {
        let evidence = Evidence { test: Test::Horizon, so_far: 0.0, needed: -levels.fail.log10() };
        let (candidate, baseline) = (Seen::default(), Seen::default());
        JudgedSeries { direction, tolerance, levels, planned, horizon, counts, candidate, baseline, evidence, decided: None }
    }

    /// Usable pairs so far.
    pub fn usable(&self) -> u32 {
        self.horizon.count()
    }

    pub fn evidence(&self) -> Evidence {
        self.evidence
    }

    /// One interval of a gauge; what is no number was not measured.
    pub fn observe_gauge(&mut self, candidate: f64, baseline: f64, interval: u32) {
        if !candidate.is_finite() || !baseline.is_finite() {
            return;
        }
        self.candidate = Seen { n: self.candidate.n + 1, k: self.candidate.k + candidate };
        self.baseline = Seen { n: self.baseline.n + 1, k: self.baseline.k + baseline };
        if self.decided.is_some() {
            return;
        }
        let sign = if self.direction == Direction::LowerIsWorse { -1.0 } else { 1.0 };
        self.horizon.observe(sign * (candidate - baseline), candidate + baseline, 0.0);
        self.look(interval);
    }

    /// One interval of events. Where one version had no exposure there is nothing to compare.
    pub fn observe_events(&mut self, candidate: u64, baseline: u64, exposure: Exposure, interval: u32) {
        let (mut own, mut other) = (candidate as f64, baseline as f64);
        let (mut share, requests) = match exposure {
            Exposure::Requests { candidate: 0, .. } | Exposure::Requests { baseline: 0, .. } => return,
            Exposure::Requests { candidate, baseline } => {
                let (candidate, baseline) = (candidate as f64, baseline as f64);
                (candidate / (candidate + baseline), Some((candidate, baseline)))
            }
            Exposure::Share(share) if share > 0.0 && share < 1.0 => (share, None),
            Exposure::Share(_) => return,
        };
        share = share.clamp(SHARE_MIN, 1.0 - SHARE_MIN);
        let (mut own_requests, mut other_requests) = requests.unwrap_or((0.0, 0.0));
        self.candidate = Seen { n: self.candidate.n + own_requests as u64, k: self.candidate.k + own };
        self.baseline = Seen { n: self.baseline.n + other_requests as u64, k: self.baseline.k + other };
        let Some(counts) = self.counts.as_mut().filter(|_| self.decided.is_none()) else { return };
        counts.events += own + other;
        counts.expected += share * (own + other);
        // Lower is worse: the versions change places, and everything below is about more.
        if self.direction == Direction::LowerIsWorse {
            (own, other, share) = (other, own, 1.0 - share);
            (own_requests, other_requests) = (other_requests, own_requests);
        }
        let both = own + other;
        counts.mirrored_expected += share * both;
        counts.tolerated += (tilt(share, self.tolerance.relative.ln_1p()) - share) * both;
        if requests.is_some() {
            counts.balance += own_requests * other_requests / (own_requests + other_requests);
            for (clean, (events, requests)) in counts.clean.iter_mut().zip([(own, own_requests), (other, other_requests)]) {
                clean.observe(events, requests);
            }
        }
        counts.exact.observe(own, both, share);
        self.horizon.observe(own - share * both, 0.0, share * (1.0 - share) * both);
        self.look(interval);
    }

    /// The difference that is tolerated, in the units of the horizon test.
    fn tolerated(&self) -> f64 {
        let usable = f64::from(self.usable().max(1));
        match &self.counts {
            Some(counts) => (counts.tolerated / usable).max(self.tolerance.absolute * counts.balance / usable),
            None => {
                let mean = self.baseline.k / self.baseline.n.max(1) as f64;
                (self.tolerance.relative * mean.abs()).max(self.tolerance.absolute)
            }
        }
    }

    fn posterior(&self, interval: u32) -> Option<Posterior> {
        let enough = self.counts.as_ref().is_none_or(|c| c.events >= EVENTS_MIN && c.expected >= EXPECTED_MIN);
        if !enough || self.usable() < FIRST {
            return None;
        }
        self.horizon.posterior(self.planned.saturating_sub(interval))
    }

    /// Renews evidence and decision after an observation.
    fn look(&mut self, interval: u32) {
        let (mut fail, mut pass) = (false, false);
        let mut leading = Evidence { test: Test::Horizon, so_far: 0.0, needed: -self.levels.fail.log10() };
        if let Some(posterior) = self.posterior(interval) {
            let tail = posterior.tail(0.0);
            let bad = if self.direction == Direction::Either { tail.min(1.0 - tail) } else { tail };
            leading.so_far = -bad.max(f64::MIN_POSITIVE).log10();
            fail = bad <= self.levels.fail;
            let tolerated = self.tolerated();
            let mut good = posterior.mirrored_tail(tolerated);
            if self.direction == Direction::Either {
                good = good.max(posterior.tail(-tolerated));
            }
            pass = good <= self.levels.pass;
        }
        if let Some(counts) = &self.counts {
            let log_e = counts.exact.log_e();
            let exact = Evidence {
                test: Test::Exact,
                so_far: log_e.max(0.0) / std::f64::consts::LN_10,
                needed: self.levels.exact_log_e / std::f64::consts::LN_10,
            };
            if exact.so_far / exact.needed > leading.so_far / leading.needed {
                leading = exact;
            }
            fail |= log_e >= self.levels.exact_log_e;
            let clean = !counts.clean.is_empty() && self.usable() >= FIRST;
            pass |= clean && counts.clean.iter().all(|clean| clean.log_e() >= self.levels.clean_log_e);
        }
        self.evidence = leading;
        if fail {
            self.decided = Some((Verdict::Fail, interval));
        } else if pass {
            self.decided = Some((Verdict::Pass, interval));
        }
    }

    pub fn verdict(&self, finished: bool) -> Verdict {
        match self.decided {
            Some((verdict, _)) => verdict,
            None if finished && self.usable() < FIRST => Verdict::NoData,
            None => Verdict::Undecided,
        }
    }

    /// The picture's point at this interval. Costs some hundred tails (the band is found by bisection).
    pub fn picture(&self, interval: u32, finished: bool) -> PicturePoint {
        let unit = if self.counts.is_some() { Unit::Ratio } else { Unit::Difference };
        let mut point = PicturePoint {
            interval,
            unit,
            estimate: None,
            low: None,
            high: None,
            limit_low: None,
            limit_high: None,
            evidence: self.evidence,
            verdict: self.verdict(finished),
            intervals_to_settle: None,
        };
        let tolerated = self.tolerated();
        let either = self.direction == Direction::Either;
        let worse = Some(tolerated);
        let better = either.then_some(-tolerated);
        (point.limit_low, point.limit_high) = self.oriented(better, worse);
        let Some(posterior) = self.posterior(interval) else { return point };
        let upper_level = if either { self.levels.fail } else { self.levels.pass };
        let (low, high) = (posterior.lower_bound(self.levels.fail), posterior.upper_bound(upper_level));
        point.estimate = self.oriented(Some(posterior.estimate), Some(posterior.estimate)).0;
        (point.low, point.high) = self.oriented(Some(low), Some(high));
        if self.decided.is_none() {
            point.intervals_to_settle = self.intervals_to_settle(posterior.estimate, low, high, tolerated);
        }
        point
    }

    /// Widths fall like 1/√t: how many more observations bring a bound to the line it is nearest to crossing.
    fn intervals_to_settle(&self, estimate: f64, low: f64, high: f64, tolerated: f64) -> Option<u32> {
        let usable = f64::from(self.usable());
        let times = |width: f64, room: f64| (room > 0.0 && width > 0.0).then(|| (width / room).powi(2));
        let either = self.direction == Direction::Either;
        let worse = times(estimate - low, estimate);
        let better = if either { times(high - estimate, -estimate) } else { None };
        let within = if either {
            times((high - estimate).max(estimate - low), tolerated - estimate.abs())
        } else {
            times(high - estimate, tolerated - estimate)
        };
        let least = [worse, better, within].into_iter().flatten().fold(f64::INFINITY, f64::min);
        let more = (usable * (least - 1.0)).ceil().max(1.0);
        (more <= 1e6).then_some(more as u32)
    }

    /// A band in the test's units as the reader expects it: ratios for events, and the metric's own direction.
    fn oriented(&self, low: Option<f64>, high: Option<f64>) -> (Option<f64>, Option<f64>) {
        let mirrored = self.direction == Direction::LowerIsWorse;
        match &self.counts {
            None if mirrored => (high.map(|a| -a), low.map(|a| -a)),
            None => (low, high),
            Some(_) if mirrored => {
                let ratio = |a| self.ratio(a).filter(|r| *r > 0.0).map(|r| 1.0 / r);
                (high.and_then(ratio), low.and_then(ratio))
            }
            Some(_) => (low.and_then(|a| self.ratio(a)), high.and_then(|a| self.ratio(a))),
        }
    }

    /// The ratio of rates that goes with a mean score a: odds of (p + a/n) over odds of p.
    fn ratio(&self, a: f64) -> Option<f64> {
        let counts = self.counts.as_ref().filter(|counts| counts.events > 0.0)?;
        let p = counts.mirrored_expected / counts.events;
        let tilted = p + a * f64::from(self.usable()) / counts.events;
        if tilted <= 0.0 {
            return Some(0.0);
        }
        (tilted < 1.0).then(|| tilted / (1.0 - tilted) * (1.0 - p) / p)
    }
}

fn sides(direction: Direction) -> f64 {
    if direction == Direction::Either { 2.0 } else { 1.0 }
}
