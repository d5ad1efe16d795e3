//! The exact test for sparse counts: an e-process on how an interval's events split between the versions.
//!
//! Given the n events of an interval, the canary's number is beta-binomial with mean p (its share of exposure) under
//! "no difference", with an unknown clumping δ within the interval. The process is the mean over alternatives
//! divided by the largest null likelihood over δ (universal inference, Wasserman, Ramdas, Balakrishnan 2020,
//! arXiv 1912.11436; stratified counts: Turner, Grünwald 2023, 2302.11401). Under the null its chance of ever reaching
//! 1/α is at most α, however often it is looked at. Assumption: the grid of δ stands for all of them; intervals are
//! independent. It runs until [`FEW`] events have been seen and the horizon test may look ([`FIRST`] intervals), then its
//! value stands: there the horizon test is sharper.
//!
//! While events are few, how evenly they are spread over the intervals says which δ is possible at all: versions whose
//! events come in bursts of their own have uneven totals. With the same shape s = 1/δ − 1 in each interval, the totals given
//! their sum are Dirichlet-multinomial; that likelihood weighs null and alternatives alike. Load that changes makes totals
//! less even, which only asks for more evidence. Not covered: a burst in every interval, always of the same size.

use serde::{Deserialize, Serialize};

use super::Direction;
use super::series::FIRST;
use super::special::{log_beta_binomial, log_rising};

/// Logarithms of the ratios of rates that are looked for.
const LOG_RATIOS: [f64; 14] = [0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.9, 1.1, 1.4, 1.7, 2.0, 2.4, 2.8, 3.2];
/// Intra-interval correlations of the beta-binomial.
const CLUMPING: [f64; 9] = [0.0, 0.003, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 0.85];
/// Weights of the clumpings among the alternatives. Any would be sound; sparse errors of a bad version rarely clump.
const PRIOR: [f64; 9] = [0.3, 0.15, 0.13, 0.12, 0.1, 0.08, 0.06, 0.04, 0.02];
/// Events in both versions after which the test rests, if as many intervals were seen as the horizon test needs.
const FEW: f64 = 100.0;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExactTest {
    /// Log likelihoods: ratios x clumping, and the null's by clumping.
    alternatives: Vec<f64>,
    null: Vec<f64>,
    /// Log likelihood of how evenly the events are spread over the intervals, by clumping, without its last term.
    evenness: Vec<f64>,
    both_sides: bool,
    events: f64,
    intervals: u32,
    log_e: f64,
}

/// The share of events that goes with a log ratio of rates, if `p` is the share of exposure.
pub(crate) fn tilt(p: f64, log_ratio: f64) -> f64 {
    let odds = p / (1.0 - p) * log_ratio.exp();
    odds / (1.0 + odds)
}

impl ExactTest {
    /// `direction` as the counts are given: lower-is-worse metrics are mirrored before they come here.
    pub fn new(direction: Direction) -> ExactTest {
        let both_sides = direction == Direction::Either;
        let ratios = if both_sides { 2 * LOG_RATIOS.len() } else { LOG_RATIOS.len() };
        ExactTest {
            alternatives: vec![0.0; ratios * CLUMPING.len()],
            null: vec![0.0; CLUMPING.len()],
            evenness: vec![0.0; CLUMPING.len()],
            both_sides,
            events: 0.0,
            intervals: 0,
            log_e: 0.0,
        }
    }

