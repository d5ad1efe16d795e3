//! The tasks that take commands from the queue and commit them.
//!
//! SQLite: one task, one connection, as many queued commands in a transaction as there are (at most 64). PostgreSQL:
//! several tasks, each with the commands it finds queued. A group that fails before its commit is undone and its commands
//! are tried alone, so that one command's trouble is not another's. Answers leave only after the commit.

use crate::clock::Clock;
use crate::database::{Db, Tx};
use crate::decide::{Command, Committed};
use crate::error::{Result, StoreError};
use crate::flush::Witness;
use crate::group::{Cache, Group};
use crate::kill;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, watch};

/// At most this many commands in one transaction.
const GROUP_MAX: usize = 64;
/// Transactions of PostgreSQL that run at the same time. More of them make smaller groups: with 64 commands in flight, 2 to
/// 4 committed a quarter more than 8, with 16 in flight 4 and 8 the same and 2 a third less (bench/ledger, two cores).
const COMMITTERS_PG: usize = 4;
/// A command that meets others is tried this many times.
const ATTEMPTS_MAX: u32 = 12;
/// A database that is busy or does not answer is waited for this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the tasks need of the store. They do not hold the queue's sending end: they end when the last store is gone.
pub(crate) struct Parts {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) woken: watch::Sender<u64>,
}

type Queue = Arc<Mutex<mpsc::Receiver<Command>>>;

/// Starts the tasks.
pub(crate) fn start(parts: &Arc<Parts>, queue: mpsc::Receiver<Command>) {
    let queue: Queue = Arc::new(Mutex::new(queue));
    let tasks = if matches!(parts.db, Db::Pg(_)) { COMMITTERS_PG } else { 1 };
    for _ in 0..tasks {
        tokio::spawn(serve(Arc::clone(parts), Arc::clone(&queue)));
    }
}

async fn serve(parts: Arc<Parts>, queue: Queue) {
    let mut cache = Cache::default();
    loop {
        let mut commands = Vec::new();
        if queue.lock().await.recv_many(&mut commands, GROUP_MAX).await == 0 {
            return;
        }
        settle(&parts, &mut cache, commands).await;
        cache.trim();
    }
}

/// Why a group was not committed.
enum Failed {
    /// No transaction could be begun.
    Begin(StoreError),
    /// Nothing of it was or will be written.
    Before(StoreError),
    /// The commit was sent and no answer came. What would have been answered, and what to look for.
    Unknown { why: String, results: Vec<Result<Committed>>, witness: Option<Witness> },
}

/// Brings every command to an answer.
async fn settle(parts: &Parts, cache: &mut Cache, mut commands: Vec<Command>) {
    let deadline = Instant::now() + PATIENCE;
    let mut attempt_number = 0;
    loop {
        attempt_number += 1;
        match attempt(parts, cache, &mut commands).await {
            Ok(results) => return reply(&mut commands, results),
            Err(Failed::Begin(why)) => {
                let passing = matches!(why, StoreError::Conflict(_) | StoreError::Unavailable(_));
                if !passing || Instant::now() >= deadline {
                    return refuse(&mut commands, &why);
                }
                pause(attempt_number).await;
            }
            Err(Failed::Before(_)) if commands.len() > 1 => {
                for command in commands {
                    Box::pin(settle(parts, cache, vec![command])).await;
                }
                return;
            }
            Err(Failed::Before(why)) => {
                let again = match why {
                    StoreError::Conflict(_) => attempt_number < ATTEMPTS_MAX,
                    StoreError::Unavailable(_) => Instant::now() < deadline,
                    _ => false,
                };
                if !again {
                    return refuse(&mut commands, &why);
                }
                pause(attempt_number).await;
            }
            Err(Failed::Unknown { why, results, witness }) => match resolve(parts, witness).await {
                Some(true) => return reply(&mut commands, results),
                Some(false) => pause(attempt_number).await,
                None => return refuse(&mut commands, &StoreError::Indeterminate(why)),
            },
        }
    }
}

fn reply(commands: &mut [Command], results: Vec<Result<Committed>>) {
    for (command, result) in commands.iter_mut().zip(results) {
        command.reply(result);
    }
}

