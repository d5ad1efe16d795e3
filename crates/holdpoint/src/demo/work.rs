//! What a team does with Holdpoint, over its API: build, prove, release, vote, deploy, follow. Each function is one thing
//! that a person or a pipeline would do; what is expected of it is said by the chapters.

use super::processes::tail;
use super::scene::Scene;
use crate::client::{Client, Problem, enc};
use anyhow::{Context as _, anyhow};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(150);
/// A build or a test of the shop on a slow machine; the first one compiles all its dependencies.
const BUILD_MAX: Duration = Duration::from_secs(1200);
pub const RUN_MAX: Duration = Duration::from_secs(420);
pub const COMPONENTS: [&str; 2] = ["orders", "storefront"];

/// What a build made.
pub struct Built {
    pub commit: String,
    /// Component -> digest.
    pub digests: BTreeMap<String, String>,
}

/// Reports of the team's own pipeline about one commit.
pub struct Reports {
    pub junit: Vec<u8>,
    pub sarif: Vec<u8>,
}

/// A text of an answer.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The answer of one gate in a report.
pub fn gate<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["gates"].as_array().into_iter().flatten().find(|gate| gate["gate"] == name).unwrap_or(&Value::Null)
}

/// The refusal that was expected; that something was allowed is an error.
pub fn refusal<T: std::fmt::Debug>(asked: anyhow::Result<T>, what: &str, code: &str) -> anyhow::Result<Problem> {
    match asked {
        Ok(answer) => Err(anyhow!("expected {what} to be refused with {code}; it was allowed: {answer:?}")),
        Err(why) => match why.downcast::<Problem>() {
            Ok(problem) if problem.code.as_deref() == Some(code) => Ok(problem),
            Ok(problem) => {
                Err(anyhow!("expected {what} to be refused with {code}, found {}: {}", problem.code.unwrap_or_default(), problem.detail))
            }
            Err(why) => Err(why),
        },
    }
}

impl Scene {
    pub fn commit(&self, tag: &str) -> anyhow::Result<&str> {
        self.commits.get(tag).map(String::as_str).ok_or_else(|| anyhow!("the shop's repository has no tag {tag}"))
    }

    /// Asks for the builds of both components; they begin at once.
    pub fn begin_builds(&self, tag: &str, base: Option<&str>) -> anyhow::Result<Vec<String>> {
        let (commit, base) = (self.commit(tag)?, base.map(|base| self.commit(base)).transpose()?);
        COMPONENTS
            .iter()
            .map(|component| {
                let body =
                    json!({"service": "shop", "component": component, "repository": self.repository, "commit": commit, "base": base});
                let answer = self.people.linus.post("/v1/builds", &body)?;
                Ok(text(&answer, "/run").to_owned())
            })
            .collect()
    }

    /// Waits for builds.
    pub fn builds(&mut self, tag: &str, runs: &[String]) -> anyhow::Result<Built> {
        let mut digests = BTreeMap::new();
        for (component, run) in COMPONENTS.iter().zip(runs) {
            self.tell.busy(format!("building shop/{component} at {tag}"));
            let view = self.ended(run, BUILD_MAX)?;
            self.succeeded(&view)?;
            let digest = text(&view, &format!("/outputs/artifacts/{component}")).to_owned();
            if digest.is_empty() {
                return Err(anyhow!("expected a digest of {component} among the products of {run}, found {}", view["outputs"]));
            }
            digests.insert((*component).to_owned(), digest);
        }
        Ok(Built { commit: self.commit(tag)?.to_owned(), digests })
    }

    /// The checkout in which the team's own pipeline works: tests and scan, outside Holdpoint.
    pub fn checkout(&mut self, tag: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join("checkout");
        let commit = self.commit(tag)?.to_owned();
        let mut command = Command::new("git");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        if path.exists() {
            command.arg("-C").arg(&path).args(["checkout", "--quiet", "--detach", &commit]);
            self.processes.succeed(&self.patience, "checkout", command, BUILD_MAX)?;
        } else {
            command.args(["clone", "--quiet", "--no-checkout"]).arg(&self.repository).arg(&path);
            self.processes.succeed(&self.patience, "checkout", command, BUILD_MAX)?;
            return self.checkout(tag);
        }
        Ok(path)
    }

