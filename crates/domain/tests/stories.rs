//! Stories about the rules: one release through its stages, and everything that stops it.

mod interfaces;
mod memory;

use holdpoint_domain::build::advisories;
use holdpoint_domain::build::intake::{self, ReceiveEvidence};
use holdpoint_domain::gate::Light;
use holdpoint_domain::governance::approvals::{self, Vote};
use holdpoint_domain::governance::attempts;
use holdpoint_domain::governance::freezes::{self, DeclareFreeze};
use holdpoint_domain::kernel::{DocKey, Kind, Refusal, Span, Timestamp};
use holdpoint_domain::nouns::{ApprovalState, Author, Closure, FreezeScope, Outcome, Run, RunResult, RunState, Summary, Weakness};
use holdpoint_domain::orchestration::{releases, rollback, runs, watch, workers};
use holdpoint_domain::organisation::{self, Declaration};
use holdpoint_domain::{gates, review};
use holdpoint_seal::digest::Digest;
use memory::{Memory, actor, note, person};
use serde_json::{Value, json};

const NOON: &str = "2026-03-03T12:00:00Z";

fn declarations() -> Vec<Declaration> {
    let read = |value: Value| -> Declaration {
        let kind = value.as_object().and_then(|o| o.keys().next()).cloned().expect("a noun");
        match kind.as_str() {
            "environment" => Declaration::Environment(serde_json::from_value(value).expect("environment")),
            "service" => Declaration::Service(serde_json::from_value(value).expect("service")),
            "pipeline" => Declaration::Pipeline(serde_json::from_value(value).expect("pipeline")),
            "window" => Declaration::Window(serde_json::from_value(value).expect("window")),
            _ => Declaration::Person(serde_json::from_value(value).expect("person")),
        }
    };
    let proxy = json!({"proxy": "http://127.0.0.1:1"});
    [
        json!({"id": "per_root", "roles": ["admin"]}),
        json!({"id": "per_ada", "roles": ["developer", "release-manager"]}),
        json!({"id": "per_grace", "roles": ["release-manager", "operator"]}),
        json!({"id": "per_linus", "roles": ["developer"]}),
        json!({"window": "weekdays", "kind": "allow", "rule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "start": "2026-01-01T06:00:00", "duration": "16h", "zone": "Europe/Berlin"}),
        json!({"environment": "dev", "traffic": proxy}),
        json!({"environment": "production", "production": true, "zone": "Europe/Berlin", "windows": ["weekdays"], "traffic": proxy}),
        json!({"service": "shop", "pipeline": "standard", "components": {
            "orders": {"run": ["${artifact}"], "health": {"path": "/healthz", "version": "version"}, "migrate": {"command": ["${artifact}", "migrate"], "probe": ["${artifact}", "check"]}},
            "storefront": {"run": ["${artifact}"], "health": {"path": "/healthz"}, "after": ["orders"]}}}),
        json!({"pipeline": "standard", "stages": [
            {"environment": "dev", "promotion": "automatic"},
            {"environment": "production", "gates": {"provenance": true, "approvals": [{"role": "release-manager"}], "tests": {"suites": ["unit"], "max-age": "1d"}},
             "rollout": {"strategy": "canary", "steps": [5, 100], "hold": "60s"}}]}),
    ]
    .into_iter()
    .map(read)
    .collect()
}

/// An organisation, a release 1.0.0 of it, with provenance (written by linus) and unit tests.
fn shop() -> Memory {
    let mut memory = Memory::new(NOON);
    // The first administrator is declared by the set-up, before there is anybody who may apply.
    let root = declarations().remove(0);
    memory
        .decide(|_, _| {
            let Declaration::Person(spec) = &root else { panic!("root comes first") };
            let mut decision = holdpoint_domain::kernel::Decision::default();
            decision.fact(Kind::Person, "per_root", holdpoint_domain::nouns::Fact::PersonDeclared(spec.clone()));
            Ok(decision)
        })
        .expect("root");
    memory.decide(|view, _| organisation::apply(view, &declarations(), true, &actor("root"))).expect("applied");
    release(&mut memory, "1.0.0");
    memory
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn release(memory: &mut Memory, version: &str) {
    let id = format!("rel_shop-{version}");
    let ask = releases::CreateRelease {
        id: id.parse().expect("id"),
        service: "shop".to_owned(),
        version: version.to_owned(),
        components: [("orders", format!("orders {version}")), ("storefront", format!("storefront {version}"))]
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), digest(&bytes)))
            .collect(),
        work_items: vec![],
        config: Default::default(),
        triggers: vec![],
        actor: actor("linus"),
    };
    memory.decide(|view, _| releases::create(view, &ask)).expect("created");
    for name in ["orders", "storefront"] {
        let summary = Summary::Provenance {
            repository: "shop".to_owned(),
            commit: "c07d".repeat(10),
            builder: "build".to_owned(),
            level: 1,
            authors: vec![Author { person: person("ada"), commits: vec!["c07d".repeat(10), "4f1c".repeat(10)] }],
            unknown_authors: vec![],
            commits: 2,
        };
        evidence(memory, &digest(&format!("{name} {version}")), &format!("prov {name} {version}"), summary);
    }
    let manifest: Digest = memory.state(Kind::Release, &id)["manifests"][0]["digest"].as_str().expect("digest").parse().expect("digest");
    tests(memory, &manifest, 0, "unit");
}

