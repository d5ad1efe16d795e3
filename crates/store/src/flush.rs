//! Writes what a group has gathered: a few multi-row statements, in an order that is the same for every transaction.

use crate::database::{Arg, Conn, Db, args, padded, rows_of, runs};
use crate::error::{Fault, Result, StoreError, fault};
use crate::group::Group;
use holdpoint_domain::kernel::ActionChange;
use holdpoint_seal::digest::Digest;
use holdpoint_seal::fact::FactEnvelope;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A fact as it will be stored.
#[derive(Clone)]
pub(crate) struct FactRow {
    pub(crate) envelope: FactEnvelope,
    pub(crate) hash: Digest,
    /// Canonical JSON.
    pub(crate) body: String,
}

/// Columns of a fact, in insertion order.
const FACT: &str = "INSERT INTO facts (project, stream, position, type, v, at_us, actor, via, prev, hash, body) VALUES ";

/// Columns of a kept answer, in insertion order.
const ANSWER: &str = "INSERT INTO o_idempotency (project, principal, route, key, body_digest, answer, at_us) VALUES ";

impl FactRow {
    pub(crate) fn bind(&self, into: &mut Vec<Arg>) {
        let FactEnvelope { project, stream, position, prev, fact_type, v, at, actor, via, .. } = &self.envelope;
        into.extend(args![
            project,
            stream,
            signed(*position),
            fact_type,
            i64::from(*v),
            at.0,
            actor,
            via,
            prev.map(|prev| prev.to_string()).unwrap_or_default(),
            self.hash.to_string(),
            &self.body,
        ]);
    }
}

/// A row by which one can tell later whether a transaction was committed.
pub(crate) struct Witness {
    insert: String,
    insert_bind: Vec<Arg>,
    select: &'static str,
    select_bind: Vec<Arg>,
    /// What the row says if it is ours.
    says: String,
}

impl Witness {
    /// Whether the row is there for good. An unfinished transaction that wrote it is waited for.
    pub(crate) async fn look(&self, db: &Db) -> Result<bool> {
        let mut tx = db.begin().await?;
        let inserted = tx.conn().run(self.insert.clone(), self.insert_bind.clone()).await;
        tx.rollback().await;
        match inserted {
            Ok(_) => Ok(false),
            Err(why) if fault(&why) == Fault::Contention => {
                let row = db.row(self.select, self.select_bind.clone()).await?;
                Ok(row.map(|row| row.text(0)).transpose()?.is_some_and(|found| found == self.says))
            }
            Err(why) => Err(why.into()),
        }
    }
}

/// What becomes of one action by all the changes of a group.
#[derive(Debug, Clone)]
pub(crate) enum ActionState {
    /// A whole row: enqueued in this group, perhaps leased right after.
    Row {
        pool: String,
        not_before_us: i64,
        lease: Option<Lease>,
    },
    Lease(Lease),
    Postpone {
        not_before_us: i64,
    },
    Remove,
}

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    attempt: String,
    token: i64,
    worker: String,
    until_us: i64,
}

type Actions = BTreeMap<(Arc<str>, String, String), ActionState>;

impl ActionState {
    /// Adds a change to those before it.
    pub(crate) fn fold(actions: &mut Actions, project: &Arc<str>, change: ActionChange) {
        match change {
            ActionChange::Enqueue(action) => {
                let not_before_us = action.not_before.map_or(0, |at| at.as_microsecond());
                let row = ActionState::Row { pool: action.pool, not_before_us, lease: None };
                actions.insert((Arc::clone(project), action.run, action.step), row);
            }
            ActionChange::Lease { run, step, attempt, token, worker, until } => {
                let granted = Lease { attempt, token: signed(token), worker, until_us: until.as_microsecond() };
                match actions.get_mut(&(Arc::clone(project), run.clone(), step.clone())) {
                    Some(ActionState::Row { lease, .. }) => *lease = Some(granted),
                    // What was removed stays so: an update would not find it either.
                    Some(ActionState::Remove) => {}
                    _ => _ = actions.insert((Arc::clone(project), run, step), ActionState::Lease(granted)),
                }
            }
            ActionChange::Postpone { run, step, not_before } => {
                let later_us = not_before.as_microsecond();
                match actions.get_mut(&(Arc::clone(project), run.clone(), step.clone())) {
                    Some(ActionState::Row { not_before_us, lease, .. }) => (*not_before_us, *lease) = (later_us, None),
                    Some(ActionState::Remove) => {}
                    _ => _ = actions.insert((Arc::clone(project), run, step), ActionState::Postpone { not_before_us: later_us }),
                }
            }
            ActionChange::Remove { run, step } => _ = actions.insert((Arc::clone(project), run, step), ActionState::Remove),
        }
    }
}