    fn in_checkout(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.join("checkout")).env("CARGO_TARGET_DIR", &self.cache).env("TOOLS", self.cache.join("tools"));
        // As the builds have it, see the service's declaration: otherwise both would compile SQLite in turn.
        command.env("SOURCE_DATE_EPOCH", "1767225600");
        command
    }

    /// Compiles the shop once, so that each version needs only its own part later; and the client that buys.
    pub fn compile(&mut self) -> anyhow::Result<PathBuf> {
        let checkout = self.checkout("v1.0.0")?;
        if !self.cache.join("debug/deps").exists() || !self.cache.join("tools/bin/clippy-sarif").exists() {
            self.tell
                .under_way("shop", "compiling its dependencies and the scanner, once: this takes a few minutes and is kept in target/shop");
        }
        self.tell.busy("compiling the shop's client");
        let mut command = self.in_checkout(checkout.join("build.sh"));
        command.arg("client");
        self.processes.succeed(&self.patience, "build-client", command, BUILD_MAX)?;
        let client = self.folder.join("shop-client");
        std::fs::copy(checkout.join("out/shop-client"), &client)?;
        Ok(client)
    }

    /// The team's own tests and a real scanner on one commit.
    pub fn reports(&mut self, tag: &str) -> anyhow::Result<Reports> {
        let checkout = self.checkout(tag)?;
        let (junit, sarif) = (self.folder.join(format!("{tag}.xml")), self.folder.join(format!("{tag}.sarif")));
        self.tell.busy(format!("testing the shop at {tag}"));
        let mut command = self.in_checkout("python3".into());
        command.arg(checkout.join("tests/junit.py")).arg("--out").arg(&junit);
        self.processes.succeed(&self.patience, "tests", command, BUILD_MAX)?;
        self.tell.busy(format!("scanning the shop at {tag} with clippy"));
        let mut command = self.in_checkout(self.shop.join("scan.sh"));
        command.arg(&checkout).arg(&sarif);
        self.processes.succeed(&self.patience, "scan", command, BUILD_MAX)?;
        Ok(Reports { junit: std::fs::read(junit)?, sarif: std::fs::read(sarif)? })
    }

    /// Brings both reports as evidence about a release's manifest.
    pub fn prove(&self, manifest: &str, reports: &Reports) -> anyhow::Result<()> {
        let subject = enc(manifest);
        self.people.linus.upload(Method::POST, &format!("/v1/evidence?kind=sarif&subject={subject}"), reports.sarif.clone())?;
        self.people.linus.upload(Method::POST, &format!("/v1/evidence?kind=junit&suite=unit&subject={subject}"), reports.junit.clone())?;
        Ok(())
    }

    /// Seals a release.
    pub fn release(&self, version: &str, built: &Built, config: Value) -> anyhow::Result<(String, String)> {
        let body = json!({"service": "shop", "version": version, "components": built.digests, "config": config, "work_items": []});
        let made = self.people.linus.post("/v1/releases", &body)?;
        Ok((text(&made, "/release").to_owned(), text(&made, "/manifest_digest").to_owned()))
    }

    pub fn shown(&self, release: &str) -> anyhow::Result<Value> {
        self.people.linus.get(&format!("/v1/releases/{}", enc(release)))
    }

    /// Changes a release; answers with the new manifest.
    pub fn amend(&self, release: &str, change: &Value) -> anyhow::Result<String> {
        let seen = text(&self.shown(release)?, "/manifest_digest").to_owned();
        let tag = format!("\"{seen}\"");
        let done = self.people.linus.call(Method::PATCH, &format!("/v1/releases/{}", enc(release)), change, &[("If-Match", &tag)])?;
        Ok(text(&done, "/manifest_digest").to_owned())
    }

    /// All gates before an environment, as they are now.
    pub fn gates(&self, release: &str, environment: &str) -> anyhow::Result<Value> {
        let mut answer = self.people.linus.get(&format!("/v1/releases/{}/gates?environment={}", enc(release), enc(environment)))?;
        Ok(answer["report"].take())
    }

    /// Somebody approves what is shown now.
    pub fn approve(&self, who: &Client, release: &str, environment: &str, comment: &str) -> anyhow::Result<Value> {
        let report = self.gates(release, environment)?;
        let body = json!({"environment": environment, "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"], "comment": comment});
        who.post(&format!("/v1/releases/{}/approvals", enc(release)), &body)?;
        Ok(report)
    }

    /// Asks for a deployment now; answers with its run, or with the refusal as an error.
    pub fn deploy(&self, who: &Client, release: &str, environment: &str) -> anyhow::Result<String> {
        let before = self.runs(release, environment)?;
        let answer = who.post(&format!("/v1/releases/{}/deployments", enc(release)), &json!({"environment": environment}))?;
        match answer["run"].as_str() {
            Some(run) => Ok(run.to_owned()),
            None => self.next_run(release, environment, &before),
        }
    }

    /// The runs of a release in an environment, newest first.
    pub fn runs(&self, release: &str, environment: &str) -> anyhow::Result<Vec<String>> {
        let all = self.people.linus.get(&format!("/v1/runs?release={}&environment={}", enc(release), enc(environment)))?;
        Ok(all["runs"].as_array().into_iter().flatten().map(|run| text(run, "/id").to_owned()).collect())
    }

    /// Waits for a run that was not there before.
    pub fn next_run(&self, release: &str, environment: &str, before: &[String]) -> anyhow::Result<String> {
        let found = self.patience.until(&format!("a run of {release} in {environment}"), Duration::from_secs(30), LOOK, || {
            Ok(self.runs(release, environment)?.into_iter().find(|run| !before.contains(run)))
        });
        found.with_context(|| match self.gates(release, environment) {
            Ok(report) => crate::commands::gate::words(&report),
            Err(why) => why.to_string(),
        })
    }

    pub fn run(&self, run: &str) -> anyhow::Result<Value> {
        self.people.linus.get(&format!("/v1/runs/{}", enc(run)))
    }

    /// Follows a run to its end. One that is held for a person is not what the demo promised.
    pub fn ended(&self, run: &str, limit: Duration) -> anyhow::Result<Value> {
        self.patience.until(&format!("{run} to end"), limit, LOOK, || {
            let view = self.run(run)?;
            let at = view["steps"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|step| matches!(text(step, "/state"), "ready" | "running" | "indeterminate"));
            if let (Some(step), Some(environment)) = (at, view["environment"].as_str()) {
                self.tell.busy(format!("{environment}: {} {}", text(&view, "/version"), text(step, "/title")));
            }
            if view["state"] == "held" && !text(&view, "/cause/code").starts_with("DOOR-") {
                return Err(anyhow!("expected {run} to go on; it is held: {}", text(&view, "/cause/sentence")));
            }
            Ok((view["state"] == "ended").then_some(view))
        })
    }

    /// Holds a run to its promise; says which step failed and shows the end of its log.
    pub fn succeeded(&self, view: &Value) -> anyhow::Result<()> {
        if view["result"] == "succeeded" {
            return Ok(());
        }
        let run = text(view, "/id");
        let failed = view["steps"].as_array().into_iter().flatten().find(|step| step["state"] == "failed");
        let mut why = format!("expected {run} to succeed; it ended {}: {}", text(view, "/result"), text(view, "/cause/sentence"));
        if let Some(step) = failed {
            why.push_str(&format!("\n   {}: {}", text(step, "/title"), text(step, "/outcome")));
            if let Ok(log) = self.people.linus.get(&format!("/v1/runs/{}/steps/{}/log", enc(run), enc(text(step, "/id")))) {
                let path = self.processes.log("failed-step");
                std::fs::write(&path, text(&log, "/text"))?;
                why.push_str(&format!("\n{}", tail(&path)));
            }
        }
        Err(anyhow!(why))
    }

    /// Waits for the deployment that begins by itself, and holds it to its promise.
    pub fn automatic(&self, release: &str, environment: &str, before: &[String]) -> anyhow::Result<Value> {
        let run = self.next_run(release, environment, before)?;
        let view = self.ended(&run, RUN_MAX)?;
        self.succeeded(&view)?;
        Ok(view)
    }

    /// Facts of one type in a stream, oldest first, sealed. What was just written is sealed within a second.
    pub fn facts(&self, stream: &str, kind: &str) -> anyhow::Result<Vec<Value>> {
        let page = self.people.linus.get(&format!("/v1/ledger?stream={}&type={kind}&limit=1000", enc(stream)))?;
        let mut list: Vec<Value> = page["entries"].as_array().cloned().unwrap_or_default();
        list.reverse();
        Ok(list)
    }

    /// The first of them, as soon as it is sealed.
    pub fn fact(&self, stream: &str, kind: &str) -> anyhow::Result<Value> {
        self.patience.until(&format!("{kind} of {stream} in the ledger"), Duration::from_secs(15), LOOK, || {
            Ok(self.facts(stream, kind)?.into_iter().next())
        })
    }
}
