//! One transaction for a handful of commands: each decides on the documents as the ones before it left them, a refused
//! one leaves nothing, and what all of them write goes to the database together in few statements.
//!
//! This is the heart of the store and the same for both engines. What differs: PostgreSQL locks rows and forgets its
//! documents at the end; SQLite has one writer, which keeps them for the next transaction.

use crate::clock::{Clock, POSTGRES_TIME, machine_us};
use crate::database::{Arg, Conn, Engine, Row, args, padded, rows_of};
use crate::decide::{Command, Committed, FactRef, Request};
use crate::error::{Result, StoreError};
use crate::flush::{ActionState, FactRow};
use crate::people::put_people;
use holdpoint_domain::kernel::{Decision, Doc, DocKey, Kind, Need, Note, State, Stop, Timestamp, View};
use holdpoint_domain::nouns::project;
use holdpoint_seal::canonical;
use holdpoint_seal::digest::Digest;
use holdpoint_seal::fact::{BODY_BYTES_MAX, FIRST_POSITION, FactEnvelope, Micros};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A decision may ask for documents this many times.
pub const ROUNDS_MAX: usize = 8;
/// A decision may look at this many documents.
pub const DOCS_MAX: usize = 10_000;
/// The writer of SQLite keeps this many documents between transactions.
const CACHE_MAX: usize = 20_000;

/// A document's row.
#[derive(Debug, Clone)]
pub(crate) struct Card {
    pub(crate) position: u64,
    /// Leaf hash of the stream's last fact.
    pub(crate) hash: Digest,
    pub(crate) state: State,
    pub(crate) live: bool,
    pub(crate) service: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) opened_us: i64,
    pub(crate) at_us: i64,
}

/// A document's place: project and key.
pub(crate) type Place = (Arc<str>, DocKey);
/// Project, principal, route, key.
pub(crate) type AnswerKey = (String, String, String, String);

/// Documents known to be current inside the running transaction.
#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) docs: HashMap<Place, Option<Arc<Card>>>,
    /// Keys of all live documents of a kind.
    pub(crate) lists: HashMap<(Arc<str>, Kind), BTreeSet<String>>,
    /// What the documents were loaded under (see [`crate::database::Tx::version`]).
    pub(crate) version: Option<(u64, i64)>,
}

impl Cache {
    pub(crate) fn clear(&mut self) {
        self.docs.clear();
        self.lists.clear();
    }
    /// Forgets everything when there is too much of it: cheaper than knowing what was used last, and rare.
    pub(crate) fn trim(&mut self) {
        if self.docs.len() > CACHE_MAX {
            self.clear();
        }
    }
}

/// An answer given before, or in this group.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) body_digest: String,
    /// `{answer, facts: [[stream, position, hash, name]]}`
    pub(crate) text: String,
}

/// What one command wants to write; joins the group's when nothing can go wrong any more.
struct Staged {
    facts: Vec<FactRow>,
    docs: Vec<(Place, Arc<Card>)>,
    committed: Committed,
}

/// The running group.
pub(crate) struct Group<'a> {
    pub(crate) cache: &'a mut Cache,
    clock: &'a Clock,
    answers: HashMap<AnswerKey, Option<Answered>>,
    pub(crate) new_answers: BTreeMap<AnswerKey, (Answered, i64)>,
    pub(crate) facts: Vec<FactRow>,
    pub(crate) changed: BTreeSet<Place>,
    pub(crate) notes: Vec<(Arc<str>, Note)>,
    pub(crate) actions: BTreeMap<(Arc<str>, String, String), ActionState>,
    pub(crate) pins: BTreeSet<Digest>,
    /// How many people's rows were written.
    pub(crate) people: usize,
    /// The clock's answer, until documents are locked again.
    now: Option<Timestamp>,
}

