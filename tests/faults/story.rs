//! One story, told to its end whatever dies meanwhile: an organisation, a build, three releases through two environments,
//! a freeze, a rollback, and a step that only a person can clear up. Every request is repeated under its own key until it
//! is answered; at the end the ledger, the state and the traces outside agree.

use crate::stage::{PATIENCE, Point, Stage, pause};
use holdpoint_testkit::Client;
use holdpoint_testkit::process::eventually;
use holdpoint_tests::{Program, junit};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// In the order in which a story comes to them. `kill_points_all_names_are_visited` compares with the binary's own list.
pub const REQUESTS: [&str; 14] = [
    "organisation.apply",
    "build.start",
    "release.create",
    "release.amend",
    "evidence.receive",
    "promotion.request",
    "run.open",
    "approval.refused",
    "approval.vote",
    "freeze.declare",
    "freeze.lift",
    "rollback.ask",
    "run.resolve",
    "checkpoint",
];
/// What the server does by itself, and what a story tells only where somebody is to die in it, or where nobody is.
pub const CHORES: [&str; 6] = ["release.supersede", "release.withdraw", "gate.report", "run.overdue", "lease.lost", "worker.missing"];
pub const STEPS: [&str; 5] = ["step.lease", "act.start", "act.finish", "step.report", "watch.judge"];

/// A name's points: a worker passes the beginning of an act once, and its end once.
pub fn points(name: &str) -> Vec<Point> {
    match name {
        "act.start" => vec![Point::new(name, "before")],
        "act.finish" => vec![Point::new(name, "after")],
        _ => vec![Point::new(name, "before"), Point::new(name, "after")],
    }
}

pub struct Story {
    pub stage: Stage,
    ada: Client,
    grace: Client,
    robot: Client,
    /// Where the steps that are not idempotent leave their lines.
    effects: PathBuf,
    started: Vec<String>,
}

struct Made {
    id: String,
    digest: String,
    manifest: String,
}

impl Story {
    /// Tells the whole story on this stage.
    pub fn tell(stage: Stage) -> Stage {
        let planned: Vec<String> = stage.left().into_iter().map(|point| point.name).collect();
        let told = |name: &str| planned.is_empty() || planned.iter().any(|one| one == name);
        let mut story = Self::begin(stage);
        story.stage.let_loose();
        let older = told("release.supersede").then(|| story.uploaded("0.9.0"));
        let first = story.built("1.0.0");
        story.enter_test(&first, "1.0.0");
        story.author(&first);
        story.stage.arm(&["approval.vote"]);
        story.approve(&first);
        story.frozen(&first);
        story.stage.arm(&["step.lease", "act.start", "act.finish", "step.report", "checkpoint"]);
        story.stage.arm(&["release.supersede"]);
        story.enter_production(&first, "1.0.0");
        if let Some(older) = older {
            story.superseded(&older);
        }
        if told("release.withdraw") {
            story.withdrawn();
        }
        if told("gate.report") {
            story.reported(&first);
        }
        let second = story.uploaded("2.0.0");
        story.enter_test(&second, "2.0.0");
        story.approve(&second);
        story.stage.arm(&["watch.judge"]);
        let run = story.enter_production(&second, "2.0.0");
        story.back(&run);
        if told("run.overdue") {
            story.undecided();
        }
        if told("lease.lost") || told("worker.missing") {
            story.gone_worker();
        }
        story.unknown_step();
        story.end()
    }

