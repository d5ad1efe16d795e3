//! F03, F04, F16: workers that die, come back late, or say everything twice.

use crate::stage::{Hand, PATIENCE, pause};
use holdpoint_testkit::process::eventually;
use holdpoint_testkit::{Client, Holdpoint, Options};
use holdpoint_tests::Program;
use serde_json::{Value, json};
use std::time::Duration;

/// A server without a worker, an organisation whose one stage has these steps before its rollout.
pub struct Bed {
    pub server: Holdpoint,
    root: Client,
    ada: Client,
    pub grace: Client,
    pub folder: tempfile::TempDir,
}

impl Bed {
    pub fn start(steps: impl FnOnce(&str) -> String) -> Self {
        Self::on(Options { args: vec!["--no-worker".to_owned()], ..Options::default() }, steps)
    }

    pub fn on(options: Options, steps: impl FnOnce(&str) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Holdpoint::with(options);
        let root = server.administrator();
        let text = format!(
            "person: root\nroles: [admin, operator]\n---\nperson: ada\nroles: [developer]\n---\nperson: grace\nroles: [release-manager, operator]\n---\n\
             environment: test\norder: 1\n---\nservice: web\npipeline: web\ncomponents:\n  app:\n    \
             run: [python3, -I, -S, \"${{artifact}}\", \"${{port}}\"]\n    health: {{path: /healthz, version: version}}\n---\n\
             pipeline: web\nstages:\n  - environment: test\n    gates: {{previous: false}}\n    steps-before:\n{}",
            steps(&folder.path().display().to_string())
        );
        root.post("/v1/apply", &json!({"documents": [{"file": "all.yaml", "text": text}]})).ok();
        let (ada, grace) = (server.person(&root, "ada"), server.person(&root, "grace"));
        Self { server, root, ada, grace, folder }
    }

    pub fn worker(&self, name: &str) -> Hand {
        Hand::beside(&self.server, name)
    }

    pub fn deploy(&self, version: &str) -> String {
        let bytes = Program::new(version).bytes();
        let digest = crate::story::digest_of(&bytes);
        self.ada.upload("PUT", &format!("/v1/blobs/{digest}"), "application/octet-stream", bytes).ok();
        let made = self.ada.post("/v1/releases", &json!({"service": "web", "version": version, "components": {"app": digest}})).ok();
        let id = made["release"].as_str().expect("a release");
        let asked = self.ada.post(&format!("/v1/releases/{id}/deployments"), &json!({"environment": "test"})).ok();
        asked["run"].as_str().unwrap_or_else(|| panic!("no run: {asked}")).to_owned()
    }

    pub fn run(&self, id: &str) -> Value {
        self.ada.get(&format!("/v1/runs/{id}")).ok()
    }

    pub fn until(&self, id: &str, what: &str, look: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let began = std::time::Instant::now();
        eventually(what, PATIENCE + PATIENCE, || {
            last = self.run(id);
            assert!(began.elapsed() < PATIENCE, "not: {what}\n{last:#}\n{}", self.server.stderr());
            look(&last).then(|| last.clone())
        })
    }

    pub fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("effects")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub fn begun(&self) {
        eventually("the step runs", PATIENCE, || (!self.lines().is_empty()).then_some(()));
    }
}

/// Writes a line, then waits for a file.
pub fn wait(folder: &str, probe: bool) -> String {
    let probe = if probe { format!("\n        probe: [grep, -q, begun, {folder}/effects]") } else { String::new() };
    format!(
        "      - name: wait\n        command: [\"/bin/sh\", \"-c\", \"echo begun >> {folder}/effects; while ! test -e {folder}/go; do sleep 0.05; done\"]{probe}\n"
    )
}

/// The program outlives its worker and ends in time; the worker comes back and joins it.
#[test]
fn f03_a_worker_that_comes_back_joins_what_it_began() {
    let bed = Bed::start(|folder| wait(folder, false));
    let mut worker = bed.worker("one");
    let run = bed.deploy("1.0.0");
    bed.begun();
    worker.kill();
    std::fs::write(bed.folder.path().join("go"), "").expect("a file");
    worker.start(None);
    let view = bed.until(&run, "the run ends", |run| run["state"] == "ended");
    assert_eq!(view["result"], "succeeded", "{view:#}");
    assert_eq!(bed.lines(), ["begun"], "the step was begun twice");
}

