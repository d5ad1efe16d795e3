//! Looking whether what is stored is what was written: streams, hashes, log and documents.
//!
//! [`Store::rebuild_compare`] folds every stream again, in bounded batches on one snapshot, and compares; it reads the whole
//! ledger. [`Store::verify_start`] looks at what a start can afford. Neither mends anything.

use crate::Store;
use crate::database::{Conn, Db, Row, args, padded, rows_of, runs};
use crate::error::{Result, StoreError};
use crate::flush::signed;
use crate::group::{CARD, Card, card, project_card};
use crate::instant;
use crate::ledger::{FACT, StoredFact, nodes, read_fact, tree};
use holdpoint_domain::nouns::Fact;
use holdpoint_seal::digest::Digest;
use holdpoint_seal::fact::StreamHead;
use holdpoint_seal::merkle::{NodeId, Tree, node_hash};
use std::collections::{BTreeMap, BTreeSet};

/// Facts read at a time.
const BATCH: i64 = 2000;
/// Sealed facts that a start looks at, the latest ones.
const START_FACTS: i64 = 2000;
/// Facts that one piece of the scrub looks at, at most.
const SCRUB_MAX: u32 = 2000;
/// Databases of SQLite up to this size are checked page by page at start: 256 MiB.
const QUICK_CHECK_BYTES: i64 = 256 << 20;
/// A report ends here: what comes after a bad fact in its stream is bad as well.
const DIFFERENCES_MAX: usize = 1000;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `project stream position`, `log 17`, `database`.
    pub place: String,
    pub sentence: String,
}

/// What a check at start found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Size of the sealed log.
    pub size: u64,
    /// Facts whose hashes were computed again.
    pub facts: u64,
    pub differences: Vec<Difference>,
}

/// What a piece of the scrub found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// Log index at which the next piece begins; 0: all was seen, it begins anew.
    pub next: u64,
    pub facts: u64,
    pub differences: Vec<Difference>,
}

/// One consistent view of the database while others write on.
enum Snapshot {
    Lite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Pg(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Snapshot {
    async fn take(db: &Db) -> Result<Self> {
        Ok(match db {
            Db::Lite { readers, .. } => Snapshot::Lite(readers.begin().await?),
            Db::Pg(pool) => Snapshot::Pg(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?),
        })
    }
    fn conn(&mut self) -> Conn<'_> {
        match self {
            Snapshot::Lite(tx) => Conn::Lite(tx),
            Snapshot::Pg(tx) => Conn::Pg(tx),
        }
    }
}

/// Gathers differences up to a limit.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, place: impl Into<String>, sentence: impl Into<String>) {
        if self.0.len() < DIFFERENCES_MAX {
            self.0.push(Difference { place: place.into(), sentence: sentence.into() });
        }
    }
    fn full(&self) -> bool {
        self.0.len() >= DIFFERENCES_MAX
    }
}

impl Store {
    /// Folds every stream again and compares with the documents; checks hashes, chains, log nodes and checkpoints.
    /// An empty list means that all of it agrees.
    pub async fn rebuild_compare(&self) -> Result<Vec<Difference>> {
        let mut snapshot = Snapshot::take(self.db()).await?;
        let mut found = Found::default();
        compare_streams(&mut snapshot.conn(), &mut found).await?;
        strangers(&mut snapshot.conn(), &mut found).await?;
        compare_log(&mut snapshot.conn(), &mut found).await?;
        Ok(found.0)
    }

