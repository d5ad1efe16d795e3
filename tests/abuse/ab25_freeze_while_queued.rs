//! AB25: a freeze that is declared after the approval holds what is queued, and what runs at its next safe point; the way
//! back stays open.

use holdpoint_testkit::eventually;
use holdpoint_tests::{Organisation, Program, Release, SOON, World};
use serde_json::{Value, json};

fn freeze(world: &World) -> String {
    let body = json!({"name": "quarter close", "environments": ["production"], "until": "2099-01-01T00:00:00Z", "reason": "the books"});
    let made = world.person("grace").post("/v1/freezes", &body).ok();
    made["freeze"].as_str().or(made["id"].as_str()).unwrap_or_else(|| panic!("no id: {made}")).to_owned()
}

fn lift(world: &World, id: &str) {
    world.person("grace").json("DELETE", &format!("/v1/freezes/{id}"), &json!({"reason": "closed"}), &[]).ok();
}

#[test]
fn ab25_a_freeze_holds_what_is_queued_whichever_way_it_was_asked_for() {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    // Queued: asked for, and only the approval is missing.
    world.api("ada").post(&format!("/v1/releases/{}/promotions", release.id), &json!({"environment": "production"})).ok();
    let id = freeze(&world);
    world.approve("grace", &release, "production");
    world.api("grace").post(&format!("/v1/releases/{}/deployments", release.id), &json!({"environment": "production"})).refused("ORC-005");
    let cli = world.cli("grace").run(["release", "deploy", &release.id, "--to", "production"]);
    assert_eq!(cli.code, 1, "{cli}");
    let check =
        world.api("robot").post("/v1/gates/check", &json!({"digest": release.digest, "environment": "production", "service": "web"})).ok();
    assert_ne!(check["verdict"], "open", "{check:#}");
    std::thread::park_timeout(std::time::Duration::from_millis(1500));
    assert_eq!(world.runs(&release, "production"), Vec::<String>::new());
    lift(&world, &id);
    let run = eventually("it begins by itself", SOON, || world.runs(&release, "production").into_iter().next());
    assert_eq!(world.ended(&run)["result"], "succeeded");
}

/// A deployment whose first step takes until a file appears.
fn slow(gate: &std::path::Path) -> Organisation {
    let production = format!(
        "    gates: {{previous: false}}\n    steps-before:\n      - name: wait\n        idempotent: true\n        \
         command: [\"/bin/sh\", \"-c\", \"while ! test -e {}; do sleep 0.05; done\"]\n",
        gate.display()
    );
    Organisation { production, ..Organisation::open() }
}

fn held(world: &World, run: &str) -> Value {
    eventually("it is held", SOON, || Some(world.run(run)).filter(|run| run["state"] == "held"))
}

fn in_the_middle(old: bool) -> (World, Release, String, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = folder.path().join("go");
    let world = World::with(slow(&gate));
    if old {
        std::fs::write(&gate, "").expect("a file");
        let first = world.bare_release(&Program::new("1.0.0"));
        world.deployed("ada", &first, "production");
        std::fs::remove_file(&gate).expect("removed");
    }
    let release = world.bare_release(&Program::new("2.0.0"));
    let run = world.deploy("ada", &release, "production");
    eventually("its first step runs", SOON, || {
        (world.run(&run)["steps"][0]["state"] == "leased" || world.run(&run)["steps"][0]["state"] == "running").then_some(())
    });
    (world, release, run, gate, folder)
}

#[test]
fn ab25_a_freeze_in_mid_run_holds_at_the_next_step() {
    let (world, _, run, gate, _folder) = in_the_middle(false);
    let id = freeze(&world);
    // The step that runs is no safe point to stop at; it ends.
    std::fs::write(&gate, "").expect("a file");
    let view = held(&world, &run);
    assert_eq!(view["cause"]["code"], "DOOR-001", "{view:#}");
    assert_eq!(view["steps"][0]["state"], "done");
    let rest = &view["steps"].as_array().expect("steps")[1..];
    assert!(rest.iter().all(|step| step["state"] == "pending"), "{view:#}");
    assert_eq!(world.processes(&Program::new("2.0.0")), Vec::<u32>::new(), "nothing was started");
    lift(&world, &id);
    assert_eq!(world.ended(&run)["result"], "succeeded");
    assert_eq!(world.answers("production"), "2.0.0");
}

#[test]
fn ab25_the_way_back_is_open_in_a_freeze() {
    let (world, _, run, gate, _folder) = in_the_middle(true);
    freeze(&world);
    std::fs::write(&gate, "").expect("a file");
    held(&world, &run);
    world.person("grace").post(&format!("/v1/runs/{run}/rollback"), &json!({"reason": "it must not stand half done"})).ok();
    assert_eq!(world.ended(&run)["result"], "rolled-back");
    assert_eq!(world.answers("production"), "1.0.0");
}
