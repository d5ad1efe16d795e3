//! The schema and its steps: numbered SQL files, one text for both engines.
//!
//! A step says from which number on a program can work with the result (`min_binary`): expanding steps leave older
//! programs working, contracting ones shut them out. A program that is older than `min_binary` refuses to start.

use crate::database::{Conn, Db, Engine, args};
use crate::error::{Result, StoreError};

/// One step: its SQL and the number of the oldest step set whose programs still work afterwards.
struct Step {
    sql: &'static str,
    min_binary: u64,
}

/// All steps; the first has number 1. Never edited once shipped, only appended to.
const STEPS: [Step; 2] = [
    Step { sql: include_str!("schema/0001_first.sql"), min_binary: 1 },
    Step { sql: include_str!("schema/0002_workers.sql"), min_binary: 2 },
];

/// The newest schema that this program knows.
pub const SCHEMA_VERSION: u64 = STEPS.len() as u64;

/// Any number that all programs agree on: PostgreSQL's lock while a schema changes.
const MIGRATION_LOCK: i64 = 0x484f_4c44_5054;

/// Brings the database to this program's schema, or refuses a newer one. Returns the instance's id.
pub(crate) async fn migrate(db: &Db) -> Result<String> {
    let mut tx = db.begin().await?;
    let mut conn = tx.conn();
    if conn.engine() == Engine::Postgres {
        conn.rows("SELECT 1::BIGINT FROM (SELECT pg_advisory_xact_lock($1)) AS held", args![MIGRATION_LOCK]).await?;
    }
    conn.script(spelled(conn.engine(), "CREATE TABLE IF NOT EXISTS meta (name {{text}} NOT NULL PRIMARY KEY, value {{text}} NOT NULL)"))
        .await?;
    let found = number(&mut conn, "schema").await?.unwrap_or(0);
    let min_binary = number(&mut conn, "min_binary").await?.unwrap_or(0);
    if min_binary > SCHEMA_VERSION {
        return Err(StoreError::Broken(format!(
            "the database has schema {found}, which needs a program that knows schema {min_binary} or later; this one knows {SCHEMA_VERSION}. Start a newer program, or restore a backup from before the upgrade"
        )));
    }
    let known = usize::try_from(found).unwrap_or(usize::MAX).min(STEPS.len());
    for step in &STEPS[known..] {
        conn.script(spelled(conn.engine(), step.sql)).await?;
    }
    if let Some(last) = STEPS.last()
        && found < SCHEMA_VERSION
    {
        put(&mut conn, "schema", &SCHEMA_VERSION.to_string()).await?;
        put(&mut conn, "min_binary", &last.min_binary.to_string()).await?;
    }
    let instance = match text(&mut conn, "instance").await? {
        Some(instance) => instance,
        None => {
            let mut random = [0u8; 16];
            getrandom::fill(&mut random).map_err(|why| StoreError::Broken(format!("no randomness: {why}")))?;
            let instance = hex::encode(random);
            put(&mut conn, "instance", &instance).await?;
            instance
        }
    };
    tx.commit().await?;
    Ok(instance)
}

/// Replaces the few words that differ between the engines.
fn spelled(engine: Engine, sql: &str) -> String {
    let (serial, text) = match engine {
        Engine::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT"),
        Engine::Postgres => ("BIGSERIAL PRIMARY KEY", "TEXT COLLATE \"C\""),
    };
    sql.replace("{{serial}}", serial).replace("{{text}}", text)
}

async fn text(conn: &mut Conn<'_>, name: &str) -> Result<Option<String>> {
    let row = conn.row("SELECT value FROM meta WHERE name = $1", args![name]).await?;
    row.map(|row| row.text(0)).transpose()
}

async fn number(conn: &mut Conn<'_>, name: &str) -> Result<Option<u64>> {
    let Some(text) = text(conn, name).await? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| StoreError::Broken(format!("the database's {name} is no number: {text:?}")))
}

async fn put(conn: &mut Conn<'_>, name: &str, value: &str) -> Result<(), sqlx::Error> {
    conn.run("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", args![name, value])
        .await
        .map(drop)
}