    /// The organisation, applied in one command; people with tokens.
    pub fn begin(mut stage: Stage) -> Self {
        let effects = stage.folder().join("effects");
        std::fs::write(&effects, "").expect("a file");
        let text = organisation(&stage, &effects);
        stage.arm(&["organisation.apply"]);
        let root = stage.root.anonymous();
        let root = std::mem::replace(&mut stage.root, root);
        let applied = stage.ask(&root, "POST", "/v1/apply", &json!({"documents": [{"file": "all.yaml", "text": text}]})).ok();
        assert_eq!(applied["applied"], true, "{applied:#}");
        let person = |stage: &mut Stage, handle: &str| {
            let link = stage.ask(&root, "POST", &format!("/v1/people/{handle}/invite"), &json!({})).ok();
            let client = stage.server.client();
            client.set_up(link["link"].as_str().expect("a link"), holdpoint_testkit::holdpoint::PASSWORD);
            client
        };
        let (ada, grace) = (person(&mut stage, "ada"), person(&mut stage, "grace"));
        let mut token = |maker: &Client, body: Value| {
            let made = stage.ask(maker, "POST", "/v1/tokens", &body).ok();
            stage.server.client().with_token(made["token"].as_str().expect("a token"))
        };
        let robot = token(&ada, json!({"name": "tests", "for": "robot"}));
        let (ada, grace) = (token(&ada, json!({"name": "tests"})), token(&grace, json!({"name": "tests"})));
        stage.root = root;
        Self { stage, ada, grace, robot, effects, started: Vec::new() }
    }

    /// The same people on a stage where everything has been declared before.
    pub fn resume(mut stage: Stage) -> Self {
        let root = stage.server.client();
        root.sign_in("root", holdpoint_testkit::holdpoint::PASSWORD);
        let person = |handle: &str| {
            let client = stage.server.client();
            client.sign_in(handle, holdpoint_testkit::holdpoint::PASSWORD);
            client
        };
        let (ada, grace) = (person("ada"), person("grace"));
        let made = ada.post("/v1/tokens", &json!({"name": "again", "for": "robot"})).ok();
        let robot = stage.server.client().with_token(made["token"].as_str().expect("a token"));
        let effects = stage.folder().join("effects");
        stage.root = root;
        Self { stage, ada, grace, robot, effects, started: Vec::new() }
    }

    /// The short way: uploaded, tested, approved, in production.
    pub fn release_to_production(&mut self, version: &str) {
        let made = self.uploaded(version);
        self.enter_test(&made, version);
        self.approve(&made);
        self.enter_production(&made, version);
    }

    // ---- what is released

    /// A build from a commit, with provenance, and its release.
    fn built(&mut self, version: &str) -> Made {
        let (repository, commit) = repository(&self.stage, &Program::new(version));
        self.stage.arm(&["build.start"]);
        let body = json!({"service": "web", "component": "app", "repository": repository, "commit": commit});
        let asked = self.stage.ask(&self.ada, "POST", "/v1/builds", &body).ok();
        let run = asked["run"].as_str().expect("a run").to_owned();
        let run = self.ended(&run);
        assert_eq!(run["result"], "succeeded", "{run:#}");
        let digest = find_digest(&run).unwrap_or_else(|| panic!("no artifact: {run:#}"));
        self.release(version, &digest)
    }

    fn uploaded(&mut self, version: &str) -> Made {
        self.uploaded_with(version, json!([]))
    }

    fn uploaded_with(&mut self, version: &str, triggers: Value) -> Made {
        let bytes = Program::new(version).bytes();
        let (_, digest) = upload(&mut self.stage, &self.ada, &bytes);
        self.release_with(version, &digest, triggers)
    }

    fn release(&mut self, version: &str, digest: &str) -> Made {
        self.release_with(version, digest, json!([]))
    }