impl<'a> Group<'a> {
    pub(crate) fn new(cache: &'a mut Cache, clock: &'a Clock) -> Self {
        Self {
            cache,
            clock,
            answers: HashMap::new(),
            new_answers: BTreeMap::new(),
            facts: Vec::new(),
            changed: BTreeSet::new(),
            notes: Vec::new(),
            actions: BTreeMap::new(),
            pins: BTreeSet::new(),
            people: 0,
            now: None,
        }
    }

    async fn now(&mut self, conn: &mut Conn<'_>) -> Result<Timestamp> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        let now = self.clock.now(conn).await?;
        self.now = Some(now);
        Ok(now)
    }

    /// Loads what all commands need for sure: their locked documents, and the answers under their keys.
    pub(crate) async fn prepare(&mut self, conn: &mut Conn<'_>, commands: &mut [Command]) -> Result<()> {
        let mut places = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for Command { request, .. } in commands.iter() {
            let project: Arc<str> = request.project.as_str().into();
            places.extend(request.locks.iter().map(|key| (Arc::clone(&project), key.clone())));
            keys.extend(answer_key(request));
        }
        // A key's rows are locked by inserting; documents come first so that every group takes its locks in one order.
        self.load(conn, &places.into_iter().collect::<Vec<_>>(), Lock::Update).await?;
        self.load_answers(conn, &keys.into_iter().collect::<Vec<_>>()).await
    }

    /// Decides one command. The outer error ends the whole group, the inner one is the command's answer.
    pub(crate) async fn decide(&mut self, conn: &mut Conn<'_>, command: &mut Command) -> Result<Result<Committed>> {
        let key = answer_key(&command.request);
        if let Some(key) = &key
            && let Some(Some(answered)) = self.answers.get(key)
        {
            return Ok(replay(answered, &command.request));
        }
        let project: Arc<str> = command.request.project.as_str().into();
        let mut looked = Looked { view: View::default(), docs: BTreeSet::new(), kinds: BTreeSet::new() };
        for lock in &command.request.locks {
            self.show(&project, lock, &mut looked);
            looked.view.lock(lock.clone());
        }
        for _ in 0..=ROUNDS_MAX {
            let now = self.now(conn).await?;
            looked.view.doubt_clock(self.clock.doubtful());
            let decide = &mut command.decide;
            let decided = catch_unwind(AssertUnwindSafe(|| decide(&looked.view, now)));
            match decided {
                Ok(Ok(decision)) => return self.accept(conn, &command.request, key, &looked.view, decision, now).await,
                Ok(Err(Stop::Need(needs))) => {
                    if let Err(why) = self.answer_needs(conn, &project, needs, &mut looked).await? {
                        return Ok(Err(why));
                    }
                }
                Ok(Err(Stop::Refused(refusal))) => return Ok(Err(StoreError::Refused(refusal))),
                Ok(Err(Stop::Unreadable { key, why })) => {
                    return Ok(Err(StoreError::Broken(format!("document {key} cannot be read by this program: {why}"))));
                }
                Err(_) => return Ok(Err(StoreError::Broken(format!("the decision at {} panicked", command.request.point)))),
            }
        }
        Ok(Err(StoreError::Broken(format!("the decision at {} asked for documents more than {ROUNDS_MAX} times", command.request.point))))
    }

