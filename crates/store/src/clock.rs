//! The time of decisions: the database's own clock, watched for steps backwards, and compared with this machine's.

use crate::database::{Conn, Engine, args};
use crate::error::{Result, StoreError};
use holdpoint_domain::kernel::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// A clock that is this far behind the latest fact has jumped.
const JUMP_US: i64 = 2_000_000;

/// The server's clock, asked now and not at the transaction's start: locks may have been waited for.
pub(crate) const POSTGRES_TIME: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";

/// Remembers the latest instant seen, so that a step backwards is noticed.
#[derive(Default)]
pub(crate) struct Clock {
    latest_us: AtomicI64,
    jumped: AtomicBool,
    skewed: AtomicBool,
}

impl Clock {
    /// Starts from the latest stored fact's time.
    pub(crate) fn from(latest_us: i64) -> Self {
        Self { latest_us: AtomicI64::new(latest_us), jumped: AtomicBool::new(false), skewed: AtomicBool::new(false) }
    }
    /// Whether the clock is more than two seconds behind what was seen before.
    pub(crate) fn jumped(&self) -> bool {
        self.jumped.load(Ordering::SeqCst)
    }
    /// Whether the instant of a decision may be wrong.
    pub(crate) fn doubtful(&self) -> bool {
        self.jumped() || self.skewed.load(Ordering::SeqCst)
    }
    /// The instant of a decision, to the microsecond. On PostgreSQL the server's.
    pub(crate) async fn now(&self, conn: &mut Conn<'_>) -> Result<Timestamp> {
        match conn.engine() {
            Engine::Sqlite => self.own(),
            Engine::Postgres => {
                let before = machine_us();
                let row = conn.row(format!("SELECT {POSTGRES_TIME}"), args![]).await?;
                self.answered(row.ok_or_else(|| StoreError::Broken("the database tells no time".to_owned()))?.int(0)?, before)
            }
        }
    }

    /// The database's answer to a question asked at `before_us` of this machine's clock ([`machine_us`]).
    pub(crate) fn answered(&self, us: i64, before_us: i64) -> Result<Timestamp> {
        self.compare(us, before_us, machine_us());
        self.told(us)
    }

    /// This machine's clock: the time of decisions where the database has none of its own.
    pub(crate) fn own(&self) -> Result<Timestamp> {
        self.told(machine_us())
    }

    /// The database's instant lies between two of this machine's, or their clocks differ. A slow answer proves less.
    fn compare(&self, us: i64, before_us: i64, after_us: i64) {
        let skewed = us < before_us.saturating_sub(JUMP_US) || us > after_us.saturating_add(JUMP_US);
        if self.skewed.swap(skewed, Ordering::SeqCst) != skewed {
            tracing::warn!(skewed, us, before_us, after_us, "this machine's clock and the database's differ, or agree again");
        }
    }

    fn told(&self, us: i64) -> Result<Timestamp> {
        let latest = self.latest_us.fetch_max(us, Ordering::SeqCst);
        let behind = us < latest - JUMP_US;
        if self.jumped.swap(behind, Ordering::SeqCst) != behind {
            tracing::warn!(behind, us, latest, "the database's clock has jumped, or is right again");
        }
        Timestamp::from_microsecond(us).map_err(|why| StoreError::Broken(format!("the database's clock: {why}")))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where decision time comes from")]
pub(crate) fn machine_us() -> i64 {
    Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_of_skew_are_doubted_and_a_slow_answer_is_not() {
        let clock = Clock::from(0);
        let second = 1_000_000;
        // Asked at 100 s, answered at 105 s: anything in between is possible.
        for (us, doubtful) in [(102, false), (98, false), (97, true), (107, false), (108, true), (104, false)] {
            clock.compare(us * second, 100 * second, 105 * second);
            assert_eq!(clock.doubtful(), doubtful, "{us}");
        }
        clock.told(50 * second).unwrap();
        clock.told(47 * second).unwrap();
        assert!(clock.doubtful(), "it stepped back");
        clock.told(51 * second).unwrap();
        assert!(!clock.doubtful());
    }
}
