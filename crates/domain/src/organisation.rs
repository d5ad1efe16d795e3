//! What an organisation folder declares, and what applying it changes.
//!
//! Applying compares each declaration with what is known, refuses what cannot work (with the declaration's name, so that
//! the file and line can be told), and writes one fact per difference.

use crate::governance::freezes::{self, DeclareFreeze};
use crate::kernel::{Actor, Decision, DocKey, Kind, Need, Noun, PersonRow, Refusal, Span, Stop, View};
use crate::nouns::{
    Environment, EnvironmentSpec, Fact, Freeze, Person, PersonSpec, Pipeline, PipelineSpec, Promotion, Service, ServiceSpec, Strategy,
    Window, WindowSpec,
};
use crate::planning;
use holdpoint_analysis::graph;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One declaration of the folder.
#[derive(Debug, Clone, PartialEq)]
pub enum Declaration {
    Person(PersonSpec),
    Service(ServiceSpec),
    Environment(EnvironmentSpec),
    Pipeline(PipelineSpec),
    Window(WindowSpec),
}

impl Declaration {
    /// The stream it declares.
    pub fn key(&self) -> DocKey {
        match self {
            Declaration::Person(spec) => DocKey::new(Kind::Person, spec.id.as_str()),
            Declaration::Service(spec) => DocKey::new(Kind::Service, spec.name.as_str()),
            Declaration::Environment(spec) => DocKey::new(Kind::Environment, spec.name.as_str()),
            Declaration::Pipeline(spec) => DocKey::new(Kind::Pipeline, spec.name.as_str()),
            Declaration::Window(spec) => DocKey::new(Kind::Window, spec.name.as_str()),
        }
    }
    fn fact(&self) -> Fact {
        match self {
            Declaration::Person(spec) => Fact::PersonDeclared(spec.clone()),
            Declaration::Service(spec) => Fact::ServiceDeclared(spec.clone()),
            Declaration::Environment(spec) => Fact::EnvironmentDeclared(spec.clone()),
            Declaration::Pipeline(spec) => Fact::PipelineDeclared(spec.clone()),
            Declaration::Window(spec) => Fact::WindowDeclared(spec.clone()),
        }
    }
}

/// Latencies are counted up to a minute; whoever allows half of that compares nothing.
const LATENCY_ALLOWANCE_MAX: Span = Span::from_s(30);

/// What applying one declaration does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub kind: Kind,
    pub name: String,
    /// `create`, `change`, `retire` or `same`.
    pub action: &'static str,
    /// `path`, `from`, `to`.
    pub diff: Vec<Value>,
}

/// Applies a folder. `retire`: what is known of these kinds and not in the folder is retired (people excepted: an account
/// that is not in the folder keeps its history and loses its roles only when it is declared without them).
pub fn apply(view: &View, declared: &[Declaration], retire: bool, actor: &Actor) -> Result<Decision, Stop> {
    let mut needs: Vec<Need> = actor.person.iter().map(|person| Need::Doc(DocKey::new(Kind::Person, person.as_str()))).collect();
    needs.extend(declared.iter().map(|one| Need::Doc(one.key())));
    needs.extend([Kind::Service, Kind::Environment, Kind::Pipeline, Kind::Window].map(Need::All));
    view.want(needs)?;
    may(view, actor)?;
    check(view, declared)?;
    let mut decision = Decision::default();
    let mut changes: Vec<Change> = Vec::new();
    for one in declared {
        let key = one.key();
        let (known, retired) = match one {
            Declaration::Person(spec) => known::<Person, _>(view, spec.id.as_str(), |found| (json!(found.spec), found.retired))?,
            Declaration::Service(spec) => known::<Service, _>(view, &spec.name, |found| (json!(found.spec), found.retired))?,
            Declaration::Environment(spec) => known::<Environment, _>(view, &spec.name, |found| (json!(found.spec), found.retired))?,
            Declaration::Pipeline(spec) => known::<Pipeline, _>(view, &spec.name, |found| (json!(found.spec), found.retired))?,
            Declaration::Window(spec) => known::<Window, _>(view, &spec.name, |found| (json!(found.spec), found.retired))?,
        };
        let fact = one.fact();
        let (_, _, new) = fact.write();
        let mut diff = Vec::new();
        difference("", known.as_ref().unwrap_or(&Value::Null), &new, &mut diff);
        let action = match (&known, retired, diff.is_empty()) {
            (None, _, _) | (_, true, _) => "create",
            (Some(_), false, true) => "same",
            (Some(_), false, false) => "change",
        };
        if action != "same" {
            decision.fact(key.kind, key.key.as_str(), fact);
        }
        changes.push(Change { kind: key.kind, name: key.key, action, diff: if action == "change" { diff } else { Vec::new() } });
    }
    if retire {
        let names: BTreeSet<DocKey> = declared.iter().map(Declaration::key).collect();
        let live = [keys::<Service>(view)?, keys::<Environment>(view)?, keys::<Pipeline>(view)?, keys::<Window>(view)?].concat();
        for key in live.into_iter().filter(|key| !names.contains(key)) {
            decision.fact(key.kind, key.key.as_str(), Fact::Retired {});
            changes.push(Change { kind: key.kind, name: key.key, action: "retire", diff: Vec::new() });
        }
    }
    decision.answer = json!({"changes": changes, "applied": true});
    Ok(decision)
}

