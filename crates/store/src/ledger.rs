//! The Merkle log over all streams: sealing committed facts, checkpoints, proofs, and facts in the order of the log.
//!
//! A commit does not touch the log. One elected sequencer at a time takes committed facts in the order of their insertion,
//! gives them their index and signs the new root. Facts of one stream keep their order: a successor is inserted after its
//! predecessor was committed.

use crate::database::{Arg, Conn, Engine, Row, args, padded, rows_of, runs};
use crate::error::{Result, StoreError};
use crate::flush::signed;
use crate::{Store, instant};
use holdpoint_domain::kernel::{DocKey, Timestamp};
use holdpoint_seal::digest::Digest;
use holdpoint_seal::fact::{FactEnvelope, LoggedFact, Micros};
use holdpoint_seal::merkle::{self, MerkleError, NodeId, Tree};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// The name under which sequencers are elected.
pub const SEQUENCER: &str = "sequencer";

/// What one step of the sequencer did: facts with indexes `from..to` were sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequenced {
    pub from: u64,
    pub to: u64,
    /// Size of the log now; the same as `to`.
    pub size: u64,
    pub root: Digest,
}

/// A checkpoint as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestCheckpoint {
    pub size: u64,
    pub root: Digest,
    /// The signed note.
    pub note: String,
    pub at: Timestamp,
}

/// A fact as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFact {
    /// Number of its insertion; grows within a stream.
    pub seq: u64,
    /// Its index in the log, once sealed.
    pub index: Option<u64>,
    pub envelope: FactEnvelope,
    /// Its leaf hash.
    pub hash: Digest,
    pub body: Value,
}

impl StoredFact {
    /// As a line of an export; none until it is sealed.
    pub fn logged(&self) -> Option<LoggedFact> {
        Some(LoggedFact { index: self.index?, envelope: self.envelope.clone(), body: self.body.clone() })
    }
    /// The stream's key.
    pub fn stream(&self) -> Option<DocKey> {
        DocKey::from_stream(&self.envelope.stream)
    }
    /// The instant of its decision.
    pub fn at(&self) -> Result<Timestamp> {
        instant(self.envelope.at.0)
    }
}

/// Columns of a fact in the order in which [`read_fact`] reads them.
pub(crate) const FACT: &str = "SELECT seq, log_index, project, stream, position, type, v, at_us, actor, via, prev, hash, body FROM facts";

pub(crate) fn read_fact(row: &Row) -> Result<StoredFact> {
    let (stream, position) = (row.text(3)?, row.count(4)?);
    let broken = |what: &str| StoreError::Broken(format!("fact {stream} {position}: its {what} cannot be read"));
    let prev = row.text(10)?;
    let text = row.text(12)?;
    Ok(StoredFact {
        seq: row.count(0)?,
        index: row.maybe_int(1)?.map(|index| u64::try_from(index).map_err(|_| broken("index"))).transpose()?,
        envelope: FactEnvelope {
            project: row.text(2)?,
            stream: stream.clone(),
            position,
            prev: if prev.is_empty() { None } else { Some(prev.parse().map_err(|_| broken("prev"))?) },
            fact_type: row.text(5)?,
            v: u32::try_from(row.int(6)?).map_err(|_| broken("version"))?,
            at: Micros(row.int(7)?),
            actor: row.text(8)?,
            via: row.text(9)?,
            // Stored as its canonical text: the digest is of exactly what is here.
            body_digest: Digest::of(text.as_bytes()),
        },
        hash: row.text(11)?.parse().map_err(|_| broken("hash"))?,
        body: serde_json::from_str(&text).map_err(|_| broken("body"))?,
    })
}

