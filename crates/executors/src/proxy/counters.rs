//! What is counted for one version: lock-free, cumulative since the start of the process.
//!
//! A request is counted when it *ends*, so that in every interval errors <= requests. It ends in one of three ways:
//! answered (5xx is an error), failed by the backend (an error), or left by the client (counted apart: it says
//! nothing about the version).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::time::{Duration, Instant};

use holdpoint_analysis::histogram::{Histogram, LatencyBounds};

use crate::traffic::VersionStats;

/// The standard histogram, counted into by everyone at once.
struct Timings {
    bounds: Arc<LatencyBounds>,
    counts: Box<[AtomicU64]>,
}

impl Timings {
    fn new(bounds: Arc<LatencyBounds>) -> Self {
        let counts = (0..bounds.buckets()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts }
    }

    fn record(&self, elapsed: Duration) {
        let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get(self.bounds.bucket(us)) {
            count.fetch_add(1, Relaxed);
        }
    }

    fn read(&self) -> Option<Histogram> {
        let counts = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        // There is a count for every bucket, so this is never None.
        Histogram::from_counts((*self.bounds).clone(), counts).ok()
    }
}

/// The counters of one version on one route.
pub(crate) struct VersionCounters {
    requests: AtomicU64,
    errors: AtomicU64,
    aborted: AtomicU64,
    retries: AtomicU64,
    in_flight: AtomicU64,
    latency: Timings,
}

impl VersionCounters {
    pub(crate) fn new(bounds: Arc<LatencyBounds>) -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            aborted: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            latency: Timings::new(bounds),
        }
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Acquire)
    }

    pub(crate) fn read(&self) -> VersionStats {
        // Errors first: a request that ends in between is then at worst a request without its error.
        let errors = self.errors.load(Acquire);
        VersionStats {
            errors,
            requests: self.requests.load(Acquire),
            aborted: self.aborted.load(Relaxed),
            retries: self.retries.load(Relaxed),
            in_flight: self.in_flight(),
            latency: self.latency.read(),
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The whole response with this status was passed on.
    Answered(u16),
    /// A tunnel was opened and has ended; its duration is not a latency.
    Tunnelled,
    /// The backend could not be reached, broke off or was too slow.
    BackendFailed,
}

/// One request in flight. Dropping it unsettled means that the client went away.
pub(crate) struct Ticket {
    counters: Arc<VersionCounters>,
    started: Instant,
    settled: bool,
}

impl Ticket {
    pub(crate) fn open(counters: &Arc<VersionCounters>) -> Self {
        counters.in_flight.fetch_add(1, AcqRel);
        Self { counters: counters.clone(), started: Instant::now(), settled: false }
    }

    pub(crate) fn retried(&self) {
        self.counters.retries.fetch_add(1, Relaxed);
    }

    pub(crate) fn settle(&mut self, ending: Ending) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let counters = &self.counters;
        counters.requests.fetch_add(1, Release);
        match ending {
            Ending::Answered(status) => {
                counters.latency.record(self.started.elapsed());
                if status >= 500 {
                    counters.errors.fetch_add(1, Release);
                }
            }
            Ending::Tunnelled => {}
            Ending::BackendFailed => {
                counters.errors.fetch_add(1, Release);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.counters.aborted.fetch_add(1, Relaxed);
        }
        // Last, so that whoever sees zero in flight also sees the final counts.
        self.counters.in_flight.fetch_sub(1, AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_is_counted_once_and_apart() {
        let counters = Arc::new(VersionCounters::new(Arc::new(LatencyBounds::standard())));
        for (ending, requests, errors, aborted, timed) in [
            (Some(Ending::Answered(200)), 1, 0, 0, 1),
            (Some(Ending::Answered(503)), 2, 1, 0, 2),
            (Some(Ending::BackendFailed), 3, 2, 0, 2),
            (Some(Ending::Tunnelled), 4, 2, 0, 2),
            (None, 4, 2, 1, 2),
        ] {
            let mut ticket = Ticket::open(&counters);
            assert_eq!(counters.in_flight(), 1);
            if let Some(ending) = ending {
                ticket.settle(ending);
                ticket.settle(Ending::BackendFailed);
            }
            drop(ticket);
            let read = counters.read();
            let timings: u64 = read.latency.unwrap().total();
            assert_eq!((read.requests, read.errors, read.aborted, timings, read.in_flight), (requests, errors, aborted, timed, 0));
        }
    }
}