    async fn answer_needs(&mut self, conn: &mut Conn<'_>, project: &Arc<str>, needs: Vec<Need>, looked: &mut Looked) -> Result<Result<()>> {
        let mut kinds = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for need in needs {
            match need {
                Need::Doc(key) => _ = keys.insert(key),
                Need::All(kind) => _ = kinds.insert(kind),
            }
        }
        if keys.len() + looked.view.size() > DOCS_MAX {
            return Ok(Err(too_many()));
        }
        let places: Vec<Place> = keys.iter().map(|key| (Arc::clone(project), key.clone())).collect();
        // Documents before lists: a list that was read before a guard row was locked may lack what the guard guards.
        let locked = self.load(conn, &places, Lock::Share).await?;
        if locked && conn.engine() == Engine::Postgres {
            kinds.extend(looked.kinds.iter().copied());
            let absent: Vec<Place> = looked
                .docs
                .iter()
                .map(|key| (Arc::clone(project), key.clone()))
                .filter(|place| matches!(self.cache.docs.get(place), Some(None)))
                .collect();
            for place in &absent {
                self.cache.docs.remove(place);
            }
            self.load(conn, &absent, Lock::Share).await?;
            keys.extend(absent.into_iter().map(|(_, key)| key));
            self.cache.lists.clear();
        }
        for key in &keys {
            self.show(project, key, looked);
        }
        for kind in kinds {
            let list = self.list(conn, project, kind).await?;
            if list.len() + looked.view.size() > DOCS_MAX {
                return Ok(Err(too_many()));
            }
            looked.kinds.insert(kind);
            let docs = list.into_iter().filter_map(|key| self.doc(project, &DocKey::new(kind, key)));
            looked.view.insert_all(kind, docs.collect());
        }
        Ok(Ok(()))
    }

    fn doc(&self, project: &Arc<str>, key: &DocKey) -> Option<Doc> {
        let card = self.cache.docs.get(&(Arc::clone(project), key.clone()))?.as_ref()?;
        Some(Doc { key: key.clone(), position: card.position, state: card.state.clone() })
    }

    fn show(&self, project: &Arc<str>, key: &DocKey, looked: &mut Looked) {
        looked.docs.insert(key.clone());
        looked.view.insert(key.clone(), self.doc(project, key));
    }

    /// Loads documents that are not known yet. Says whether there were any.
    async fn load(&mut self, conn: &mut Conn<'_>, places: &[Place], lock: Lock) -> Result<bool> {
        let missing: Vec<&Place> = places.iter().filter(|place| !self.cache.docs.contains_key(*place)).collect();
        if !missing.is_empty() {
            self.now = None;
        }
        for part in missing.chunks(256) {
            let wanted = padded(part);
            let mut bind = Vec::with_capacity(wanted.len() * 3);
            for (project, key) in &wanted {
                bind.extend(args![&**project, key.kind.name(), &key.key]);
            }
            let select = format!(
                "{CARD} FROM p_doc WHERE (project, kind, key) IN (VALUES {}) ORDER BY project, kind, key",
                rows_of(wanted.len(), 3, 0)
            );
            let rows = match (conn.engine(), lock) {
                (Engine::Sqlite, _) => conn.rows(select, bind).await?,
                (Engine::Postgres, Lock::Update) => self.locked(conn, format!("{select} FOR UPDATE"), bind).await?,
                (Engine::Postgres, Lock::Share) => self.locked(conn, format!("{select} FOR SHARE"), bind).await?,
            };
            for place in part {
                self.cache.docs.insert((*place).clone(), None);
            }
            for row in rows {
                let (place, card) = card(&row)?;
                self.cache.docs.insert(place, Some(Arc::new(card)));
            }
        }
        Ok(!missing.is_empty())
    }

    /// Runs a query that locks rows of PostgreSQL, and takes the time that it is once they are locked.
    async fn locked(&mut self, conn: &mut Conn<'_>, select: String, bind: Vec<Arg>) -> Result<Vec<Row>> {
        let (before, mut rows) = (machine_us(), conn.rows(with_time(&select), bind).await?);
        // Every row has the instant at which it left the query; the last of them is after the last lock.
        let us = rows.iter().map(|row| row.int(CARD_COLUMNS)).try_fold(i64::MIN, |latest, us| us.map(|us| latest.max(us)))?;
        self.now = Some(self.clock.answered(us, before)?);
        // Where there is no document, there is a row with the time alone.
        if rows.len() == 1 && rows.iter().any(|row| matches!(row.maybe_text(0), Ok(None))) {
            rows.clear();
        }
        Ok(rows)
    }

