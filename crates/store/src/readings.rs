//! Readings of watchers and the latest gate reports: kept for a while, never facts. A verdict's fact cites the digest of
//! the series it judged.

use crate::database::args;
use crate::error::{Result, StoreError};
use crate::{Store, instant};
use holdpoint_domain::kernel::{ReleaseId, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// One reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub at: Timestamp,
    pub body: Value,
}

/// The latest gate report of a release in an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReport<Body = Value> {
    pub release: String,
    pub environment: String,
    pub body: Body,
    pub at: Timestamp,
    /// `open`, `waiting` or `shut`.
    pub verdict: String,
    /// What it was made from; the promoter's own words.
    pub versions: String,
}

const REPORT: &str = "SELECT release_id, environment, body, at_us, verdict, versions FROM o_report";

/// How many releases one statement names.
const RELEASES_AT_ONCE: usize = 250;

fn read_report<Body: DeserializeOwned>(row: &crate::database::Row) -> Result<StoredReport<Body>> {
    Ok(StoredReport {
        release: row.text(0)?,
        environment: row.text(1)?,
        body: value(&row.text(2)?)?,
        at: instant(row.int(3)?)?,
        verdict: row.text(4)?,
        versions: row.text(5)?,
    })
}

fn value<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|why| StoreError::Broken(format!("stored JSON cannot be read: {why}")))
}

impl Store {
    pub async fn add_reading(&self, project: &str, run: &str, step: &str, reading: &Reading) -> Result<()> {
        let sql = "INSERT INTO o_reading (project, run, step, at_us, body) VALUES ($1, $2, $3, $4, $5)";
        self.db().write(sql, args![project, run, step, reading.at.as_microsecond(), reading.body.to_string()]).await.map(drop)
    }

    /// Readings of a step from an instant on (included), oldest first; at most 100,000.
    pub async fn readings(&self, project: &str, run: &str, step: &str, from: Timestamp) -> Result<Vec<Reading>> {
        let sql = "SELECT at_us, body FROM o_reading WHERE project = $1 AND run = $2 AND step = $3 AND at_us >= $4 ORDER BY at_us, seq LIMIT 100000";
        let rows = self.db().rows(sql, args![project, run, step, from.as_microsecond()]).await?;
        rows.iter().map(|row| Ok(Reading { at: instant(row.int(0)?)?, body: value(&row.text(1)?)? })).collect()
    }

    pub async fn put_report(&self, project: &str, report: &StoredReport) -> Result<()> {
        let StoredReport { release, environment, body, at, verdict, versions } = report;
        let sql =
            "INSERT INTO o_report (project, release_id, environment, body, at_us, verdict, versions) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (project, release_id, environment) DO UPDATE SET body = excluded.body, at_us = excluded.at_us,
             verdict = excluded.verdict, versions = excluded.versions";
        self.db().write(sql, args![project, release, environment, body.to_string(), at.as_microsecond(), verdict, versions]).await.map(drop)
    }

    pub async fn report(&self, project: &str, release: &ReleaseId, environment: &str) -> Result<Option<StoredReport>> {
        let sql = format!("{REPORT} WHERE project = $1 AND release_id = $2 AND environment = $3");
        self.db().row(sql, args![project, release.as_str(), environment]).await?.map(|row| read_report(&row)).transpose()
    }

    /// All environments' reports of many releases, in a few statements; of each body the members that `Body` has.
    pub async fn reports_of<Body: DeserializeOwned>(&self, project: &str, releases: &[ReleaseId]) -> Result<Vec<StoredReport<Body>>> {
        let mut found = Vec::new();
        for some in releases.chunks(RELEASES_AT_ONCE) {
            let places: Vec<String> = (0..some.len()).map(|at| format!("${}", at + 2)).collect();
            let sql = format!("{REPORT} WHERE project = $1 AND release_id IN ({})", places.join(", "));
            let mut bind = args![project];
            bind.extend(some.iter().map(|release| release.as_str().into()));
            for row in &self.db().rows(sql, bind).await? {
                found.push(read_report(row)?);
            }
        }
        Ok(found)
    }

    /// Removes what may be forgotten: readings, kept answers, sessions and invitations that are older than
    /// `keep` past their end; of each at most `limit` rows, the oldest first. Returns how many rows went.
    pub async fn prune(&self, keep: Duration, limit: u32) -> Result<u64> {
        let before_us = self.now_us().await?.saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX));
        let mut gone = 0;
        for sql in [
            "DELETE FROM o_reading WHERE seq IN (SELECT seq FROM o_reading WHERE at_us < $1 ORDER BY at_us LIMIT $2)",
            "DELETE FROM o_idempotency WHERE (project, principal, route, key) IN
                 (SELECT project, principal, route, key FROM o_idempotency WHERE at_us < $1 ORDER BY at_us LIMIT $2)",
            "DELETE FROM o_session WHERE id_hash IN (SELECT id_hash FROM o_session WHERE expires_us < $1 ORDER BY expires_us LIMIT $2)",
            "DELETE FROM o_invite WHERE hash IN (SELECT hash FROM o_invite WHERE expires_us < $1 ORDER BY expires_us LIMIT $2)",
        ] {
            gone += self.db().write(sql, args![before_us, i64::from(limit)]).await?;
        }
        Ok(gone)
    }
}
