//! The schema, as numbered steps. Each is applied once, however often `migrate` runs or dies.
//!
//! Only `orders migrate` comes here to write. A running service checks and never changes the schema,
//! because two versions of it may share the database.

use crate::clock;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use std::path::Path;
use std::time::Duration;

/// One step: its SQL runs in one transaction together with the note that it ran.
pub struct Migration {
    pub number: i64,
    pub name: &'static str,
    sql: &'static str,
}

/// All steps this version needs, in order.
pub const MIGRATIONS: &[Migration] = &[Migration { number: 1, name: "orders", sql: include_str!("../migrations/0001_orders.sql") }];

const NOTES: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    number     INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT";

/// Opens the database for migration and creates it when it is not there.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Applies what is missing and returns the numbers applied by this call.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<Vec<i64>> {
    connection.execute_batch(NOTES)?;
    let mut applied = Vec::new();
    for migration in MIGRATIONS {
        if apply(connection, migration)? {
            applied.push(migration.number);
        }
    }
    Ok(applied)
}

/// False when it was applied before, also by a process that ran at the same time.
fn apply(connection: &mut Connection, migration: &Migration) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_applied(&transaction, migration.number)? {
        return Ok(false);
    }
    transaction.execute_batch(migration.sql)?;
    note_applied(&transaction, migration)?;
    transaction.commit()?;
    Ok(true)
}

fn note_applied(connection: &Connection, migration: &Migration) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO schema_migration (number, name, applied_at) VALUES (?1, ?2, ?3)",
        params![migration.number, migration.name, clock::now_ms()],
    )?;
    Ok(())
}

fn is_applied(connection: &Connection, number: i64) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM schema_migration WHERE number = ?1)", [number], |row| row.get(0))
}

/// Numbers this version needs and the database does not have. A newer schema is missing nothing.
pub fn missing(path: &Path) -> rusqlite::Result<Vec<i64>> {
    let all = || MIGRATIONS.iter().map(|migration| migration.number);
    if !path.exists() {
        return Ok(all().collect());
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    let noted: bool =
        connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration')", [], |row| row.get(0))?;
    if !noted {
        return Ok(all().collect());
    }
    let mut missing = Vec::new();
    for number in all() {
        if !is_applied(&connection, number)? {
            missing.push(number);
        }
    }
    Ok(missing)
}