    /// What a start looks at: pages (SQLite), the length and root of the log against its latest checkpoint, and the hashes
    /// of the latest and of all unsealed facts.
    pub async fn verify_start(&self) -> Result<Verified> {
        let mut snapshot = Snapshot::take(self.db()).await?;
        let mut conn = snapshot.conn();
        let mut found = Found::default();
        if matches!(conn, Conn::Lite(_)) {
            quick_check(&mut conn, &mut found).await?;
        }
        let size = match tree(&mut conn).await {
            Ok(tree) => {
                let row = conn.row("SELECT root FROM checkpoint WHERE size = $1", args![signed(tree.size())]).await?;
                if row.map(|row| row.text(0)).transpose()?.is_some_and(|root| root != tree.root().to_string()) {
                    found.add("log", format!("the nodes of the log lead to root {}, its latest checkpoint says another", tree.root()));
                }
                tree.size()
            }
            Err(why) => {
                found.add("log", why.to_string());
                0
            }
        };
        check_length(&mut conn, size, &mut found).await?;
        let sealed = conn.rows(format!("{FACT} WHERE log_index IS NOT NULL ORDER BY log_index DESC LIMIT $1"), args![START_FACTS]).await?;
        let unsealed = conn.rows(format!("{FACT} WHERE log_index IS NULL ORDER BY seq"), args![]).await?;
        let facts = (sealed.len() + unsealed.len()) as u64;
        for row in sealed.iter().chain(&unsealed) {
            check_fact(row, &mut found);
        }
        Ok(Verified { size, facts, differences: found.0 })
    }

    /// Looks at up to `limit` sealed facts from a log index on: their hashes, and that the log has the same. What a start
    /// cannot afford is gone through in pieces like this.
    pub async fn scrub(&self, from: u64, limit: u32) -> Result<Scrubbed> {
        let mut snapshot = Snapshot::take(self.db()).await?;
        let mut conn = snapshot.conn();
        let mut found = Found::default();
        let sql = format!("{FACT} WHERE log_index >= $1 ORDER BY log_index LIMIT $2");
        let rows = conn.rows(sql, args![signed(from), i64::from(limit.min(SCRUB_MAX))]).await?;
        // Pairs of leaves have a node of their own in the log; a fact that was changed together with its hash shows there.
        let parents: BTreeSet<NodeId> = (from..from + rows.len() as u64).map(|index| NodeId { level: 1, index: index / 2 }).collect();
        let parents = nodes(&mut conn, &parents).await?;
        let mut left: Option<Digest> = None;
        for (expected, row) in (from..).zip(&rows) {
            let Some(fact) = check_fact(row, &mut found) else { continue };
            if fact.index != Some(expected) {
                found.add(format!("log {expected}"), "the sealed fact is gone");
                break;
            }
            if expected % 2 == 0 {
                left = Some(fact.hash);
                continue;
            }
            let both = left.take().map(|left| node_hash(&left, &fact.hash));
            let parent = parents.get(&NodeId { level: 1, index: expected / 2 });
            if both.zip(parent).is_some_and(|(both, parent)| both != *parent) {
                found.add(place(&fact), format!("log {}: the log was made of other facts", expected - 1));
            }
        }
        let facts = rows.len() as u64;
        Ok(Scrubbed { next: if rows.is_empty() { 0 } else { from + facts }, facts, differences: found.0 })
    }

    /// The root of the log when it had `size` facts, from the stored nodes: to be compared with an older checkpoint.
    pub async fn root_at(&self, size: u64) -> Result<Digest> {
        let ids: BTreeSet<NodeId> = holdpoint_seal::merkle::peak_ids(size).into_iter().collect();
        let nodes = self.log_nodes(&ids).await?;
        holdpoint_seal::merkle::root_from_nodes(size, &|id: NodeId| nodes.get(&id).copied())
            .map_err(|why| StoreError::Broken(format!("the log of {size}: {why}")))
    }
}

async fn quick_check(conn: &mut Conn<'_>, found: &mut Found) -> Result<()> {
    let pages = conn.row("PRAGMA page_count", args![]).await?.map_or(Ok(0), |row| row.int(0))?;
    let bytes = conn.row("PRAGMA page_size", args![]).await?.map_or(Ok(0), |row| row.int(0))?;
    if pages.saturating_mul(bytes) > QUICK_CHECK_BYTES {
        return Ok(());
    }
    for row in conn.rows("PRAGMA quick_check(10)", args![]).await? {
        let said = row.text(0)?;
        if said != "ok" {
            found.add("database", said);
        }
    }
    Ok(())
}

async fn check_length(conn: &mut Conn<'_>, size: u64, found: &mut Found) -> Result<()> {
    let row = conn.row("SELECT COUNT(*), COALESCE(MAX(log_index), -1) + 1 FROM facts WHERE log_index IS NOT NULL", args![]).await?;
    let Some(row) = row else { return Ok(()) };
    let (sealed, end) = (row.count(0)?, row.count(1)?);
    if sealed != size || end != size {
        found.add("log", format!("the latest checkpoint covers {size} facts, there are {sealed} sealed ones, up to index {end}"));
    }
    Ok(())
}