    fn release_with(&mut self, version: &str, digest: &str, triggers: Value) -> Made {
        self.stage.arm(&["release.create"]);
        let body =
            json!({"service": "web", "version": version, "components": {"app": digest}, "config": {"colour": "red"}, "triggers": triggers});
        let made = self.stage.ask(&self.ada, "POST", "/v1/releases", &body).ok();
        let id = made["release"].as_str().expect("a release").to_owned();
        let manifest = made["manifest_digest"].as_str().expect("a digest").to_owned();
        self.stage.arm(&["release.amend"]);
        let body = json!({"config": {"colour": "blue"}}).to_string().into_bytes();
        let key = format!("amend-{version}");
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str()), ("If-Match", manifest.as_str())];
        let amended = self.stage.ask_as(&self.ada, "PATCH", &format!("/v1/releases/{id}"), &headers, body).ok();
        let manifest = amended["manifest_digest"].as_str().expect("a digest").to_owned();
        self.stage.arm(&["evidence.receive"]);
        let path = format!("/v1/evidence?kind=junit&suite=unit&subject={digest}");
        self.stage.ask_as(&self.robot, "POST", &path, &[("Content-Type", "application/xml")], junit("unit", 7, 0)).ok();
        Made { id, digest: digest.to_owned(), manifest }
    }

    // ---- where it goes

    fn enter_test(&mut self, made: &Made, version: &str) {
        self.stage.arm(&["promotion.request", "run.open"]);
        self.promote(made, "test");
        // A request may have been answered before its name was left; the next name is the promoter's.
        let run = self.run_of(made, "test");
        let run = self.ended(&run);
        assert_eq!(run["result"], "succeeded", "{run:#}");
        self.started.push(format!("{version} test"));
    }

    fn enter_production(&mut self, made: &Made, version: &str) -> String {
        self.promote(made, "production");
        let id = self.run_of(made, "production");
        let run = self.ended(&id);
        assert_eq!(run["result"], "succeeded", "{run:#}");
        self.started.push(format!("{version} production"));
        id
    }

    fn promote(&mut self, made: &Made, environment: &str) {
        let path = format!("/v1/releases/{}/promotions", made.id);
        self.stage.ask(&self.grace, "POST", &path, &json!({"environment": environment})).ok();
    }

    fn run_of(&mut self, made: &Made, environment: &str) -> String {
        let path = format!("/v1/runs?release={}&environment={environment}", made.id);
        self.stage.until("a run is opened", &self.ada, &path, |found| found["runs"][0]["id"].as_str().map(str::to_owned))
    }

    fn approve(&mut self, made: &Made) {
        let report = self.stage.get(&self.grace, &format!("/v1/releases/{}/gates?environment=production", made.id));
        let report = &report["report"];
        assert_eq!(report["manifest_digest"], made.manifest.as_str(), "{report:#}");
        let body = json!({
            "environment": "production", "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"], "comment": "seen",
        });
        self.stage.ask(&self.grace, "POST", &format!("/v1/releases/{}/approvals", made.id), &body).ok();
    }

    /// Its author is refused, and that she tried stands in the ledger once, however often she had to ask.
    fn author(&mut self, made: &Made) {
        let report = self.stage.get(&self.ada, &format!("/v1/releases/{}/gates?environment=production", made.id));
        let report = &report["report"];
        let body =
            json!({"environment": "production", "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"]});
        self.stage.arm(&["approval.refused"]);
        self.stage.ask(&self.ada, "POST", &format!("/v1/releases/{}/approvals", made.id), &body).refused("GOV-003");
        let kept = self.stage.get(&self.ada, &format!("/v1/releases/{}", made.id))["refused_votes"].take();
        assert_eq!((kept[0]["code"].as_str(), kept[0]["count"].as_u64()), (Some("GOV-003"), Some(1)), "{kept:#}");
    }

    /// A freeze holds a promotion, and is lifted again.
    fn frozen(&mut self, made: &Made) {
        self.stage.arm(&["freeze.declare"]);
        let body = json!({"name": "quarter close", "environments": ["production"], "until": "2099-01-01T00:00:00Z", "reason": "the books"});
        let declared = self.stage.ask(&self.grace, "POST", "/v1/freezes", &body).ok();
        let id = declared["freeze"].as_str().or(declared["id"].as_str()).unwrap_or_else(|| panic!("no id: {declared:#}")).to_owned();
        let path = format!("/v1/releases/{}/deployments", made.id);
        let refused = self.stage.ask(&self.grace, "POST", &path, &json!({"environment": "production"}));
        refused.refused("ORC-005");
        self.stage.arm(&["freeze.lift"]);
        self.stage.ask(&self.grace, "DELETE", &format!("/v1/freezes/{id}"), &json!({"reason": "closed"})).ok();
    }

    fn back(&mut self, run: &str) {
        self.stage.arm(&["rollback.ask"]);
        let asked = self.stage.ask(&self.grace, "POST", &format!("/v1/runs/{run}/rollback"), &json!({"reason": "a complaint"})).ok();
        let id = asked["run"].as_str().unwrap_or_else(|| panic!("no run: {asked:#}")).to_owned();
        assert_ne!(id, run);
        let back = self.ended(&id);
        assert_eq!(back["result"], "succeeded", "{back:#}");
        let serves = Client::new(&self.stage.proxy().url("web.app")).get("/work").ok();
        assert_eq!(serves["worked"], "1.0.0");
    }

    /// An older release that nobody wants any more is closed by the server itself.
    fn superseded(&mut self, older: &Made) {
        let path = format!("/v1/releases/{}", older.id);
        self.stage.until("it is superseded", &self.ada, &path, |release| (release["closure"] == "superseded").then_some(()));
    }

    fn withdrawn(&mut self) {
        let made = self.uploaded("1.9.0");
        self.stage.arm(&["release.withdraw"]);
        self.stage.ask(&self.grace, "POST", &format!("/v1/releases/{}/withdraw", made.id), &json!({"reason": "a mistake"})).ok();
    }

    /// Another tool says what it deployed.
    fn reported(&mut self, made: &Made) {
        self.stage.arm(&["gate.report"]);
        let body = json!({"service": "web", "environment": "lab", "digest": made.digest, "result": "succeeded"});
        self.stage.ask(&self.robot, "POST", "/v1/deployments/report", &body).ok();
    }

    /// A trigger holds a run, its decider lets the deadline pass, and the default happens.
    fn undecided(&mut self) {
        let trigger = json!({"metric": "requests", "window": "1s", "test": "below", "threshold": 1e9, "action": "hold",
            "decider": "release-manager", "deadline": "1s", "default": "rollback"});
        let made = self.uploaded_with("2.5.0", json!([trigger]));
        self.enter_test(&made, "2.5.0");
        self.approve(&made);
        self.stage.arm(&["run.overdue"]);
        self.promote(&made, "production");
        let id = self.run_of(&made, "production");
        let run = self.ended(&id);
        assert_eq!((run["result"].as_str(), run["cause"]["code"].as_str()), (Some("rolled-back"), Some("RBK-011")), "{run:#}");
    }

    /// A worker of a pool of its own, by hand: it is silent until its lease is lost, comes back, starts what it should, and
    /// is never heard of again.
    fn gone_worker(&mut self) {
        let root = self.stage.root.anonymous();
        let root = std::mem::replace(&mut self.stage.root, root);
        let made = self.stage.ask(&root, "POST", "/v1/pools/lab/keys", &json!({}));
        self.stage.root = root;
        let key = made.ok()["key"].as_str().expect("a key").to_owned();
        let pool = self.stage.server.client().with_token(&key);
        let (_, digest) = upload(&mut self.stage, &self.ada, &Program::new("1.0.0").bytes());
        let body = json!({"service": "bench", "version": "1.0.0", "components": {"app": digest}});
        let made = self.stage.ask(&self.ada, "POST", "/v1/releases", &body).ok();
        let release = made["release"].as_str().expect("a release").to_owned();
        self.stage.ask(&self.grace, "POST", &format!("/v1/releases/{release}/promotions"), &json!({"environment": "lab"})).ok();
        let path = format!("/v1/runs?release={release}&environment=lab");
        let id = self.stage.until("a run is opened", &self.ada, &path, |found| found["runs"][0]["id"].as_str().map(str::to_owned));
        self.leased_by_hand(&pool);
        self.stage.arm(&["lease.lost"]);
        let path = format!("/v1/runs/{id}");
        self.stage.until("its lease is lost", &self.ada, &path, |run| (run["steps"][0]["state"] == "indeterminate").then_some(()));
        let lease = self.leased_by_hand(&pool);
        let text = |name: &str| lease[name].as_str().unwrap_or_else(|| panic!("no {name}: {lease}")).to_owned();
        let hand = self.stage.server.client().with_token(&text("secret"));
        let instances =
            json!([{"name": format!("{}.0", text("attempt")), "address": "127.0.0.1:9", "pid": 1, "start_time": 1, "digest": digest}]);
        let told = json!({"token": lease["token"], "outcome": {"outcome": "done", "outputs": {"instances": instances}}});
        self.stage.ask(&hand, "POST", &format!("/v1/worker/attempts/{}/outcome", text("attempt")), &told).ok();
        self.stage.arm(&["worker.missing"]);
        self.stage.until("its worker is missed", &self.ada, &path, |run| (run["cause"]["code"] == "ORC-014").then_some(()));
        let body = json!({"step": "verify", "outcome": "done", "reason": "it is gone for good"});
        self.stage.ask(&self.grace, "POST", &format!("/v1/runs/{id}/resolve"), &body).ok();
        let run = self.ended(&id);
        assert_eq!(run["result"], "succeeded", "{run:#}");
    }

    fn leased_by_hand(&mut self, pool: &Client) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.stage.ask(pool, "POST", "/v1/worker/lease", &json!({"pool": "lab", "worker": "hand/0", "wait_ms": 1000}));
            if answer.status == 200 {
                return answer.value();
            }
            assert!(Instant::now() < until, "nothing to do: {} {}", answer.status, answer.text());
        }
    }

    /// A step without a probe is interrupted: nobody knows, a person says.
    fn unknown_step(&mut self) {
        let made = self.uploaded("3.0.0");
        let stall = self.stage.folder().join("stall");
        std::fs::write(&stall, "").expect("a file");
        self.promote(&made, "test");
        let id = self.run_of(&made, "test");
        let pid_file = self.stage.folder().join("wire-3.0.0");
        let pid = eventually("the step runs", PATIENCE, || {
            std::fs::read_to_string(&pid_file).ok().filter(|text| text.ends_with('\n')).and_then(|text| text.trim().parse::<u32>().ok())
        });
        kill_parent_and(pid);
        std::fs::remove_file(&stall).expect("it is there");
        let held =
            self.stage.until("it is held", &self.ada, &format!("/v1/runs/{id}"), |run| (run["state"] == "held").then(|| run.clone()));
        assert_eq!(held["cause"]["code"], "ORC-008", "{held:#}");
        self.stage.arm(&["run.resolve"]);
        let body = json!({"step": "before.wire", "outcome": "done", "reason": "the wire is there"});
        self.stage.ask(&self.grace, "POST", &format!("/v1/runs/{id}/resolve"), &body).ok();
        let run = self.ended(&id);
        assert_eq!(run["result"], "succeeded", "{run:#}");
        self.started.push("3.0.0 test".to_owned());
        assert!(!made.digest.is_empty());
    }

    /// Waits for a run's end; where it waits for a person, the person looks and says the truth.
    pub fn ended(&mut self, id: &str) -> Value {
        let path = format!("/v1/runs/{id}");
        loop {
            let run = self.stage.until(&format!("{id} ends or waits for a person"), &self.ada, &path, |run| {
                (run["state"] == "ended" || run["cause"]["code"] == "ORC-008" || run["cause"]["code"] == "ORC-012").then(|| run.clone())
            });
            if run["state"] == "ended" {
                return run;
            }
            if run["cause"]["code"] == "ORC-012" {
                self.stage.ask(&self.grace, "POST", &format!("/v1/runs/{id}/resume"), &json!({}));
                continue;
            }
            let steps = run["steps"].as_array().cloned().unwrap_or_default();
            let Some(step) = steps.iter().find(|step| step["state"] == "indeterminate") else {
                pause(std::time::Duration::from_millis(100));
                continue;
            };
            let step = step["id"].as_str().unwrap_or_default().to_owned();
            let line = format!("{step} {}", run["version"].as_str().unwrap_or_default());
            let happened = std::fs::read_to_string(&self.effects).expect("the effects").contains(&line);
            let outcome = if happened { "done" } else { "not-started" };
            eprintln!("{id} waits for a person about {step}: {outcome}");
            let body = json!({"step": step, "outcome": outcome, "reason": "looked"});
            self.stage.ask(&self.grace, "POST", &format!("/v1/runs/{id}/resolve"), &body);
        }
    }

    // ---- the end

    /// Nothing doubled, nothing lost, everything told: then the stage, for what the test itself asks.
    pub fn end(mut self) -> Stage {
        // Whoever is still to die has been asked for something that nobody does.
        let effects = std::fs::read_to_string(&self.effects).expect("the effects");
        for started in &self.started {
            let (version, environment) = started.split_once(' ').expect("two words");
            let step = if environment == "test" { "before.wire" } else { "before.book" };
            let lines = effects.lines().filter(|line| line.starts_with(&format!("{step} {version}"))).count();
            assert_eq!(lines, 1, "{step} of {version} in {environment} happened {lines} times:\n{effects}");
        }
        self.stage.arm(&["checkpoint"]);
        for _ in 0..20 {
            self.stage.tick();
            pause(std::time::Duration::from_millis(50));
        }
        let runs = self.stage.get(&self.ada, "/v1/runs?limit=500");
        let runs = runs["runs"].as_array().expect("a list");
        assert!(runs.len() >= 7, "{runs:#?}");
        for run in runs {
            assert_eq!(run["state"], "ended", "{run:#}");
        }
        check(&mut self.stage, runs.len());
        self.stage
    }
}

