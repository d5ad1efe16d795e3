//! The visible list of gates, and how all of them are asked at once.

use crate::gate::{Atom, Condition, Gate, GateAnswer, Light, Question, Report};
use crate::kernel::{DocKey, Kind, Need, PersonId, Refusal, Stop, Timestamp, View};
use crate::nouns::{Advisories, Environment, Freeze, Person, Pipeline, Release, Run, Service, Slot, Subject, Summary, Waiver, Window};
use crate::{build, governance, orchestration, planning, validation};
use holdpoint_seal::digest::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// Every gate there is. Adding one: a file in its room, and a line here.
pub const GATES: &[Gate] = &[
    orchestration::lifecycle::GATE,
    orchestration::definition::GATE,
    build::provenance::GATE,
    build::scan::GATE,
    build::vulnerabilities::GATE,
    build::compatibility::GATE,
    validation::results::GATE,
    orchestration::previous::GATE,
    governance::approvals::GATE,
    governance::freezes::GATE,
    planning::windows::GATE,
    orchestration::slot::GATE,
];

/// Gates whose answer depends on what time it is: windows, freezes, evidence with a maximum age, and waivers.
const TIMED: [&str; 6] = ["window", "freeze", "tests", "scan", "vulnerabilities", "compatibility"];

/// Loads what the gates of a release in an environment look at.
pub fn question(view: &View, release: &str, environment: &str, run: Option<&str>, now: Timestamp) -> Result<Question, Stop> {
    let release: Release = view.get(release)?.ok_or_else(|| missing("release", release))?;
    let manifest = release.manifest().clone();
    let service: Service = view.get(&manifest.service)?.ok_or_else(|| missing("service", &manifest.service))?;
    let mut digests: Vec<String> = manifest.components.values().map(|pin| pin.digest.to_string()).collect();
    digests.push(release.manifest_digest().to_string());
    let mut needs = vec![
        Need::Doc(DocKey::new(Kind::Pipeline, service.spec.pipeline.as_str())),
        Need::Doc(DocKey::new(Kind::Environment, environment)),
        Need::Doc(DocKey::new(Kind::Slot, Slot::key_of(environment, &manifest.service))),
        Need::All(Kind::Freeze),
    ];
    needs.extend(digests.iter().map(|digest| Need::Doc(DocKey::new(Kind::Subject, digest.as_str()))));
    needs.extend(run.map(|id| Need::Doc(DocKey::new(Kind::Run, id))));
    view.want(needs)?;
    let pipeline: Pipeline = view.get(&service.spec.pipeline)?.ok_or_else(|| missing("pipeline", &service.spec.pipeline))?;
    let (stage, previous) = pipeline.stage(environment).map(|(stage, before)| (stage.clone(), before.cloned())).ok_or_else(|| {
        let known: Vec<&str> = pipeline.spec.stages.iter().map(|stage| stage.environment.as_str()).collect();
        Refusal::new(
            "ORC-001",
            format!("pipeline {} has no stage for environment {environment}; it has {}", pipeline.spec.name, known.join(", ")),
            "name one of its environments, or add a stage to the pipeline",
        )
    })?;
    let place: Environment = view.get(environment)?.ok_or_else(|| missing("environment", environment))?;
    for (what, name, retired) in [
        ("environment", environment, place.retired),
        ("service", service.spec.name.as_str(), service.retired),
        ("pipeline", pipeline.spec.name.as_str(), pipeline.retired),
    ] {
        if retired {
            let sentence = format!("the {what} {name:?} is retired");
            return Err(Refusal::new("ORG-001", sentence, "declare it again in the organisation folder, if it is to be used").into());
        }
    }
    let slot: Option<Slot> = view.get(&Slot::key_of(environment, &manifest.service))?;
    let run: Option<Run> = match run {
        Some(id) => view.get(id)?,
        None => None,
    };

    let mut subjects: BTreeMap<Digest, Subject> =
        view.get_many::<Subject>(&digests)?.into_iter().flatten().map(|subject| (subject.digest, subject)).collect();

    let mut ids: BTreeSet<PersonId> = release.editors().cloned().collect();
    ids.extend(release.approvals.iter().map(|vote| vote.by.clone()));
    for item in subjects.values().flat_map(Subject::standing) {
        if let Summary::Provenance { authors, .. } = &item.summary {
            ids.extend(authors.iter().map(|author| author.person.clone()));
        }
    }
    let ids: Vec<String> = ids.into_iter().map(String::from).collect();
    // Only where the stage asks for them: other stages' transactions need not lock these.
    let asks = stage.gates.vulnerabilities.is_some() || stage.gates.compatibility.is_some();
    let mut needs: Vec<Need> = ids.iter().map(|id| Need::Doc(DocKey::new(Kind::Person, id.as_str()))).collect();
    needs.extend(place.spec.windows.iter().map(|name| Need::Doc(DocKey::new(Kind::Window, name.as_str()))));
    if asks {
        needs.extend([Need::All(Kind::Waiver), Need::Doc(DocKey::new(Kind::Advisories, Advisories::KEY))]);
    }
    // What runs or may come back there: its interfaces, and who uses them.
    let mut beside: Vec<String> = Vec::new();
    if stage.gates.compatibility.is_some() {
        beside = build::interfaces::digests(slot.as_ref()).iter().map(Digest::to_string).collect();
        needs.extend(beside.iter().map(|digest| Need::Doc(DocKey::new(Kind::Subject, digest.as_str()))));
    }
    view.want(needs)?;
    let beside = view.get_many::<Subject>(&beside)?;
    subjects.extend(beside.into_iter().flatten().map(|subject| (subject.digest, subject)));
    let people = view.get_many::<Person>(&ids)?.into_iter().flatten().map(|person| (person.spec.id.clone(), person)).collect();
    let freezes: Vec<Freeze> = view.all()?;
    let windows: Vec<Window> = view.get_many::<Window>(&place.spec.windows)?.into_iter().flatten().collect();
    let (waivers, advisories) = if asks { (view.all::<Waiver>()?, view.get::<Advisories>(Advisories::KEY)?) } else { (Vec::new(), None) };
    let clock_doubtful = view.clock_doubtful();
    Ok(Question {
        now,
        release,
        service,
        pipeline,
        stage,
        previous,
        environment: place,
        slot,
        subjects,
        people,
        freezes,
        windows,
        waivers,
        advisories,
        run,
        clock_doubtful,
    })
}

