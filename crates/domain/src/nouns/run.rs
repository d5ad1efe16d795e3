//! A run: one durable list of steps. A build, a deployment, and the rollback of that deployment.
//!
//! Architecture invariant: the state here follows from facts only. An outcome nobody knows is `Indeterminate`; what
//! becomes of it is decided by a probe or a person, never by trying again.

use super::pipeline::{is_latency_allowance, latency_allowance};
use super::{Build, ComponentPin, Fact, HttpCall, Running, Trigger, Undecided};
use crate::kernel::{Kind, Noun, PersonId, ReleaseId, RunId, Span, Timestamp};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Per cent of traffic on the new version.
pub type Weights = u32;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    Build,
    Deploy,
    /// A deployment of what ran before, asked for by a person after the fact.
    Rollback,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    Running,
    /// A gate at the door, a person or an undecided comparison holds it at a safe point.
    Held,
    RollingBack,
    Ended,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    Succeeded,
    /// Nothing changed for users, or nothing was there to go back to.
    Failed,
    RolledBack,
    /// The rollback itself failed; the steps say what is where.
    RollbackFailed,
}

/// What one step does. Resolved to what a worker executes when it is leased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum StepSpec {
    /// Builds a component from a commit of a repository.
    Build {
        component: String,
        repository: String,
        commit: String,
        base: Option<String>,
        build: Build,
    },
    Command {
        argv: Vec<String>,
        /// Component whose artifact `${artifact}` stands for.
        component: Option<String>,
        variables: BTreeMap<String, String>,
        probe: Vec<String>,
        /// (path of the JUnit report, suite) where the command is a test.
        junit: Option<(String, String)>,
        timeout: Span,
    },
    Http(HttpCall),
    /// New instances beside the old ones, until they are healthy and answer with their version.
    Start {
        component: String,
    },
    /// So many per cent of a component's traffic on the new version; 0 brings all back to the old one.
    Traffic {
        component: String,
        new_percent: Weights,
    },
    /// Holds the traffic and compares the versions. The engine's own step.
    Watch(WatchSpec),
    /// Stops the instances of one side after draining.
    Stop {
        side: Side,
        component: String,
    },
    /// Checks that the side that should serve does, with its version.
    Verify {
        side: Side,
    },
}

/// The version that arrives, or the one that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    New,
    Old,
}

/// How a traffic step is watched. See the analysis crate's canary for the statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchSpec {
    pub new_percent: Weights,
    pub hold: Span,
    pub interval: Span,
    pub alpha: f64,
    pub tolerance: f64,
    pub latency: bool,
    #[serde(default = "latency_allowance", skip_serializing_if = "is_latency_allowance")]
    pub latency_allowance: Span,
    pub undecided: Undecided,
    pub triggers: Vec<Trigger>,
    /// Whether there is an old version to compare with; without one only the triggers decide.
    pub compare: bool,
}

/// Where one step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    Pending,
    Leased,
    Done,
    Failed,
    /// It may or may not have happened.
    Indeterminate,
    /// The run took another way before this step's turn came.
    Skipped,
}

/// What a worker said of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    Done {
        outputs: Value,
    },
    Failed {
        reason: String,
        outputs: Value,
    },
    Indeterminate {
        reason: String,
    },
    /// Proven that nothing was started.
    NotStarted {
        reason: String,
    },
}

/// One granted lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: String,
    /// Fencing token: the position of the lease's fact in the run's stream.
    pub token: u64,
    pub worker: String,
    pub leased_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    /// The whole log, a blob.
    pub log: Option<Digest>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub id: String,
    pub title: String,
    pub spec: StepSpec,
    /// A forward step asks the gates at the door; steps of a rollback never do.
    pub forward: bool,
    /// May be run again when nobody knows what became of it.
    pub idempotent: bool,
    pub state: StepState,
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

impl Step {
    /// A step that waits for its turn.
    pub fn new(id: impl Into<String>, title: impl Into<String>, spec: StepSpec, forward: bool, idempotent: bool) -> Self {
        Self { id: id.into(), title: title.into(), spec, forward, idempotent, state: StepState::Pending, attempts: Vec::new() }
    }
    /// The outputs of the attempt that succeeded.
    pub fn outputs(&self) -> Option<&Value> {
        match self.attempts.last()?.outcome.as_ref()? {
            Outcome::Done { outputs } => Some(outputs),
            _ => None,
        }
    }
}

