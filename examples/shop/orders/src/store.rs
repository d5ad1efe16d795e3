//! Orders on disk. A placed order is in the database when `place` returns, or it was not placed.
//!
//! Several processes may use one file. Prices and payment are decided before anything comes here.

use crate::clock;
use crate::migrations;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An order as it was placed. Amounts are euro cents, times milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    pub id: String,
    pub customer: String,
    pub sku: String,
    pub qty: u32,
    pub total_cents: i64,
    pub placed_at: i64,
}

/// A priced and paid order that is not yet on disk. `key` is the customer's, one per intention.
#[derive(Debug, Clone)]
pub struct NewOrder {
    pub key: String,
    pub customer: String,
    pub sku: String,
    pub qty: u32,
    pub total_cents: i64,
    pub authorisation: String,
}

/// The order of a key. `replayed`: it was there before this call.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed {
    pub order: Order,
    pub replayed: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub orders: i64,
    pub units: i64,
    pub total_cents: i64,
}

#[derive(Debug)]
pub enum StoreError {
    /// The key belongs to a different order.
    KeyTaken,
    /// `orders migrate` has to run first; these steps are missing.
    Schema(Vec<i64>),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::Database(error)
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::KeyTaken => out.write_str("this key belongs to a different order"),
            StoreError::Schema(missing) => write!(out, "migrations {missing:?} are missing: run `orders migrate`"),
            StoreError::Database(error) => write!(out, "the database answered: {error}"),
        }
    }
}

const COLUMNS: &str = "id, customer, sku, qty, total_cents, placed_at";

/// One connection writes, others read beside it (WAL).
pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens a database whose schema is complete for this version.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let missing = migrations::missing(path)?;
        if !missing.is_empty() {
            return Err(StoreError::Schema(missing));
        }
        Ok(Store { path: path.to_owned(), writer: Mutex::new(connect(path)?), readers: Mutex::new(Vec::new()) })
    }

    /// Writes an order, or finds the one its key already stands for. Returns after the commit is on disk.
    pub fn place(&self, new: &NewOrder) -> Result<Placed, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(order) = by_key(&transaction, &new.key)? {
            return if same_intention(&order, new) { Ok(Placed { order, replayed: true }) } else { Err(StoreError::KeyTaken) };
        }
        let order = insert(&transaction, new)?;
        transaction.commit()?;
        Ok(Placed { order, replayed: false })
    }

    pub fn order(&self, id: &str) -> Result<Option<Order>, StoreError> {
        let Some(row_id) = id.strip_prefix("o-").and_then(|digits| digits.parse::<i64>().ok()) else { return Ok(None) };
        self.read(|connection| {
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM orders WHERE id = ?1"))?.query_row([row_id], to_order).optional()
        })
    }

    /// The customer's orders, newest first, at most 50.
    pub fn orders_of(&self, customer: &str) -> Result<Vec<Order>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM orders WHERE customer = ?1 ORDER BY id DESC LIMIT 50"))?
                .query_map([customer], to_order)?
                .collect()
        })
    }

    pub fn stats(&self) -> Result<Stats, StoreError> {
        self.read(|connection| {
            connection.query_row("SELECT COUNT(*), COALESCE(SUM(qty), 0), COALESCE(SUM(total_cents), 0) FROM orders", [], |row| {
                Ok(Stats { orders: row.get(0)?, units: row.get(1)?, total_cents: row.get(2)? })
            })
        })
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let answer = query(&connection)?;
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(answer)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // FULL: an acknowledged order survives a power cut, not only a crash of the process.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn by_key(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<Option<Order>> {
    transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM orders WHERE key = ?1"))?.query_row([key], to_order).optional()
}

// The price is not compared: a repeated order keeps the price it was placed at.
fn same_intention(order: &Order, new: &NewOrder) -> bool {
    order.customer == new.customer && order.sku == new.sku && order.qty == new.qty
}

fn insert(transaction: &Transaction<'_>, new: &NewOrder) -> rusqlite::Result<Order> {
    transaction
        .prepare_cached(&format!(
            "INSERT INTO orders (key, customer, sku, qty, total_cents, authorisation, placed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING {COLUMNS}"
        ))?
        .query_row(params![new.key, new.customer, new.sku, new.qty, new.total_cents, new.authorisation, clock::now_ms()], to_order)
}

fn to_order(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        id: format!("o-{}", row.get::<_, i64>(0)?),
        customer: row.get(1)?,
        sku: row.get(2)?,
        qty: row.get(3)?,
        total_cents: row.get(4)?,
        placed_at: row.get(5)?,
    })
}