fn evidence(memory: &mut Memory, subject: &Digest, envelope: &str, summary: Summary) {
    let ask = ReceiveEvidence {
        id: format!("evd_{}", &digest(envelope).hex()[..12]).parse().expect("id"),
        subjects: vec![*subject],
        predicate_type: "urn:test".to_owned(),
        envelope: digest(envelope),
        signer: "key".to_owned(),
        summary,
        actor: actor("linus"),
    };
    memory.decide(|view, _| intake::receive(view, &ask)).expect("received");
}

fn tests(memory: &mut Memory, manifest: &Digest, failed: u32, envelope: &str) {
    let summary = Summary::Tests { suite: "unit".to_owned(), environment: None, total: 41, failed, errors: 0, skipped: 0 };
    evidence(memory, manifest, &format!("{envelope} {manifest}"), summary);
}

fn report(memory: &mut Memory, version: &str, environment: &str) -> holdpoint_domain::gate::Report {
    let (id, place) = (format!("rel_shop-{version}"), environment.to_owned());
    let answer = memory
        .decide(|view, now| {
            gates::report(view, &id, &place, None, now).map(|report| holdpoint_domain::kernel::Decision::unchanged(json!(report)))
        })
        .expect("asked");
    serde_json::from_value(answer).expect("a report")
}

fn approve(memory: &mut Memory, who: &str, version: &str) -> Result<Value, Box<Refusal>> {
    let vote = word(memory, who, version);
    memory.decide(|view, now| approvals::vote(view, &vote, now))
}

fn word(memory: &mut Memory, who: &str, version: &str) -> Vote {
    let report = report(memory, version, "production");
    Vote {
        release: format!("rel_shop-{version}"),
        environment: "production".to_owned(),
        manifest_digest: report.manifest_digest,
        evidence_root: report.evidence_root,
        state: ApprovalState::Given,
        comment: None,
        actor: actor(who),
    }
}

/// An hour has its share of each refused vote; another person, another manifest and the next hour have their own.
#[test]
fn refused_votes_are_kept_hour_by_hour() {
    let mut memory = shop();
    let recorded = |memory: &mut Memory, who: &str| {
        let vote = word(memory, who, "1.0.0");
        let answer = memory.decide(|view, now| attempts::record(view, &vote, "GOV-003", now)).expect("no refusal");
        answer["recorded"] == true
    };
    let kept = (0..30).filter(|_| recorded(&mut memory, "ada")).count();
    assert_eq!(kept, 20);
    assert!(recorded(&mut memory, "linus"));
    let after = |memory: &Memory, minutes| memory.now.checked_add(jiff::SignedDuration::from_mins(minutes)).expect("in range");
    memory.now = after(&memory, 59);
    assert!(!recorded(&mut memory, "ada"));
    memory.now = after(&memory, 1);
    assert!(recorded(&mut memory, "ada"));
    let release = memory.state(Kind::Release, "rel_shop-1.0.0");
    assert_eq!((release["refused"][0]["count"].as_u64(), release["refused"][0]["in_hour"].as_u64()), (Some(21), Some(1)), "{release:#}");
    assert_eq!(memory.names().iter().filter(|name| *name == "ApprovalRefused").count(), 22);
}

/// The promoter's turn for one environment.
fn open(memory: &mut Memory, version: &str, environment: &str, run: &str) -> Value {
    let (id, release) = (run.parse().expect("id"), format!("rel_shop-{version}"));
    memory.decide(|view, now| runs::open(view, &id, &release, environment, now)).expect("asked")
}

fn run(memory: &Memory, id: &str) -> Run {
    serde_json::from_value(memory.state(Kind::Run, id)).expect("a run")
}

fn lease(memory: &mut Memory, id: &str) -> Result<Value, Box<Refusal>> {
    let step = run(memory, id).current().expect("a step").id.clone();
    let length = Span::from_s(15);
    let ask = runs::LeaseStep { run: id.to_owned(), step, worker: "w1".to_owned(), alive: Default::default(), length };
    memory.decide(|view, now| runs::lease(view, &ask, now))
}

fn tell(memory: &mut Memory, leased: &Value, outcome: Outcome) -> Result<Value, Box<Refusal>> {
    let told = runs::Report {
        run: leased["run"].as_str().expect("run").to_owned(),
        step: leased["step"].as_str().expect("step").to_owned(),
        attempt: leased["attempt"].as_str().expect("attempt").to_owned(),
        token: leased["token"].as_u64().expect("token"),
        outcome,
        log: None,
    };
    memory.decide(|view, now| runs::report(view, &told, now))
}

fn done(step: &str) -> Outcome {
    let outputs = if step.ends_with(".start") || step.ends_with("start-old") {
        json!({"instances": [{"name": format!("i-{step}"), "address": "127.0.0.1:9"}]})
    } else {
        json!({})
    };
    Outcome::Done { outputs }
}

