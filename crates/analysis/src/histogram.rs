//! Latency histograms with fixed buckets: what the proxy counts into and the canary comparison reads from.
//!
//! Buckets are log-linear (16 equal steps per doubling, so 3.1 to 6.3 % wide), between 50 µs and 60 s. Bucket i holds
//! durations in `[bounds[i-1], bounds[i])`; the first begins at 0, the last has no end, so there is one count more than
//! bounds. Counts of the same bounds may be added and subtracted; nothing is ever interpolated between buckets.

use serde::{Deserialize, Serialize};

/// Steps per doubling of the duration.
const STEPS: u64 = 16;
const STANDARD_FROM_US: u64 = 50;
const STANDARD_TO_US: u64 = 60_000_000;
/// Most bounds that are read from outside.
const BOUNDS_MAX: usize = 4_096;

/// Upper bounds of the buckets in microseconds, strictly rising, exclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct LatencyBounds {
    bounds_us: Vec<u64>,
}

/// Why bounds or counts cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistogramError {
    #[error("bounds have to rise strictly and be 1 to {BOUNDS_MAX} in number")]
    Bounds,
    #[error("histograms have different bounds")]
    Different,
    #[error("{counts} counts do not fit {bounds} bounds: one more than bounds is expected")]
    Length { counts: usize, bounds: usize },
    #[error("a later cumulative count is below an earlier one: the counter was restarted")]
    Decreased,
}

impl LatencyBounds {
    pub fn new(bounds_us: Vec<u64>) -> Result<LatencyBounds, HistogramError> {
        let rises = bounds_us.windows(2).all(|pair| pair[0] < pair[1]);
        if bounds_us.is_empty() || bounds_us.len() > BOUNDS_MAX || !rises {
            return Err(HistogramError::Bounds);
        }
        Ok(LatencyBounds { bounds_us })
    }

    /// The bounds that every part of the product counts by.
    pub fn standard() -> LatencyBounds {
        let mut bounds_us = vec![STANDARD_FROM_US];
        let mut last = STANDARD_FROM_US;
        while last < STANDARD_TO_US {
            last = match last {
                // Below 32 a step of a sixteenth is less than a microsecond wide.
                0..32 => last + 1,
                _ => {
                    let step = 1 << (last.ilog2() - STEPS.ilog2());
                    last / step * step + step
                }
            };
            bounds_us.push(last.min(STANDARD_TO_US));
        }
        LatencyBounds { bounds_us }
    }

    pub fn bounds_us(&self) -> &[u64] {
        &self.bounds_us
    }

    /// Number of buckets.
    pub fn buckets(&self) -> usize {
        self.bounds_us.len() + 1
    }

    /// The bucket of a duration.
    pub fn bucket(&self, duration_us: u64) -> usize {
        self.bounds_us.partition_point(|bound| *bound <= duration_us)
    }
}

impl TryFrom<Vec<u64>> for LatencyBounds {
    type Error = HistogramError;

    fn try_from(bounds_us: Vec<u64>) -> Result<LatencyBounds, HistogramError> {
        LatencyBounds::new(bounds_us)
    }
}

impl From<LatencyBounds> for Vec<u64> {
    fn from(bounds: LatencyBounds) -> Vec<u64> {
        bounds.bounds_us
    }
}

/// Counts per bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    bounds_us: LatencyBounds,
    counts: Vec<u64>,
}

impl Histogram {
    pub fn new(bounds: LatencyBounds) -> Histogram {
        let counts = vec![0; bounds.buckets()];
        Histogram { bounds_us: bounds, counts }
    }

    pub fn from_counts(bounds: LatencyBounds, counts: Vec<u64>) -> Result<Histogram, HistogramError> {
        if counts.len() != bounds.buckets() {
            return Err(HistogramError::Length { counts: counts.len(), bounds: bounds.bounds_us.len() });
        }
        Ok(Histogram { bounds_us: bounds, counts })
    }

    pub fn bounds(&self) -> &LatencyBounds {
        &self.bounds_us
    }

    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub fn record(&mut self, duration_us: u64) {
        let bucket = self.bounds_us.bucket(duration_us);
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
    }

    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The same durations, each shorter by `less_us` and then divided by `factor` (at least 1), to the lower end of their
    /// buckets: what is left of them when so much is put up with.
    pub fn sooner(&self, less_us: u64, factor: f64) -> Histogram {
        let mut sooner = Histogram::new(self.bounds_us.clone());
        for (bucket, count) in self.counts.iter().enumerate() {
            let from = bucket.checked_sub(1).map_or(0, |before| self.bounds_us.bounds_us[before]);
            let left = from.saturating_sub(less_us) as f64 / factor.max(1.0);
            let place = &mut sooner.counts[self.bounds_us.bucket(left as u64)];
            *place = place.saturating_add(*count);
        }
        sooner
    }

    /// Adds the counts of another histogram of the same bounds.
    pub fn merge(&mut self, other: &Histogram) -> Result<(), HistogramError> {
        self.comparable(other)?;
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        Ok(())
    }

