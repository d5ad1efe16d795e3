//! A ledger in memory: the same decide-load-apply loop as the store's, for stories about the rules.

use holdpoint_domain::kernel::{
    AccountKind, ActionChange, Actor, Decision, Doc, DocKey, Kind, Need, Note, PersonId, Refusal, Salt, Stop, Timestamp, Via, View,
};
use holdpoint_domain::nouns::{Fact, project};
use serde_json::Value;
use std::collections::BTreeMap;

/// Streams, queue and clock.
pub struct Memory {
    pub docs: BTreeMap<DocKey, (Doc, bool)>,
    pub facts: Vec<(DocKey, Fact)>,
    times: Vec<Timestamp>,
    /// (run, step) -> pool
    pub queue: BTreeMap<(String, String), String>,
    pub now: Timestamp,
    /// The clock may be wrong.
    pub doubtful: bool,
}

impl Memory {
    pub fn new(now: &str) -> Self {
        Self {
            docs: BTreeMap::new(),
            facts: Vec::new(),
            times: Vec::new(),
            queue: BTreeMap::new(),
            now: now.parse().expect("an instant"),
            doubtful: false,
        }
    }

    /// Runs a decision and commits it.
    pub fn decide(&mut self, decide: impl Fn(&View, Timestamp) -> Result<Decision, Stop>) -> Result<Value, Box<Refusal>> {
        self.now = self.now.checked_add(jiff::SignedDuration::from_millis(1)).expect("in range");
        let mut view = View::default();
        view.doubt_clock(self.doubtful);
        for _ in 0..8 {
            match decide(&view, self.now) {
                Ok(decision) => return Ok(self.commit(decision)),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Unreadable { key, why }) => panic!("{key}: {why}"),
                Err(Stop::Need(needs)) => {
                    for need in needs {
                        match need {
                            Need::Doc(key) => {
                                let doc = self.docs.get(&key).map(|(doc, _)| doc.clone());
                                view.insert(key, doc);
                            }
                            Need::All(kind) => {
                                let live =
                                    self.docs.values().filter(|(doc, live)| doc.key.kind == kind && *live).map(|(doc, _)| doc.clone());
                                view.insert_all(kind, live.collect());
                            }
                        }
                    }
                }
            }
        }
        panic!("a decision asks for more than eight rounds")
    }

    fn commit(&mut self, decision: Decision) -> Value {
        for new in decision.facts {
            let old = self.docs.get(&new.stream).map(|(doc, _)| doc.clone());
            let (name, v, body) = new.fact.write();
            let size = body.to_string().len();
            assert!(size <= 16 << 10, "{name} has {size} bytes");
            let read = Fact::read(&name, v, body).expect("what is written can be read");
            assert_eq!(read, new.fact, "{name} changes on its way");
            let next = project(new.stream.kind, old.as_ref().map(|doc| &doc.state), &[&new.fact], self.now).expect("a fact of this stream");
            let position = old.map_or(0, |doc| doc.position) + 1;
            self.docs.insert(new.stream.clone(), (Doc { key: new.stream.clone(), position, state: next.state }, next.live));
            self.facts.push((new.stream, new.fact));
            self.times.push(self.now);
        }
        for change in decision.actions {
            match change {
                ActionChange::Enqueue(action) => {
                    self.queue.insert((action.run, action.step), action.pool);
                }
                ActionChange::Remove { run, step } => {
                    self.queue.remove(&(run, step));
                }
                ActionChange::Lease { .. } | ActionChange::Postpone { .. } => {}
            }
        }
        decision.answer
    }

    pub fn state(&self, kind: Kind, key: &str) -> Value {
        self.docs.get(&DocKey::new(kind, key)).map(|(doc, _)| doc.state.value().expect("JSON")).unwrap_or_default()
    }

    /// Every fact with the instant of its commit.
    #[allow(dead_code, reason = "each test binary uses its part of the harness")]
    pub fn facts_with_time(&self) -> Vec<(DocKey, Fact, Timestamp)> {
        self.facts.iter().zip(&self.times).map(|((stream, fact), at)| (stream.clone(), fact.clone(), *at)).collect()
    }

    #[allow(dead_code, reason = "each test binary uses its part of the harness")]
    pub fn tail(&self, count: usize) -> Vec<String> {
        self.facts
            .iter()
            .skip(self.facts.len().saturating_sub(count))
            .map(|(stream, fact)| format!("{} {fact:?}", stream.stream()))
            .collect()
    }

    #[allow(dead_code, reason = "each test binary uses its part of the harness")]
    pub fn names(&self) -> Vec<String> {
        self.facts.iter().map(|(_, fact)| fact.write().0).collect()
    }
}

#[allow(dead_code, reason = "each test binary uses its part of the harness")]
pub fn person(id: &str) -> PersonId {
    format!("per_{id}").parse().expect("an id")
}

pub fn actor(id: &str) -> Actor {
    Actor { kind: AccountKind::Person, person: Some(person(id)), owner: None, name: id.to_owned(), via: Via::Session }
}

pub fn note(text: &str) -> Note {
    Note { salt: Salt::from_random([7; 32]), text: text.to_owned() }
}