/// Does step after step until the run ends or `until` is the current one.
fn go(memory: &mut Memory, id: &str, until: &str) {
    for _ in 0..40 {
        let Some(step) = run(memory, id).current().map(|step| step.id.clone()) else { return };
        if run(memory, id).state == RunState::Ended || step == until {
            return;
        }
        let leased = lease(memory, id).expect("leased");
        tell(memory, &leased, done(&step)).expect("taken");
    }
    panic!("the run does not end");
}

#[test]
fn one_release_goes_all_the_way() {
    let mut memory = shop();
    assert_eq!(open(&mut memory, "1.0.0", "dev", "run_d1")["run"], "run_d1", "dev is automatic");
    go(&mut memory, "run_d1", "");
    assert_eq!(run(&memory, "run_d1").result, Some(RunResult::Succeeded));

    let before = report(&mut memory, "1.0.0", "production");
    assert_eq!(before.verdict, Light::Waiting);
    let refused = approve(&mut memory, "ada", "1.0.0").expect_err("an author");
    assert_eq!(refused.code, "GOV-003");
    assert!(refused.sentence.contains("2 of its commits (c07dc07d 4f1c4f1c)"), "{}", refused.sentence);
    assert_eq!(approve(&mut memory, "linus", "1.0.0").expect_err("editor without the role").code, "GOV-003");
    approve(&mut memory, "grace", "1.0.0").expect("grace may");
    approve(&mut memory, "grace", "1.0.0").expect("and may say so twice");
    assert_eq!(memory.names().iter().filter(|name| *name == "ApprovalGiven").count(), 1);
    assert!(open(&mut memory, "1.0.0", "production", "run_p1")["run"].is_null(), "production waits for somebody who asks");

    memory.decide(|view, now| releases::request(view, "rel_shop-1.0.0", "production", true, &actor("grace"), now)).expect("asked");
    open(&mut memory, "1.0.0", "production", "run_p1");
    go(&mut memory, "run_p1", "");
    assert_eq!(run(&memory, "run_p1").result, Some(RunResult::Succeeded));
    let release = memory.state(Kind::Release, "rel_shop-1.0.0");
    assert_eq!((release["state"].as_str(), release["closure"].as_str()), (Some("closed"), Some("successful")));
    assert_eq!(memory.state(Kind::Slot, "production/shop")["running"]["version"], "1.0.0");
    assert!(memory.state(Kind::Slot, "production/shop")["held_by"].is_null());
}

/// 1.0.0 in production, 1.1.0 approved and asked for, its run `run_p2` open.
fn second() -> Memory {
    let mut memory = shop();
    for version in ["1.0.0", "1.1.0"] {
        if version == "1.1.0" {
            release(&mut memory, version);
        }
        let n = if version == "1.0.0" { 1 } else { 2 };
        open(&mut memory, version, "dev", &format!("run_d{n}"));
        go(&mut memory, &format!("run_d{n}"), "");
        approve(&mut memory, "grace", version).expect("approved");
        let id = format!("rel_shop-{version}");
        memory.decide(|view, now| releases::request(view, &id, "production", true, &actor("grace"), now)).expect("asked");
        open(&mut memory, version, "production", &format!("run_p{n}"));
        if n == 1 {
            go(&mut memory, "run_p1", "");
        }
    }
    memory
}

#[test]
fn a_failed_comparison_brings_traffic_back_first() {
    let mut memory = second();
    go(&mut memory, "run_p2", "watch-5");
    let leased = lease(&mut memory, "run_p2").expect("the watcher's lease");
    let found = watch::Finding {
        run: "run_p2".to_owned(),
        step: "watch-5".to_owned(),
        token: leased["token"].as_u64().expect("token"),
        verdict: "fail".to_owned(),
        sentence: "errors 2.9 % against 0.0 %".to_owned(),
        series: digest("series"),
        trigger: None,
    };
    memory.decide(|view, now| watch::judge(view, &found, now)).expect("judged");
    let turned = run(&memory, "run_p2");
    assert_eq!(turned.state, RunState::RollingBack);
    let back: Vec<&str> = turned.steps.iter().filter(|step| !step.forward).map(|step| step.id.as_str()).collect();
    assert_eq!(back, ["back.storefront.traffic", "back.orders.traffic", "back.verify", "back.storefront.stop-new", "back.orders.stop-new"]);
    // A freeze that is declared now holds nothing up.
    freeze(&mut memory, "production");
    go(&mut memory, "run_p2", "");
    assert_eq!(run(&memory, "run_p2").result, Some(RunResult::RolledBack));
    assert_eq!(memory.state(Kind::Slot, "production/shop")["running"]["version"], "1.0.0");
    assert_eq!(memory.state(Kind::Release, "rel_shop-1.1.0")["closure"], "backed-out");
}

fn freeze(memory: &mut Memory, environment: &str) {
    let from: Timestamp = NOON.parse().expect("instant");
    let ask = DeclareFreeze {
        id: "frz_close".parse().expect("id"),
        name: "Quarter close".to_owned(),
        scope: FreezeScope { environments: vec![environment.to_owned()], services: vec![] },
        from,
        until: from.checked_add(jiff::SignedDuration::from_hours(48)).expect("in range"),
        reason: note("books close"),
        actor: actor("grace"),
    };
    memory.decide(|view, _| freezes::declare(view, &ask)).expect("declared");
}