/// One gate's condition. Where nobody knows what time it is, what depends on it is shut, whatever it says.
fn asked(gate: &Gate, question: &Question) -> Condition {
    let condition = (gate.ask)(question);
    if !question.clock_doubtful || !TIMED.contains(&gate.id) {
        return condition;
    }
    let why = Atom::shut(
        "CLK-001",
        "the clock of decisions has stepped back by more than 2 s, or differs by as much from the server's",
        "set the clock right (holdpoint doctor); a rollback goes on meanwhile",
    );
    Condition::All(vec![condition, why.into()])
}

/// Asks every gate.
pub fn ask(question: &Question) -> Report {
    let gates: Vec<GateAnswer> = GATES.iter().map(|gate| GateAnswer::of(gate, &asked(gate, question))).collect();
    let verdict = gates.iter().map(|gate| gate.light).max().unwrap_or(Light::Shut);
    let timed = gates.iter().any(|gate| gate.light != Light::Open && matches!(gate.gate.as_str(), "window" | "freeze"));
    Report {
        release: question.release.id.to_string(),
        service: question.release.manifest().service.clone(),
        version: question.release.manifest().version.clone(),
        environment: question.stage.environment.clone(),
        manifest_digest: *question.release.manifest_digest(),
        evidence_root: crate::evidence::root(question),
        at: question.now,
        verdict,
        next_start: timed.then(|| planning::windows::next_start(question)).flatten(),
        gates,
    }
}

/// Loads and asks.
pub fn report(view: &View, release: &str, environment: &str, run: Option<&str>, now: Timestamp) -> Result<Report, Stop> {
    Ok(ask(&question(view, release, environment, run, now)?))
}

fn missing(what: &str, key: &str) -> Refusal {
    Refusal::new("ORG-001", format!("there is no {what} {key:?}"), format!("list what there is, or declare the {what} first"))
}
