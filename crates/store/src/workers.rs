//! Workers that were heard of: which are alive, and whose folder a name stands for. Operational: lost, it is learnt again.

use crate::database::args;
use crate::error::Result;
use crate::{Store, instant};
use holdpoint_domain::kernel::Timestamp;
use std::collections::BTreeSet;

/// A worker as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRow {
    pub name: String,
    /// Digest of what only the worker's own folder holds.
    pub identity: Option<String>,
    /// From when on the name has stood for this identity without another in between.
    pub since: Timestamp,
    pub seen: Timestamp,
}

impl Store {
    /// A worker is there. Another identity under the same name begins anew.
    pub async fn worker_seen(&self, project: &str, pool: &str, name: &str, identity: Option<&str>) -> Result<()> {
        let sql = "INSERT INTO o_worker (project, pool, name, identity, since_us, seen_us) VALUES ($1, $2, $3, $4, $5, $5)
             ON CONFLICT (project, pool, name) DO UPDATE SET seen_us = excluded.seen_us, identity = excluded.identity,
             since_us = CASE WHEN COALESCE(o_worker.identity, '') = COALESCE(excluded.identity, '') THEN o_worker.since_us ELSE excluded.since_us END";
        self.db().write(sql, args![project, pool, name, identity.map(str::to_owned), self.now_us().await?]).await.map(drop)
    }

    /// A worker of a pool, by name.
    pub async fn worker(&self, project: &str, pool: &str, name: &str) -> Result<Option<WorkerRow>> {
        let sql = "SELECT name, identity, since_us, seen_us FROM o_worker WHERE project = $1 AND pool = $2 AND name = $3";
        let Some(row) = self.db().row(sql, args![project, pool, name]).await? else { return Ok(None) };
        Ok(Some(WorkerRow { name: row.text(0)?, identity: row.maybe_text(1)?, since: instant(row.int(2)?)?, seen: instant(row.int(3)?)? }))
    }

    /// Names of a pool's workers that were heard of after an instant, 10,000 at most.
    pub async fn workers_since(&self, project: &str, pool: &str, after: Timestamp) -> Result<BTreeSet<String>> {
        let sql = "SELECT name FROM o_worker WHERE project = $1 AND pool = $2 AND seen_us > $3 LIMIT 10000";
        let rows = self.db().rows(sql, args![project, pool, after.as_microsecond()]).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// Forgets workers that were not heard of since an instant.
    pub async fn forget_workers(&self, before: Timestamp) -> Result<u64> {
        self.db().write("DELETE FROM o_worker WHERE seen_us < $1", args![before.as_microsecond()]).await
    }
}
