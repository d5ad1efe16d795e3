//! M2.2 Builds: one command at one commit, run by a worker, its products named by digest.

use crate::kernel::{Action, ActionChange, Actor, Decision, Kind, Refusal, RunId, Stop, View};
use crate::nouns::{Fact, Purpose, Service, Step, StepSpec};
use serde_json::json;
use std::collections::BTreeMap;

/// Asks for a build of a component.
#[derive(Debug, Clone)]
pub struct StartBuild {
    pub id: RunId,
    pub service: String,
    pub component: String,
    /// Path or address of the git repository, as the worker reaches it.
    pub repository: String,
    /// Full object id: a branch or tag is resolved once, by whoever asks.
    pub commit: String,
    /// Commits after this one count as the release's own.
    pub base: Option<String>,
    pub pool: String,
    pub actor: Actor,
}

/// Opens a build run with one step.
pub fn start(view: &View, ask: &StartBuild) -> Result<Decision, Stop> {
    let service: Service = view.get(&ask.service)?.ok_or_else(|| {
        Refusal::new("ORG-001", format!("there is no service {:?}", ask.service), "declare it in the organisation folder and apply")
    })?;
    let build = service.spec.components.get(&ask.component).and_then(|component| component.build.clone()).ok_or_else(|| {
        Refusal::new(
            "BLD-001",
            format!("service {} has no component {:?} with a build", ask.service, ask.component),
            "add `build:` to the component",
        )
    })?;
    if let Some(registered) = build.repository.as_ref().filter(|registered| **registered != ask.repository) {
        return Err(Refusal::new(
            "BLD-003",
            format!("{} of {} is built from {registered}, not from {:?}", ask.component, ask.service, ask.repository),
            "build from the registered repository, or change it in the organisation folder",
        )
        .into());
    }
    for (what, id) in [("commit", Some(&ask.commit)), ("base", ask.base.as_ref())] {
        if id.is_some_and(|id| !is_object_id(id)) {
            return Err(Refusal::new(
                "BLD-002",
                format!("{what} {:?} is no full git object id", id.cloned().unwrap_or_default()),
                "resolve branches and tags once: git rev-parse NAME^{commit}",
            )
            .into());
        }
    }
    let spec = StepSpec::Build {
        component: ask.component.clone(),
        repository: ask.repository.clone(),
        commit: ask.commit.clone(),
        base: ask.base.clone(),
        build,
    };
    let steps = vec![Step::new("build", format!("build {} at {}", ask.component, &ask.commit[..8]), spec, true, true)];
    let mut decision = Decision { answer: json!({"run": ask.id}), ..Decision::default() };
    decision.fact(
        Kind::Run,
        ask.id.as_str(),
        Fact::RunOpened {
            id: ask.id.clone(),
            purpose: Purpose::Build,
            release: None,
            service: ask.service.clone(),
            environment: None,
            version: ask.commit[..8].to_owned(),
            pool: ask.pool.clone(),
            manifest_digest: None,
            components: BTreeMap::new(),
            previous: None,
            steps,
            report: None,
            by: ask.actor.person.clone(),
        },
    );
    decision.actions.push(ActionChange::Enqueue(Action {
        run: ask.id.to_string(),
        step: "build".to_owned(),
        pool: ask.pool.clone(),
        not_before: None,
    }));
    // The stream must be known to be new.
    if view.position(&crate::kernel::DocKey::new(Kind::Run, ask.id.as_str()))? != 0 {
        return Err(Refusal::new("ORC-009", format!("run {} exists already", ask.id), "ask again; ids are drawn anew").into());
    }
    Ok(decision)
}

/// SHA-1 or SHA-256 object id in lower-case hex.
fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
