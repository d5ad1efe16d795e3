//! Facts: what happened, in the past tense. A fact is dear on purpose; adding one leads you to every reader.
//!
//! Stored as written with `type` and `v`. A new shape gets a new `v` and a pure upcaster in [`Fact::read`].

use super::{Advisories, Environment, Freeze, Person, Pipeline, Release, Run, Service, Slot, Subject, Sweeps, Waiver, Window};
use super::{
    ApprovalState, Cause, Closure, ComponentPin, EnvironmentSpec, FreezeScope, Manifest, Outcome, PersonSpec, PipelineSpec, Purpose,
    RunResult, Running, ServiceSpec, Step, Summary, WindowSpec,
};
use crate::kernel::{AccountKind, EvidenceId, FreezeId, Kind, Noun, PersonId, ReleaseId, RunId, State, Timestamp, WaiverId};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every fact there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body")]
pub enum Fact {
    // what is declared
    PersonDeclared(PersonSpec),
    ServiceDeclared(ServiceSpec),
    EnvironmentDeclared(EnvironmentSpec),
    PipelineDeclared(PipelineSpec),
    WindowDeclared(WindowSpec),
    /// What the stream is about is no longer declared.
    Retired {},
    FreezeDeclared {
        id: FreezeId,
        name: String,
        scope: FreezeScope,
        from: Timestamp,
        until: Timestamp,
        reason: Digest,
    },
    FreezeLifted {
        by: PersonId,
        reason: Digest,
    },
    // releases
    ReleaseCreated {
        id: ReleaseId,
        manifest: Manifest,
        manifest_digest: Digest,
        by: PersonId,
    },
    ManifestAmended {
        manifest: Manifest,
        manifest_digest: Digest,
        by: PersonId,
    },
    ApprovalGiven {
        by: PersonId,
        environment: String,
        manifest_digest: Digest,
        evidence_root: Digest,
        comment: Option<Digest>,
    },
    ApprovalRejected {
        by: PersonId,
        environment: String,
        manifest_digest: Digest,
        evidence_root: Digest,
        comment: Option<Digest>,
    },
    ApprovalWithdrawn {
        by: PersonId,
        environment: String,
    },
    /// Somebody tried to give a word that cannot be theirs. The envelope says through which door.
    ApprovalRefused {
        by: PersonId,
        environment: String,
        /// What was to be said: given or rejected.
        word: ApprovalState,
        /// The refusal's.
        code: String,
        /// The manifest in force, whatever was sent.
        manifest_digest: Digest,
        account: AccountKind,
    },
    PromotionRequested {
        environment: String,
        by: PersonId,
    },
    PromotionEnded {
        environment: String,
        run: RunId,
        manifest_digest: Digest,
        result: RunResult,
    },
    ReleaseClosed {
        closure: Closure,
        superseded_by: Option<ReleaseId>,
        reason: Option<Digest>,
    },
    // evidence
    EvidenceReceived {
        id: EvidenceId,
        subject: Digest,
        predicate_type: String,
        envelope: Digest,
        signer: String,
        summary: Summary,
    },
    EvidenceRevoked {
        id: EvidenceId,
        by: PersonId,
        reason: Digest,
    },
    // weaknesses
    AdvisoriesReceived {
        /// An OSV record, or a zip of them: a blob.
        source: Digest,
        /// A whole database, that takes the place of all before it.
        whole: bool,
        records: u32,
    },
    /// Every stored list of components was judged by the deliveries up to this one.
    AdvisoriesJudged {
        through: u64,
        /// How many lists were judged anew with another result.
        changed: u32,
    },
    WaiverGranted {
        id: WaiverId,
        advisory: String,
        package: String,
        scope: FreezeScope,
        by: PersonId,
        reason: Digest,
        until: Timestamp,
    },
    WaiverWithdrawn {
        by: PersonId,
        reason: Digest,
    },
    // stored files
    /// Files that no fact named were deleted.
    BlobsSwept {
        count: u32,
        bytes: u64,
        /// Merkle tree hash over the sorted digests.
        root: Digest,
        /// Where they are few.
        digests: Vec<Digest>,
    },
    // runs
    RunOpened {
        id: RunId,
        purpose: Purpose,
        release: Option<ReleaseId>,
        service: String,
        environment: Option<String>,
        version: String,
        pool: String,
        manifest_digest: Option<Digest>,
        components: BTreeMap<String, ComponentPin>,
        previous: Option<Running>,
        steps: Vec<Step>,
        /// Digest of the gate report that let it start.
        report: Option<Digest>,
        by: Option<PersonId>,
    },
    StepLeased {
        step: String,
        attempt: String,
        worker: String,
        until: Timestamp,
    },
    StepFinished {
        step: String,
        attempt: String,
        token: u64,
        outcome: Outcome,
        log: Option<Digest>,
    },
    /// An indeterminate step was cleared up, by a probe (`by` none) or a person.
    StepResolved {
        step: String,
        attempt: String,
        outcome: Outcome,
        by: Option<PersonId>,
        reason: Option<Digest>,
    },
    CanaryJudged {
        step: String,
        verdict: String,
        series: Digest,
        sentence: String,
    },
    TriggerFired {
        step: String,
        metric: String,
        reading: f64,
        threshold: Option<f64>,
        series: Digest,
    },
    RunHeld {
        cause: Cause,
    },
    RunResumed {
        by: Option<PersonId>,
    },
    RollbackDecided {
        cause: Cause,
        steps: Vec<Step>,
    },
    RunFinished {
        result: RunResult,
    },
    // what runs where
    SlotTaken {
        environment: String,
        service: String,
        run: RunId,
    },
    SlotFreed {
        environment: String,
        service: String,
        run: RunId,
    },
    RunningChanged {
        environment: String,
        service: String,
        running: Option<Running>,
    },
    DeploymentReported {
        environment: String,
        service: String,
        digest: Digest,
        result: String,
        observed: Option<String>,
        by: PersonId,
    },
}