/// I2 to I5 by the independent checker, once everything is sealed: all of the `runs` that the server says have ended.
pub fn check(stage: &mut Stage, runs: usize) {
    let root = stage.root.anonymous();
    let root = std::mem::replace(&mut stage.root, root);
    // Sealing follows the commits: at once, or after the lease of a sequencer that has died.
    let until = Instant::now() + PATIENCE;
    loop {
        let summary = stage.server.check_ledger(&root);
        // A run that has not been sealed at all is not among the open ones either.
        if summary.open_runs.is_empty() && summary.ended_runs.len() >= runs {
            break;
        }
        assert!(Instant::now() < until, "{runs} runs have ended, but the sealed ledger does not say so: {summary:?}");
        pause(std::time::Duration::from_millis(300));
        stage.tick();
    }
    stage.root = root;
}

/// Uploads bytes by digest; the digest is the server's own answer.
pub fn upload(stage: &mut Stage, who: &Client, bytes: &[u8]) -> (u16, String) {
    let digest = digest_of(bytes);
    let answer = stage.ask_as(who, "PUT", &format!("/v1/blobs/{digest}"), &[("Content-Type", "application/octet-stream")], bytes.to_vec());
    answer.ok();
    (answer.status, digest)
}

/// `sha256:…` by the machine's own program: the tests share no code with the product.
pub fn digest_of(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sha256sum starts");
    child.stdin.take().expect("its input").write_all(bytes).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    format!("sha256:{}", String::from_utf8_lossy(&output.stdout).split(' ').next().unwrap_or_default())
}

