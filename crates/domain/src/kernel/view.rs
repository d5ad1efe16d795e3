//! What is known at the moment of a decision: documents, loaded inside the transaction that will write.
//!
//! A decision function asks for what it needs; when a document has not been loaded yet it stops with
//! [`Stop::Need`](super::Stop::Need), the store loads it under lock and calls again. So decisions stay pure and read only
//! what they name.

use super::{State, Stop, Timestamp};
use crate::nouns::Fact;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The kinds of stream, and so of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Person,
    Service,
    Environment,
    Pipeline,
    Window,
    Freeze,
    Release,
    Run,
    /// One service in one environment: what runs there, and which run holds it. Key `environment/service`.
    Slot,
    /// A digest that evidence is about. Key: the digest.
    Subject,
    Waiver,
    /// What is known of weaknesses. One stream.
    Advisories,
    /// Stored files that were deleted because nothing named them. One stream.
    Sweeps,
}

impl Kind {
    /// All kinds, in the order of their names' first use.
    pub const ALL: [Kind; 13] = [
        Kind::Person,
        Kind::Service,
        Kind::Environment,
        Kind::Pipeline,
        Kind::Window,
        Kind::Freeze,
        Kind::Release,
        Kind::Run,
        Kind::Slot,
        Kind::Subject,
        Kind::Waiver,
        Kind::Advisories,
        Kind::Sweeps,
    ];
    /// The name in streams and tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Person => "person",
            Kind::Service => "service",
            Kind::Environment => "environment",
            Kind::Pipeline => "pipeline",
            Kind::Window => "window",
            Kind::Freeze => "freeze",
            Kind::Release => "release",
            Kind::Run => "run",
            Kind::Slot => "slot",
            Kind::Subject => "subject",
            Kind::Waiver => "waiver",
            Kind::Advisories => "advisories",
            Kind::Sweeps => "sweeps",
        }
    }
    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Names one stream and its document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocKey {
    pub kind: Kind,
    pub key: String,
}

impl DocKey {
    pub fn new(kind: Kind, key: impl Into<String>) -> Self {
        Self { kind, key: key.into() }
    }
    /// `kind/key`: the stream's name in facts. The kind has no slash, so the first slash ends it.
    pub fn stream(&self) -> String {
        format!("{}/{}", self.kind.name(), self.key)
    }
    /// The inverse of [`DocKey::stream`].
    pub fn from_stream(stream: &str) -> Option<DocKey> {
        let (kind, key) = stream.split_once('/')?;
        Some(DocKey::new(Kind::from_name(kind)?, key))
    }
}

/// What a decision asks the store to load. Loaded documents are locked for share until the transaction ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    Doc(DocKey),
    /// Every *live* document of a kind (see [`Noun::live`]).
    All(Kind),
}

/// The current state of one stream: the fold of its facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Doc {
    pub key: DocKey,
    /// How many facts the stream has.
    pub position: u64,
    pub state: State,
}

/// Something with a life of its own: the fold of one stream's facts.
pub trait Noun: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    const KIND: Kind;
    /// Its key within the kind.
    fn key(&self) -> String;
    /// Whether it still matters to decisions; `Need::All` loads live documents only.
    fn live(&self) -> bool;
    /// The first state, from the first fact; `None` where this fact cannot open such a stream.
    fn open(fact: &Fact, at: Timestamp) -> Option<Self>;
    /// The next state. Facts are what happened: this never refuses.
    fn apply(&mut self, fact: &Fact, at: Timestamp);
    /// Columns by which lists are filtered: (service, environment, state).
    fn index(&self) -> (Option<String>, Option<String>, Option<String>) {
        (None, None, None)
    }
}

/// The documents loaded so far.
#[derive(Debug, Clone, Default)]
pub struct View {
    docs: BTreeMap<DocKey, Option<Doc>>,
    lists: BTreeMap<Kind, Vec<DocKey>>,
    locked: BTreeSet<DocKey>,
    clock_doubtful: bool,
}

