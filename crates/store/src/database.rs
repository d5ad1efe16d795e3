//! One way to speak to two engines: the same SQL text, `$1` parameters, 64-bit integers and text, nothing else.
//!
//! `sqlx::Any` is not used: it cannot read SQLite's booleans and loses the type of a null. Floats, booleans and arrays are
//! avoided in the schema for the same reason; times are microseconds, JSON and digests are text.

use crate::error::{Result, StoreError};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres, Row as _, SqliteConnection,
    SqlitePool,
};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Which engine: it decides over locking clauses and the clock only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A value to bind.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Int(i64),
    MaybeInt(Option<i64>),
    Text(String),
    MaybeText(Option<String>),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Arg::Int(value)
    }
}
impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Arg::MaybeInt(value)
    }
}
impl From<bool> for Arg {
    fn from(value: bool) -> Self {
        Arg::Int(i64::from(value))
    }
}
impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Arg::Text(value.to_owned())
    }
}
impl From<String> for Arg {
    fn from(value: String) -> Self {
        Arg::Text(value)
    }
}
impl From<&String> for Arg {
    fn from(value: &String) -> Self {
        Arg::Text(value.clone())
    }
}
impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Arg::MaybeText(value)
    }
}
impl From<Option<&str>> for Arg {
    fn from(value: Option<&str>) -> Self {
        Arg::MaybeText(value.map(str::to_owned))
    }
}

/// `args![a, b, c]`: a list of values to bind.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::database::Arg::from($value)),*] };
}
pub(crate) use args;

/// SQL text: written in the source, or put together from such pieces and numbers.
pub(crate) enum Sql {
    Fixed(&'static str),
    /// Built by [`rows_of`] and the like: never from input.
    Built(String),
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Sql::Fixed(text)
    }
}
impl From<String> for Sql {
    fn from(text: String) -> Self {
        Sql::Built(text)
    }
}

/// A row of either engine; columns by number.
pub(crate) enum Row {
    Lite(SqliteRow),
    Pg(PgRow),
}

macro_rules! column {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(&self, column: usize) -> Result<$type> {
            match self {
                Row::Lite(row) => row.try_get(column),
                Row::Pg(row) => row.try_get(column),
            }
            .map_err(|why| StoreError::Broken(format!("database: column {column}: {why}")))
        }
    };
}

impl Row {
    column!(int, i64);
    column!(maybe_int, Option<i64>);
    column!(text, String);
    column!(maybe_text, Option<String>);
    /// A count, position or index.
    pub(crate) fn count(&self, column: usize) -> Result<u64> {
        let value = self.int(column)?;
        u64::try_from(value).map_err(|_| StoreError::Broken(format!("database: column {column} is negative: {value}")))
    }
}

/// A connection in use.
pub(crate) enum Conn<'c> {
    Lite(&'c mut SqliteConnection),
    Pg(&'c mut PgConnection),
}

macro_rules! bound {
    ($arguments:ty, $args:expr) => {{
        let mut bound = <$arguments>::default();
        for arg in $args {
            match arg {
                Arg::Int(value) => bound.add(value),
                Arg::MaybeInt(value) => bound.add(value),
                Arg::Text(value) => bound.add(value),
                Arg::MaybeText(value) => bound.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        bound
    }};
}

impl Conn<'_> {
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Conn::Lite(_) => Engine::Sqlite,
            Conn::Pg(_) => Engine::Postgres,
        }
    }
    /// Runs a statement; returns how many rows it touched.
    pub(crate) async fn run(&mut self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Conn::Lite(conn) => {
                let bound = bound!(SqliteArguments, args);
                match sql.into() {
                    Sql::Fixed(text) => sqlx::query_with(text, bound).execute(&mut **conn).await?,
                    Sql::Built(text) => sqlx::query_with(AssertSqlSafe(text), bound).execute(&mut **conn).await?,
                }
                .rows_affected()
            }
            Conn::Pg(conn) => {
                let bound = bound!(PgArguments, args);
                match sql.into() {
                    Sql::Fixed(text) => sqlx::query_with(text, bound).execute(&mut **conn).await?,
                    Sql::Built(text) => sqlx::query_with(AssertSqlSafe(text), bound).execute(&mut **conn).await?,
                }
                .rows_affected()
            }
        })
    }
    /// Runs a query; returns all its rows. Every query of the store has a limit.
    pub(crate) async fn rows(&mut self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<Vec<Row>, sqlx::Error> {
        Ok(match self {
            Conn::Lite(conn) => {
                let bound = bound!(SqliteArguments, args);
                let rows = match sql.into() {
                    Sql::Fixed(text) => sqlx::query_with(text, bound).fetch_all(&mut **conn).await?,
                    Sql::Built(text) => sqlx::query_with(AssertSqlSafe(text), bound).fetch_all(&mut **conn).await?,
                };
                rows.into_iter().map(Row::Lite).collect()
            }
            Conn::Pg(conn) => {
                let bound = bound!(PgArguments, args);
                let rows = match sql.into() {
                    Sql::Fixed(text) => sqlx::query_with(text, bound).fetch_all(&mut **conn).await?,
                    Sql::Built(text) => sqlx::query_with(AssertSqlSafe(text), bound).fetch_all(&mut **conn).await?,
                };
                rows.into_iter().map(Row::Pg).collect()
            }
        })
    }
    /// The first row, if there is one.
    pub(crate) async fn row(&mut self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<Option<Row>, sqlx::Error> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }
    /// Several statements without parameters, as in a schema file.
    pub(crate) async fn script(&mut self, text: String) -> Result<(), sqlx::Error> {
        match self {
            Conn::Lite(conn) => sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut **conn).await.map(drop),
            Conn::Pg(conn) => sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut **conn).await.map(drop),
        }
    }
}