    /// `candidate` of `both` events in one interval, share of exposure `p` strictly between 0 and 1.
    pub fn observe(&mut self, candidate: f64, both: f64, p: f64) {
        if self.events >= FEW && self.intervals >= FIRST {
            return;
        }
        self.intervals += 1;
        self.events += both;
        for (sum, delta) in self.evenness.iter_mut().zip(CLUMPING) {
            *sum += log_spread(delta, 1.0, both);
        }
        for (sum, delta) in self.null.iter_mut().zip(CLUMPING) {
            *sum += log_beta_binomial(candidate, both, p, delta);
        }
        let mut sums = self.alternatives.iter_mut();
        let signs: &[f64] = if self.both_sides { &[1.0, -1.0] } else { &[1.0] };
        for sign in signs {
            for log_ratio in LOG_RATIOS {
                let tilted = tilt(p, sign * log_ratio);
                for delta in CLUMPING {
                    if let Some(sum) = sums.next() {
                        *sum += log_beta_binomial(candidate, both, tilted, delta);
                    }
                }
            }
        }
        let even = self.log_evenness();
        let alternatives: Vec<f64> = self.alternatives.iter().zip(even.iter().cycle()).map(|(sum, even)| sum + even).collect();
        let null: Vec<f64> = self.null.iter().zip(&even).map(|(sum, even)| sum + even).collect();
        let top = largest(&alternatives);
        let weighed: f64 = alternatives.iter().zip(PRIOR.iter().cycle()).map(|(sum, weight)| weight * (sum - top).exp()).sum();
        let ratios = alternatives.len() / CLUMPING.len();
        self.log_e = top + (weighed / ratios as f64).ln() - largest(&null);
    }

    /// By clumping: the log likelihood of the totals given their sum, while that tells something.
    fn log_evenness(&self) -> Vec<f64> {
        // With many events the splits themselves tell the clumping, and totals may be even for reasons of their own.
        let few = f64::from(self.events <= FEW);
        let intervals = f64::from(self.intervals);
        self.evenness.iter().zip(CLUMPING).map(|(sum, delta)| few * (sum - log_spread(delta, intervals, self.events))).collect()
    }

    /// Natural logarithm of the e-value.
    pub fn log_e(&self) -> f64 {
        self.log_e
    }
}

/// Evidence that a canary with hardly any events is within an absolute tolerance: an e-process against "the
/// canary's rate is at least `limit`", which holds whenever the canary is worse than its baseline by `limit` or more.
///
/// It exists because a comparison with a baseline that has no events at all can never pass on a *relative* tolerance.
/// Events within an interval may clump up to a correlation of [`CLEAN_CLUMPING`]'s largest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CleanTest {
    limit: f64,
    alternatives: Vec<f64>,
    null: Vec<f64>,
}

/// Fractions of the limit that stand for "clean" with their weights, and the clumping allowed for.
const CLEAN_RATES: [(f64, f64); 4] = [(0.0, 0.5), (0.1, 0.2), (0.25, 0.2), (0.5, 0.1)];
const CLEAN_CLUMPING: [f64; 4] = [0.0, 0.01, 0.05, 0.12];

impl CleanTest {
    pub fn new(limit: f64) -> CleanTest {
        CleanTest { limit, alternatives: vec![0.0; CLEAN_RATES.len() * CLEAN_CLUMPING.len()], null: vec![0.0; CLEAN_CLUMPING.len()] }
    }

    pub fn observe(&mut self, events: f64, requests: f64) {
        let events = events.min(requests);
        for (sum, delta) in self.null.iter_mut().zip(CLEAN_CLUMPING) {
            *sum += log_beta_binomial(events, requests, self.limit, delta);
        }
        let mut sums = self.alternatives.iter_mut();
        for (rate, _) in CLEAN_RATES {
            for delta in CLEAN_CLUMPING {
                let Some(sum) = sums.next() else { continue };
                *sum += match (rate == 0.0, events == 0.0) {
                    (true, true) => 0.0,
                    // Impossible without events; a finite stand-in for minus infinity survives JSON.
                    (true, false) => -1e6,
                    (false, _) => log_beta_binomial(events, requests, rate * self.limit, delta),
                };
            }
        }
    }

    pub fn log_e(&self) -> f64 {
        let top = largest(&self.alternatives);
        let by_rate = self.alternatives.chunks(CLEAN_CLUMPING.len()).zip(CLEAN_RATES);
        let mean: f64 = by_rate.map(|(values, (_, weight))| weight * mean_exp(values, top)).sum();
        top + mean.ln() - largest(&self.null)
    }
}