/// A fact that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    #[error("fact {name} version {v} is not known to this program")]
    Unknown { name: String, v: u32 },
    #[error("fact {name} version {v} does not have the expected shape: {why}")]
    Shape { name: String, v: u32, why: String },
    #[error("{0}")]
    Unknowable(#[from] UnknownFact),
}

/// A fact that cannot belong to the stream it is in.
#[derive(Debug, thiserror::Error)]
#[error("fact {fact} cannot open a stream of kind {kind}")]
pub struct UnknownFact {
    pub fact: &'static str,
    pub kind: &'static str,
}

impl Fact {
    /// The version of shape that this program writes. All are 1 until one changes.
    pub const V: u32 = 1;

    /// Splits the fact into its type's name and its body, as they are stored.
    pub fn write(&self) -> (String, u32, Value) {
        let mut whole = serde_json::to_value(self).unwrap_or_default();
        let body = whole.get_mut("body").map(Value::take).unwrap_or_default();
        let name = whole.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        (name, Self::V, body)
    }

    /// Reads a stored fact of any version that was ever shipped.
    pub fn read(name: &str, v: u32, body: Value) -> Result<Self, FactError> {
        if v != Self::V {
            return Err(FactError::Unknown { name: name.to_owned(), v });
        }
        serde_json::from_value(serde_json::json!({"type": name, "body": body})).map_err(|why| FactError::Shape {
            name: name.to_owned(),
            v,
            why: why.to_string(),
        })
    }
}

/// The state of a stream after one more fact, with what lists filter by.
#[derive(Debug, Clone, PartialEq)]
pub struct Projected {
    pub state: State,
    pub live: bool,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub label: Option<String>,
}

/// Folds facts of one stream and one instant into its state: the only way in which documents come to be.
pub fn project(kind: Kind, state: Option<&State>, facts: &[&Fact], at: Timestamp) -> Result<Projected, FactError> {
    match kind {
        Kind::Person => fold::<Person>(state, facts, at),
        Kind::Service => fold::<Service>(state, facts, at),
        Kind::Environment => fold::<Environment>(state, facts, at),
        Kind::Pipeline => fold::<Pipeline>(state, facts, at),
        Kind::Window => fold::<Window>(state, facts, at),
        Kind::Freeze => fold::<Freeze>(state, facts, at),
        Kind::Release => fold::<Release>(state, facts, at),
        Kind::Run => fold::<Run>(state, facts, at),
        Kind::Slot => fold::<Slot>(state, facts, at),
        Kind::Subject => fold::<Subject>(state, facts, at),
        Kind::Waiver => fold::<Waiver>(state, facts, at),
        Kind::Advisories => fold::<Advisories>(state, facts, at),
        Kind::Sweeps => fold::<Sweeps>(state, facts, at),
    }
}

fn fold<T: Noun>(state: Option<&State>, facts: &[&Fact], at: Timestamp) -> Result<Projected, FactError> {
    let shape = |why: serde_json::Error| FactError::Shape { name: T::KIND.name().to_owned(), v: Fact::V, why: why.to_string() };
    let (mut noun, rest) = match (state, facts) {
        (Some(state), facts) => (T::clone(&*state.noun::<T>().map_err(shape)?), facts),
        (None, [first, rest @ ..]) => match T::open(first, at) {
            Some(noun) => (noun, rest),
            None => return Err(UnknownFact { fact: "of another kind", kind: T::KIND.name() }.into()),
        },
        (None, []) => return Err(UnknownFact { fact: "none", kind: T::KIND.name() }.into()),
    };
    for fact in rest {
        noun.apply(fact, at);
    }
    let (service, environment, label) = noun.index();
    let live = noun.live();
    Ok(Projected { state: State::of(noun).map_err(shape)?, live, service, environment, label })
}