#[test]
fn a_freeze_declared_in_mid_run_holds_the_next_forward_step_and_lifting_it_goes_on() {
    let mut memory = second();
    go(&mut memory, "run_p2", "orders.start");
    freeze(&mut memory, "production");
    let answer = lease(&mut memory, "run_p2").expect("asked");
    assert_eq!(answer["held"]["code"], "DOOR-001");
    assert!(answer["held"]["sentence"].as_str().expect("text").contains("Quarter close"), "{answer}");
    lease(&mut memory, "run_p2").expect("asked again");
    assert_eq!(memory.names().iter().filter(|name| *name == "RunHeld").count(), 1, "the same reason is not written twice");
    memory.decide(|view, _| freezes::lift(view, &"frz_close".parse().expect("id"), &actor("grace"), note("done"))).expect("lifted");
    go(&mut memory, "run_p2", "watch-5");
    assert_eq!(run(&memory, "run_p2").state, RunState::Running);
}

#[test]
fn changed_content_voids_an_approval() {
    let mut memory = second();
    // Before its run is opened anew: amend, and the approval is void with the reason.
    let now: Digest =
        memory.state(Kind::Release, "rel_shop-1.1.0")["manifests"][0]["digest"].as_str().expect("digest").parse().expect("digest");
    let change = releases::Amendment { config: [("db.pool".to_owned(), Some("40".to_owned()))].into(), ..Default::default() };
    let answer = memory.decide(|view, _| releases::amend(view, "rel_shop-1.1.0", &now, &change, &actor("linus"))).expect("amended");
    assert_eq!(answer["diff"][0]["path"], "config.db.pool");
    let after = report(&mut memory, "1.1.0", "production");
    let approval = after.gates.iter().find(|gate| gate.gate == "approval").expect("gate");
    assert_eq!(approval.light, Light::Waiting);
    assert!(approval.sentence.contains("manifest changed"), "{}", approval.sentence);
    // The run that was open is held at its door: it would release something else than what was approved.
    let answer = lease(&mut memory, "run_p2").expect("asked");
    assert_eq!(answer["held"]["code"], "DOOR-002");
    // And an amendment of what one has not seen is refused.
    let stale = memory.decide(|view, _| releases::amend(view, "rel_shop-1.1.0", &now, &change, &actor("linus"))).expect_err("stale");
    assert_eq!(stale.code, "REL-007");
}

#[test]
fn new_evidence_voids_an_approval_and_failed_tests_shut() {
    let mut memory = shop();
    open(&mut memory, "1.0.0", "dev", "run_d1");
    go(&mut memory, "run_d1", "");
    approve(&mut memory, "grace", "1.0.0").expect("approved");
    let manifest: Digest =
        memory.state(Kind::Release, "rel_shop-1.0.0")["manifests"][0]["digest"].as_str().expect("digest").parse().expect("digest");
    tests(&mut memory, &manifest, 2, "unit again");
    let after = report(&mut memory, "1.0.0", "production");
    assert_eq!(after.verdict, Light::Shut);
    let of = |gate: &str| after.gates.iter().find(|one| one.gate == gate).expect("gate").clone();
    assert_eq!(of("tests").code.as_deref(), Some("TEST-002"));
    assert_eq!(of("approval").code.as_deref(), Some("GOV-006"));
}

#[test]
fn what_nobody_knows_is_asked_once_then_waits_for_a_person() {
    let mut memory = second();
    go(&mut memory, "run_p2", "orders.migrate");
    let leased = lease(&mut memory, "run_p2").expect("leased");
    tell(&mut memory, &leased, Outcome::Indeterminate { reason: "lost".to_owned() }).expect("taken");
    let again = lease(&mut memory, "run_p2").expect("observed");
    assert_eq!(again["mode"], "observe");
    let stale = tell(&mut memory, &leased, done("orders.migrate")).expect_err("the old worker comes back");
    assert_eq!(stale.code, "ORC-006");
    tell(&mut memory, &again, Outcome::Indeterminate { reason: "no probe".to_owned() }).expect("taken");
    assert_eq!(run(&memory, "run_p2").state, RunState::Held);
    assert!(lease(&mut memory, "run_p2").is_err(), "nothing is tried again");
    let id = "run_p2";
    assert_eq!(memory.decide(|view, now| rollback::resume(view, id, &actor("grace"), now)).expect_err("not yet").code, "ORC-008");
    memory
        .decide(|view, now| {
            rollback::resolve(
                view,
                id,
                "orders.migrate",
                Outcome::Done { outputs: json!({}) },
                note("seen in the database"),
                &actor("grace"),
                now,
            )
        })
        .expect("resolved");
    go(&mut memory, id, "watch-5");
    assert_eq!(run(&memory, id).current().map(|step| step.id.clone()).as_deref(), Some("watch-5"));
}