/// A factor of the Dirichlet-multinomial likelihood: `count` events in `intervals` intervals of shape 1/δ − 1 each. Without
/// clumping its limit, less what cancels.
fn log_spread(delta: f64, intervals: f64, count: f64) -> f64 {
    if delta == 0.0 { count * intervals.ln() } else { log_rising(intervals * (1.0 / delta - 1.0), count) }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Mean of exp(value − top).
fn mean_exp(values: &[f64], top: f64) -> f64 {
    values.iter().map(|value| (value - top).exp()).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_gives_the_mean_likelihood_ratio() {
        let mut test = ExactTest::new(Direction::HigherIsWorse);
        test.observe(1.0, 1.0, 0.5);
        // One event says nothing of clumping: every alternative has the same.
        assert!((PRIOR.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mean = LOG_RATIOS.iter().map(|r| tilt(0.5, *r) / 0.5).sum::<f64>() / LOG_RATIOS.len() as f64;
        assert!((test.log_e() - mean.ln()).abs() < 1e-12);
        test.observe(0.0, 0.0, 0.5);
        assert!((test.log_e() - mean.ln()).abs() < 1e-12);
    }

    #[test]
    fn the_mean_of_e_is_at_most_one_under_the_null() {
        // Two intervals of two events: every split with its exact probability.
        // No clumping: the grid's null is the truth, and nothing is added to the null's likelihood.
        for p in [0.05, 0.5] {
            let mut mean = 0.0;
            for first in 0..=2u32 {
                for second in 0..=2u32 {
                    let mut test = ExactTest::new(Direction::Either);
                    let mut probability = 1.0;
                    for k in [first, second] {
                        test.observe(f64::from(k), 2.0, p);
                        probability *= if k == 1 { 2.0 } else { 1.0 } * p.powi(k as i32) * (1.0 - p).powi(2 - k as i32);
                    }
                    mean += probability * test.log_e().exp();
                }
            }
            assert!(mean <= 1.0 + 1e-12, "{mean}");
        }
    }

    #[test]
    fn one_burst_is_not_ten_errors() {
        let mut burst = ExactTest::new(Direction::HigherIsWorse);
        burst.observe(10.0, 10.0, 0.5);
        let mut errors = ExactTest::new(Direction::HigherIsWorse);
        (0..10).for_each(|_| errors.observe(1.0, 1.0, 0.5));
        assert!(burst.log_e() < 1.0 && errors.log_e() > 4.0, "{} {}", burst.log_e(), errors.log_e());
    }

    #[test]
    fn it_rests_after_a_hundred_events_but_not_before_the_horizon_test_may_look() {
        let mut test = ExactTest::new(Direction::HigherIsWorse);
        test.observe(60.0, 120.0, 0.5);
        for _ in 1..FIRST {
            let before = test.log_e();
            test.observe(70.0, 100.0, 0.5);
            assert!(test.log_e() > before, "more than a hundred events, and nobody else looks yet");
        }
        let stands = test.log_e();
        test.observe(50.0, 50.0, 0.1);
        assert_eq!(test.log_e(), stands);
    }

    #[test]
    fn even_totals_say_that_events_do_not_clump_and_uneven_ones_do_not() {
        let of = |counts: &[f64]| {
            let mut test = ExactTest::new(Direction::HigherIsWorse);
            counts.iter().for_each(|count| test.observe(*count, *count, 0.5));
            test.log_e()
        };
        // Twelve errors, all in the canary: in twelve intervals, or in two bursts among ten silent ones.
        let even = of(&[1.0, 2.0, 0.0, 1.0, 1.0, 2.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        let bursts = of(&[0.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(even > 5.0 && bursts < 1.5, "{even} {bursts}");
    }

    #[test]
    fn a_clean_canary_shows_itself() {
        let mut clean = CleanTest::new(0.02);
        (0..60).for_each(|_| clean.observe(0.0, 12.0));
        assert!(clean.log_e() > 20f64.ln(), "{}", clean.log_e());
        let mut dirty = CleanTest::new(0.02);
        (0..60).for_each(|t| dirty.observe(f64::from(t % 4 == 0), 12.0));
        assert!(dirty.log_e() < 1.0);
    }
}