/// A whole folder: declarations, freezes, and who is behind the ids.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    pub declared: Vec<Declaration>,
    pub frozen: Vec<DeclareFreeze>,
    pub people: Vec<PersonRow>,
}

/// The streams that freezes of a folder take for update besides those that it declares. `environments`: all that are known.
pub fn locks(folder: &Folder, environments: &[String]) -> BTreeSet<DocKey> {
    let frozen = folder.frozen.iter().flat_map(|freeze| freezes::locks(&freeze.id, &freeze.scope, environments));
    folder.declared.iter().map(Declaration::key).chain(frozen).collect()
}

/// Applies a folder as a whole: one decision, so that a freeze that is refused leaves none of the rest behind.
pub fn apply_folder(view: &View, folder: &Folder, retire: bool, actor: &Actor) -> Result<Decision, Stop> {
    view.want(if folder.frozen.is_empty() { Vec::new() } else { vec![Need::All(Kind::Freeze)] })?;
    let mut decision = apply(view, &folder.declared, retire, actor)?;
    let made: BTreeSet<DocKey> = folder.declared.iter().map(Declaration::key).collect();
    let here = |key: &DocKey| match made.contains(key) {
        true => Some(true),
        false => retire.then_some(false),
    };
    let mut known: BTreeSet<String> = BTreeSet::new();
    if !folder.frozen.is_empty() {
        known.extend(view.all::<Freeze>()?.into_iter().map(|freeze| freeze.name));
    }
    let mut changes = Vec::new();
    for ask in &folder.frozen {
        let same = !known.insert(ask.name.clone());
        if !same {
            let declared = freezes::declare_with(view, ask, &here).map_err(|stop| named(stop, &ask.name))?;
            decision.facts.extend(declared.facts);
            decision.notes.extend(declared.notes);
        }
        changes.push(Change { kind: Kind::Freeze, name: ask.name.clone(), action: if same { "same" } else { "create" }, diff: Vec::new() });
    }
    if let Some(list) = decision.answer.get_mut("changes").and_then(Value::as_array_mut) {
        list.extend(changes.iter().map(|change| json!(change)));
    }
    decision.people.clone_from(&folder.people);
    Ok(decision)
}

/// A freeze's refusal, with what it is about, so that file and line can be told.
fn named(stop: Stop, name: &str) -> Stop {
    match stop {
        Stop::Refused(refusal) => {
            let sentence = format!("freeze {name}: {}", refusal.sentence);
            Stop::Refused(Box::new(Refusal { sentence, ..refusal.with(json!({"kind": Kind::Freeze, "name": name})) }))
        }
        other => other,
    }
}

fn may(view: &View, actor: &Actor) -> Result<(), Stop> {
    let person: Option<Person> = match &actor.person {
        Some(person) => view.get(person.as_str())?,
        None => None,
    };
    if person.is_some_and(|person| person.has("admin")) {
        return Ok(());
    }
    Err(Refusal::new("AUTH-003", "applying an organisation folder needs the role admin", "ask an administrator").into())
}

