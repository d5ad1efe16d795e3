//! The time of decisions: the database's own clock, watched for steps backwards.

use crate::database::{Conn, Engine, args};
use crate::error::{Result, StoreError};
use holdpoint_domain::kernel::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// A clock that is this far behind the latest fact has jumped.
const JUMP_US: i64 = 2_000_000;

/// Remembers the latest instant seen, so that a step backwards is noticed.
#[derive(Default)]
pub(crate) struct Clock {
    latest_us: AtomicI64,
    jumped: AtomicBool,
}

impl Clock {
    /// Starts from the latest stored fact's time.
    pub(crate) fn from(latest_us: i64) -> Self {
        Self { latest_us: AtomicI64::new(latest_us), jumped: AtomicBool::new(false) }
    }
    /// Whether the clock is more than two seconds behind what was seen before.
    pub(crate) fn jumped(&self) -> bool {
        self.jumped.load(Ordering::SeqCst)
    }
    /// The instant of a decision, to the microsecond. On PostgreSQL the server's, asked now and not at the transaction's
    /// start: locks may have been waited for.
    pub(crate) async fn now(&self, conn: &mut Conn<'_>) -> Result<Timestamp> {
        let us = match conn.engine() {
            Engine::Sqlite => return self.own(),
            Engine::Postgres => {
                let row = conn.row("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT", args![]).await?;
                row.ok_or_else(|| StoreError::Broken("the database tells no time".to_owned()))?.int(0)?
            }
        };
        self.told(us)
    }

    /// This machine's clock: the time of decisions where the database has none of its own.
    #[expect(clippy::disallowed_methods, reason = "this is where decision time comes from")]
    pub(crate) fn own(&self) -> Result<Timestamp> {
        self.told(Timestamp::now().as_microsecond())
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