impl View {
    /// Says whether the instant that a decision is given may be wrong: the clock has stepped back, or two clocks differ.
    pub fn doubt_clock(&mut self, doubtful: bool) {
        self.clock_doubtful = doubtful;
    }
    /// See [`View::doubt_clock`].
    pub fn clock_doubtful(&self) -> bool {
        self.clock_doubtful
    }
    /// Puts a document in, or the knowledge that there is none.
    pub fn insert(&mut self, key: DocKey, doc: Option<Doc>) {
        self.docs.insert(key, doc);
    }
    /// Puts every live document of a kind in.
    pub fn insert_all(&mut self, kind: Kind, docs: Vec<Doc>) {
        self.lists.insert(kind, docs.iter().map(|doc| doc.key.clone()).collect());
        for doc in docs {
            self.docs.insert(doc.key.clone(), Some(doc));
        }
    }
    /// Says that this stream is locked for writing.
    pub fn lock(&mut self, key: DocKey) {
        self.locked.insert(key);
    }
    /// Whether facts may be appended to this stream: locked for writing, or known not to exist.
    pub fn may_write(&self, key: &DocKey) -> bool {
        self.locked.contains(key) || matches!(self.docs.get(key), Some(None))
    }
    /// How many documents are loaded.
    pub fn size(&self) -> usize {
        self.docs.len()
    }
    /// Stops for everything on the list that is not loaded yet, so that one round loads it all.
    pub fn want(&self, needs: impl IntoIterator<Item = Need>) -> Result<(), Stop> {
        let missing: Vec<Need> = needs
            .into_iter()
            .filter(|need| match need {
                Need::Doc(key) => !self.docs.contains_key(key),
                Need::All(kind) => !self.lists.contains_key(kind),
            })
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(Stop::Need(missing)) }
    }
    /// The document as loaded, whatever its kind.
    pub fn doc(&self, key: &DocKey) -> Result<Option<&Doc>, Stop> {
        match self.docs.get(key) {
            Some(doc) => Ok(doc.as_ref()),
            None => Err(Stop::Need(vec![Need::Doc(key.clone())])),
        }
    }
    /// The noun with this key, or `None` where there is none.
    pub fn get<T: Noun>(&self, key: &str) -> Result<Option<T>, Stop> {
        Ok(self.look(key)?.map(Arc::unwrap_or_clone))
    }
    /// The same, to look at only.
    pub fn look<T: Noun>(&self, key: &str) -> Result<Option<Arc<T>>, Stop> {
        self.doc(&DocKey::new(T::KIND, key))?.map(read).transpose()
    }
    /// Several nouns at once, so that one round loads them all.
    pub fn get_many<T: Noun>(&self, keys: &[String]) -> Result<Vec<Option<T>>, Stop> {
        self.want(keys.iter().map(|key| Need::Doc(DocKey::new(T::KIND, key.as_str()))))?;
        keys.iter().map(|key| self.get(key)).collect()
    }
    /// Every live noun of a kind.
    pub fn all<T: Noun>(&self) -> Result<Vec<T>, Stop> {
        let Some(keys) = self.lists.get(&T::KIND) else { return Err(Stop::Need(vec![Need::All(T::KIND)])) };
        keys.iter().filter_map(|key| self.docs.get(key).and_then(Option::as_ref)).map(|doc| read(doc).map(Arc::unwrap_or_clone)).collect()
    }
    /// The stream's position, 0 where it does not exist.
    pub fn position(&self, key: &DocKey) -> Result<u64, Stop> {
        Ok(self.doc(key)?.map_or(0, |doc| doc.position))
    }
}

fn read<T: Noun>(doc: &Doc) -> Result<Arc<T>, Stop> {
    doc.state.noun::<T>().map_err(|why| Stop::Unreadable { key: doc.key.stream(), why: why.to_string() })
}