/// SQLite's one write connection. A caller that goes away in the middle leaves its transaction open; the next one ends it.
pub(crate) struct Writer {
    conn: SqliteConnection,
    options: SqliteConnectOptions,
    open: bool,
    /// How often the connection was replaced.
    generation: u64,
    /// SQLite's number of the running transaction that changes when another connection has written.
    version: Option<i64>,
}

/// The database: pools for reading, and for SQLite the one connection that writes.
#[derive(Clone)]
pub(crate) enum Db {
    Lite { readers: SqlitePool, writer: Arc<Mutex<Writer>> },
    Pg(PgPool),
}

/// A connection for reading, taken from a pool.
pub(crate) enum Reader {
    Lite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
    Pg(sqlx::pool::PoolConnection<Postgres>),
}

impl Reader {
    pub(crate) fn conn(&mut self) -> Conn<'_> {
        match self {
            Reader::Lite(conn) => Conn::Lite(conn),
            Reader::Pg(conn) => Conn::Pg(conn),
        }
    }
}

/// An open write transaction. Dropped without [`Tx::commit`], it is undone.
pub(crate) enum Tx {
    Lite(OwnedMutexGuard<Writer>),
    Pg(sqlx::Transaction<'static, Postgres>),
}

impl Db {
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Db::Lite { .. } => Engine::Sqlite,
            Db::Pg(_) => Engine::Postgres,
        }
    }
    pub(crate) async fn read(&self) -> Result<Reader, sqlx::Error> {
        Ok(match self {
            Db::Lite { readers, .. } => Reader::Lite(readers.acquire().await?),
            Db::Pg(pool) => Reader::Pg(pool.acquire().await?),
        })
    }
    /// Begins a write transaction. On SQLite it waits for its turn at the one writer.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Db::Lite { writer, .. } => {
                let mut guard = Arc::clone(writer).lock_owned().await;
                guard.begin().await?;
                Ok(Tx::Lite(guard))
            }
            Db::Pg(pool) => Ok(Tx::Pg(pool.begin().await?)),
        }
    }
    /// One read, outside a transaction.
    pub(crate) async fn rows(&self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<Vec<Row>> {
        Ok(self.read().await?.conn().rows(sql, args).await?)
    }
    /// The first row of one read.
    pub(crate) async fn row(&self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<Option<Row>> {
        Ok(self.read().await?.conn().row(sql, args).await?)
    }
    /// One statement in a transaction of its own; returns how many rows it touched.
    pub(crate) async fn write(&self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<u64> {
        let mut tx = self.begin().await?;
        let touched = tx.conn().run(sql, args).await?;
        tx.commit().await?;
        Ok(touched)
    }
}

impl Writer {
    pub(crate) async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        Ok(Self { conn: options.connect().await?, options, open: false, generation: 0, version: None })
    }
    /// Gives up the connection and takes a new one: what a failed sync left in the old one is not to be trusted.
    async fn reopen(&mut self) -> Result<(), sqlx::Error> {
        let new = self.options.connect().await?;
        let _old_one_is_given_up = std::mem::replace(&mut self.conn, new).close().await;
        self.open = false;
        self.generation += 1;
        Ok(())
    }
    pub(crate) fn conn(&mut self) -> Conn<'_> {
        Conn::Lite(&mut self.conn)
    }
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        if self.open {
            // Fails where SQLite has already undone it; then there is nothing to end.
            let _already_ended = Conn::Lite(&mut self.conn).run("ROLLBACK", vec![]).await;
        }
        self.open = true;
        // Both in one message to the connection's thread.
        let rows = sqlx::raw_sql("BEGIN IMMEDIATE; PRAGMA data_version").fetch_all(&mut self.conn).await?;
        self.version = rows.last().map(|row| row.try_get(0)).transpose()?;
        Ok(())
    }
    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        Conn::Lite(&mut self.conn).run("COMMIT", vec![]).await?;
        self.open = false;
        Ok(())
    }
    pub(crate) async fn rollback(&mut self) {
        if self.open {
            let _already_ended = Conn::Lite(&mut self.conn).run("ROLLBACK", vec![]).await;
            self.open = false;
        }
    }
}