/// One running copy of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub component: String,
    pub name: String,
    /// `host:port`.
    pub address: String,
    pub worker: String,
}

/// Why a run turned back or was held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Stable code, see the refusal pages.
    pub code: String,
    pub sentence: String,
    #[serde(default)]
    pub facts: Value,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub id: RunId,
    pub purpose: Purpose,
    pub release: Option<ReleaseId>,
    pub service: String,
    pub environment: Option<String>,
    pub version: String,
    pub pool: String,
    pub manifest_digest: Option<Digest>,
    pub components: BTreeMap<String, ComponentPin>,
    /// What ran there when this run began: what a rollback goes back to.
    pub previous: Option<Running>,
    pub steps: Vec<Step>,
    pub state: RunState,
    pub result: Option<RunResult>,
    /// It turned back: from then on only the steps of its rollback count, also while it is held.
    #[serde(default)]
    pub turned: bool,
    /// Why it is held or rolled back.
    pub cause: Option<Cause>,
    /// Latest verdict of the comparison and the digest of the series it judged.
    pub judged: Option<(String, Digest)>,
    pub new_percent: Weights,
    pub by: Option<PersonId>,
    pub opened_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Position of the stream's last fact, from 1; the next lease's token is one more.
    pub position: u64,
}

impl Run {
    /// A forward step that a worker still holds after the run turned back: its end is waited for, so that nothing is
    /// undone before it is known what there is to undo.
    pub fn unfinished(&self) -> Option<&Step> {
        self.steps.iter().find(|step| self.turned && step.forward && step.state == StepState::Leased)
    }
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
    fn step_mut(&mut self, id: &str) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.id == id)
    }
    /// The step whose turn it is: steps run one after another.
    pub fn current(&self) -> Option<&Step> {
        let back = self.turned || self.purpose == Purpose::Rollback;
        self.steps.iter().filter(|step| step.forward != back).find(|step| !matches!(step.state, StepState::Done | StepState::Skipped))
    }
    /// Instances that this run's steps started.
    pub fn instances(&self) -> Vec<Instance> {
        self.steps
            .iter()
            .filter_map(|step| match &step.spec {
                StepSpec::Start { component } => Some((component, step)),
                _ => None,
            })
            .flat_map(|(component, step)| {
                let worker = step.attempts.last().map(|attempt| attempt.worker.clone()).unwrap_or_default();
                let list =
                    step.outputs().and_then(|outputs| outputs.get("instances")).and_then(Value::as_array).cloned().unwrap_or_default();
                list.into_iter().filter_map(move |one| {
                    Some(Instance {
                        component: component.clone(),
                        name: one.get("name")?.as_str()?.to_owned(),
                        address: one.get("address")?.as_str()?.to_owned(),
                        worker: worker.clone(),
                    })
                })
            })
            .collect()
    }
    /// Whether a step starts the old version again, in a rollback.
    fn brings_back(step: &Step) -> bool {
        step.id.starts_with("back.") && matches!(step.spec, StepSpec::Start { .. })
    }
    /// Instances of one side that are meant to run now: the new ones, or the old ones with those in their places that a
    /// rollback started again.
    pub fn side(&self, side: Side) -> Vec<Instance> {
        let again: Vec<&Step> = self.steps.iter().filter(|step| Self::brings_back(step) && step.outputs().is_some()).collect();
        let started =
            |component: &str| again.iter().any(|step| matches!(&step.spec, StepSpec::Start { component: name } if name == component));
        let names: Vec<&str> = again
            .iter()
            .filter_map(|step| step.outputs()?.get("instances")?.as_array())
            .flatten()
            .filter_map(|one| one.get("name")?.as_str())
            .collect();
        let all = self.instances();
        match side {
            Side::New => all.into_iter().filter(|one| !names.contains(&one.name.as_str())).collect(),
            Side::Old => {
                let mut found = self.previous.as_ref().map(|previous| previous.instances.clone()).unwrap_or_default();
                found.retain(|one| !started(&one.component));
                found.extend(all.into_iter().filter(|one| names.contains(&one.name.as_str())));
                found
            }
        }
    }
    /// Out of a hold, in the direction it had; the cause of a rollback stays.
    fn go_on(&mut self) {
        if self.turned {
            self.state = RunState::RollingBack;
        } else {
            self.state = RunState::Running;
            self.cause = None;
        }
    }
    fn finish(&mut self, step: &str, attempt: &str, outcome: &Outcome, log: Option<&Digest>, at: Timestamp) {
        let new_percent = self.new_percent;
        let Some(step) = self.step_mut(step) else { return };
        step.state = match outcome {
            Outcome::Done { .. } => StepState::Done,
            Outcome::Failed { .. } => StepState::Failed,
            Outcome::Indeterminate { .. } => StepState::Indeterminate,
            Outcome::NotStarted { .. } => StepState::Pending,
        };
        let moved = match (&step.spec, &step.state) {
            (StepSpec::Traffic { new_percent, .. }, StepState::Done) => *new_percent,
            _ => new_percent,
        };
        if let Some(attempt) = step.attempts.iter_mut().rev().find(|one| one.id == attempt) {
            attempt.finished_at = Some(at);
            attempt.outcome = Some(outcome.clone());
            attempt.log = log.cloned().or(attempt.log.take());
        }
        self.new_percent = moved;
    }
}