fn find_digest(run: &Value) -> Option<String> {
    let text = run.to_string();
    let at = text.find("\"artifacts\"")?;
    let found = text.get(at..)?.find("sha256:")? + at;
    text.get(found..found + 71).map(str::to_owned)
}

/// A git repository with the program in one commit by Linus.
fn repository(stage: &Stage, program: &Program) -> (String, String) {
    let folder = stage.folder().join("repository");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("program.py"), program.bytes()).expect("a file");
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&folder).args([
            "-c",
            "user.name=Linus",
            "-c",
            "user.email=linus@shop.example",
            "-c",
            "init.defaultBranch=main",
        ]);
        let output = command.args(args).output().expect("git starts");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "program"]);
    (folder.display().to_string(), git(&["rev-parse", "HEAD"]))
}

/// Kills the process that supervises `pid`, so that nobody sees how it ends.
pub fn kill_parent_and(pid: u32) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the step's process");
    let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)).expect("a parent").to_owned();
    let killed = Command::new("kill").args(["-KILL", &parent, &pid.to_string()]).status().expect("kill starts");
    assert!(killed.success() || !std::path::Path::new(&format!("/proc/{pid}")).exists());
}

fn organisation(stage: &Stage, effects: &std::path::Path) -> String {
    let proxy = stage.proxy();
    let folder = stage.folder().display().to_string();
    let effects = effects.display().to_string();
    let (admin, token) = (proxy.admin_url(), proxy.token_file().display().to_string());
    let told = format!("{}/told", stage.pages.url());
    format!(
        r#"person: root
name: Root
emails: [root@shop.example]
roles: [admin, operator]
---
person: ada
name: Ada
emails: [ada@shop.example]
roles: [developer, release-manager]
---
person: grace
name: Grace
emails: [grace@shop.example]
roles: [release-manager, operator]
---
person: linus
name: Linus
emails: [linus@shop.example]
roles: [developer]
---
person: robot
name: Robot
roles: [ci]
service-account: true
owner: ada
---
environment: test
production: false
zone: Europe/Berlin
order: 1
---
environment: production
production: true
zone: Europe/Berlin
order: 2
traffic: {{proxy: "{admin}", token-file: "{token}"}}
---
environment: lab
order: 3
pool: lab
---
service: bench
pipeline: bench
components:
  app:
    run: [python3, -I, -S, "${{artifact}}", "${{port}}"]
    health: {{path: /healthz, version: version}}
---
pipeline: bench
stages:
  - environment: lab
    gates: {{previous: false}}
---
service: web
owner: team-web
pipeline: web
components:
  app:
    run: [python3, -I, -S, "${{artifact}}", "${{port}}"]
    health: {{path: /healthz, version: version}}
    drain: 1s
    build: {{command: [cp, program.py, built.py], artifacts: {{app: built.py}}}}
---
pipeline: web
stages:
  - environment: test
    gates: {{tests: {{suites: [unit], max-age: 7d}}, previous: false}}
    steps-before:
      - name: wire
        command: ["/bin/sh", "-c", 'echo "before.wire $1" >> {effects}; echo $$ > {folder}/wire-$1; if test -e {folder}/stall; then sleep 60; fi', wire, "${{version}}"]
    tests:
      - name: smoke
        suite: smoke
        command: ["/bin/sh", "-c", 'echo "<testsuites><testsuite name=\"smoke\" tests=\"1\"><testcase classname=\"smoke\" name=\"serves\"/></testsuite></testsuites>" > report.xml']
        junit: report.xml
  - environment: production
    gates:
      tests: {{suites: [unit, smoke], max-age: 7d}}
      approvals: [{{role: release-manager, count: 1}}]
    rollout: {{strategy: rolling, hold: 2s, interval: 1s}}
    triggers: [{{metric: error-ratio, window: 1s, test: above, threshold: 0.5, decider: release-manager, deadline: 10m}}]
    steps-before:
      - name: book
        command: ["/bin/sh", "-c", 'echo "before.book $1" >> {effects}', book, "${{version}}"]
        probe: [grep, -qx, "before.book ${{version}}", "{effects}"]
    steps-after:
      - name: tell
        idempotent: true
        http: {{url: "{told}"}}
"#
    )
}