/// Computes a fact's hash again.
fn check_fact(row: &Row, found: &mut Found) -> Option<StoredFact> {
    let fact = match read_fact(row) {
        Ok(fact) => fact,
        Err(why) => {
            found.add("facts", why.to_string());
            return None;
        }
    };
    if fact.envelope.leaf_hash().ok() != Some(fact.hash) {
        let index = fact.index.map_or("not sealed".to_owned(), |index| format!("log {index}"));
        found.add(place(&fact), format!("the fact was changed: its hash is not the stored one ({index})"));
    }
    Some(fact)
}

fn place(fact: &StoredFact) -> String {
    format!("{} {} {}", fact.envelope.project, fact.envelope.stream, fact.envelope.position)
}

/// A stream on its way through the batches.
struct Stream {
    project: String,
    name: String,
    head: StreamHead,
    card: Option<Card>,
    /// Something was found; what follows is not compared.
    bad: bool,
}

async fn compare_streams(conn: &mut Conn<'_>, found: &mut Found) -> Result<()> {
    let (mut after, mut current): ((String, String, i64), Option<Stream>) = Default::default();
    loop {
        let sql = format!("{FACT} WHERE (project, stream, position) > ($1, $2, $3) ORDER BY project, stream, position LIMIT $4");
        let rows = conn.rows(sql, args![&after.0, &after.1, after.2, BATCH]).await?;
        let mut ended = Vec::new();
        for row in &rows {
            after = (row.text(2)?, row.text(3)?, row.int(4)?);
            let same = current.as_ref().is_some_and(|stream| stream.project == after.0 && stream.name == after.1);
            if !same {
                let next = Stream { project: after.0.clone(), name: after.1.clone(), head: StreamHead::default(), card: None, bad: false };
                ended.extend(current.replace(next));
            }
            if let (Some(stream), Some(fact)) = (current.as_mut(), check_fact(row, found)) {
                follow(stream, fact, found);
            }
        }
        let last = rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        if last {
            ended.extend(current.take());
        }
        compare_docs(conn, &ended, found).await?;
        if last || found.full() {
            return Ok(());
        }
    }
}

fn follow(stream: &mut Stream, fact: StoredFact, found: &mut Found) {
    if let Err(why) = stream.head.follow(&fact.envelope, fact.hash) {
        found.add(place(&fact), format!("the stream is not whole: {why}"));
        stream.bad = true;
    }
    if stream.bad {
        return;
    }
    match fold(stream.card.as_ref(), &fact) {
        Ok(card) => stream.card = Some(card),
        Err(why) => {
            found.add(place(&fact), why.to_string());
            stream.bad = true;
        }
    }
}

fn fold(before: Option<&Card>, fact: &StoredFact) -> Result<Card> {
    let key = fact.stream().ok_or_else(|| StoreError::Broken(format!("no document is of stream {}", fact.envelope.stream)))?;
    let read =
        Fact::read(&fact.envelope.fact_type, fact.envelope.v, fact.body.clone()).map_err(|why| StoreError::Broken(why.to_string()))?;
    let card = project_card(&key, before, &[&read], instant(fact.envelope.at.0)?)?;
    Ok(Card { position: fact.envelope.position, hash: fact.hash, ..card })
}