type Known = (Option<Value>, bool);

fn known<T: Noun, F: Fn(&T) -> (Value, bool)>(view: &View, key: &str, of: F) -> Result<Known, Stop> {
    Ok(view.get::<T>(key)?.map_or((None, false), |found| {
        let (spec, retired) = of(&found);
        (Some(spec), retired)
    }))
}

fn keys<T: Noun>(view: &View) -> Result<Vec<DocKey>, Stop> {
    Ok(view.all::<T>()?.iter().map(|noun| DocKey::new(T::KIND, noun.key())).collect())
}

/// Differences between two values, by path.
pub fn difference(path: &str, old: &Value, new: &Value, found: &mut Vec<Value>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                difference(&place, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), found);
            }
        }
        _ if old == new => {}
        _ => found.push(json!({"path": path, "from": old, "to": new})),
    }
}

fn wrong(kind: Kind, name: &str, path: &str, sentence: impl Into<String>, unblock: impl Into<String>) -> Stop {
    Refusal::new("ORG-002", format!("{} {name}: {}", kind.name(), sentence.into()), unblock)
        .with(json!({"kind": kind, "name": name, "path": path}))
        .into()
}

fn check(view: &View, declared: &[Declaration]) -> Result<(), Stop> {
    let mut seen: BTreeSet<DocKey> = BTreeSet::new();
    for one in declared {
        let key = one.key();
        if !seen.insert(key.clone()) {
            return Err(wrong(key.kind, &key.key, "", "it is declared twice", "keep one of the two"));
        }
        if !matches!(one, Declaration::Person(_)) {
            check_name(&key)?;
        }
    }
    for one in declared {
        match one {
            Declaration::Person(_) => {}
            Declaration::Service(spec) => check_service(view, spec, &seen)?,
            Declaration::Environment(spec) => check_environment(view, spec, declared)?,
            Declaration::Pipeline(spec) => check_pipeline(view, spec, declared)?,
            Declaration::Window(spec) => {
                planning::windows::check(spec, "UTC").map_err(|why| wrong(Kind::Window, &spec.name, "rule", why, "see docs: windows"))?;
            }
        }
    }
    Ok(())
}

