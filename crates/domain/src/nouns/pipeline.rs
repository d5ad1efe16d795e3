//! A pipeline: stages through environments, each with its gates, its rollout and its triggers.

use super::Fact;
use crate::kernel::{Kind, Noun, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who starts a deployment once every gate is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promotion {
    /// The promoter, by itself. Not for production.
    Automatic,
    /// A named person.
    #[default]
    Manual,
}

/// Which test evidence a stage asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TestRule {
    pub suites: Vec<String>,
    /// No setting means that nothing is fresh enough.
    pub max_age: Span,
}

/// Which scan evidence a stage asks for, and the budget of findings by level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScanRule {
    pub tools: Vec<String>,
    /// SARIF level (`error`, `warning`, `note`) -> allowed number; a level not named is not limited.
    pub max: BTreeMap<String, u32>,
    pub max_age: Span,
}

/// What may be known to be wrong with a release's components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VulnerabilityRule {
    /// Class (`critical`, `high`, `medium`, `low`, `unknown`) -> allowed number; a class not named is not limited.
    pub max: BTreeMap<String, u32>,
    /// How old the last whole database of advisories may be.
    pub max_age: Span,
}

/// Which interfaces a release must describe; it is compared with every version that runs or may come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CompatibilityRule {
    /// Names of interfaces, each described for a component or for the manifest. What else is described is judged, too.
    pub interfaces: Vec<String>,
}

/// So many approvals by holders of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ApprovalRule {
    pub role: String,
    #[serde(default = "one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

/// What a stage asks before work may pass it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GateRules {
    /// Signed build provenance for every component.
    #[serde(default)]
    pub provenance: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerabilities: Option<VulnerabilityRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<CompatibilityRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalRule>,
    /// The release ran successfully in the stage before.
    #[serde(default = "yes")]
    pub previous: bool,
}

impl Default for GateRules {
    /// As if `gates: {}` stood there: a stage that says nothing still asks for the one before it.
    fn default() -> Self {
        Self {
            provenance: false,
            tests: None,
            scan: None,
            vulnerabilities: None,
            compatibility: None,
            approvals: Vec::new(),
            previous: true,
        }
    }
}

fn yes() -> bool {
    true
}

/// How traffic moves to a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// New beside old, health, all traffic, drain, stop.
    #[default]
    Rolling,
    /// Traffic by steps; each step is held while the versions are compared.
    Canary,
}

/// See [`Strategy`]; the fields after `strategy` are for `canary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rollout {
    #[serde(default)]
    pub strategy: Strategy,
    /// Per cent of traffic on the new version; the last is 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<u32>,
    /// How long each step below 100 is held at most; it ends early on `pass` or `fail`.
    #[serde(default = "hold")]
    pub hold: Span,
    /// Length of one comparison interval.
    #[serde(default = "interval")]
    pub interval: Span,
    /// Chance that a harmless version is rolled back, over the whole canary.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// Tolerated relative difference of rates.
    #[serde(default = "tolerance")]
    pub tolerance: f64,
    /// Compare latencies too.
    #[serde(default = "yes")]
    pub latency: bool,
    /// How much later than the old version the new one may answer, beside the tolerance. Not written where it is the
    /// default: definitions that do not name it keep their digests.
    #[serde(default = "latency_allowance", skip_serializing_if = "is_latency_allowance")]
    pub latency_allowance: Span,
    /// What happens when a step's hold ends undecided.
    #[serde(default)]
    pub undecided: Undecided,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            strategy: Strategy::Rolling,
            steps: Vec::new(),
            hold: hold(),
            interval: interval(),
            alpha: alpha(),
            tolerance: tolerance(),
            latency: true,
            latency_allowance: latency_allowance(),
            undecided: Undecided::Hold,
        }
    }
}

/// What an undecided comparison leads to. `no-data` never promotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undecided {
    /// A person decides.
    #[default]
    Hold,
    Promote,
    Rollback,
}