    /// What was counted between an earlier reading of the same cumulative counters and this one.
    pub fn since(&self, earlier: &Histogram) -> Result<Histogram, HistogramError> {
        self.comparable(earlier)?;
        let pairs = self.counts.iter().zip(&earlier.counts);
        let counts = pairs.map(|(now, then)| now.checked_sub(*then)).collect::<Option<Vec<u64>>>();
        let counts = counts.ok_or(HistogramError::Decreased)?;
        Ok(Histogram { bounds_us: self.bounds_us.clone(), counts })
    }

    fn comparable(&self, other: &Histogram) -> Result<(), HistogramError> {
        if self.counts.len() != other.counts.len() || self.bounds_us != other.bounds_us {
            return Err(HistogramError::Different);
        }
        Ok(())
    }

    /// The bucket in which the quantile `q` (0 to 1) lies; `None` for an empty histogram.
    pub fn quantile_bucket(&self, q: f64) -> Option<usize> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let wanted = (q.clamp(0.0, 1.0) * total as f64).max(f64::MIN_POSITIVE);
        let mut sum = 0u64;
        for (bucket, count) in self.counts.iter().enumerate() {
            sum = sum.saturating_add(*count);
            if sum as f64 >= wanted {
                return Some(bucket);
            }
        }
        Some(self.counts.len() - 1)
    }

    /// Upper bound in microseconds of the bucket with the quantile: at least as long as that share of all durations.
    /// For the last bucket, which has no end, the largest bound.
    pub fn quantile_us(&self, q: f64) -> Option<u64> {
        let bounds = &self.bounds_us.bounds_us;
        self.quantile_bucket(q).map(|bucket| bounds[bucket.min(bounds.len() - 1)])
    }

    /// How many durations lie in buckets after `bucket`.
    pub fn exceedances(&self, bucket: usize) -> u64 {
        let after = self.counts.get(bucket + 1..).unwrap_or(&[]);
        after.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_bounds_are_five_percent_wide_from_fifty_microseconds_to_a_minute() {
        let bounds = LatencyBounds::standard();
        assert_eq!((bounds.bounds_us()[0], *bounds.bounds_us().last().unwrap()), (50, 60_000_000));
        assert!(bounds.buckets() < 350, "{}", bounds.buckets());
        for pair in bounds.bounds_us().windows(2) {
            let width = pair[1] as f64 / pair[0] as f64 - 1.0;
            assert!(width > 0.0 && width <= 1.0 / 16.0 + 1e-9, "{pair:?}");
        }
        assert_eq!(LatencyBounds::new(bounds.bounds_us().to_vec()), Ok(bounds.clone()));
        assert_eq!((bounds.bucket(0), bounds.bucket(49), bounds.bucket(50)), (0, 0, 1));
        assert_eq!((bounds.bucket(59_999_999), bounds.bucket(u64::MAX)), (bounds.buckets() - 2, bounds.buckets() - 1));
    }

    #[test]
    fn quantiles_and_exceedances_agree_with_the_sorted_durations() {
        let mut histogram = Histogram::new(LatencyBounds::standard());
        for duration_us in (1..=1_000).map(|n| n * 1_000) {
            histogram.record(duration_us);
        }
        for q in [0.001, 0.5, 0.9, 0.99, 1.0] {
            let exact = q * 1_000_000.0;
            let found = histogram.quantile_us(q).unwrap() as f64;
            assert!(found > exact && found <= exact * 1.07, "{q}: {found}");
            let above = histogram.exceedances(histogram.quantile_bucket(q).unwrap());
            assert!(above as f64 <= 1_000.0 * (1.0 - q) && above as f64 >= 1_000.0 * (1.0 - q * 1.07), "{q}: {above}");
        }
        assert_eq!(Histogram::new(LatencyBounds::standard()).quantile_us(0.5), None);
    }

    #[test]
    fn cumulative_counts_are_subtracted_and_a_restart_is_seen() {
        let mut earlier = Histogram::new(LatencyBounds::standard());
        earlier.record(1_000);
        let mut later = earlier.clone();
        later.record(2_000);
        assert_eq!(later.since(&earlier).unwrap().total(), 1);
        assert_eq!(earlier.since(&later), Err(HistogramError::Decreased));
        let other = Histogram::new(LatencyBounds::new(vec![1, 2]).unwrap());
        assert_eq!(later.merge(&other), Err(HistogramError::Different));
        assert!(Histogram::from_counts(LatencyBounds::standard(), vec![1]).is_err());
        assert!(serde_json::from_str::<LatencyBounds>("[3,2]").is_err());
    }

    #[test]
    fn what_is_put_up_with_of_later_answers_does_not_count_and_a_tenth_of_a_second_does() {
        let mut canary = Histogram::new(LatencyBounds::standard());
        [800, 3_000, 6_000, 100_000].into_iter().for_each(|us| canary.record(us));
        let canary = canary.sooner(5_000, 1.25);
        assert_eq!(canary.total(), 4);
        // (100 - 5) / 1.25 = 76 ms, to the width of a bucket.
        let slow = canary.bounds().bucket(70_000);
        assert_eq!((canary.exceedances(slow), canary.exceedances(canary.bounds().bucket(1_000))), (1, 1));
        assert_eq!(canary.sooner(0, 0.5), canary, "nothing is made later");
    }
}
