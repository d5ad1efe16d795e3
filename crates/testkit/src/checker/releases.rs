//! I3: what is deployed is what was approved.

use super::json::Json;
use super::log::{sha256, spell};
use super::{Fact, Report};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Releases {
    releases: BTreeMap<String, Release>,
    runs: BTreeMap<String, Run>,
}

#[derive(Default)]
struct Release {
    manifest: Option<Json>,
    digest: String,
    /// (person, environment) and the manifest that was approved.
    approvals: BTreeMap<(String, String), String>,
}

struct Run {
    release: Option<String>,
    deploy: bool,
    manifest_digest: String,
    /// Step id to (component, forward).
    starts: BTreeMap<String, (String, bool)>,
    forward: BTreeMap<String, bool>,
    pinned: BTreeMap<String, String>,
    previous: BTreeMap<String, String>,
    attempts: BTreeSet<String>,
}

fn word(json: &Json, key: &str) -> String {
    json.get(key).text().unwrap_or("").to_owned()
}

/// Component to digest.
fn pins(components: &Json) -> BTreeMap<String, String> {
    components.members().iter().map(|(name, pin)| (name.clone(), word(pin, "digest"))).collect()
}

impl Releases {
    pub fn apply(&mut self, fact: &Fact, report: &mut Report) {
        let release = self.releases.entry(fact.stream.clone()).or_default();
        let body = &fact.body;
        let vote = (word(body, "by"), word(body, "environment"));
        match fact.kind.as_str() {
            "ReleaseCreated" | "ManifestAmended" => {
                release.digest = word(body, "manifest_digest");
                release.manifest = Some(body.get("manifest").clone());
                let digest = spell(&sha256(&[body.get("manifest").canonical().as_bytes()]));
                if digest != release.digest {
                    report.wrong("I3", Some(fact), "the manifest's digest is not that of the manifest");
                }
            }
            "ApprovalGiven" => {
                let digest = word(body, "manifest_digest");
                if digest != release.digest {
                    report.wrong("I3", Some(fact), "an approval of a manifest that is not the release's");
                }
                release.approvals.insert(vote, digest);
            }
            "ApprovalRejected" | "ApprovalWithdrawn" => _ = release.approvals.remove(&vote),
            _ => {}
        }
    }

    pub fn run(&mut self, fact: &Fact, report: &mut Report) {
        let body = &fact.body;
        match fact.kind.as_str() {
            "RunOpened" => self.opened(fact, report),
            "RollbackDecided" => {
                if let Some(run) = self.runs.get_mut(&fact.stream) {
                    run.learn(body.get("steps"));
                }
            }
            "StepLeased" => self.leased(fact, report),
            "StepFinished" => self.finished(fact, report),
            _ => {}
        }
    }

    fn opened(&mut self, fact: &Fact, report: &mut Report) {
        let body = &fact.body;
        let mut run = Run {
            release: body.get("release").text().map(|release| format!("release/{release}")),
            deploy: word(body, "purpose") == "deploy",
            manifest_digest: word(body, "manifest_digest"),
            starts: BTreeMap::new(),
            forward: BTreeMap::new(),
            pinned: pins(body.get("components")),
            previous: pins(body.get("previous").get("components")),
            attempts: BTreeSet::new(),
        };
        run.learn(body.get("steps"));
        if run.deploy
            && let Some(release) = &run.release
        {
            match self.releases.get(release) {
                None => report.wrong("I3", Some(fact), format!("{release} is not known")),
                Some(release) => judge(fact, &run, release, report),
            }
        }
        self.runs.insert(fact.stream.clone(), run);
    }

    /// A forward step is not begun under a manifest that has changed since.
    fn leased(&mut self, fact: &Fact, report: &mut Report) {
        let Some(run) = self.runs.get_mut(&fact.stream) else { return };
        let first = run.attempts.insert(word(&fact.body, "attempt"));
        let forward = run.forward.get(&word(&fact.body, "step")).copied().unwrap_or(false);
        let Some(release) = run.release.as_ref().and_then(|release| self.releases.get(release)) else { return };
        // Only the first lease of an attempt begins something; later ones find out what became of it.
        if run.deploy && forward && first && release.digest != run.manifest_digest {
            report.wrong("I3", Some(fact), "a forward step is leased under a manifest that is not the release's any more");
        }
    }

    fn finished(&self, fact: &Fact, report: &mut Report) {
        let Some(run) = self.runs.get(&fact.stream) else { return };
        let outcome = fact.body.get("outcome");
        let Some((component, forward)) = run.starts.get(&word(&fact.body, "step")) else { return };
        if word(outcome, "result") != "done" {
            return;
        }
        // A rollback that a person asked for afterwards starts what it pins; steps that turn a deployment back start what was before.
        let expected = if *forward || !run.deploy { &run.pinned } else { &run.previous };
        for instance in outcome.get("outputs").get("instances").list() {
            let Some(digest) = ["digest", "exe_digest"].iter().find_map(|key| instance.get(key).text()) else { continue };
            let pinned = expected.get(component).map_or("", String::as_str);
            if digest.trim_start_matches("sha256:") != pinned.trim_start_matches("sha256:") {
                report.wrong("I3", Some(fact), format!("{component} runs {digest}, approved is {pinned}"));
            }
        }
    }
}

impl Run {
    fn learn(&mut self, steps: &Json) {
        for step in steps.list() {
            let forward = *step.get("forward") == Json::Bool(true);
            self.forward.insert(word(step, "id"), forward);
            if word(step.get("spec"), "do") == "start" {
                self.starts.insert(word(step, "id"), (word(step.get("spec"), "component"), forward));
            }
        }
    }
}

fn judge(fact: &Fact, run: &Run, release: &Release, report: &mut Report) {
    if run.manifest_digest != release.digest {
        report.wrong("I3", Some(fact), format!("it deploys manifest {}, the release's is {}", run.manifest_digest, release.digest));
    }
    let manifest = release.manifest.as_ref().map(|manifest| pins(manifest.get("components"))).unwrap_or_default();
    for (component, digest) in &run.pinned {
        if manifest.get(component) != Some(digest) {
            report.wrong("I3", Some(fact), format!("{component} is {digest}, the manifest says {:?}", manifest.get(component)));
        }
    }
    let environment = word(&fact.body, "environment");
    let mut votes = release.approvals.iter().filter(|((_, place), _)| *place == environment).map(|(_, digest)| digest).peekable();
    if votes.peek().is_some() && !votes.any(|digest| *digest == run.manifest_digest) {
        report.wrong("I3", Some(fact), format!("every approval for {environment} is of another manifest"));
    }
}