fn hold() -> Span {
    Span::from_s(60)
}
fn interval() -> Span {
    Span::from_s(1)
}
fn alpha() -> f64 {
    0.05
}
fn tolerance() -> f64 {
    0.25
}
/// Whoever gets less traffic has colder caches and idle connections, and is some milliseconds later by that alone.
pub(super) fn latency_allowance() -> Span {
    Span::from_ms(5)
}
pub(super) fn is_latency_allowance(span: &Span) -> bool {
    *span == latency_allowance()
}

/// What a trigger does when it fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerAction {
    #[default]
    Rollback,
    Hold,
}

/// How a trigger reads its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Above the threshold over the whole window.
    Above,
    /// Below the threshold over the whole window.
    Below,
    /// The canary comparison's verdict `fail` on this metric.
    Canary,
}

/// An executable criterion of the plan: armed by the deployment itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trigger {
    /// `error-ratio` (0 to 1), `latency-p99-ms`, `requests` (per second).
    pub metric: String,
    pub window: Span,
    pub test: Test,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    #[serde(default)]
    pub action: TriggerAction,
    /// After this step the method is no longer a rollback: the trigger holds and asks its decider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<String>,
    /// Role that decides when the trigger holds.
    pub decider: String,
    /// How long the decider has, then `default` happens.
    pub deadline: Span,
    #[serde(default)]
    pub default: TriggerAction,
}

/// An HTTP call as a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpCall {
    #[serde(default = "get")]
    pub method: String,
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default = "ok")]
    pub expect_status: u16,
}

fn get() -> String {
    "GET".to_owned()
}
fn ok() -> u16 {
    200
}

/// A step of the stage's own, before or after the rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExtraStep {
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCall>,
    /// Only an idempotent step may be run again when nobody knows what became of it.
    #[serde(default)]
    pub idempotent: bool,
    /// Exit 0: it was done; 1: it was not started. Anything else leaves it indeterminate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probe: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    #[serde(default = "step_timeout")]
    pub timeout: Span,
}

fn step_timeout() -> Span {
    Span::from_s(600)
}

/// A test run against what was just deployed; its JUnit report becomes evidence about the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TestStep {
    pub name: String,
    pub suite: String,
    pub command: Vec<String>,
    /// Path of the report, relative to the step's directory.
    pub junit: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    #[serde(default = "step_timeout")]
    pub timeout: Span,
}

/// One environment's part of the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stage {
    pub environment: String,
    #[serde(default)]
    pub promotion: Promotion,
    #[serde(default)]
    pub gates: GateRules,
    #[serde(default)]
    pub rollout: Rollout,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps_before: Vec<ExtraStep>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TestStep>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps_after: Vec<ExtraStep>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PipelineSpec {
    #[serde(rename = "pipeline")]
    pub name: String,
    pub stages: Vec<Stage>,
}

/// See [`PipelineSpec`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    pub spec: PipelineSpec,
    pub retired: bool,
}

impl Pipeline {
    /// The stage of an environment and the one before it.
    pub fn stage(&self, environment: &str) -> Option<(&Stage, Option<&Stage>)> {
        let at = self.spec.stages.iter().position(|stage| stage.environment == environment)?;
        Some((self.spec.stages.get(at)?, at.checked_sub(1).and_then(|before| self.spec.stages.get(before))))
    }
}

impl Noun for Pipeline {
    const KIND: Kind = Kind::Pipeline;
    fn key(&self) -> String {
        self.spec.name.clone()
    }
    fn live(&self) -> bool {
        !self.retired
    }
    fn open(fact: &Fact, _at: Timestamp) -> Option<Self> {
        match fact {
            Fact::PipelineDeclared(spec) => Some(Self { spec: spec.clone(), retired: false }),
            _ => None,
        }
    }
    fn apply(&mut self, fact: &Fact, _at: Timestamp) {
        match fact {
            Fact::PipelineDeclared(spec) => *self = Self { spec: spec.clone(), retired: false },
            Fact::Retired {} => self.retired = true,
            _ => {}
        }
    }
}