impl Store {
    /// Takes or renews the leadership `name` for `ttl`. Returns the fencing epoch, or `None` while another holder has it.
    /// The epoch grows whenever leadership was taken anew.
    pub async fn lead(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<u64>> {
        let mut tx = self.db().begin().await?;
        let now_us = self.inner.parts.clock.now(&mut tx.conn()).await?.as_microsecond();
        let until_us = now_us.saturating_add(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX));
        let sql = "INSERT INTO o_leader (name, holder, epoch, until_us) VALUES ($1, $2, 1, $3)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_us = excluded.until_us,
                 epoch = o_leader.epoch + CASE WHEN o_leader.holder = excluded.holder AND o_leader.until_us > $4 THEN 0 ELSE 1 END
             WHERE o_leader.holder = excluded.holder OR o_leader.until_us <= $4
             RETURNING epoch";
        let row = tx.conn().row(sql, args![name, holder, until_us, now_us]).await?;
        tx.commit().await?;
        row.map(|row| row.count(0)).transpose()
    }

    /// For a server that begins. An embedded database has one server: whoever led before has died, and need not be waited
    /// for. Should it live after all, the grown epoch fences it. On PostgreSQL others may lead; nothing is done.
    pub async fn nobody_leads(&self) -> Result<()> {
        match self.db() {
            crate::database::Db::Pg(_) => Ok(()),
            _ => self.db().write("UPDATE o_leader SET until_us = 0", args![]).await.map(drop),
        }
    }

    /// Gives leadership up, so that another need not wait for its end.
    pub async fn resign(&self, name: &str, holder: &str) -> Result<()> {
        self.db().write("UPDATE o_leader SET until_us = 0 WHERE name = $1 AND holder = $2", args![name, holder]).await.map(drop)
    }

    /// One step of the sequencer: seals up to `limit` committed facts. `sign` makes the signed note from size and root.
    /// `None` where there is nothing to seal.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when leadership has passed on: the epoch is compared under lock in the same transaction.
    pub async fn sequence(
        &self,
        epoch: u64,
        limit: u32,
        sign: &(dyn Fn(u64, &Digest) -> std::result::Result<String, String> + Sync),
    ) -> Result<Option<Sequenced>> {
        let mut tx = self.db().begin().await?;
        let sequenced = self.sequence_in(&mut tx.conn(), epoch, limit, sign).await;
        match sequenced {
            Ok(Some(sequenced)) => {
                crate::kill::at("checkpoint", "before");
                tx.commit().await?;
                crate::kill::at("checkpoint", "after");
                self.inner.parts.woken.send_modify(|commits| *commits += 1);
                Ok(Some(sequenced))
            }
            other => {
                tx.rollback().await;
                other
            }
        }
    }

    async fn sequence_in(
        &self,
        conn: &mut Conn<'_>,
        epoch: u64,
        limit: u32,
        sign: &(dyn Fn(u64, &Digest) -> std::result::Result<String, String> + Sync),
    ) -> Result<Option<Sequenced>> {
        let lock = if conn.engine() == Engine::Postgres { " FOR UPDATE" } else { "" };
        let row = conn.row(format!("SELECT epoch FROM o_leader WHERE name = $1{lock}"), args![SEQUENCER]).await?;
        let current = row.map(|row| row.count(0)).transpose()?.unwrap_or(0);
        if current != epoch {
            return Err(StoreError::Conflict(format!("this sequencer has epoch {epoch}, the current one is {current}")));
        }
        let rows = conn.rows(format!("SELECT seq, hash FROM facts WHERE log_index IS NULL ORDER BY seq LIMIT {limit}"), args![]).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut tree = tree(conn).await?;
        let from = tree.size();
        let (mut indexes, mut nodes) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in &rows {
            indexes.push(args![row.int(0)?, signed(tree.size())]);
            let complete = tree.append(digest(&row.text(1)?)?);
            // The leaf itself is the fact's row.
            nodes.extend(complete.into_iter().skip(1).map(|(id, hash)| args![i64::from(id.level), signed(id.index), hash.to_string()]));
        }
        for run in runs(&indexes) {
            let sql = format!(
                "UPDATE facts SET log_index = new.column2 FROM (VALUES {}) AS new WHERE seq = new.column1",
                rows_of(run.len(), 2, 0)
            );
            conn.run(sql, run.concat()).await?;
        }
        for run in runs(&nodes) {
            let sql = format!("INSERT INTO log_node (level, idx, hash) VALUES {}", rows_of(run.len(), 3, 0));
            conn.run(sql, run.concat()).await?;
        }
        let (size, root) = (tree.size(), tree.root());
        let note = sign(size, &root).map_err(|why| StoreError::Broken(format!("the checkpoint cannot be signed: {why}")))?;
        let at_us = self.inner.parts.clock.now(conn).await?.as_microsecond();
        conn.run(
            "INSERT INTO checkpoint (size, root, note, at_us) VALUES ($1, $2, $3, $4)",
            args![signed(size), root.to_string(), note, at_us],
        )
        .await?;
        Ok(Some(Sequenced { from, to: size, size, root }))
    }

