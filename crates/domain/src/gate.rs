//! What a gate is: a named question over evidence, answered with every atom that is met or not.
//!
//! Conditions are a typed tree of all / any / at-least over atoms: monotone (adding a rule never allows more) and
//! explainable (the unmet atoms are named, with what would unblock each).

use crate::kernel::{PersonId, Timestamp};
use crate::nouns::{Advisories, Environment, Freeze, Person, Pipeline, Release, Run, Service, Slot, Stage, Subject, Waiver, Window};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The state of an atom, a gate or a report. Ordered: the worst one wins under "all".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    Open,
    /// Nothing is wrong; somebody or something has yet to come.
    Waiting,
    Shut,
}

/// One thing that is so or is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Atom {
    pub light: Light,
    /// The fact, as words.
    pub text: String,
    /// Refusal code where it is not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What would open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblock: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub facts: Value,
}

impl Atom {
    pub fn open(text: impl Into<String>) -> Self {
        Self { light: Light::Open, text: text.into(), code: None, unblock: None, facts: Value::Null }
    }
    pub fn waiting(code: &str, text: impl Into<String>, unblock: impl Into<String>) -> Self {
        Self { light: Light::Waiting, text: text.into(), code: Some(code.to_owned()), unblock: Some(unblock.into()), facts: Value::Null }
    }
    pub fn shut(code: &str, text: impl Into<String>, unblock: impl Into<String>) -> Self {
        Self { light: Light::Shut, text: text.into(), code: Some(code.to_owned()), unblock: Some(unblock.into()), facts: Value::Null }
    }
    /// Adds facts for programs.
    #[must_use]
    pub fn with(mut self, facts: Value) -> Self {
        self.facts = facts;
        self
    }
}

/// A condition over atoms.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Atom(Atom),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    AtLeast(usize, Vec<Condition>),
}

impl Condition {
    /// `All` of nothing is open; `Any` of nothing is shut; `AtLeast(n)` of fewer than n is shut.
    pub fn light(&self) -> Light {
        match self {
            Condition::Atom(atom) => atom.light,
            Condition::All(parts) => parts.iter().map(Condition::light).max().unwrap_or(Light::Open),
            Condition::Any(parts) => parts.iter().map(Condition::light).min().unwrap_or(Light::Shut),
            Condition::AtLeast(count, parts) => {
                let mut lights: Vec<Light> = parts.iter().map(Condition::light).collect();
                lights.sort_unstable();
                match count.checked_sub(1) {
                    None => Light::Open,
                    Some(last) => lights.get(last).copied().unwrap_or(Light::Shut),
                }
            }
        }
    }
    /// Every atom, in order.
    pub fn atoms(&self) -> Vec<&Atom> {
        match self {
            Condition::Atom(atom) => vec![atom],
            Condition::All(parts) | Condition::Any(parts) | Condition::AtLeast(_, parts) => {
                parts.iter().flat_map(Condition::atoms).collect()
            }
        }
    }
}

impl From<Atom> for Condition {
    fn from(atom: Atom) -> Self {
        Condition::Atom(atom)
    }
}

/// Everything a gate may look at, loaded in the transaction that asks.
#[derive(Debug, Clone)]
pub struct Question {
    pub now: Timestamp,
    pub release: Release,
    pub service: Service,
    pub pipeline: Pipeline,
    pub stage: Stage,
    pub previous: Option<Stage>,
    pub environment: Environment,
    pub slot: Option<Slot>,
    /// Evidence about the manifest and about each component.
    pub subjects: BTreeMap<Digest, Subject>,
    /// Everybody who voted, wrote or edited.
    pub people: BTreeMap<PersonId, Person>,
    pub freezes: Vec<Freeze>,
    pub windows: Vec<Window>,
    pub waivers: Vec<Waiver>,
    pub advisories: Option<Advisories>,
    /// The run at whose door the question is asked; none before a run is opened.
    pub run: Option<Run>,
    /// `now` may be wrong: nothing that depends on it is open.
    pub clock_doubtful: bool,
}

/// A gate: a question with a name. One file in its room and one line in [`crate::gates::GATES`].
pub struct Gate {
    pub id: &'static str,
    pub title: &'static str,
    pub ask: fn(&Question) -> Condition,
}

/// A gate's answer as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateAnswer {
    pub gate: String,
    pub title: String,
    #[serde(rename = "state")]
    pub light: Light,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub sentence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblock: Option<String>,
    pub atoms: Vec<Atom>,
}

impl GateAnswer {
    /// Puts a condition into words: the worst atoms speak, all are kept.
    pub fn of(gate: &Gate, condition: &Condition) -> Self {
        let light = condition.light();
        let atoms: Vec<Atom> = condition.atoms().into_iter().cloned().collect();
        let speaking: Vec<&Atom> = if light == Light::Open {
            atoms.iter().filter(|atom| atom.light == Light::Open).collect()
        } else {
            atoms.iter().filter(|atom| atom.light == light).collect()
        };
        let join = |texts: Vec<String>| texts.join(" · ");
        Self {
            gate: gate.id.to_owned(),
            title: gate.title.to_owned(),
            light,
            code: speaking.iter().find_map(|atom| atom.code.clone()),
            sentence: join(speaking.iter().map(|atom| atom.text.clone()).collect()),
            unblock: {
                let texts: Vec<String> = speaking.iter().filter_map(|atom| atom.unblock.clone()).collect();
                (!texts.is_empty()).then(|| join(texts))
            },
            atoms,
        }
    }
}

/// All gates' answers together. Never short-circuited: every reason is there at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Report {
    pub release: String,
    pub service: String,
    pub version: String,
    pub environment: String,
    pub manifest_digest: Digest,
    /// Root over the evidence that this stage asks for; an approval binds to it.
    pub evidence_root: Digest,
    pub at: Timestamp,
    pub verdict: Light,
    /// Earliest start that windows and freezes allow, where they are what stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_start: Option<Timestamp>,
    pub gates: Vec<GateAnswer>,
}

impl Report {
    /// The first gate that is not open, for one line on a board.
    pub fn headline(&self) -> Option<&GateAnswer> {
        self.gates.iter().filter(|gate| gate.light == self.verdict && gate.light != Light::Open).min_by_key(|gate| gate.gate == "previous")
    }
    /// (open, waiting, shut)
    pub fn counts(&self) -> (usize, usize, usize) {
        let of = |light| self.gates.iter().filter(|gate| gate.light == light).count();
        (of(Light::Open), of(Light::Waiting), of(Light::Shut))
    }
}
