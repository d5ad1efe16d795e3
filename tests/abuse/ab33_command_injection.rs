//! AB33: names, refs, versions and values reach child processes as single arguments, never as options or shell text.

use holdpoint_tests::{Organisation, Program, World};
use serde_json::{Value, json};

/// Each would leave a file if anything evaluated it.
fn hostile(trace: &str) -> Vec<String> {
    vec![
        format!("$(touch {trace})"),
        format!("`touch {trace}`"),
        format!("; touch {trace}"),
        format!("x\ntouch {trace}"),
        format!("--upload-pack=touch {trace}"),
        format!("-oProxyCommand=touch {trace}"),
        format!("ext::sh -c touch% {trace}"),
        format!("--output={trace}"),
        format!("@{trace}"),
        format!("x' || touch {trace} || '"),
        format!("| touch {trace}"),
        "--help".to_owned(),
        "../../../etc/passwd".to_owned(),
        "x\0y".to_owned(),
    ]
}

fn taken_or_refused(answer: &holdpoint_testkit::Answer) {
    assert!(answer.status < 500, "{}: {}", answer.request, answer.text());
}

#[test]
fn ab33_hostile_refs_and_repositories_run_nothing() {
    let component = "    build: {command: [cp, program.py, built.py], artifacts: {app: built.py}}\n".to_owned();
    let world = World::with(Organisation { component, ..Organisation::open() });
    let trace = world.folder().join("trace");
    let robot = world.api("robot");
    let real = "b".repeat(40);
    let mut runs: Vec<String> = Vec::new();
    for text in hostile(&trace.display().to_string()) {
        let build = |repository: &str, commit: &str, base: Value| {
            robot.post(
                "/v1/builds",
                &json!({"service": "web", "component": "app", "repository": repository, "commit": commit, "base": base}),
            )
        };
        build("/srv/none", &text, Value::Null).refused("BLD-002");
        build("/srv/none", &real, json!(text)).refused("BLD-002");
        // A repository is a place that a worker tries; it finds nothing there, and nothing runs.
        let answer = build(&text, &real, Value::Null);
        taken_or_refused(&answer);
        if answer.status < 300 {
            runs.push(answer.ok()["run"].as_str().expect("a run").to_owned());
        }
        for field in ["service", "component", "pool"] {
            let mut body = json!({"service": "web", "component": "app", "repository": "/srv/none", "commit": real});
            body[field] = json!(text);
            if field != "pool" {
                let answer = robot.post("/v1/builds", &body);
                assert!((400..500).contains(&answer.status), "{field} {text:?}: {}", answer.text());
            }
        }
        let cli = world.cli("robot").run([
            "build",
            "start",
            "web",
            "app",
            "--repository",
            &world.folder().display().to_string(),
            &format!("--commit={}", text.replace('\0', "")),
        ]);
        assert_ne!(cli.code, 0, "{cli}");
    }
    for run in runs {
        let view = world.ended(&run);
        assert_ne!(view["result"], "succeeded", "{view:#}");
    }
    assert!(!trace.exists(), "something was evaluated");
}

/// Versions are of a narrow alphabet; configuration may be anything, and is one argument.
#[test]
fn ab33_hostile_values_are_single_arguments() {
    let folder = tempfile::tempdir().expect("a folder");
    let (trace, seen) = (folder.path().join("trace"), folder.path().join("seen"));
    let test = format!(
        "    gates: {{previous: false}}\n    steps-before:\n      - name: note\n        idempotent: true\n        \
         command: [python3, \"-c\", \"import json, sys; json.dump(sys.argv[1:], open(sys.argv[1], 'w'))\", \"{}\", \"${{config.TEXT}}\", \"x${{config.TEXT}}y\"]\n",
        seen.display()
    );
    let world = World::with(Organisation { test, ..Organisation::open() });
    let digest = world.upload(&Program::new("1.0.0").bytes());
    let ada = world.api("ada");
    let mut last = None;
    for (number, text) in hostile(&trace.display().to_string()).into_iter().enumerate() {
        let version = ada.post("/v1/releases", &json!({"service": "web", "version": text, "components": {"app": digest}}));
        assert!((400..500).contains(&version.status), "version {text:?}: {}", version.text());
        let component = ada.post("/v1/releases", &json!({"service": "web", "version": "9.9.9", "components": {text.clone(): digest}}));
        assert!((400..500).contains(&component.status), "component {text:?}: {}", component.text());
        let body = json!({"service": "web", "version": format!("1.0.{number}"), "components": {"app": digest}, "config": {"TEXT": text}, "work_items": [text]});
        let made = ada.post("/v1/releases", &body);
        taken_or_refused(&made);
        if number == 0 {
            last = Some((made.ok(), text));
        }
    }
    let (made, text) = last.expect("the first");
    let id = made["release"].as_str().expect("an id");
    let asked = ada.post(&format!("/v1/releases/{id}/deployments"), &json!({"environment": "test"})).ok();
    world.ended(asked["run"].as_str().expect("a run"));
    let argv: Value = serde_json::from_slice(&std::fs::read(&seen).expect("the step wrote what it saw")).expect("JSON");
    assert_eq!(argv[1], text.as_str());
    assert_eq!(argv[2], format!("x{text}y"));
    assert!(!trace.exists(), "something was evaluated");
}
