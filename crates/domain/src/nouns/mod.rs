//! The nouns that rooms share: declared things (people, services, environments, pipelines, windows, freezes) and things
//! that happen (releases, runs, what runs where, evidence). Rooms decide; nouns only fold facts.

mod advisories;
mod declared;
mod fact;
mod freeze;
mod pipeline;
mod release;
mod run;
mod service;
mod slot;
mod subject;
mod sweeps;
mod waiver;

pub use advisories::{Advisories, Delivery};
pub use declared::{Environment, EnvironmentSpec, Person, PersonSpec, Traffic, Window, WindowSpec};
pub use fact::{Fact, FactError, Projected, UnknownFact, project};
pub use freeze::{Freeze, FreezeScope};
pub use pipeline::{
    ApprovalRule, CompatibilityRule, ExtraStep, GateRules, HttpCall, Pipeline, PipelineSpec, Promotion, Rollout, ScanRule, Stage, Strategy,
    Test, TestRule, TestStep, Trigger, TriggerAction, Undecided, VulnerabilityRule,
};
pub use release::{
    Approval, ApprovalState, Author, Closure, Commit, ComponentPin, Definition, Manifest, ManifestVersion, Promoted, RefusedVote, Release,
    ReleaseState,
};
pub use run::{Attempt, Cause, Instance, Outcome, Purpose, Run, RunResult, RunState, Side, Step, StepSpec, StepState, WatchSpec, Weights};
pub use service::{Build, Component, Health, Migrate, Service, ServiceSpec};
pub use slot::{Running, Slot, SlotEntry};
pub use subject::{Break, Consumer, EvidenceItem, ScanCounts, Subject, Summary, Weakness};
pub use sweeps::Sweeps;
pub use waiver::Waiver;