#[test]
fn outcomes_count_once() {
    let mut memory = second();
    let leased = lease(&mut memory, "run_p2").expect("leased");
    tell(&mut memory, &leased, done("orders.migrate")).expect("taken");
    let before = memory.facts.len();
    tell(&mut memory, &leased, done("orders.migrate")).expect("told twice");
    assert_eq!(memory.facts.len(), before);
    assert_eq!(
        tell(&mut memory, &leased, Outcome::Failed { reason: "no".to_owned(), outputs: json!({}) }).expect_err("contradiction").code,
        "ORC-006"
    );
}

#[test]
fn a_rollback_afterwards_goes_to_what_ran_before_and_closing_codes_must_fit() {
    let mut memory = second();
    go(&mut memory, "run_p2", "watch-5");
    let leased = lease(&mut memory, "run_p2").expect("leased");
    let found = watch::Finding {
        run: "run_p2".to_owned(),
        step: "watch-5".to_owned(),
        token: leased["token"].as_u64().expect("token"),
        verdict: "pass".to_owned(),
        sentence: "equal".to_owned(),
        series: digest("series"),
        trigger: None,
    };
    memory.decide(|view, now| watch::judge(view, &found, now)).expect("judged");
    go(&mut memory, "run_p2", "");
    assert_eq!(memory.state(Kind::Slot, "production/shop")["running"]["version"], "1.1.0");
    freeze(&mut memory, "production");
    let id = "run_back".parse().expect("id");
    let answer =
        memory.decide(|view, now| rollback::ask(view, "run_p2", &id, note("customers complain"), &actor("grace"), now)).expect("asked");
    assert_eq!(answer["to"], "1.0.0");
    go(&mut memory, "run_back", "");
    assert_eq!(run(&memory, "run_back").result, Some(RunResult::Succeeded));
    assert_eq!(memory.state(Kind::Slot, "production/shop")["running"]["version"], "1.0.0");
    release(&mut memory, "1.2.0");
    let wrong = memory
        .decide(|view, _| review::closure::close(view, "rel_shop-1.2.0", Closure::Successful, None, note("x"), &actor("grace")))
        .expect_err("never ran");
    assert_eq!(wrong.code, "REL-003");
    memory
        .decide(|view, _| review::closure::close(view, "rel_shop-1.2.0", Closure::Withdrawn, None, note("x"), &actor("grace")))
        .expect("withdrawn");
    assert!(memory.docs.contains_key(&DocKey::new(Kind::Release, "rel_shop-1.2.0")));
}

#[test]
fn what_cannot_work_is_refused_when_it_is_declared() {
    let mut memory = shop();
    for (at, change, path) in [
        ("production", json!({"promotion": "automatic"}), "stages[1].promotion"),
        ("production", json!({"rollout": {"strategy": "canary", "steps": [50, 5, 100]}}), "stages[1].rollout.steps"),
        (
            "production",
            json!({"triggers": [{"metric": "mood", "window": "1m", "test": "above", "threshold": 1.0, "decider": "operator", "deadline": "1m"}]}),
            "stages[1].triggers",
        ),
        ("nowhere", json!({}), "stages[1].environment"),
    ] {
        let mut folder = declarations();
        for one in &mut folder {
            if let Declaration::Pipeline(spec) = one {
                let mut stage = json!({"environment": at});
                for (key, value) in change.as_object().expect("object") {
                    stage[key] = value.clone();
                }
                spec.stages[1] = serde_json::from_value(stage).expect("stage");
            }
        }
        let refused = memory.decide(|view, _| organisation::apply(view, &folder, true, &actor("root"))).expect_err(path);
        assert_eq!((refused.code.as_str(), refused.facts["path"].as_str()), ("ORG-002", Some(path)), "{refused:?}");
    }
    let unchanged = memory.decide(|view, _| organisation::apply(view, &declarations(), true, &actor("root"))).expect("the same folder");
    assert!(unchanged["changes"].as_array().expect("list").iter().all(|change| change["action"] == "same"), "{unchanged}");
    assert_eq!(
        memory.decide(|view, _| organisation::apply(view, &declarations(), true, &actor("linus"))).expect_err("no admin").code,
        "AUTH-003"
    );
}

#[test]
fn outside_the_window_and_in_a_freeze_the_next_start_is_told() {
    let mut memory = shop();
    open(&mut memory, "1.0.0", "dev", "run_d1");
    go(&mut memory, "run_d1", "");
    memory.now = "2026-03-07T12:00:00Z".parse().expect("a Saturday");
    let shut = report(&mut memory, "1.0.0", "production");
    assert_eq!(shut.next_start.map(|at| at.to_string()).as_deref(), Some("2026-03-09T05:00:00Z"), "Monday 06:00 in Berlin");
}

/// What is known of the components of 1.1.0: so many weaknesses of rank high.
fn weaknesses(memory: &mut Memory, manifest: &Digest, ids: &[&str], new: &[&str], envelope: &str) {
    let found = ids.iter().map(|id| Weakness {
        ids: vec![(*id).to_owned(), format!("CVE-{id}")],
        name: "left-pad".to_owned(),
        package: "pkg:npm/left-pad".to_owned(),
        version: "1.2.0".to_owned(),
        class: "high".to_owned(),
        fixed: Some("1.3.0".to_owned()),
    });
    let summary = Summary::Vulnerabilities {
        components: digest("bom"),
        delivery: 1,
        counts: [("high".to_owned(), u32::try_from(ids.len()).expect("few"))].into(),
        found: found.collect(),
        new: new.iter().map(|id| (*id).to_owned()).collect(),
    };
    evidence(memory, manifest, envelope, summary);
}

