//! What can go wrong between a command and its commit, told apart by what the caller may do next.

use holdpoint_domain::kernel::Refusal;

/// Why a call of the store did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The decision's "no". Nothing was written.
    #[error("{}: {}", .0.code, .0.sentence)]
    Refused(Box<Refusal>),
    /// Others changed the same documents again and again, or the writer's turn was lost. Nothing was written; ask again.
    #[error("the command met other changes of the same documents too often: {0}")]
    Conflict(String),
    /// The commit was sent and its fate is not known. A repeat must carry the same idempotency key.
    #[error("the commit's outcome is not known: {0}")]
    Indeterminate(String),
    /// The idempotency key was used before with another body.
    #[error("the idempotency key was used before with a different body")]
    KeyReused,
    /// No space is left for the database or for blobs. Nothing was written; works again when there is space.
    #[error("no space is left on the storage: {0}")]
    Full(String),
    /// The database cannot be reached at present. Nothing was written.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// A bug, a damaged file or a schema that this program does not know.
    #[error("{0}")]
    Broken(String),
}

/// What most calls return.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What a database error means for the transaction it happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Serialization failure, deadlock, a lost race for a unique key or a busy lock: the same again may work.
    Contention,
    /// No space.
    Full,
    /// The connection is gone or the server is starting or stopping.
    Lost,
    /// Anything else.
    Other,
}

/// Sorts a database error.
pub(crate) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => Fault::Lost,
        // What arrives half-written when a server is killed.
        sqlx::Error::Protocol(_) => Fault::Lost,
        sqlx::Error::Database(inner) => match inner.code().as_deref() {
            // PostgreSQL: serialization failure, deadlock, lock not available, unique violation.
            Some("40001" | "40P01" | "55P03" | "23505") => Fault::Contention,
            Some("53100") => Fault::Full,
            Some(code) if code.len() == 5 && (code.starts_with("08") || code.starts_with("57P")) => Fault::Lost,
            // SQLite: numbers, the low byte is the primary code. 5 busy, 6 locked, 13 full, 19 constraint.
            Some(code) if code.len() < 5 => sqlite_fault(code),
            _ => Fault::Other,
        },
        _ => Fault::Other,
    }
}

fn sqlite_fault(code: &str) -> Fault {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => Fault::Contention,
        Ok(19) => Fault::Contention,
        Ok(13) => Fault::Full,
        _ => Fault::Other,
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match fault(&error) {
            Fault::Contention => Self::Conflict(error.to_string()),
            Fault::Full => Self::Full(error.to_string()),
            Fault::Lost => Self::Unavailable(error.to_string()),
            Fault::Other => Self::Broken(format!("database: {error}")),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full(error.to_string()),
            _ => Self::Broken(format!("file: {error}")),
        }
    }
}