fn refuse(commands: &mut [Command], why: &StoreError) {
    for command in commands {
        command.reply(Err(match why {
            StoreError::Conflict(why) => StoreError::Conflict(why.clone()),
            StoreError::Indeterminate(why) => StoreError::Indeterminate(why.clone()),
            StoreError::Full(why) => StoreError::Full(why.clone()),
            StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
            other => StoreError::Broken(other.to_string()),
        }));
    }
}

/// Waits a little longer each time, and never as long as its neighbours.
async fn pause(attempt: u32) {
    let mut random = [0u8; 2];
    let _without_it_the_pause_is_short = getrandom::fill(&mut random);
    let most_us = 2_000u64 << attempt.min(7);
    tokio::time::sleep(Duration::from_micros(500 + u64::from(u16::from_le_bytes(random)) * most_us / 65_536)).await;
}

/// What a transaction holds before its commit.
struct Filled {
    results: Vec<Result<Committed>>,
    witness: Option<Witness>,
    empty: bool,
}

async fn attempt(parts: &Parts, cache: &mut Cache, commands: &mut [Command]) -> Result<Vec<Result<Committed>>, Failed> {
    let mut tx = match parts.db.begin().await {
        Ok(tx) => tx,
        Err(why) => return Err(Failed::Begin(why.into())),
    };
    let filled = match fill(&mut tx, parts, cache, commands).await {
        Ok(filled) => filled,
        Err(why) => {
            tx.rollback().await;
            cache.clear();
            return Err(Failed::Before(why));
        }
    };
    if filled.empty {
        tx.rollback().await;
        return Ok(filled.results);
    }
    visit(commands, &filled.results, "before");
    match tx.commit().await {
        Ok(()) => {}
        Err(StoreError::Indeterminate(why)) => {
            cache.clear();
            tracing::warn!(why, commands = commands.len(), "a commit was sent and its outcome is not known");
            return Err(Failed::Unknown { why, results: filled.results, witness: filled.witness });
        }
        Err(why) => {
            cache.clear();
            return Err(Failed::Before(why));
        }
    }
    visit(commands, &filled.results, "after");
    parts.woken.send_modify(|commits| *commits += 1);
    Ok(filled.results)
}

/// Passes the kill points of all commands that are being committed.
fn visit(commands: &[Command], results: &[Result<Committed>], when: &str) {
    for (command, result) in commands.iter().zip(results) {
        if result.as_ref().is_ok_and(|committed| !committed.replayed) {
            kill::at(command.request.point, when);
        }
    }
}

async fn fill(tx: &mut Tx, parts: &Parts, cache: &mut Cache, commands: &mut [Command]) -> Result<Filled> {
    // On SQLite another process may have written: documents kept from earlier are then worth nothing.
    let version = tx.version();
    if version.is_none() || cache.version != version {
        cache.clear();
        cache.version = version;
    }
    let conn = &mut tx.conn();
    let mut group = Group::new(cache, &parts.clock);
    group.prepare(conn, commands).await?;
    let mut results = Vec::with_capacity(commands.len());
    for command in commands {
        results.push(group.decide(conn, command).await?);
    }
    let empty = group.is_empty();
    if !empty {
        group.flush(conn).await?;
    }
    Ok(Filled { results, witness: group.witness(), empty })
}

/// After a commit without an answer: whether it was done, or `None` where nobody can tell.
///
/// PostgreSQL: writes the same row again and undoes that. A row that is there refuses it; a transaction that still runs in
/// an orphaned backend makes it wait. SQLite: a failed sync may or may not have reached the disk, nobody can tell.
async fn resolve(parts: &Parts, witness: Option<Witness>) -> Option<bool> {
    let witness = witness.filter(|_| matches!(parts.db, Db::Pg(_)))?;
    let deadline = Instant::now() + PATIENCE;
    let mut attempt = 0;
    while Instant::now() < deadline {
        attempt += 1;
        match witness.look(&parts.db).await {
            Ok(done) => return Some(done),
            Err(why) => tracing::debug!(%why, "looking for a commit whose answer was lost"),
        }
        pause(attempt).await;
    }
    None
}