    /// The keys of all live documents of a kind, with what this group has changed.
    async fn list(&mut self, conn: &mut Conn<'_>, project: &Arc<str>, kind: Kind) -> Result<BTreeSet<String>> {
        let name = (Arc::clone(project), kind);
        if !self.cache.lists.contains_key(&name) {
            let suffix = if conn.engine() == Engine::Postgres { " FOR SHARE" } else { "" };
            let limit = i64::try_from(DOCS_MAX + 1).unwrap_or(i64::MAX);
            let sql = format!("{CARD} FROM p_doc WHERE project = $1 AND kind = $2 AND live = 1 ORDER BY key LIMIT $3{suffix}");
            let mut keys = BTreeSet::new();
            for row in conn.rows(sql, args![&**project, kind.name(), limit]).await? {
                let (place, card) = card(&row)?;
                keys.insert(place.1.key.clone());
                // What this group has changed is newer than what is stored.
                if !self.changed.contains(&place) {
                    self.cache.docs.insert(place, Some(Arc::new(card)));
                }
            }
            for place in self.changed.iter().filter(|(owner, key)| owner == project && key.kind == kind) {
                match self.cache.docs.get(place) {
                    Some(Some(card)) if card.live => keys.insert(place.1.key.clone()),
                    _ => keys.remove(&place.1.key),
                };
            }
            self.cache.lists.insert(name.clone(), keys);
        }
        Ok(self.cache.lists.get(&name).cloned().unwrap_or_default())
    }

    async fn load_answers(&mut self, conn: &mut Conn<'_>, keys: &[AnswerKey]) -> Result<()> {
        for part in keys.chunks(256) {
            let wanted = padded(part);
            let mut bind = Vec::with_capacity(wanted.len() * 4);
            for (project, principal, route, key) in &wanted {
                bind.extend(args![project, principal, route, key]);
            }
            let sql = format!(
                "SELECT project, principal, route, key, body_digest, answer FROM o_idempotency WHERE (project, principal, route, key) IN (VALUES {})",
                rows_of(wanted.len(), 4, 0)
            );
            for key in part {
                self.answers.insert(key.clone(), None);
            }
            for row in conn.rows(sql, bind).await? {
                let key = (row.text(0)?, row.text(1)?, row.text(2)?, row.text(3)?);
                self.answers.insert(key, Some(Answered { body_digest: row.text(4)?, text: row.text(5)? }));
            }
        }
        Ok(())
    }