impl Tx {
    /// What must not have changed for documents in memory to be current: which connection this is, and SQLite's number
    /// that changes when another one has written. None where nothing is kept in memory.
    pub(crate) fn version(&self) -> Option<(u64, i64)> {
        let Tx::Lite(writer) = self else { return None };
        Some((writer.generation, writer.version?))
    }
    pub(crate) fn conn(&mut self) -> Conn<'_> {
        match self {
            Tx::Lite(writer) => Conn::Lite(&mut writer.conn),
            Tx::Pg(tx) => Conn::Pg(tx),
        }
    }
    /// Commits. A commit that fails on the way has an outcome that is not known.
    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Tx::Lite(mut writer) => {
                let Err(why) = writer.commit().await.map_err(unknown) else { return Ok(()) };
                writer.rollback().await;
                if matches!(why, StoreError::Indeterminate(_))
                    && let Err(why) = writer.reopen().await
                {
                    tracing::error!(%why, "the database cannot be opened again after a failed commit");
                }
                Err(why)
            }
            Tx::Pg(tx) => tx.commit().await.map_err(unknown),
        }
    }
    pub(crate) async fn rollback(self) {
        match self {
            Tx::Lite(mut writer) => writer.rollback().await,
            Tx::Pg(tx) => {
                let _connection_is_gone = tx.rollback().await;
            }
        }
    }
}

/// What an error of COMMIT means. An answer of the server that says "no" is a no; a lost connection is no answer.
/// SQLite's "full" comes from writing frames, before the frame that makes the commit count.
fn unknown(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Unavailable(why) | StoreError::Broken(why) => StoreError::Indeterminate(why),
        known => known,
    }
}

/// `($1,$2),($3,$4)`: places for `rows` rows of `columns` values, after the first `taken` parameters.
pub(crate) fn rows_of(rows: usize, columns: usize, taken: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    let mut number = taken;
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            number += 1;
            text.push_str(if column == 0 { "$" } else { ",$" });
            text.push_str(&number.to_string());
        }
        text.push(')');
    }
    text
}

/// Rows up to this many go in one statement of just that length.
const ONE_RUN: usize = 16;

/// Splits rows into runs of 64 or 32 and a rest of at most 16 and 16, so that few statement texts exist and prepared ones are
/// met again, and that a small group is one statement.
pub(crate) fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        if rows.is_empty() {
            return None;
        }
        let size = if rows.len() >= 64 {
            64
        } else if rows.len() <= ONE_RUN {
            rows.len()
        } else {
            1 << rows.len().ilog2()
        };
        let (run, rest) = rows.split_at(size);
        rows = rest;
        Some(run)
    })
}

/// Repeats the last item up to a power of two, for `IN (VALUES …)`, where a repetition changes nothing.
pub(crate) fn padded<T: Clone>(items: &[T]) -> Vec<T> {
    let mut all = items.to_vec();
    if let Some(last) = items.last() {
        all.resize(items.len().next_power_of_two(), last.clone());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{padded, rows_of, runs};

    #[test]
    fn places_for_values() {
        assert_eq!(rows_of(2, 2, 0), "($1,$2),($3,$4)");
        assert_eq!(rows_of(1, 3, 2), "($3,$4,$5)");
    }

    #[test]
    fn runs_cover_all_rows_in_order() {
        for length in [0usize, 1, 3, 64, 127, 200] {
            let rows: Vec<usize> = (0..length).collect();
            let again: Vec<usize> = runs(&rows).flat_map(|run| run.iter().copied()).collect();
            assert_eq!(rows, again);
            assert!(runs(&rows).all(|run| (run.len().is_power_of_two() && run.len() <= 64) || run.len() <= 16));
        }
        assert_eq!(padded(&[1, 2, 3]), [1, 2, 3, 3]);
        assert!(padded::<u8>(&[]).is_empty());
    }
}