/// Evidence has a half-life: an advisory, the end of a waiver and an old database each shut what was open and approved.
#[test]
fn known_weaknesses_shut_what_was_approved() {
    let mut memory = shop();
    let mut stricter = declarations();
    let Some(Declaration::Pipeline(pipeline)) = stricter.last_mut() else { panic!("the pipeline is last") };
    pipeline.stages[1].gates.vulnerabilities =
        Some(serde_json::from_value(json!({"max": {"critical": 0, "high": 0}, "max-age": "7d"})).expect("a rule"));
    memory.decide(|view, _| organisation::apply(view, &stricter, true, &actor("root"))).expect("applied");
    release(&mut memory, "1.1.0");
    let manifest: Digest =
        memory.state(Kind::Release, "rel_shop-1.1.0")["manifests"][0]["digest"].as_str().expect("digest").parse().expect("digest");
    let gate = |memory: &mut Memory, name: &str| {
        let gates = report(memory, "1.1.0", "production").gates;
        let gate = gates.into_iter().find(|one| one.gate == name).expect("gate");
        (gate.light, gate.code.unwrap_or_default(), gate.sentence)
    };
    let asked = |memory: &mut Memory| gate(memory, "vulnerabilities");
    assert_eq!(asked(&mut memory).1, "VULN-003");
    memory.decide(|view, _| advisories::receive(view, digest("osv"), true, 9, &actor("root"))).expect("received");
    assert_eq!(asked(&mut memory).1, "VULN-001");
    let list = Summary::Components { format: "CycloneDX 1.6".to_owned(), count: 2, source: digest("bom") };
    evidence(&mut memory, &manifest, "bom", list);
    assert_eq!((asked(&mut memory).0, asked(&mut memory).1.as_str()), (Light::Waiting, "VULN-004"));
    weaknesses(&mut memory, &manifest, &[], &[], "judged 1");
    assert_eq!(asked(&mut memory).0, Light::Open, "{:?}", asked(&mut memory));
    approve(&mut memory, "grace", "1.1.0").expect("approved");
    assert_eq!(gate(&mut memory, "approval").0, Light::Open);

    weaknesses(&mut memory, &manifest, &["GHSA-1"], &["GHSA-1"], "judged 2");
    let (_, code, sentence) = asked(&mut memory);
    assert_eq!(code, "VULN-002");
    assert!(sentence.contains("1 high (0 allowed): new advisory GHSA-1 in left-pad@1.2.0, fixed in 1.3.0"), "{sentence}");
    assert_eq!(gate(&mut memory, "approval").1, "GOV-006", "approved was something else");

    // Ada wrote it, Linus may not, and nobody for ever.
    let until = memory.now.checked_add(jiff::SignedDuration::from_hours(1)).expect("in range");
    let waive = |memory: &mut Memory, who: &str, id: &str, until: Timestamp| {
        let ask = advisories::GrantWaiver {
            id: id.parse().expect("id"),
            advisory: "cve-ghsa-1".to_owned(),
            package: "pkg:npm/left-pad".to_owned(),
            scope: FreezeScope { environments: vec!["production".to_owned()], services: vec![] },
            until,
            reason: note("not reachable"),
            actor: actor(who),
        };
        memory.decide(|view, now| advisories::grant(view, &ask, now))
    };
    assert_eq!(waive(&mut memory, "linus", "wvr_0", until).expect_err("no role").code, "AUTH-003");
    let far = memory.now.checked_add(jiff::SignedDuration::from_hours(24 * 400)).expect("in range");
    assert_eq!(waive(&mut memory, "grace", "wvr_0", far).expect_err("too long").code, "WVR-001");
    waive(&mut memory, "ada", "wvr_1", until).expect("granted");
    assert_eq!(asked(&mut memory).1, "VULN-002", "an author bears nothing");
    waive(&mut memory, "grace", "wvr_2", until).expect("granted");
    let (light, _, sentence) = asked(&mut memory);
    assert!(light == Light::Open && sentence.contains("1 waived"), "{sentence}");
    memory.now = until;
    let (_, code, sentence) = asked(&mut memory);
    assert!(code == "VULN-002" && sentence.contains("waiver ended"), "{code} {sentence}");

    // The database grows old; the same bytes again make it young.
    weaknesses(&mut memory, &manifest, &[], &[], "judged 3");
    assert_eq!(asked(&mut memory).0, Light::Open);
    memory.now = memory.now.checked_add(jiff::SignedDuration::from_hours(24 * 7)).expect("in range");
    assert_eq!(asked(&mut memory).1, "VULN-003");
    memory.decide(|view, _| advisories::receive(view, digest("osv"), true, 9, &actor("root"))).expect("received");
    assert_eq!(asked(&mut memory).0, Light::Open);
    memory.decide(|view, _| advisories::judged(view, 2, 0)).expect("judged");
    memory.decide(|view, _| advisories::judged(view, 1, 0)).expect("nothing to say");
    assert_eq!(memory.state(Kind::Advisories, "all")["judged"], 2);
}