/// The worker does not come back; another one has no proof that nothing was begun, and a person is asked.
#[test]
fn f03_another_worker_has_no_proof_that_nothing_was_begun() {
    let bed = Bed::start(|folder| wait(folder, false));
    let mut first = bed.worker("one");
    let run = bed.deploy("1.0.0");
    bed.begun();
    first.kill();
    let _second = bed.worker("two");
    let view = bed.until(&run, "a person is asked", |run| run["state"] == "held" || run["state"] == "ended" || bed.lines().len() > 1);
    assert_eq!(bed.lines(), ["begun"], "the step was begun again by a worker that knows nothing of it: {view:#}");
    assert_eq!((view["state"].as_str(), view["cause"]["code"].as_str()), (Some("held"), Some("ORC-008")), "{view:#}");
    bed.grace.post(&format!("/v1/runs/{run}/resolve"), &json!({"step": "before.wait", "outcome": "done", "reason": "looked"})).ok();
    let view = bed.until(&run, "the run ends", |run| run["state"] == "ended");
    assert_eq!(view["result"], "succeeded", "{view:#}");
    // What it began ended with its lease: nothing of it is left.
    assert_eq!(bed.lines(), ["begun"]);
    bed.server.check_ledger(&bed.root);
}

/// With a probe another worker can find out.
#[test]
fn f03_another_worker_asks_the_probe() {
    let bed = Bed::start(|folder| wait(folder, true));
    let mut first = bed.worker("one");
    let run = bed.deploy("1.0.0");
    bed.begun();
    first.kill();
    let _second = bed.worker("two");
    let view = bed.until(&run, "the run goes on", |run| run["state"] != "running");
    assert_eq!(view["state"], "ended", "the probe was not asked: {view:#}");
    assert_eq!(view["result"], "succeeded", "{view:#}");
    assert_eq!(bed.lines(), ["begun"], "the step was begun twice");
}

/// Server and worker die in the middle of a step; neither assumes that it went well.
#[test]
fn f04_both_die_in_the_middle_of_a_step() {
    let mut bed = Bed::start(|folder| wait(folder, false));
    let mut worker = bed.worker("one");
    let run = bed.deploy("1.0.0");
    bed.begun();
    worker.kill();
    bed.server.kill();
    bed.server.restart();
    let step = bed.run(&run)["steps"][0].clone();
    assert!(!matches!(step["state"].as_str(), Some("done" | "failed")), "it assumes something: {step:#}");
    worker.start(None);
    std::fs::write(bed.folder.path().join("go"), "").expect("a file");
    let view = bed.until(&run, "the run ends", |run| run["state"] == "ended");
    assert_eq!(view["result"], "succeeded", "{view:#}");
    assert_eq!(bed.lines(), ["begun"], "the step was begun twice");
    bed.server.check_ledger(&bed.root);
}