    /// The latest checkpoint.
    pub async fn checkpoint(&self) -> Result<Option<LatestCheckpoint>> {
        let row = self.db().row("SELECT size, root, note, at_us FROM checkpoint ORDER BY size DESC LIMIT 1", args![]).await?;
        row.map(|row| read_checkpoint(&row)).transpose()
    }

    /// The checkpoint of exactly this size, if one was signed.
    pub async fn checkpoint_at(&self, size: u64) -> Result<Option<LatestCheckpoint>> {
        let row = self.db().row("SELECT size, root, note, at_us FROM checkpoint WHERE size = $1", args![signed(size)]).await?;
        row.map(|row| read_checkpoint(&row)).transpose()
    }

    /// The first checkpoint that covers the fact with this index.
    pub async fn checkpoint_over(&self, index: u64) -> Result<Option<LatestCheckpoint>> {
        let sql = "SELECT size, root, note, at_us FROM checkpoint WHERE size > $1 ORDER BY size LIMIT 1";
        self.db().row(sql, args![signed(index)]).await?.map(|row| read_checkpoint(&row)).transpose()
    }

    /// The proof that fact `index` is in the log of `size` (RFC 9162, 2.1.3).
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Digest>> {
        let needs = merkle::inclusion_needs(index, size).map_err(no_proof)?;
        let nodes = nodes(&mut self.db().read().await?.conn(), &needs).await?;
        merkle::inclusion_proof(index, size, &|id: NodeId| nodes.get(&id).copied()).map_err(no_proof)
    }

    /// The proof that the log of `first` is the beginning of the log of `second` (RFC 9162, 2.1.4).
    pub async fn consistency(&self, first: u64, second: u64) -> Result<Vec<Digest>> {
        let needs = merkle::consistency_needs(first, second).map_err(no_proof)?;
        let nodes = nodes(&mut self.db().read().await?.conn(), &needs).await?;
        merkle::consistency_proof(first, second, &|id: NodeId| nodes.get(&id).copied()).map_err(no_proof)
    }

    /// The hashes of stored complete subtrees, for proofs that are made elsewhere. What is not there is left out.
    pub async fn log_nodes(&self, ids: &BTreeSet<NodeId>) -> Result<HashMap<NodeId, Digest>> {
        nodes(&mut self.db().read().await?.conn(), ids).await
    }

    /// Sealed facts in the order of the log, from index `from` on (included); of one stream if given.
    pub async fn facts(&self, from: u64, limit: u32, stream: Option<(&str, &DocKey)>) -> Result<Vec<StoredFact>> {
        let limit = i64::from(limit.min(10_000));
        let rows = match stream {
            None => self.db().rows(format!("{FACT} WHERE log_index >= $1 ORDER BY log_index LIMIT $2"), args![signed(from), limit]).await?,
            Some((project, key)) => {
                let sql = format!("{FACT} WHERE project = $1 AND stream = $2 AND log_index >= $3 ORDER BY position LIMIT $4");
                self.db().rows(sql, args![project, key.stream(), signed(from), limit]).await?
            }
        };
        rows.iter().map(read_fact).collect()
    }