#[test]
fn where_nobody_knows_what_time_it_is_forward_steps_wait_and_a_rollback_goes_on() {
    let mut memory = second();
    go(&mut memory, "run_p2", "watch-5");
    memory.doubtful = true;
    let report = report(&mut memory, "1.1.0", "production");
    let shut: Vec<&str> =
        report.gates.iter().filter(|gate| gate.code.as_deref() == Some("CLK-001")).map(|gate| gate.gate.as_str()).collect();
    assert_eq!(shut, ["scan", "vulnerabilities", "compatibility", "tests", "freeze", "window"]);
    let answer = lease(&mut memory, "run_p2").expect("asked");
    assert_eq!(answer["held"]["code"], "DOOR-001");
    assert!(answer["held"]["sentence"].as_str().expect("text").contains("the clock of decisions has stepped back"), "{answer}");
    let back = "run_b9".parse().expect("id");
    memory.decide(|view, now| rollback::ask(view, "run_p2", &back, note("bad"), &actor("grace"), now)).expect("turned back");
    go(&mut memory, "run_p2", "");
    assert_eq!(run(&memory, "run_p2").result, Some(RunResult::RolledBack));
}

/// A worker of several asks for the current step of a run.
fn lease_by(memory: &mut Memory, id: &str, worker: &str, alive: &[&str]) -> Result<Value, Box<Refusal>> {
    let step = run(memory, id).current().expect("a step").id.clone();
    let length = Span::from_s(15);
    let alive = alive.iter().map(|name| (*name).to_owned()).collect();
    let ask = runs::LeaseStep { run: id.to_owned(), step, worker: worker.to_owned(), alive, length };
    memory.decide(|view, now| runs::lease(view, &ask, now))
}

fn lose(memory: &mut Memory, leased: &Value, how: runs::Lost) {
    let held = runs::Lease {
        run: leased["run"].as_str().expect("run").to_owned(),
        step: leased["step"].as_str().expect("step").to_owned(),
        attempt: leased["attempt"].as_str().expect("attempt").to_owned(),
        token: leased["token"].as_u64().expect("token"),
    };
    memory.decide(|view, now| runs::lost(view, &held, how, now)).expect("lost");
}

#[test]
fn what_a_worker_has_running_only_that_worker_stops_and_checks() {
    let mut memory = shop();
    open(&mut memory, "1.0.0", "dev", "run_d1");
    go(&mut memory, "run_d1", "orders.start");
    let both = ["east", "west"];
    let leased = lease_by(&mut memory, "run_d1", "east/1", &both).expect("nothing runs yet: whoever asks first");
    tell(&mut memory, &leased, done("orders.start")).expect("taken");
    // All instances of a run come to one worker, so that one can check them.
    assert_eq!(lease_by(&mut memory, "run_d1", "west/0", &both).expect_err("east has the others").code, "ORC-004");
    let leased = lease_by(&mut memory, "run_d1", "east/0", &both).expect("its own");
    tell(&mut memory, &leased, done("storefront.start")).expect("taken");
    // Shares are moved by anybody.
    while run(&memory, "run_d1").current().expect("a step").id != "verify" {
        let leased = lease_by(&mut memory, "run_d1", "west/0", &both).expect("leased");
        tell(&mut memory, &leased, done("traffic")).expect("taken");
    }
    assert_eq!(lease_by(&mut memory, "run_d1", "west/0", &both).expect_err("it sees none of them").code, "ORC-004");
    let missing = |memory: &mut Memory, alive: &[&str]| {
        let alive = alive.iter().map(|name| (*name).to_owned()).collect();
        memory.decide(|view, now| workers::missing(view, "run_d1", "verify", &alive, now)).expect("asked");
    };
    missing(&mut memory, &both);
    assert_eq!(run(&memory, "run_d1").state, RunState::Running);
    // East is gone: west still may not, and the run says for whom it waits.
    assert_eq!(lease_by(&mut memory, "run_d1", "west/0", &["west"]).expect_err("it sees none of them").code, "ORC-004");
    missing(&mut memory, &["west"]);
    let held = run(&memory, "run_d1");
    let cause = held.cause.expect("a cause");
    assert_eq!((held.state, cause.code.as_str()), (RunState::Held, "ORC-014"));
    assert!(cause.sentence.contains("waits for worker east"), "{}", cause.sentence);
    // It comes back, and the run goes on by itself.
    let leased = lease_by(&mut memory, "run_d1", "east/3", &both).expect("its own");
    assert_eq!(run(&memory, "run_d1").state, RunState::Running);
    tell(&mut memory, &leased, done("verify")).expect("taken");
    assert_eq!(run(&memory, "run_d1").result, Some(RunResult::Succeeded));
}