/// A worker by hand: everything is said twice, late, or with the token of another lease.
#[test]
fn f16_what_a_worker_says_twice_counts_once() {
    let bed = Bed::start(|_| "      - {name: one, command: [\"true\"]}\n      - {name: two, command: [\"true\"]}\n".to_owned());
    let run = bed.deploy("1.0.0");
    let pool = bed.server.client().with_token(&bed.server.pool_key());
    let lease = || {
        let answer = pool.post("/v1/worker/lease", &json!({"pool": "default", "worker": "hand/0", "wait_ms": 3000}));
        (answer.status == 200).then(|| answer.value())
    };
    let first = lease().expect("the first step");
    assert!(
        pool.post("/v1/worker/lease", &json!({"pool": "default", "worker": "hand/1", "wait_ms": 200})).status == 204,
        "one step, one lease"
    );
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}")).to_owned();
    let (attempt, token) = (text(&first, "attempt"), first["token"].as_u64().expect("a token"));
    let hand = bed.server.client().with_token(&text(&first, "secret"));
    let door = |name: &str| format!("/v1/worker/attempts/{attempt}/{name}");
    for _ in 0..2 {
        hand.post(&door("heartbeat"), &json!({"token": token})).ok();
        hand.upload("POST", &door("output?offset=0"), "application/octet-stream", b"hello\n".to_vec()).ok();
    }
    // Another lease's number is stale, whoever says it.
    for stale in [token - 1, token + 1, 0, u64::MAX >> 1] {
        hand.post(&door("heartbeat"), &json!({"token": stale})).refused("ORC-006");
        let told = json!({"token": stale, "outcome": {"outcome": "done", "outputs": {}}});
        assert_eq!(hand.post(&door("outcome"), &told).status, 409);
    }
    let told = json!({"token": token, "outcome": {"outcome": "done", "outputs": {"exit_code": 0}}});
    let other = json!({"token": token, "outcome": {"outcome": "failed", "reason": "no", "outputs": {}}});
    hand.post(&door("outcome"), &told).ok();
    for _ in 0..3 {
        hand.post(&door("outcome"), &told).ok();
        assert_eq!(hand.post(&door("outcome"), &other).status, 409, "the state never moves back");
    }
    let log = bed.ada.get(&format!("/v1/runs/{run}/steps/before.one/log")).ok();
    assert_eq!(log["text"], "hello\n");
    // The next step; its worker is silent, the lease ends, and what it says then is too late.
    let second = lease().expect("the second step");
    assert_ne!(text(&second, "attempt"), attempt);
    // The first attempt's secret opens nothing of the second.
    let foreign = hand.post(&format!("/v1/worker/attempts/{}/outcome", text(&second, "attempt")), &told);
    assert_eq!(foreign.status, 401);
    let late = bed.server.client().with_token(&text(&second, "secret"));
    let late_door = format!("/v1/worker/attempts/{}/outcome", text(&second, "attempt"));
    let third = eventually("it is leased again", PATIENCE, lease);
    assert_eq!(third["mode"], "observe", "{third}");
    assert_ne!(third["token"], second["token"]);
    let told = json!({"token": second["token"], "outcome": {"outcome": "done", "outputs": {}}});
    let answer = late.post(&late_door, &told);
    assert!(matches!(answer.status, 401 | 409), "a late outcome is taken: {}", answer.text());
    let now = bed.server.client().with_token(&text(&third, "secret"));
    let told = json!({"token": third["token"], "outcome": {"outcome": "failed", "reason": "it was not done", "outputs": {}}});
    now.post(&format!("/v1/worker/attempts/{}/outcome", text(&third, "attempt")), &told).ok();
    pause(Duration::from_millis(300));
    let view = bed.run(&run);
    assert_eq!(view["steps"][0]["state"], "done", "{view:#}");
    assert_eq!(view["steps"][1]["state"], "failed", "{view:#}");
}

/// 409 and 401 are the end of it for a real worker that comes late: it stops what it began.
#[test]
fn f03_a_late_worker_stops_what_it_began() {
    let bed = Bed::start(|folder| wait(folder, false));
    let worker = bed.worker("one");
    let run = bed.deploy("1.0.0");
    bed.begun();
    // It stands still, as a machine does that sleeps, longer than its lease.
    worker.signal("SIGSTOP");
    let view = bed.until(&run, "its lease is lost", |run| run["steps"][0]["state"] == "indeterminate" || run["state"] == "held");
    assert_ne!(view["steps"][0]["state"], "done");
    worker.signal("SIGCONT");
    // The program was ended at the end of the lease, by its shim: nothing goes on that nobody watches.
    eventually("what it began has ended", PATIENCE, || running(&bed.folder.path().display().to_string()).is_empty().then_some(()));
    assert_eq!(bed.lines(), ["begun"]);
}

fn running(word: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|pid| *pid != own && pid.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let text = String::from_utf8_lossy(&line).replace('\0', " ");
            text.contains(&format!("echo begun >> {word}"))
        })
        .collect()
}
