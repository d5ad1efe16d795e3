//! Turns a step of a run into what a worker executes, with everything it needs in it.

use holdpoint_domain::kernel::Timestamp;
use holdpoint_domain::nouns::{Component, Environment, Instance, Run, Running, Service, Side, Step, StepSpec, Traffic};
use holdpoint_domain::orchestration::workers::name_of;
use holdpoint_executors::spec::{
    BackendSpec, Checkout, CommandSpec, ControlSpec, Health, HttpSpec, Instance as Started, Spec, StartSpec, StopSpec, TrafficSpec,
    VerifySpec,
};
use std::collections::BTreeMap;

/// What is looked up for it.
pub struct Known<'a> {
    pub run: &'a Run,
    pub service: &'a Service,
    pub environment: Option<&'a Environment>,
    /// The manifest's configuration, of the side the step acts on.
    pub config: &'a BTreeMap<String, String>,
    /// When the attempt was first leased: the generation of a traffic change.
    pub at: Timestamp,
    /// Instances as the steps that started them told, of every run that started one of those concerned.
    pub started: &'a [Started],
    /// Who will execute it.
    pub worker: &'a str,
}

/// Identifier of the run that started an instance; the instance's name says it.
pub fn run_of(instance: &str) -> Option<String> {
    let (run, _) = instance.strip_prefix("att_")?.split_once('_')?;
    Some(format!("run_{run}"))
}

/// Instances as the start steps of a run told of them: with process and digest.
pub fn started(run: &Run) -> Vec<Started> {
    let lists = run
        .steps
        .iter()
        .filter(|step| matches!(step.spec, StepSpec::Start { .. }))
        .filter_map(|step| step.outputs()?.get("instances").cloned());
    lists.filter_map(|list| serde_json::from_value::<Vec<Started>>(list).ok()).flatten().collect()
}

/// A version's name at the load balancer: two deployments of one version are told apart by their run.
pub fn traffic_name(version: &str, run: &str) -> String {
    let tail: String = run.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{version}~{tail}")
}

/// A component's route at the load balancer.
pub fn route(service: &str, component: &str) -> String {
    format!("{service}.{component}")
}

/// The version that arrives, at the load balancer.
pub fn new_name(run: &Run) -> String {
    traffic_name(&run.version, run.id.as_str())
}

/// The version that was there, at the load balancer.
pub fn old_name(previous: &Running) -> String {
    traffic_name(&previous.version, previous.run.as_ref().map_or("", |run| run.as_str()))
}

/// The spec of a step, or why there is none: a declaration that went missing, which is the step's failure.
pub fn spec(known: &Known<'_>, step: &Step) -> Result<Spec, String> {
    match &step.spec {
        StepSpec::Build { component: _, repository, commit, base, build } => Ok(Spec::Command(CommandSpec {
            argv: build.command.clone(),
            env: build.variables.clone(),
            directory: build.directory.clone(),
            checkout: Some(Checkout { repository: repository.clone(), commit: commit.clone(), base: base.clone() }),
            artifacts: build.artifacts.clone(),
            timeout_s: build.timeout.ms() / 1000,
            idempotent: true,
            version: known.run.version.clone(),
            ..CommandSpec::default()
        })),
        StepSpec::Command { argv, component, variables, probe, junit, timeout } => {
            let digest = component.as_ref().and_then(|name| known.run.components.get(name)).map(|pin| pin.digest.to_string());
            let mut env = known.environment.map(|place| place.spec.variables.clone()).unwrap_or_default();
            env.extend(variables.clone());
            Ok(Spec::Command(CommandSpec {
                argv: argv.clone(),
                env,
                artifact: digest,
                junit: junit.iter().map(|(path, _)| path.clone()).collect(),
                probe: (!probe.is_empty()).then(|| probe.clone()),
                timeout_s: timeout.ms() / 1000,
                idempotent: step.idempotent,
                version: known.run.version.clone(),
                variables: variables_of(known),
                config: known.config.clone(),
                ..CommandSpec::default()
            }))
        }
        StepSpec::Http(call) => Ok(Spec::Http(HttpSpec {
            method: call.method.clone(),
            url: call.url.clone(),
            body: call.body.clone(),
            expect_status: vec![call.expect_status],
            timeout_s: 30,
            idempotent: Some(step.idempotent),
            version: known.run.version.clone(),
            variables: variables_of(known),
            config: known.config.clone(),
            ..HttpSpec::default()
        })),
        StepSpec::Start { component } => start(known, step, component),
        StepSpec::Traffic { component, new_percent } => traffic(known, component, *new_percent),
        StepSpec::Stop { side, component } => Ok(stop(known, *side, component)),
        StepSpec::Verify { side } => verify(known, *side),
        StepSpec::Watch(_) => Err("watching is the engine's own step".to_owned()),
    }
}

fn variables_of(known: &Known<'_>) -> BTreeMap<String, String> {
    known.environment.map(|place| place.spec.variables.clone()).unwrap_or_default()
}

fn declared<'a>(known: &'a Known<'_>, component: &str) -> Result<&'a Component, String> {
    known
        .service
        .spec
        .components
        .get(component)
        .ok_or_else(|| format!("service {} no longer declares component {component}", known.service.spec.name))
}