#[test]
fn a_person_may_have_done_what_a_missing_worker_cannot() {
    let mut memory = shop();
    open(&mut memory, "1.0.0", "dev", "run_d1");
    go(&mut memory, "run_d1", "verify");
    let resolve = |memory: &mut Memory| {
        memory.decide(|view, now| rollback::resolve(view, "run_d1", "verify", done("verify"), note("looked"), &actor("grace"), now))
    };
    assert_eq!(resolve(&mut memory).expect_err("its worker is there").code, "ORC-011");
    memory.decide(|view, now| workers::missing(view, "run_d1", "verify", &Default::default(), now)).expect("asked");
    assert_eq!(run(&memory, "run_d1").cause.expect("a cause").code, "ORC-014");
    resolve(&mut memory).expect("resolved");
    assert_eq!(run(&memory, "run_d1").result, Some(RunResult::Succeeded));
}

#[test]
fn a_step_that_does_no_harm_twice_is_offered_again_after_a_second_lost_lease_and_not_for_ever() {
    let mut memory = shop();
    open(&mut memory, "1.0.0", "dev", "run_d1");
    go(&mut memory, "run_d1", "orders.start");
    let mut names = Vec::new();
    for _ in 0..5 {
        assert_eq!(run(&memory, "run_d1").state, RunState::Running);
        let leased = lease_by(&mut memory, "run_d1", "w1/0", &["w1"]).expect("offered again");
        names.push(leased["attempt"].as_str().expect("a name").to_owned());
        lose(&mut memory, &leased, runs::Lost::Ended);
    }
    names.dedup();
    assert_eq!(names.len(), 1, "looking again begins nothing under another name: {names:?}");
    let held = run(&memory, "run_d1");
    assert_eq!((held.state, held.cause.expect("a cause").code.as_str()), (RunState::Held, "ORC-008"));
}

#[test]
fn a_step_that_may_do_harm_twice_is_looked_at_once_and_then_a_person_is_asked() {
    let mut memory = shop();
    open(&mut memory, "1.0.0", "dev", "run_d1");
    assert_eq!(run(&memory, "run_d1").current().expect("a step").id, "orders.migrate");
    let first = lease_by(&mut memory, "run_d1", "w1/0", &["w1", "w2"]).expect("leased");
    lose(&mut memory, &first, runs::Lost::Ended);
    // Whoever began it looks, while it is there.
    assert_eq!(lease_by(&mut memory, "run_d1", "w2/0", &["w1", "w2"]).expect_err("w1 began it").code, "ORC-004");
    let second = lease_by(&mut memory, "run_d1", "w2/0", &["w2"]).expect("w1 is gone");
    assert_eq!((second["mode"].as_str(), &second["attempt"]), (Some("probe"), &first["attempt"]));
    lose(&mut memory, &second, runs::Lost::Ended);
    let held = run(&memory, "run_d1");
    assert_eq!((held.state, held.cause.expect("a cause").code.as_str()), (RunState::Held, "ORC-008"));
}

/// One commit tells an outcome and grants the next step; told again, it names the same lease and grants no second one.
#[test]
fn a_worker_that_goes_on_gets_the_next_step_with_its_outcome() {
    let mut memory = shop();
    open(&mut memory, "1.0.0", "dev", "run_d1");
    let leased = lease_by(&mut memory, "run_d1", "w1/0", &["w1"]).expect("leased");
    let first = leased["step"].as_str().expect("a step").to_owned();
    let onward = |pool: &str| runs::Onward {
        pool: pool.to_owned(),
        worker: "w1/0".to_owned(),
        alive: ["w1".to_owned()].into(),
        length: Span::from_s(15),
    };
    let told = runs::Report {
        run: "run_d1".to_owned(),
        step: first.clone(),
        attempt: leased["attempt"].as_str().expect("attempt").to_owned(),
        token: leased["token"].as_u64().expect("token"),
        outcome: done(&first),
        log: None,
    };
    let go_on = |memory: &mut Memory, pool: &str| {
        let (told, onward) = (told.clone(), onward(pool));
        memory.decide(move |view, now| runs::report_and_go_on(view, &told, &onward, now).map(|(decision, _)| decision)).expect("taken")
    };
    let answer = go_on(&mut memory, "default");
    let next = answer["next"].clone();
    let current = run(&memory, "run_d1").current().cloned().expect("a step");
    assert_eq!((next["step"].as_str(), next["mode"].as_str()), (Some(current.id.as_str()), Some("start")), "{answer:#}");
    assert_ne!(current.id, first);
    assert_eq!(current.attempts.len(), 1);
    // The answer was lost: the same lease again, by the same token.
    assert_eq!(go_on(&mut memory, "default")["next"], next);
    assert_eq!(run(&memory, "run_d1").current().expect("a step").attempts.len(), 1);
    tell(&mut memory, &next, done(&current.id)).expect("the token holds");
    // Of another pool it takes nothing.
    let leased = lease_by(&mut memory, "run_d1", "w1/0", &["w1"]).expect("leased");
    let step = leased["step"].as_str().expect("a step").to_owned();
    let told = runs::Report {
        run: "run_d1".to_owned(),
        step: step.clone(),
        attempt: leased["attempt"].as_str().expect("attempt").to_owned(),
        token: leased["token"].as_u64().expect("token"),
        outcome: done(&step),
        log: None,
    };
    let other = onward("elsewhere");
    let answer = memory.decide(move |view, now| runs::report_and_go_on(view, &told, &other, now).map(|(decision, _)| decision));
    assert!(answer.expect("taken")["next"].is_null());
}
