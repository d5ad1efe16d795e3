//! M7.1 Compiles a stage into the steps of a run.

use crate::gate::Question;
use crate::nouns::{
    Component, Environment, ExtraStep, Running, Service, ServiceSpec, Side, Stage, Step, StepSpec, Strategy, Test, TestStep, WatchSpec,
};

/// The steps of a deployment: migrations, new beside old, traffic, checks, tests, then the old one goes.
pub fn deploy(question: &Question) -> Vec<Step> {
    let pins: Vec<&str> = question.release.manifest().components.keys().map(String::as_str).collect();
    let running = question.slot.as_ref().and_then(|slot| slot.running.as_ref());
    let mut steps: Vec<Step> = question.stage.steps_before.iter().map(|extra| own("before", extra)).collect();
    let order = order(&question.service.spec, &pins);
    for name in &order {
        let Some(component) = question.service.spec.components.get(*name) else { continue };
        steps.extend(migrate(name, component));
    }
    for name in &order {
        steps.push(start(name, true));
    }
    if question.environment.spec.traffic.is_some() {
        steps.extend(traffic(&question.stage, &question.release.manifest().triggers, running.is_some(), &order));
    }
    steps.push(Step::new("verify", "check that the new version serves", StepSpec::Verify { side: Side::New }, true, true));
    steps.extend(question.stage.tests.iter().map(test));
    steps.extend(question.stage.steps_after.iter().map(|extra| own("after", extra)));
    steps.extend(stop_old(running, &order, true));
    steps
}

/// The steps of a rollback that a person asks for afterwards: what ran before, started again, all traffic at once.
pub fn back_to(service: &Service, place: &Environment, names: &[&str], running: Option<&Running>) -> Vec<Step> {
    let order = order(&service.spec, names);
    let mut steps: Vec<Step> = order.iter().map(|name| start(name, false)).collect();
    if place.spec.traffic.is_some() {
        steps.extend(order.iter().map(|name| shift(name, 100, false)));
    }
    steps.push(Step::new("verify", "check that it serves", StepSpec::Verify { side: Side::New }, false, true));
    steps.extend(stop_old(running, &order, false));
    steps
}

/// Components in the order of `after`; the organisation refuses cycles, and what is left over comes last.
pub fn order<'a>(service: &ServiceSpec, names: &[&'a str]) -> Vec<&'a str> {
    let mut left: Vec<&str> = names.to_vec();
    let mut done: Vec<&str> = Vec::new();
    while !left.is_empty() {
        let ready: Vec<&str> = left
            .iter()
            .copied()
            .filter(|name| {
                service.components.get(*name).is_none_or(|component| component.after.iter().all(|before| !left.contains(&before.as_str())))
            })
            .collect();
        if ready.is_empty() {
            done.append(&mut left);
            break;
        }
        left.retain(|name| !ready.contains(name));
        done.extend(ready);
    }
    done
}

fn migrate(name: &str, component: &Component) -> Option<Step> {
    let migrate = component.migrate.as_ref()?;
    let spec = StepSpec::Command {
        argv: migrate.command.clone(),
        component: Some(name.to_owned()),
        // A migration listens on nothing: what names a port is for instances only.
        variables: component
            .env
            .iter()
            .filter(|(_, value)| !value.contains("${port}"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        probe: migrate.probe.clone(),
        junit: None,
        timeout: migrate.timeout,
    };
    Some(Step::new(format!("{name}.migrate"), format!("migrate the database of {name}"), spec, true, false))
}

fn start(name: &str, forward: bool) -> Step {
    // Starting twice finds the same instances: their names come from the attempt.
    Step::new(
        format!("{name}.start"),
        format!("start {name} beside what runs"),
        StepSpec::Start { component: name.to_owned() },
        forward,
        true,
    )
}

fn shift(name: &str, percent: u32, forward: bool) -> Step {
    Step::new(
        format!("{name}.traffic-{percent}"),
        format!("{percent} % of {name}'s traffic to the new version"),
        StepSpec::Traffic { component: name.to_owned(), new_percent: percent },
        forward,
        true,
    )
}

fn traffic(stage: &Stage, more: &[crate::nouns::Trigger], compare: bool, order: &[&str]) -> Vec<Step> {
    let rollout = &stage.rollout;
    let triggers: Vec<_> = stage.triggers.iter().chain(more).cloned().collect();
    let percents: Vec<u32> = match rollout.strategy {
        Strategy::Rolling => vec![100],
        // With nothing to compare with, a canary would only delay the first deployment.
        Strategy::Canary if !compare => vec![100],
        Strategy::Canary => rollout.steps.clone(),
    };
    let mut steps = Vec::new();
    for percent in percents {
        steps.extend(order.iter().map(|name| shift(name, percent, true)));
        let canary = rollout.strategy == Strategy::Canary && percent < 100;
        // At 100 % there is nothing left to compare with: only a trigger with a threshold can still fire.
        let guarded = triggers.iter().any(|trigger| trigger.test != Test::Canary);
        if canary || (guarded && percent == 100 && compare) {
            let watch = WatchSpec {
                new_percent: percent,
                hold: rollout.hold,
                interval: rollout.interval,
                alpha: rollout.alpha,
                tolerance: rollout.tolerance,
                latency: rollout.latency,
                latency_allowance: rollout.latency_allowance,
                undecided: rollout.undecided,
                triggers: triggers.clone(),
                compare: canary,
            };
            let title = if canary { "compare the versions" } else { "watch the new version" };
            steps.push(Step::new(format!("watch-{percent}"), format!("{title} at {percent} %"), StepSpec::Watch(watch), true, true));
        }
    }
    steps
}

fn stop_old(running: Option<&Running>, order: &[&str], forward: bool) -> Vec<Step> {
    let Some(running) = running else { return Vec::new() };
    let mut names: Vec<&str> =
        order.iter().rev().copied().filter(|name| running.instances.iter().any(|one| one.component == *name)).collect();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            Step::new(
                format!("{name}.stop-old"),
                format!("drain and stop {name} {}", running.version),
                StepSpec::Stop { side: Side::Old, component: name.to_owned() },
                forward,
                true,
            )
        })
        .collect()
}

fn own(when: &str, extra: &ExtraStep) -> Step {
    let spec = match &extra.http {
        Some(call) => StepSpec::Http(call.clone()),
        None => StepSpec::Command {
            argv: extra.command.clone(),
            component: None,
            variables: extra.variables.clone(),
            probe: extra.probe.clone(),
            junit: None,
            timeout: extra.timeout,
        },
    };
    Step::new(format!("{when}.{}", extra.name), extra.name.clone(), spec, true, extra.idempotent)
}

fn test(test: &TestStep) -> Step {
    let spec = StepSpec::Command {
        argv: test.command.clone(),
        component: None,
        variables: test.variables.clone(),
        probe: Vec::new(),
        junit: Some((test.junit.clone(), test.suite.clone())),
        timeout: test.timeout,
    };
    Step::new(format!("test.{}", test.name), format!("test: {}", test.name), spec, true, true)
}