impl Group<'_> {
    /// Whether there is anything to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.people == 0
            && self.facts.is_empty()
            && self.new_answers.is_empty()
            && self.actions.is_empty()
            && self.notes.is_empty()
            && self.pins.is_empty()
    }

    /// Something that is there exactly if this group was committed.
    pub(crate) fn witness(&self) -> Option<Witness> {
        if let Some(fact) = self.facts.first() {
            let mut insert_bind = Vec::with_capacity(11);
            fact.bind(&mut insert_bind);
            return Some(Witness {
                insert: format!("{FACT}{}", rows_of(1, 11, 0)),
                insert_bind,
                select: "SELECT hash FROM facts WHERE project = $1 AND stream = $2 AND position = $3",
                select_bind: args![&fact.envelope.project, &fact.envelope.stream, signed(fact.envelope.position)],
                says: fact.hash.to_string(),
            });
        }
        let ((project, principal, route, key), (answered, at_us)) = self.new_answers.first_key_value()?;
        Some(Witness {
            insert: format!("{ANSWER}{}", rows_of(1, 7, 0)),
            insert_bind: args![project, principal, route, key, &answered.body_digest, &answered.text, *at_us],
            select: "SELECT answer FROM o_idempotency WHERE project = $1 AND principal = $2 AND route = $3 AND key = $4",
            select_bind: args![project, principal, route, key],
            says: answered.text.clone(),
        })
    }

    /// Writes everything. Keys are sorted (they are kept in ordered maps), so that transactions cannot deadlock here.
    pub(crate) async fn flush(&self, conn: &mut Conn<'_>) -> Result<()> {
        self.flush_answers(conn).await?;
        self.flush_docs(conn).await?;
        for run in runs(&self.facts) {
            let mut bind = Vec::with_capacity(run.len() * 11);
            run.iter().for_each(|fact| fact.bind(&mut bind));
            conn.run(format!("{FACT}{}", rows_of(run.len(), 11, 0)), bind).await?;
        }
        for run in runs(&self.notes) {
            let mut bind = Vec::with_capacity(run.len() * 4);
            for (project, note) in run {
                bind.extend(args![&**project, note.commit().digest.to_string(), hex::encode(note.salt.as_bytes()), &note.text]);
            }
            let sql = format!(
                "INSERT INTO o_note (project, digest, salt, text) VALUES {} ON CONFLICT (project, digest) DO NOTHING",
                rows_of(run.len(), 4, 0)
            );
            conn.run(sql, bind).await?;
        }
        self.flush_actions(conn).await?;
        self.flush_pins(conn).await
    }

    async fn flush_answers(&self, conn: &mut Conn<'_>) -> Result<()> {
        let answers: Vec<_> = self.new_answers.iter().collect();
        for run in runs(&answers) {
            let mut bind = Vec::with_capacity(run.len() * 7);
            for ((project, principal, route, key), (answered, at_us)) in run {
                bind.extend(args![project, principal, route, key, &answered.body_digest, &answered.text, *at_us]);
            }
            conn.run(format!("{ANSWER}{}", rows_of(run.len(), 7, 0)), bind).await?;
        }
        Ok(())
    }

    async fn flush_docs(&self, conn: &mut Conn<'_>) -> Result<()> {
        let changed: Vec<_> = self.changed.iter().collect();
        for run in runs(&changed) {
            let mut bind = Vec::with_capacity(run.len() * 12);
            for place in run {
                let Some(Some(card)) = self.cache.docs.get(*place) else {
                    return Err(StoreError::Broken(format!("the changed document {} is not there", place.1.stream())));
                };
                bind.extend(args![
                    &*place.0,
                    place.1.kind.name(),
                    &place.1.key,
                    signed(card.position),
                    card.hash.to_string(),
                    card.live,
                    card.service.as_deref(),
                    card.environment.as_deref(),
                    card.label.as_deref(),
                    card.state.text(),
                    card.opened_us,
                    card.at_us,
                ]);
            }
            conn.run(upsert_docs("p_doc", run.len()), bind).await?;
        }
        Ok(())
    }

    async fn flush_actions(&self, conn: &mut Conn<'_>) -> Result<()> {
        let (mut rows, mut leases, mut postponed, mut removed) = (vec![], vec![], vec![], vec![]);
        for ((project, run, step), state) in &self.actions {
            let key = args![&**project, run, step];
            match state {
                ActionState::Row { pool, not_before_us, lease } => {
                    let named = lease.as_ref();
                    let mut row = key;
                    row.extend(args![pool, if named.is_some() { "leased" } else { "ready" }, *not_before_us]);
                    row.extend(args![named.map(|lease| lease.attempt.as_str()), named.map(|lease| lease.token)]);
                    row.extend(args![named.map(|lease| lease.worker.as_str()), named.map(|lease| lease.until_us)]);
                    rows.push(row);
                }
                ActionState::Lease(lease) => {
                    let mut row = key;
                    row.extend(args![&lease.attempt, lease.token, &lease.worker, lease.until_us]);
                    leases.push(row);
                }
                ActionState::Postpone { not_before_us } => {
                    let mut row = key;
                    row.extend(args![*not_before_us]);
                    postponed.push(row);
                }
                ActionState::Remove => removed.push(key),
            }
        }
        for part in removed.chunks(256) {
            let wanted = padded(part);
            let sql = format!("DELETE FROM o_action WHERE (project, run, step) IN (VALUES {})", rows_of(wanted.len(), 3, 0));
            conn.run(sql, wanted.concat()).await?;
        }
        for run in runs(&rows) {
            conn.run(upsert_actions(run.len()), run.concat()).await?;
        }
        for run in runs(&leases) {
            let sql = format!(
                "UPDATE o_action SET state = 'leased', attempt = new.column4, token = new.column5, worker = new.column6, until_us = new.column7
                 FROM (VALUES {}) AS new WHERE project = new.column1 AND run = new.column2 AND step = new.column3",
                rows_of(run.len(), 7, 0)
            );
            conn.run(sql, run.concat()).await?;
        }
        for run in runs(&postponed) {
            let sql = format!(
                "UPDATE o_action SET state = 'ready', not_before_us = new.column4, attempt = NULL, token = NULL, worker = NULL, until_us = NULL
                 FROM (VALUES {}) AS new WHERE project = new.column1 AND run = new.column2 AND step = new.column3",
                rows_of(run.len(), 4, 0)
            );
            conn.run(sql, run.concat()).await?;
        }
        Ok(())
    }

    async fn flush_pins(&self, conn: &mut Conn<'_>) -> Result<()> {
        for pin in &self.pins {
            if conn.run("UPDATE o_blob SET pinned = 1, condemned_us = NULL WHERE digest = $1", args![pin.to_string()]).await? == 0 {
                return Err(StoreError::Broken(format!("the facts name blob {pin}, which is not stored")));
            }
        }
        Ok(())
    }
}

/// Inserts or replaces documents. The table's name is ours: the real one or its shadow.
pub(crate) fn upsert_docs(table: &'static str, rows: usize) -> String {
    format!(
        "INSERT INTO {table} (project, kind, key, position, hash, live, service, environment, label, state, opened_us, at_us) VALUES {}
         ON CONFLICT (project, kind, key) DO UPDATE SET position = excluded.position, hash = excluded.hash, live = excluded.live,
         service = excluded.service, environment = excluded.environment, label = excluded.label, state = excluded.state, at_us = excluded.at_us",
        rows_of(rows, 12, 0)
    )
}

fn upsert_actions(rows: usize) -> String {
    format!(
        "INSERT INTO o_action (project, run, step, pool, state, not_before_us, attempt, token, worker, until_us) VALUES {}
         ON CONFLICT (project, run, step) DO UPDATE SET pool = excluded.pool, state = excluded.state, not_before_us = excluded.not_before_us,
         attempt = excluded.attempt, token = excluded.token, worker = excluded.worker, until_us = excluded.until_us",
        rows_of(rows, 10, 0)
    )
}

/// Counts are far below 2^63: a database's integer.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