impl Noun for Run {
    const KIND: Kind = Kind::Run;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn live(&self) -> bool {
        self.state != RunState::Ended
    }
    fn open(fact: &Fact, at: Timestamp) -> Option<Self> {
        let Fact::RunOpened {
            id,
            purpose,
            release,
            service,
            environment,
            version,
            pool,
            manifest_digest,
            components,
            previous,
            steps,
            by,
            ..
        } = fact
        else {
            return None;
        };
        Some(Self {
            id: id.clone(),
            purpose: *purpose,
            release: release.clone(),
            service: service.clone(),
            environment: environment.clone(),
            version: version.clone(),
            pool: pool.clone(),
            manifest_digest: *manifest_digest,
            components: components.clone(),
            previous: previous.clone(),
            steps: steps.clone(),
            state: RunState::Running,
            result: None,
            turned: false,
            cause: None,
            judged: None,
            new_percent: 0,
            by: by.clone(),
            opened_at: at,
            ended_at: None,
            position: 1,
        })
    }
    fn apply(&mut self, fact: &Fact, at: Timestamp) {
        self.position += 1;
        let token = self.position;
        match fact {
            Fact::StepLeased { step, attempt, worker, .. } => {
                let new = Attempt {
                    id: attempt.clone(),
                    token,
                    worker: worker.clone(),
                    leased_at: at,
                    finished_at: None,
                    outcome: None,
                    log: None,
                };
                if let Some(step) = self.step_mut(step) {
                    step.state = StepState::Leased;
                    step.attempts.push(new);
                }
                if self.state == RunState::Held {
                    self.go_on();
                }
            }
            Fact::StepFinished { step, attempt, outcome, log, .. } => self.finish(step, attempt, outcome, log.as_ref(), at),
            Fact::StepResolved { step, attempt, outcome, .. } => self.finish(step, attempt, outcome, None, at),
            Fact::CanaryJudged { verdict, series, .. } => self.judged = Some((verdict.clone(), *series)),
            Fact::RunHeld { cause } => {
                self.state = RunState::Held;
                self.cause = Some(cause.clone());
            }
            Fact::RunResumed { .. } => self.go_on(),
            Fact::RollbackDecided { cause, steps } => {
                self.state = RunState::RollingBack;
                self.turned = true;
                self.cause = Some(cause.clone());
                // A watch only looks: it needs no end.
                let idle = |step: &Step| {
                    step.state == StepState::Pending || (step.state == StepState::Leased && matches!(step.spec, StepSpec::Watch(_)))
                };
                for step in self.steps.iter_mut().filter(|step| idle(step)) {
                    step.state = StepState::Skipped;
                }
                self.steps.extend(steps.iter().cloned());
            }
            Fact::RunFinished { result } => {
                self.state = RunState::Ended;
                self.result = Some(*result);
                self.ended_at = Some(at);
                for step in self.steps.iter_mut().filter(|step| step.state == StepState::Pending) {
                    step.state = StepState::Skipped;
                }
            }
            _ => {}
        }
    }
    fn index(&self) -> (Option<String>, Option<String>, Option<String>) {
        let state = match self.state {
            RunState::Running => "running",
            RunState::Held => "held",
            RunState::RollingBack => "rolling-back",
            RunState::Ended => "ended",
        };
        (Some(self.service.clone()), self.environment.clone(), Some(state.to_owned()))
    }
}