    /// Facts of one stream, sealed or not, after a position.
    pub async fn facts_of_stream(&self, project: &str, key: &DocKey, after: u64, limit: u32) -> Result<Vec<StoredFact>> {
        let sql = format!("{FACT} WHERE project = $1 AND stream = $2 AND position > $3 ORDER BY position LIMIT $4");
        let rows = self.db().rows(sql, args![project, key.stream(), signed(after), i64::from(limit.min(10_000))]).await?;
        rows.iter().map(read_fact).collect()
    }

    /// One fact by its index in the log.
    pub async fn fact_at(&self, index: u64) -> Result<Option<StoredFact>> {
        let row = self.db().row(format!("{FACT} WHERE log_index = $1"), args![signed(index)]).await?;
        row.map(|row| read_fact(&row)).transpose()
    }

    /// Committed facts that are not sealed yet.
    pub async fn unsealed(&self) -> Result<u64> {
        let row = self.db().row("SELECT COUNT(*) FROM facts WHERE log_index IS NULL", args![]).await?;
        row.map_or(Ok(0), |row| row.count(0))
    }
}

/// The tree as far as it is sealed.
pub(crate) async fn tree(conn: &mut Conn<'_>) -> Result<Tree> {
    let row = conn.row("SELECT size FROM checkpoint ORDER BY size DESC LIMIT 1", args![]).await?;
    let size = row.map(|row| row.count(0)).transpose()?.unwrap_or(0);
    let ids = merkle::peak_ids(size);
    let found = nodes(conn, &ids.iter().copied().collect()).await?;
    let peaks = ids.iter().map(|id| found.get(id).copied().ok_or_else(|| no_proof(MerkleError::Missing(*id)))).collect::<Result<_>>()?;
    Tree::from_peaks(size, peaks).map_err(no_proof)
}

/// Stored subtrees by their ids: leaves from the facts, the rest from the nodes.
pub(crate) async fn nodes(conn: &mut Conn<'_>, ids: &BTreeSet<NodeId>) -> Result<HashMap<NodeId, Digest>> {
    let mut found = HashMap::new();
    let leaves: Vec<Vec<Arg>> = ids.iter().filter(|id| id.level == 0).map(|id| args![signed(id.index)]).collect();
    let inner: Vec<Vec<Arg>> = ids.iter().filter(|id| id.level > 0).map(|id| args![i64::from(id.level), signed(id.index)]).collect();
    for part in leaves.chunks(256) {
        let wanted = padded(part);
        let sql = format!("SELECT log_index, hash FROM facts WHERE log_index IN (VALUES {})", rows_of(wanted.len(), 1, 0));
        for row in conn.rows(sql, wanted.concat()).await? {
            found.insert(NodeId { level: 0, index: row.count(0)? }, digest(&row.text(1)?)?);
        }
    }
    for part in inner.chunks(256) {
        let wanted = padded(part);
        let sql = format!("SELECT level, idx, hash FROM log_node WHERE (level, idx) IN (VALUES {})", rows_of(wanted.len(), 2, 0));
        for row in conn.rows(sql, wanted.concat()).await? {
            let level = u8::try_from(row.int(0)?).unwrap_or(u8::MAX);
            found.insert(NodeId { level, index: row.count(1)? }, digest(&row.text(2)?)?);
        }
    }
    Ok(found)
}

fn read_checkpoint(row: &Row) -> Result<LatestCheckpoint> {
    Ok(LatestCheckpoint { size: row.count(0)?, root: digest(&row.text(1)?)?, note: row.text(2)?, at: instant(row.int(3)?)? })
}

fn digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|_| StoreError::Broken(format!("a stored digest cannot be read: {text:?}")))
}

fn no_proof(why: MerkleError) -> StoreError {
    StoreError::Broken(format!("no proof: {why}"))
}
