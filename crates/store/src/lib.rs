//! The store: facts, documents, the queue of actions, people's accounts and blobs, in SQLite or PostgreSQL.
//!
//! It runs decisions inside the transaction that writes what they decide ([`Store::decide`]), appends facts to their
//! streams, folds them into documents in the same transaction, and seals committed facts into the Merkle log
//! ([`Store::sequence`]). It makes no decision itself and knows no rule of release management.
//!
//! Architecture invariant: the only SQL of Holdpoint's own state is here. `p_` tables are folds of facts and can be rebuilt
//! ([`Store::rebuild_compare`]); `o_` tables are operational and never part of a proof.
//! Architecture invariant: no trait stands between callers and engines; both run the same SQL text.

mod accounts;
mod actions;
mod blobs;
mod clock;
mod database;
mod decide;
mod error;
mod export;
mod flush;
mod group;
pub mod kill;
mod ledger;
mod notes;
mod people;
mod read;
mod readings;
mod schema;
mod verify;
mod workers;
mod writer;

pub use accounts::{Account, Session, Token};
pub use actions::QueuedAction;
pub use blobs::{BLOB_BYTES_MAX, BlobUpload, ScrubbedBlobs};
pub use database::Engine;
pub use decide::{Committed, FactRef, Request};
pub use error::{Result, StoreError};
pub use export::ExportCursor;
pub use group::{DOCS_MAX, ROUNDS_MAX};
pub use ledger::{LatestCheckpoint, SEQUENCER, Sequenced, StoredFact};
pub use people::PersonRow;
pub use read::{Counts, DocRow, Filter, Order, Page};
pub use readings::{Reading, StoredReport};
pub use schema::SCHEMA_VERSION;
pub use verify::{Difference, Scrubbed, Verified};
pub use workers::WorkerRow;

use database::{Db, Writer, args};
use decide::Command;
use holdpoint_domain::kernel::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};
use writer::Parts;

/// Commands that may wait for their turn; beyond that callers wait.
const QUEUE_MAX: usize = 1024;
/// Earlier versions of SQLite can corrupt a database when the WAL is reset (faults.md of the design).
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);
const READERS: u32 = 4;
const CONNECTIONS_PG: u32 = 20;
/// Prepared statements that a connection keeps: those of a group come in up to eighteen lengths.
const STATEMENTS: usize = 256;

/// The store. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: Arc<Parts>,
    pub(crate) queue: mpsc::Sender<Command>,
    pub(crate) blobs: PathBuf,
    instance: String,
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…`, brings its schema up to date and starts the writing tasks. Blobs are files
    /// below `blobs`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Broken`] for a newer schema or an unknown kind of address, [`StoreError::Unavailable`] where nothing answers.
    pub async fn open(url: &str, blobs: &Path) -> Result<Store> {
        let db = if url.starts_with("sqlite:") {
            sqlite(url).await?
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url).map_err(|why| StoreError::Broken(format!("database address: {why}")))?;
            let options = options.statement_cache_capacity(STATEMENTS);
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS_PG).acquire_timeout(Duration::from_secs(10));
            Db::Pg(pool.connect_with(options).await?)
        } else {
            return Err(StoreError::Broken("a database address starts with \"sqlite:\" or \"postgres://\"".to_owned()));
        };
        let instance = schema::migrate(&db).await?;
        tokio::fs::create_dir_all(blobs.join("sha256")).await?;
        let latest = db.row("SELECT at_us FROM facts ORDER BY seq DESC LIMIT 1", args![]).await?.map(|row| row.int(0)).transpose()?;
        let parts = Parts { db, clock: clock::Clock::from(latest.unwrap_or(0)), woken: watch::Sender::new(0) };
        let (queue, commands) = mpsc::channel(QUEUE_MAX);
        let parts = Arc::new(parts);
        writer::start(&parts, commands);
        Ok(Store { inner: Arc::new(Inner { parts, queue, blobs: blobs.to_owned(), instance }) })
    }

    /// A random id made with the database.
    pub fn instance(&self) -> &str {
        &self.inner.instance
    }

    /// Which engine.
    pub fn engine(&self) -> Engine {
        self.db().engine()
    }

    /// The database's clock: the time of decisions.
    pub async fn now(&self) -> Result<Timestamp> {
        // SQLite's clock is this machine's: no connection is needed.
        match self.db() {
            Db::Lite { .. } => self.inner.parts.clock.own(),
            Db::Pg(_) => self.inner.parts.clock.now(&mut self.db().read().await?.conn()).await,
        }
    }

    /// Whether the database's clock is more than two seconds behind an instant it has told before. Then gates that depend
    /// on time must stay shut.
    pub fn clock_jump(&self) -> bool {
        self.inner.parts.clock.jumped()
    }

    /// Whether it has jumped, or differs by more than two seconds from this machine's: then nothing that depends on it is open.
    pub fn clock_doubtful(&self) -> bool {
        self.inner.parts.clock.doubtful()
    }

    /// Changes after every commit of this process: what waits for work wakes up. Polling remains the truth, for other
    /// processes commit too.
    pub fn woken(&self) -> watch::Receiver<u64> {
        self.inner.parts.woken.subscribe()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.db().row("SELECT value FROM meta WHERE name = $1", args!["schema"]).await.map(drop)
    }

    pub(crate) fn db(&self) -> &Db {
        &self.inner.parts.db
    }

    /// The clock in microseconds.
    pub(crate) async fn now_us(&self) -> Result<i64> {
        Ok(self.now().await?.as_microsecond())
    }
}

async fn sqlite(url: &str) -> Result<Db> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        // A list comes over from the connection's thread in few pieces.
        .row_buffer_size(1000)
        .statement_cache_capacity(STATEMENTS)
        .foreign_keys(true);
    let mut writer = Writer::open(options.clone()).await?;
    check_version(&mut writer).await?;
    let readers = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(Duration::from_secs(10));
    let readers = readers.connect_with(options.create_if_missing(false).pragma("query_only", "1")).await?;
    Ok(Db::Lite { readers, writer: Arc::new(Mutex::new(writer)) })
}

async fn check_version(writer: &mut Writer) -> Result<()> {
    let row = writer.conn().row("SELECT sqlite_version()", args![]).await?;
    let text = row.map(|row| row.text(0)).transpose()?.unwrap_or_default();
    let mut numbers = text.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let found = (next(), next(), next());
    if found < SQLITE_MIN {
        return Err(StoreError::Broken(format!("SQLite {text} can corrupt a database when its WAL is reset; 3.51.3 or later is needed")));
    }
    Ok(())
}

/// An instant from stored microseconds.
pub(crate) fn instant(us: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(us).map_err(|why| StoreError::Broken(format!("a stored time cannot be read: {why}")))
}