    /// Takes a decision into the group, if it can be written.
    async fn accept(
        &mut self,
        conn: &mut Conn<'_>,
        request: &Request,
        key: Option<AnswerKey>,
        view: &View,
        decision: Decision,
        now: Timestamp,
    ) -> Result<Result<Committed>> {
        if let Some(missing) = self.missing_blob(conn, &decision.pins).await? {
            let unblock = "check the digest, or upload the file: holdpoint artifact put FILE";
            let refusal = holdpoint_domain::kernel::Refusal::new("BLB-001", format!("there is no blob {missing}"), unblock);
            return Ok(Err(StoreError::Refused(Box::new(refusal))));
        }
        let staged = match self.stage(request, view, &decision, now) {
            Ok(staged) => staged,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(taken) = put_people(conn, &request.project, &decision.people).await? {
            return Ok(Err(StoreError::Refused(Box::new(taken))));
        }
        self.people += decision.people.len();
        let project: Arc<str> = request.project.as_str().into();
        if let (Some(key), Some((_, body))) = (key, &request.idempotency) {
            let answered = Answered { body_digest: body.to_string(), text: written(&staged.committed) };
            self.answers.insert(key.clone(), Some(answered.clone()));
            self.new_answers.insert(key, (answered, now.as_microsecond()));
        }
        for (place, card) in staged.docs {
            if let Some(list) = self.cache.lists.get_mut(&(Arc::clone(&place.0), place.1.kind)) {
                if card.live {
                    list.insert(place.1.key.clone())
                } else {
                    list.remove(&place.1.key)
                };
            }
            self.cache.docs.insert(place.clone(), Some(card));
            self.changed.insert(place);
        }
        self.facts.extend(staged.facts);
        self.notes.extend(decision.notes.into_iter().map(|note| (Arc::clone(&project), note)));
        self.pins.extend(decision.pins);
        for change in decision.actions {
            ActionState::fold(&mut self.actions, &project, change);
        }
        Ok(Ok(staged.committed))
    }

    fn stage(&self, request: &Request, view: &View, decision: &Decision, now: Timestamp) -> Result<Staged> {
        let project: Arc<str> = request.project.as_str().into();
        let (actor, via) = (request.actor.label(), via(request));
        let known = |key: &DocKey| self.cache.docs.get(&(Arc::clone(&project), key.clone())).and_then(Option::as_ref);
        let mut streams: BTreeMap<&DocKey, Vec<&holdpoint_domain::nouns::Fact>> = BTreeMap::new();
        let mut heads: BTreeMap<&DocKey, (u64, Digest)> = BTreeMap::new();
        let mut facts = Vec::with_capacity(decision.facts.len());
        let mut refs = Vec::with_capacity(decision.facts.len());
        for new in &decision.facts {
            let key = &new.stream;
            if !view.may_write(key) {
                return Err(StoreError::Broken(format!(
                    "the decision at {} writes to {} without a lock on it",
                    request.point,
                    key.stream()
                )));
            }
            streams.entry(key).or_default().push(&new.fact);
            let head = heads.get(key).copied().or_else(|| known(key).map(|card| (card.position, card.hash)));
            let (name, v, body) = new.fact.write();
            let text = canonical::to_string(&body).map_err(|why| StoreError::Broken(format!("fact {name}: {why}")))?;
            if text.len() > BODY_BYTES_MAX {
                return Err(StoreError::Broken(format!(
                    "fact too large: {name} has {} bytes, a fact holds at most {BODY_BYTES_MAX}",
                    text.len()
                )));
            }
            let envelope = FactEnvelope {
                project: request.project.clone(),
                stream: key.stream(),
                position: head.map_or(FIRST_POSITION, |(position, _)| position + 1),
                prev: head.map(|(_, hash)| hash),
                fact_type: name.clone(),
                v,
                at: Micros(now.as_microsecond()),
                actor: actor.clone(),
                via: via.clone(),
                body_digest: Digest::of(text.as_bytes()),
            };
            let hash = envelope.leaf_hash().map_err(|why| StoreError::Broken(format!("fact {name}: {why}")))?;
            heads.insert(key, (envelope.position, hash));
            refs.push(FactRef { stream: key.clone(), position: envelope.position, hash, name });
            facts.push(FactRow { envelope, hash, body: text });
        }
        let mut docs = Vec::with_capacity(streams.len());
        for (key, of_stream) in streams {
            let card = project_card(key, known(key).map(|card| &**card), &of_stream, now)?;
            let (position, hash) = heads.get(key).copied().unwrap_or((card.position, card.hash));
            docs.push(((Arc::clone(&project), key.clone()), Arc::new(Card { position, hash, ..card })));
        }
        Ok(Staged { facts, docs, committed: Committed { facts: refs, answer: decision.answer.clone(), replayed: false } })
    }

    async fn missing_blob(&self, conn: &mut Conn<'_>, pins: &[Digest]) -> Result<Option<Digest>> {
        for pin in pins {
            if conn.row("SELECT digest FROM o_blob WHERE digest = $1", args![pin.to_string()]).await?.is_none() {
                return Ok(Some(*pin));
            }
        }
        Ok(None)
    }
}

/// What a decision has been shown.
struct Looked {
    view: View,
    docs: BTreeSet<DocKey>,
    kinds: BTreeSet<Kind>,
}

#[derive(Clone, Copy)]
enum Lock {
    Update,
    Share,
}

fn too_many() -> StoreError {
    StoreError::Broken(format!("the decision asked for more than {DOCS_MAX} documents"))
}

/// The columns of a card, in the order in which [`card`] reads them.
pub(crate) const CARD: &str = "SELECT project, kind, key, position, hash, live, service, environment, label, state, opened_us, at_us";

/// How many columns [`CARD`] has.
const CARD_COLUMNS: usize = 12;

/// A query of [`CARD`] that locks, with the database's clock as one more column, read as each row comes out of it. Without
/// rows it gives one of nulls and the time.
fn with_time(select: &str) -> String {
    format!("WITH locked AS MATERIALIZED ({select}) SELECT locked.*, {POSTGRES_TIME} FROM (SELECT 1) AS one LEFT JOIN locked ON TRUE")
}

/// Reads a row selected by [`CARD`].
pub(crate) fn card(row: &crate::database::Row) -> Result<(Place, Card)> {
    let (project, kind, key) = (row.text(0)?, row.text(1)?, row.text(2)?);
    let kind =
        Kind::from_name(&kind).ok_or_else(|| StoreError::Broken(format!("documents of kind {kind:?} are not known to this program")))?;
    let broken = |what: &str| StoreError::Broken(format!("document {}/{key}: its {what} cannot be read", kind.name()));
    let card = Card {
        position: row.count(3)?,
        hash: row.text(4)?.parse().map_err(|_| broken("hash"))?,
        live: row.int(5)? == 1,
        service: row.maybe_text(6)?,
        environment: row.maybe_text(7)?,
        label: row.maybe_text(8)?,
        state: State::stored(row.text(9)?),
        opened_us: row.int(10)?,
        at_us: row.int(11)?,
    };
    Ok(((project.into(), DocKey::new(kind, key)), card))
}

/// Folds one fact into a document. Position and hash are the caller's to set.
pub(crate) fn project_card(key: &DocKey, before: Option<&Card>, facts: &[&holdpoint_domain::nouns::Fact], now: Timestamp) -> Result<Card> {
    let after = project(key.kind, before.map(|card| &card.state), facts, now)
        .map_err(|why| StoreError::Broken(format!("stream {}: {why}", key.stream())))?;
    Ok(Card {
        position: 0,
        hash: Digest::from_bytes([0; 32]),
        state: after.state,
        live: after.live,
        service: after.service,
        environment: after.environment,
        label: after.label,
        opened_us: before.map_or(now.as_microsecond(), |card| card.opened_us),
        at_us: now.as_microsecond(),
    })
}

fn answer_key(request: &Request) -> Option<AnswerKey> {
    let (key, _) = request.idempotency.as_ref()?;
    Some((request.project.clone(), request.actor.label(), request.route.clone(), key.clone()))
}

/// The door's name, as the envelope spells it.
fn via(request: &Request) -> String {
    serde_json::to_value(request.actor.via).ok().and_then(|via| via.as_str().map(str::to_owned)).unwrap_or_default()
}

/// An answer as it is kept.
fn written(committed: &Committed) -> String {
    let facts: Vec<Value> = committed.facts.iter().map(|fact| json!([fact.stream.stream(), fact.position, fact.hash, fact.name])).collect();
    json!({"answer": committed.answer, "facts": facts}).to_string()
}

fn replay(answered: &Answered, request: &Request) -> Result<Committed> {
    if request.idempotency.as_ref().is_none_or(|(_, body)| body.to_string() != answered.body_digest) {
        return Err(StoreError::KeyReused);
    }
    let broken = || StoreError::Broken("a stored answer cannot be read".to_owned());
    let mut kept: Value = serde_json::from_str(&answered.text).map_err(|_| broken())?;
    let facts: Vec<(String, u64, Digest, String)> = serde_json::from_value(kept["facts"].take()).map_err(|_| broken())?;
    let facts = facts
        .into_iter()
        .map(|(stream, position, hash, name)| Some(FactRef { stream: DocKey::from_stream(&stream)?, position, hash, name }))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(broken)?;
    Ok(Committed { facts, answer: kept["answer"].take(), replayed: true })
}