async fn compare_docs(conn: &mut Conn<'_>, streams: &[Stream], found: &mut Found) -> Result<()> {
    for part in streams.chunks(256) {
        let keys: Vec<_> = part
            .iter()
            .map(|stream| {
                let (kind, key) = stream.name.split_once('/').unwrap_or((&stream.name, ""));
                args![&stream.project, kind, key]
            })
            .collect();
        let wanted = padded(&keys);
        let sql = format!("{CARD} FROM p_doc WHERE (project, kind, key) IN (VALUES {})", rows_of(wanted.len(), 3, 0));
        let mut stored = BTreeMap::new();
        for row in conn.rows(sql, wanted.concat()).await? {
            match card(&row) {
                Ok(((project, key), card)) => _ = stored.insert((project.to_string(), key.stream()), card),
                Err(why) => found.add("documents", why.to_string()),
            }
        }
        for stream in part.iter().filter(|stream| !stream.bad) {
            let Some(folded) = &stream.card else { continue };
            let place = format!("{} {}", stream.project, stream.name);
            match stored.get(&(stream.project.clone(), stream.name.clone())) {
                None => found.add(place, "the stream has facts and no document"),
                Some(kept) => {
                    let fields = differing(kept, folded);
                    if !fields.is_empty() {
                        found.add(place, format!("the document is not the fold of its facts; it differs in {}", fields.join(", ")));
                    }
                }
            }
        }
    }
    Ok(())
}

fn differing(kept: &Card, folded: &Card) -> Vec<&'static str> {
    let same = [
        ("position", kept.position == folded.position),
        ("hash", kept.hash == folded.hash),
        ("live", kept.live == folded.live),
        ("service", kept.service == folded.service),
        ("environment", kept.environment == folded.environment),
        ("label", kept.label == folded.label),
        ("opened", kept.opened_us == folded.opened_us),
        ("at", kept.at_us == folded.at_us),
        ("state", kept.state == folded.state),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

/// Documents without any fact.
async fn strangers(conn: &mut Conn<'_>, found: &mut Found) -> Result<()> {
    let sql = "SELECT project, kind, key FROM p_doc WHERE NOT EXISTS
         (SELECT 1 FROM facts WHERE facts.project = p_doc.project AND facts.stream = p_doc.kind || '/' || p_doc.key) ORDER BY project, kind, key LIMIT 100";
    for row in conn.rows(sql, args![]).await? {
        let (project, kind, key) = (row.text(0)?, row.text(1)?, row.text(2)?);
        found.add(format!("{project} {kind}/{key}"), "the document has no facts");
    }
    Ok(())
}

/// Builds the tree again from the facts and compares nodes and checkpoints.
async fn compare_log(conn: &mut Conn<'_>, found: &mut Found) -> Result<()> {
    let mut tree = Tree::new();
    let mut checkpoints = BTreeMap::new();
    for row in conn.rows("SELECT size, root FROM checkpoint ORDER BY size", args![]).await? {
        checkpoints.insert(row.count(0)?, row.text(1)?);
    }
    let mut wanted_nodes = 0;
    loop {
        let from = signed(tree.size());
        let rows =
            conn.rows("SELECT log_index, hash FROM facts WHERE log_index >= $1 ORDER BY log_index LIMIT $2", args![from, BATCH]).await?;
        let mut complete = Vec::new();
        for row in &rows {
            let index = row.count(0)?;
            if index != tree.size() {
                found.add(format!("log {}", tree.size()), format!("the log has no fact {}, the next one is {index}", tree.size()));
                return Ok(());
            }
            let Ok(hash) = row.text(1)?.parse() else {
                found.add(format!("log {index}"), "the fact's hash cannot be read");
                return Ok(());
            };
            complete.extend(tree.append(hash).into_iter().skip(1));
            if checkpoints.get(&tree.size()).is_some_and(|root| *root != tree.root().to_string()) {
                found.add(format!("log {index}"), format!("the checkpoint of size {} has another root", tree.size()));
            }
        }
        wanted_nodes += complete.len() as u64;
        for run in runs(&complete) {
            let stored = nodes(conn, &run.iter().map(|(id, _)| *id).collect()).await?;
            for (id, hash) in run {
                if stored.get(id) != Some(hash) {
                    found.add(format!("log node {id}"), "the stored hash is missing or not that of the facts below it");
                }
            }
        }
        if rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) || found.full() {
            break;
        }
    }
    let stored = conn.row("SELECT COUNT(*) FROM log_node", args![]).await?.map_or(Ok(0), |row| row.count(0))?;
    if stored != wanted_nodes && !found.full() {
        found.add("log", format!("the log has {stored} nodes where {wanted_nodes} belong"));
    }
    check_length(conn, checkpoints.last_key_value().map_or(0, |(size, _)| *size), found).await
}
