//! The queue of actions, read from outside. It changes only by decisions ([`holdpoint_domain::kernel::ActionChange`]).
//!
//! Two workers may see the same row; the decision that grants the lease locks the run and settles it.

use crate::database::{Row, args};
use crate::error::Result;
use crate::flush::signed;
use crate::{Store, instant};
use holdpoint_domain::kernel::Timestamp;

/// A row of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedAction {
    pub project: String,
    pub run: String,
    pub step: String,
    pub pool: String,
    pub leased: bool,
    pub not_before: Timestamp,
    /// Of a leased action: the attempt, its fencing token, the worker and the end of the lease.
    pub attempt: Option<String>,
    pub token: Option<u64>,
    pub worker: Option<String>,
    pub until: Option<Timestamp>,
}

const ACTION: &str = "SELECT project, run, step, pool, state, not_before_us, attempt, token, worker, until_us FROM o_action";

fn read_action(row: &Row) -> Result<QueuedAction> {
    Ok(QueuedAction {
        project: row.text(0)?,
        run: row.text(1)?,
        step: row.text(2)?,
        pool: row.text(3)?,
        leased: row.text(4)? == "leased",
        not_before: instant(row.int(5)?)?,
        attempt: row.maybe_text(6)?,
        token: row.maybe_int(7)?.map(|token| u64::try_from(token).unwrap_or(0)),
        worker: row.maybe_text(8)?,
        until: row.maybe_int(9)?.map(instant).transpose()?,
    })
}

impl Store {
    /// Actions of a pool that may be leased now, those that waited longest first. `project` none: of all projects.
    pub async fn next_actions(&self, project: Option<&str>, pool: &str, limit: u32) -> Result<Vec<QueuedAction>> {
        let sql = format!(
            "{ACTION} WHERE pool = $1 AND state = 'ready' AND not_before_us <= $2 AND (project = $3 OR $4 = 1) ORDER BY not_before_us, project, run, step LIMIT {}",
            limit.min(1000)
        );
        let bind = args![pool, self.now_us().await?, project.unwrap_or_default(), project.is_none()];
        self.db().rows(sql, bind).await?.iter().map(read_action).collect()
    }

    /// When the next action of a pool may be leased; none where nothing waits.
    pub async fn next_action_at(&self, pool: &str) -> Result<Option<Timestamp>> {
        let row = self.db().row("SELECT MIN(not_before_us) FROM o_action WHERE pool = $1 AND state = 'ready'", args![pool]).await?;
        row.map(|row| row.maybe_int(0)).transpose()?.flatten().map(instant).transpose()
    }

    /// Actions that wait although they may be leased since `before`, in the order of their keys from after `cursor` on.
    pub async fn waiting_actions(&self, before: Timestamp, cursor: &(String, String), limit: u32) -> Result<Vec<QueuedAction>> {
        let sql = format!(
            "{ACTION} WHERE state = 'ready' AND not_before_us <= $1 AND (run > $2 OR (run = $2 AND step > $3)) ORDER BY run, step LIMIT $4"
        );
        let bind = args![before.as_microsecond(), cursor.0.as_str(), cursor.1.as_str(), i64::from(limit.min(1000))];
        self.db().rows(sql, bind).await?.iter().map(read_action).collect()
    }

    /// Leases that a worker of a pool holds, in all its slots; 1,000 at most.
    pub async fn leases_of(&self, project: &str, pool: &str, worker: &str) -> Result<Vec<QueuedAction>> {
        let sql = format!("{ACTION} WHERE state = 'leased' AND project = $1 AND pool = $2 ORDER BY run, step LIMIT 1000");
        let rows = self.db().rows(sql, args![project, pool]).await?;
        let all: Result<Vec<QueuedAction>> = rows.iter().map(read_action).collect();
        let name =
            |action: &QueuedAction| action.worker.as_deref().map(holdpoint_domain::orchestration::workers::name_of).map(str::to_owned);
        Ok(all?.into_iter().filter(|action| name(action).as_deref() == Some(worker)).collect())
    }

    /// Leases that ended at or before an instant, the oldest first.
    pub async fn expired_leases(&self, at: Timestamp, limit: u32) -> Result<Vec<QueuedAction>> {
        let sql = format!("{ACTION} WHERE state = 'leased' AND until_us <= $1 ORDER BY until_us LIMIT $2");
        self.db().rows(sql, args![at.as_microsecond(), i64::from(limit.min(1000))]).await?.iter().map(read_action).collect()
    }

    /// All actions of a run.
    pub async fn actions_of_run(&self, project: &str, run: &str) -> Result<Vec<QueuedAction>> {
        let rows = self.db().rows(format!("{ACTION} WHERE project = $1 AND run = $2 ORDER BY step"), args![project, run]).await?;
        rows.iter().map(read_action).collect()
    }

    /// Extends a lease after a heartbeat; false when this token no longer holds it. Not a fact: heartbeats never are.
    pub async fn extend_lease(&self, project: &str, run: &str, step: &str, token: u64, until: Timestamp) -> Result<bool> {
        let sql = "UPDATE o_action SET until_us = $1 WHERE project = $2 AND run = $3 AND step = $4 AND token = $5 AND state = 'leased'";
        Ok(self.db().write(sql, args![until.as_microsecond(), project, run, step, signed(token)]).await? > 0)
    }
}
