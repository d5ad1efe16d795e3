//! Stories about interfaces: what a release describes, against what runs.

use super::memory::{Memory, actor};
use super::{approve, declarations, digest, evidence, go, open, release, report, shop};
use holdpoint_domain::gate::Light;
use holdpoint_domain::nouns::{Break, Summary};
use holdpoint_domain::orchestration::releases;
use holdpoint_domain::organisation::{self, Declaration};
use serde_json::{Value, json};

/// What runs is described by nobody, then by somebody; compared, broken, borne; and shut again at the door.
#[test]
fn interfaces_are_compared_with_what_runs() {
    let mut memory = shop();
    let mut stricter = declarations();
    let Some(Declaration::Pipeline(pipeline)) = stricter.last_mut() else { panic!("the pipeline is last") };
    let rule = |names: Value| Some(serde_json::from_value(json!({"interfaces": names})).expect("a rule"));
    pipeline.stages[1].gates.compatibility = rule(json!([]));
    let refused = memory.decide(|view, _| organisation::apply(view, &stricter, true, &actor("root"))).expect_err("nothing is asked for");
    assert!(refused.sentence.contains("expected the name of an interface"), "{}", refused.sentence);
    open(&mut memory, "1.0.0", "dev", "run_d1");
    go(&mut memory, "run_d1", "");
    approve(&mut memory, "grace", "1.0.0").expect("approved");
    memory.decide(|view, now| releases::request(view, "rel_shop-1.0.0", "production", true, &actor("grace"), now)).expect("asked");
    open(&mut memory, "1.0.0", "production", "run_p1");
    go(&mut memory, "run_p1", "");
    let Some(Declaration::Pipeline(pipeline)) = stricter.last_mut() else { panic!("the pipeline is last") };
    pipeline.stages[1].gates.compatibility = rule(json!(["http"]));
    memory.decide(|view, _| organisation::apply(view, &stricter, true, &actor("root"))).expect("applied");
    release(&mut memory, "1.1.0");
    let (old, new) = (digest("orders 1.0.0"), digest("orders 1.1.0"));
    let asked = |memory: &mut Memory| {
        let gates = report(memory, "1.1.0", "production").gates;
        let gate = gates.into_iter().find(|one| one.gate == "compatibility").expect("gate");
        (gate.light, gate.code.unwrap_or_default(), gate.sentence)
    };
    let described = |text: &str| Summary::Interface { interface: "http".to_owned(), format: "openapi".to_owned(), source: digest(text) };
    assert_eq!(asked(&mut memory).1, "COM-001");
    evidence(&mut memory, &new, "new", described("api 2"));
    let (light, code, sentence) = asked(&mut memory);
    assert!(light == Light::Shut && code == "COM-002", "{code} {sentence}");
    evidence(&mut memory, &old, "old", described("api 1"));
    assert_eq!((asked(&mut memory).0, asked(&mut memory).1.as_str()), (Light::Waiting, "COM-004"));
    let judged = |way: &str, severity: &str, environment: &str| Summary::Compatibility {
        interface: "http".to_owned(),
        environment: environment.to_owned(),
        base: digest("api 1"),
        revision: digest("api 2"),
        usage: vec![],
        counts: [(severity.to_owned(), 1)].into(),
        found: vec![Break {
            id: "brk-1".to_owned(),
            way: way.to_owned(),
            rule: "gone".to_owned(),
            severity: severity.to_owned(),
            place: "http:8 /paths".to_owned(),
            message: "It is gone.".to_owned(),
            consumers: vec![],
            consumers_total: 0,
        }],
    };
    evidence(&mut memory, &new, "elsewhere", judged("back", "risky", "dev"));
    assert_eq!(asked(&mut memory).0, Light::Waiting, "another place's comparison is none here");
    evidence(&mut memory, &new, "judged", judged("back", "risky", "production"));
    let (light, _, sentence) = asked(&mut memory);
    assert!(light == Light::Open && sentence.contains("1 risky, such as after a rollback, gone at http:8 /paths"), "{sentence}");
    // Another description of the same bytes: each counts, so nobody opens the gate by a friendlier one.
    evidence(&mut memory, &new, "other", described("api 3"));
    assert_eq!(asked(&mut memory).1, "COM-004");
    let Summary::Compatibility { interface, environment, base, usage, counts, found, .. } = judged("forward", "breaking", "production")
    else {
        panic!("a comparison")
    };
    let worse = Summary::Compatibility { interface, environment, base, revision: digest("api 3"), usage, counts, found };
    evidence(&mut memory, &new, "judged again", worse);
    let (_, code, sentence) = asked(&mut memory);
    assert!(code == "COM-003" && sentence.contains("gone at http:8 /paths, against 1.0.0 (running in production)"), "{code} {sentence}");
    assert!(sentence.contains("Its usage is not recorded."), "{sentence}");
    // A log of another component's interface of the same name tells nothing of this one.
    let log = |text: &str| Summary::Usage {
        interface: "http".to_owned(),
        environment: "production".to_owned(),
        requests: 3,
        unmatched: 0,
        consumers: 2,
        from: "2026-02-01T00:00:00Z".parse().expect("a moment"),
        until: "2026-03-01T00:00:00Z".parse().expect("a moment"),
        source: digest(text),
    };
    evidence(&mut memory, &digest("storefront 1.0.0"), "log of another", log("log of another"));
    assert!(asked(&mut memory).2.contains("Its usage is not recorded."), "{}", asked(&mut memory).2);
    evidence(&mut memory, &old, "log", log("log"));
    let (_, code, sentence) = asked(&mut memory);
    let expected = "Nobody was seen using it from 2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z; unseen is not unused.";
    assert!(code == "COM-003" && sentence.contains(expected), "{code} {sentence}");
}
