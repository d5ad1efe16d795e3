//! Counts and latencies of a run: a line per second while it lasts, a summary at its end.

use crate::journal::Entry;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Default)]
struct Part {
    answered: u64,
    failed: u64,
    latencies_us: Vec<u64>,
}

impl Part {
    fn add(&mut self, entry: &Entry) {
        self.answered += 1;
        self.failed += u64::from(entry.failed());
        self.latencies_us.push(entry.latency_us);
    }

    fn latency(&mut self) -> Latency {
        self.latencies_us.sort_unstable();
        let at = |permille: usize| quantile(&self.latencies_us, permille);
        Latency { p50: at(500), p90: at(900), p99: at(990), max: at(1000) }
    }
}

/// Microseconds from the intended start to the last byte, failures and missing answers included.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

/// Nearest rank in a sorted list; 0 of an empty one.
fn quantile(sorted: &[u64], permille: usize) -> u64 {
    let rank = (permille * sorted.len()).div_ceil(1000);
    sorted.get(rank.max(1) - 1).or(sorted.last()).copied().unwrap_or(0)
}

#[derive(Serialize)]
pub struct Kind {
    pub answered: u64,
    pub failed: u64,
    pub latency_us: Latency,
}

/// `failed` counts everything that is not a 2xx, also no answer at all (status 0).
#[derive(Serialize)]
pub struct Summary {
    pub seconds: f64,
    pub rate: f64,
    pub answered: u64,
    pub failed: u64,
    pub failed_share: f64,
    pub acknowledged: u64,
    pub by_status: BTreeMap<u16, u64>,
    pub latency_us: Latency,
    pub by_kind: BTreeMap<String, Kind>,
}

/// Progress so far; `latency_us` is that of the last second.
#[derive(Serialize)]
pub struct Progress {
    pub seconds: u64,
    pub answered: u64,
    pub failed: u64,
    pub acknowledged: u64,
    pub in_flight: usize,
    pub answered_last_second: u64,
    pub failed_last_second: u64,
    pub latency_us: Latency,
}

#[derive(Default)]
pub struct Figures {
    all: Part,
    second: Part,
    kinds: BTreeMap<String, Part>,
    by_status: BTreeMap<u16, u64>,
    acknowledged: u64,
}

impl Figures {
    pub fn add(&mut self, entry: &Entry) {
        self.all.add(entry);
        self.second.add(entry);
        self.kinds.entry(entry.kind.clone()).or_default().add(entry);
        *self.by_status.entry(entry.status).or_default() += 1;
        self.acknowledged += u64::from(entry.acknowledged());
    }

    /// Ends the current second.
    pub fn progress(&mut self, seconds: u64, in_flight: usize) -> Progress {
        let mut second = std::mem::take(&mut self.second);
        Progress {
            seconds,
            answered: self.all.answered,
            failed: self.all.failed,
            acknowledged: self.acknowledged,
            in_flight,
            answered_last_second: second.answered,
            failed_last_second: second.failed,
            latency_us: second.latency(),
        }
    }

    pub fn summary(mut self, seconds: f64) -> Summary {
        let kinds = self
            .kinds
            .into_iter()
            .map(|(name, mut part)| (name, Kind { answered: part.answered, failed: part.failed, latency_us: part.latency() }));
        Summary {
            seconds,
            rate: self.all.answered as f64 / seconds,
            answered: self.all.answered,
            failed: self.all.failed,
            failed_share: self.all.failed as f64 / self.all.answered.max(1) as f64,
            acknowledged: self.acknowledged,
            by_status: self.by_status,
            by_kind: kinds.collect(),
            latency_us: self.all.latency(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!([50, 90, 99, 100], [500, 900, 990, 1000].map(|permille| quantile(&sorted, permille)));
        assert_eq!([7, 7], [500, 1000].map(|permille| quantile(&[7], permille)));
        assert_eq!(0, quantile(&[], 500));
    }
}