/// Whether a step starts the old version again, in a rollback.
pub fn is_old(step: &Step) -> bool {
    step.id.starts_with("back.") && matches!(step.spec, StepSpec::Start { .. })
}

fn start(known: &Known<'_>, step: &Step, component: &str) -> Result<Spec, String> {
    let declared = declared(known, component)?;
    let pins = if is_old(step) { known.run.previous.as_ref().map(|previous| &previous.components) } else { Some(&known.run.components) };
    let pin = pins.and_then(|pins| pins.get(component)).ok_or_else(|| format!("no digest of {component} is known"))?;
    Ok(Spec::Start(StartSpec {
        component: component.to_owned(),
        version: pin.version.clone(),
        digest: pin.digest.to_string(),
        argv: declared.run.clone(),
        env: declared.env.clone(),
        render: declared.render,
        health: health(declared),
        instances: declared.instances,
        variables: variables_of(known),
        config: known.config.clone(),
    }))
}

fn health(declared: &Component) -> Health {
    Health {
        path: declared.health.path.clone(),
        version_field: declared.health.version.clone(),
        timeout_s: (declared.health.timeout.ms() / 1000).max(1),
        interval_ms: 100,
    }
}

/// Instances of one side that are meant to run now.
pub fn instances(run: &Run, side: Side) -> Vec<Instance> {
    run.side(side)
}

/// How the environment's load balancer is reached, from a worker's view.
pub fn control(traffic: &Traffic, service: &str) -> Result<ControlSpec, String> {
    match (&traffic.proxy, &traffic.haproxy) {
        (Some(admin), _) => Ok(ControlSpec::Proxy { admin: admin.clone(), token: None, token_file: traffic.token_file.clone() }),
        (None, Some(socket)) => {
            let backends = traffic.backends.iter().map(|(component, backend)| (route(service, component), backend.clone())).collect();
            Ok(ControlSpec::HaProxy { socket: socket.clone(), backends })
        }
        (None, None) => Err("the environment declares no load balancer".to_owned()),
    }
}

fn traffic(known: &Known<'_>, component: &str, new_percent: u32) -> Result<Spec, String> {
    let declared_traffic =
        known.environment.and_then(|place| place.spec.traffic.as_ref()).ok_or("the environment declares no load balancer")?;
    let side = |side: Side| -> Vec<String> {
        instances(known.run, side).into_iter().filter(|one| one.component == component).map(|one| one.address).collect()
    };
    let mut backends = Vec::new();
    let mut drain = Vec::new();
    let (new_weight, old_weight) = (new_percent, 100 - new_percent.min(100));
    for address in side(Side::New) {
        backends.push(BackendSpec { version: new_name(known.run), address, weight: new_weight });
    }
    if let Some(previous) = &known.run.previous {
        for address in side(Side::Old) {
            backends.push(BackendSpec { version: old_name(previous), address, weight: if new_percent >= 100 { 0 } else { old_weight } });
        }
        if new_percent >= 100 {
            drain.push(old_name(previous));
        }
    }
    if new_percent == 0 {
        drain.push(new_name(known.run));
    }
    Ok(Spec::Traffic(TrafficSpec {
        control: control(declared_traffic, &known.service.spec.name)?,
        route: route(&known.service.spec.name, component),
        generation: u64::try_from(known.at.as_microsecond()).unwrap_or(0),
        backends,
        drain,
        drain_timeout_s: (declared(known, component)?.drain.ms() / 1000).max(1),
    }))
}

fn stop(known: &Known<'_>, side: Side, component: &str) -> Spec {
    let names = instances(known.run, side).into_iter().filter(|one| one.component == component).map(|one| one.name).collect();
    let drain_s = known.service.spec.components.get(component).map_or(5, |component| component.drain.ms() / 1000);
    Spec::Stop(StopSpec { instances: names, drain_s })
}

fn verify(known: &Known<'_>, side: Side) -> Result<Spec, String> {
    let version = match side {
        Side::New => known.run.version.clone(),
        Side::Old => known.run.previous.as_ref().map(|previous| previous.version.clone()).unwrap_or_default(),
    };
    let found = instances(known.run, side);
    let touched: Vec<&Instance> = found.iter().filter(|one| known.run.components.contains_key(&one.component)).collect();
    let first = touched.first().ok_or("there is no instance to check")?;
    let declared = declared(known, &first.component)?;
    // One spec has one path: components with another health path are checked by their own start step.
    let same: Vec<String> = touched
        .iter()
        .filter(|one| {
            known.service.spec.components.get(&one.component).is_some_and(|component| {
                component.health.path == declared.health.path && component.health.version == declared.health.version
            })
        })
        .map(|one| one.address.clone())
        .collect();
    // A worker may ask what it started itself, and checks that it is still the process that was started. Of instances of
    // other workers it sees only what they answer.
    let own = |name: &str| touched.iter().any(|one| one.name == name && name_of(&one.worker) == name_of(known.worker));
    let checked = known.started.iter().filter(|one| same.contains(&one.address) && own(&one.name)).cloned().collect();
    Ok(Spec::Verify(VerifySpec {
        targets: same,
        path: declared.health.path.clone(),
        version_field: declared.health.version.clone(),
        version,
        times: 2,
        interval_ms: 50,
        timeout_s: 15,
        instances: checked,
    }))
}
