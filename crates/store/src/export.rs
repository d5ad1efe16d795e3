//! The ledger as lines of text that `holdpoint verify` checks offline. A bounded number of facts is in memory at a time.

use crate::Store;
use crate::error::{Result, StoreError};
use crate::ledger::LatestCheckpoint;
use holdpoint_seal::export::{checkpoint_line, fact_line, header_line};

/// Facts read at a time.
const BATCH: u32 = 1000;

/// An export under way: all facts below the checkpoint that was the latest when it began.
pub struct ExportCursor {
    store: Store,
    header: Option<Vec<u8>>,
    next: u64,
    checkpoint: Option<LatestCheckpoint>,
}

impl Store {
    /// Begins an export. `keylist` is the signed list of keys, as bytes.
    ///
    /// # Errors
    /// [`StoreError::Broken`] while nothing is sealed.
    pub async fn export(&self, keylist: &[u8]) -> Result<ExportCursor> {
        let checkpoint = self.checkpoint().await?;
        if checkpoint.is_none() {
            return Err(StoreError::Broken("nothing is sealed yet, so there is nothing to export".to_owned()));
        }
        let header = header_line(keylist).map_err(no_line)?;
        Ok(ExportCursor { store: self.clone(), header: Some(header), next: 0, checkpoint })
    }
}

impl ExportCursor {
    /// The next lines, newlines included; none at the end.
    pub async fn next_lines(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(None) };
        let mut lines = self.header.take().unwrap_or_default();
        let left = checkpoint.size.saturating_sub(self.next);
        let limit = u32::try_from(left).unwrap_or(BATCH).min(BATCH);
        if limit > 0 {
            let facts = self.store.facts(self.next, limit, None).await?;
            for fact in &facts {
                let logged = fact.logged().ok_or_else(|| missing(self.next))?;
                if logged.index != self.next {
                    return Err(missing(self.next));
                }
                lines.extend(fact_line(&logged).map_err(no_line)?);
                self.next += 1;
            }
            if facts.is_empty() {
                return Err(missing(self.next));
            }
        }
        if self.next >= checkpoint.size {
            lines.extend(checkpoint_line(&checkpoint.note).map_err(no_line)?);
            self.checkpoint = None;
        }
        Ok(Some(lines))
    }

    /// All that is left, for small ledgers and tests.
    pub async fn rest(mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(lines) = self.next_lines().await? {
            all.extend(lines);
        }
        Ok(all)
    }
}

fn missing(index: u64) -> StoreError {
    StoreError::Broken(format!("the log has no fact {index}, though its checkpoint covers it"))
}

fn no_line(why: impl std::fmt::Display) -> StoreError {
    StoreError::Broken(format!("export: {why}"))
}