/// Names are plain ASCII words: nothing that looks like another name can be written.
fn check_name(key: &DocKey) -> Result<(), Stop> {
    let name = key.key.as_str();
    let fits = (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'));
    if fits {
        return Ok(());
    }
    Err(wrong(key.kind, name, "", "not a usable name", "use 1 to 64 of a-z, 0-9, '-', '.', '_', beginning with a letter or digit"))
}

fn declared_or_known<T: Noun>(view: &View, name: &str, declared: bool) -> Result<bool, Stop> {
    Ok(declared || view.all::<T>()?.iter().any(|noun| noun.key() == name))
}

fn check_service(view: &View, spec: &ServiceSpec, seen: &BTreeSet<DocKey>) -> Result<(), Stop> {
    let here = seen.contains(&DocKey::new(Kind::Pipeline, spec.pipeline.as_str()));
    if !declared_or_known::<Pipeline>(view, &spec.pipeline, here)? {
        return Err(wrong(
            Kind::Service,
            &spec.name,
            "pipeline",
            format!("there is no pipeline {:?}", spec.pipeline),
            "declare it, or name one that is declared",
        ));
    }
    if spec.components.is_empty() {
        return Err(wrong(Kind::Service, &spec.name, "components", "a service has at least one component", "declare one"));
    }
    let names: Vec<&String> = spec.components.keys().collect();
    let mut edges: Vec<Vec<usize>> = Vec::new();
    for (name, component) in &spec.components {
        check_part(Kind::Service, &spec.name, &format!("components.{name}"), name)?;
        if component.run.is_empty() {
            return Err(wrong(
                Kind::Service,
                &spec.name,
                &format!("components.{name}.run"),
                "an empty command runs nothing",
                "give the argument vector",
            ));
        }
        if component.instances == 0 || component.instances > 100 {
            return Err(wrong(
                Kind::Service,
                &spec.name,
                &format!("components.{name}.instances"),
                "expected 1 to 100 instances",
                "give a number in that range",
            ));
        }
        let mut after = Vec::new();
        for before in &component.after {
            match names.iter().position(|other| *other == before) {
                Some(index) => after.push(index),
                None => {
                    let path = format!("components.{name}.after");
                    return Err(wrong(
                        Kind::Service,
                        &spec.name,
                        &path,
                        format!("{name} comes after {before:?}, which is no component"),
                        "name a component of this service",
                    ));
                }
            }
        }
        edges.push(after);
    }
    graph::waves(&edges).map(|_| ()).map_err(|why| {
        wrong(
            Kind::Service,
            &spec.name,
            "components",
            format!("the order of components has a cycle: {why:?} of {names:?}"),
            "take one `after` out",
        )
    })
}

/// Names inside a declaration become parts of step ids and paths.
fn check_part(kind: Kind, of: &str, path: &str, name: &str) -> Result<(), Stop> {
    let plain =
        (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if plain {
        return Ok(());
    }
    Err(wrong(kind, of, path, format!("{name:?} is no usable name"), "use 1 to 40 of a-z, 0-9, '-', '_'"))
}

fn check_environment(view: &View, spec: &EnvironmentSpec, declared: &[Declaration]) -> Result<(), Stop> {
    if holdpoint_analysis::calendar::zone(&spec.zone).is_err() {
        return Err(wrong(
            Kind::Environment,
            &spec.name,
            "zone",
            format!("there is no time zone {:?}", spec.zone),
            "use an IANA name such as Europe/Berlin",
        ));
    }
    for name in &spec.windows {
        let here = declared.iter().any(|one| matches!(one, Declaration::Window(window) if window.name == *name));
        if !declared_or_known::<Window>(view, name, here)? {
            return Err(wrong(
                Kind::Environment,
                &spec.name,
                "windows",
                format!("there is no window {name:?}"),
                "declare it, or name one that is declared",
            ));
        }
    }
    if let Some(traffic) = &spec.traffic
        && traffic.proxy.is_some() == traffic.haproxy.is_some()
    {
        return Err(wrong(Kind::Environment, &spec.name, "traffic", "expected either proxy or haproxy", "give one of the two"));
    }
    Ok(())
}

fn check_pipeline(view: &View, spec: &PipelineSpec, declared: &[Declaration]) -> Result<(), Stop> {
    if spec.stages.is_empty() {
        return Err(wrong(Kind::Pipeline, &spec.name, "stages", "a pipeline has at least one stage", "declare one"));
    }
    let mut places = BTreeSet::new();
    for (at, stage) in spec.stages.iter().enumerate() {
        let path = |part: &str| format!("stages[{at}].{part}");
        if !places.insert(&stage.environment) {
            return Err(wrong(
                Kind::Pipeline,
                &spec.name,
                &path("environment"),
                format!("environment {} has two stages", stage.environment),
                "keep one",
            ));
        }
        let here = declared.iter().find_map(|one| match one {
            Declaration::Environment(place) if place.name == stage.environment => Some(place.production),
            _ => None,
        });
        let production = match here {
            Some(production) => production,
            None => match view.all::<Environment>()?.into_iter().find(|place| place.spec.name == stage.environment) {
                Some(place) => place.spec.production,
                None => {
                    return Err(wrong(
                        Kind::Pipeline,
                        &spec.name,
                        &path("environment"),
                        format!("there is no environment {:?}", stage.environment),
                        "declare it",
                    ));
                }
            },
        };
        if production && stage.promotion == Promotion::Automatic {
            return Err(wrong(
                Kind::Pipeline,
                &spec.name,
                &path("promotion"),
                "production always needs a named person",
                "use promotion: manual",
            ));
        }
        if stage.gates.compatibility.as_ref().is_some_and(|rule| rule.interfaces.is_empty()) {
            return Err(wrong(
                Kind::Pipeline,
                &spec.name,
                &path("gates.compatibility.interfaces"),
                "expected the name of an interface: without one nothing would have to be described",
                "for example [http]",
            ));
        }
        let rollout = &stage.rollout;
        if rollout.strategy == Strategy::Canary {
            let rising = rollout.steps.windows(2).all(|pair| pair[0] < pair[1]);
            if rollout.steps.last() != Some(&100) || rollout.steps.first() == Some(&0) || !rising {
                return Err(wrong(
                    Kind::Pipeline,
                    &spec.name,
                    &path("rollout.steps"),
                    format!("expected rising percentages that end at 100, found {:?}", rollout.steps),
                    "for example [5, 25, 100]",
                ));
            }
            if rollout.latency_allowance > LATENCY_ALLOWANCE_MAX {
                return Err(wrong(
                    Kind::Pipeline,
                    &spec.name,
                    &path("rollout.latency-allowance"),
                    format!("{} is more than {LATENCY_ALLOWANCE_MAX}: no answer would ever count as late", rollout.latency_allowance),
                    "for example 5ms; or latency: false, where latencies are not to be compared",
                ));
            }
            if rollout.interval.ms() == 0 || rollout.hold < rollout.interval {
                return Err(wrong(
                    Kind::Pipeline,
                    &spec.name,
                    &path("rollout.hold"),
                    "the hold is shorter than one interval",
                    "give a longer hold",
                ));
            }
        }
        if !(rollout.alpha > 0.0 && rollout.alpha < 0.5) {
            return Err(wrong(
                Kind::Pipeline,
                &spec.name,
                &path("rollout.alpha"),
                format!("expected a chance above 0 and below 0.5, found {}", rollout.alpha),
                "0.05 is usual",
            ));
        }
        if !(rollout.tolerance >= 0.0 && rollout.tolerance <= 10.0) {
            let sentence = format!("expected a relative tolerance from 0 to 10, found {}", rollout.tolerance);
            return Err(wrong(Kind::Pipeline, &spec.name, &path("rollout.tolerance"), sentence, "0.25 is usual"));
        }
        for list in [&stage.steps_before, &stage.steps_after] {
            let mut names: Vec<&str> = list.iter().map(|step| step.name.as_str()).collect();
            names.sort_unstable();
            if names.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(wrong(Kind::Pipeline, &spec.name, &path("steps"), "two steps have the same name", "give each its own"));
            }
        }
        let mut suites: Vec<&str> = stage.tests.iter().map(|test| test.name.as_str()).collect();
        suites.sort_unstable();
        if suites.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(wrong(Kind::Pipeline, &spec.name, &path("tests"), "two tests have the same name", "give each its own"));
        }
        for name in
            stage.tests.iter().map(|test| &test.name).chain(stage.steps_before.iter().chain(&stage.steps_after).map(|step| &step.name))
        {
            check_part(Kind::Pipeline, &spec.name, &path("steps"), name)?;
        }
        for step in stage.steps_before.iter().chain(&stage.steps_after) {
            if step.command.is_empty() == step.http.is_none() {
                return Err(wrong(
                    Kind::Pipeline,
                    &spec.name,
                    &path("steps"),
                    format!("step {:?} needs either command or http", step.name),
                    "give one of the two",
                ));
            }
        }
        for trigger in &stage.triggers {
            check_trigger(spec, at, trigger)?;
        }
    }
    Ok(())
}

fn check_trigger(spec: &PipelineSpec, at: usize, trigger: &crate::nouns::Trigger) -> Result<(), Stop> {
    const METRICS: [&str; 3] = ["error-ratio", "latency-p99-ms", "requests"];
    let path = format!("stages[{at}].triggers");
    if !METRICS.contains(&trigger.metric.as_str()) {
        return Err(wrong(
            Kind::Pipeline,
            &spec.name,
            &path,
            format!("there is no metric {:?}", trigger.metric),
            format!("one of {}", METRICS.join(", ")),
        ));
    }
    let needs = trigger.test != crate::nouns::Test::Canary;
    if needs != trigger.threshold.is_some() {
        return Err(wrong(
            Kind::Pipeline,
            &spec.name,
            &path,
            format!("trigger on {}: above and below need a threshold, canary has none", trigger.metric),
            "give or drop the threshold",
        ));
    }
    Ok(())
}
