//! Evidence that the server makes of what it saw, and evidence that others bring: verified, summarised, recorded.

use crate::{Engine, random_id};
use holdpoint_domain::build::intake::{self, ReceiveEvidence};
use holdpoint_domain::kernel::{Actor, EvidenceId, Refusal, Stop, Timestamp, View};
use holdpoint_domain::nouns::{Author, Run, Step, StepSpec, Summary};
use holdpoint_inspect::advisories::inventory;
use holdpoint_inspect::sbom::validate;
use holdpoint_inspect::{sarif, test_report};
use holdpoint_seal::digest::Digest;
use holdpoint_seal::note::{OpenNote, Salt};
use holdpoint_seal::statement::{ResourceDescriptor, Statement};
use holdpoint_store::{Request, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// SLSA provenance, version 1.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// Our predicate types. URNs, so that they name nothing that has to be reachable.
pub const TESTS: &str = "urn:holdpoint:evidence:tests:1";
pub const SCAN: &str = "urn:holdpoint:evidence:scan:1";
pub const COMPONENTS: &str = "urn:holdpoint:evidence:components:1";
pub const VULNERABILITIES: &str = "urn:holdpoint:evidence:vulnerabilities:1";
pub const INTERFACE: &str = "urn:holdpoint:evidence:interface:1";
pub const USAGE: &str = "urn:holdpoint:evidence:usage:1";
pub const COMPATIBILITY: &str = "urn:holdpoint:evidence:compatibility:1";

/// Why evidence was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error("{0}")]
    Unreadable(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn unreadable(why: impl std::fmt::Display) -> EvidenceError {
    EvidenceError::Unreadable(why.to_string())
}

/// What a report file became.
#[derive(Debug)]
pub struct Taken {
    pub envelope: Digest,
    pub summary: Summary,
}

impl Engine {
    /// A test report about a digest (JUnit, TRX, NUnit, xUnit.net), taken in as a statement of the server's about the very bytes that were given.
    pub async fn take_junit(
        &self,
        bytes: &[u8],
        subject: Digest,
        suite: &str,
        environment: Option<&str>,
        actor: &Actor,
    ) -> Result<Taken, EvidenceError> {
        let (_, report) = test_report::read(bytes).map_err(unreadable)?;
        let summary = Summary::Tests {
            suite: suite.to_owned(),
            environment: environment.map(str::to_owned),
            total: report.tests,
            failed: report.failed,
            // What broke outside every test shuts the gate as an error does.
            errors: report.errors.saturating_add(report.outside),
            skipped: report.skipped,
        };
        self.take(TESTS, bytes, subject, summary, json!({"suite": suite, "environment": environment, "totals": report}), actor).await
    }

    /// A SARIF log about a digest; one piece of evidence per tool in it.
    pub async fn take_sarif(&self, bytes: &[u8], subject: Digest, actor: &Actor) -> Result<Vec<Taken>, EvidenceError> {
        let mut taken = Vec::new();
        for report in sarif::read(bytes).map_err(unreadable)? {
            let summary = Summary::Scan {
                tool: report.tool.clone(),
                tool_version: report.version.clone(),
                counts: report.counts.clone(),
                places: report.places.iter().take(10).map(|place| place.chars().take(200).collect()).collect(),
            };
            taken.push(self.take(SCAN, bytes, subject, summary, json!(report), actor).await?);
        }
        Ok(taken)
    }

    /// A CycloneDX document about a digest: valid, or not taken. What is wrong with its components, the advisor says.
    pub async fn take_cyclonedx(&self, bytes: &[u8], subject: Digest, actor: &Actor) -> Result<Taken, EvidenceError> {
        let validation = validate::validate(bytes).map_err(unreadable)?;
        if let Some(finding) = validation.findings.iter().find(|finding| finding.severity <= holdpoint_inspect::finding::Severity::High) {
            return Err(unreadable(format!("line {}: {} {}", finding.line.unwrap_or(0), finding.place(), finding.message)));
        }
        let inventory = inventory::read(bytes).map_err(unreadable)?;
        let version = validation.version.unwrap_or_default();
        let summary = Summary::Components {
            format: format!("CycloneDX {version}"),
            count: u32::try_from(inventory.components.len()).unwrap_or(u32::MAX),
            source: Digest::of(bytes),
        };
        let body = json!({"format": "CycloneDX", "specVersion": version, "components": inventory.components.len()});
        self.take(COMPONENTS, bytes, subject, summary, body, actor).await
    }

    /// What the server itself found out about a digest, signed and recorded.
    pub(crate) async fn attest(
        &self,
        kind: &str,
        subject: Digest,
        summary: Summary,
        predicate: Value,
        actor: &Actor,
    ) -> Result<(), EvidenceError> {
        let statement = Statement::new(vec![ResourceDescriptor::named("subject", &subject)], kind, predicate).map_err(unreadable)?;
        let envelope = self.keys().attest(&statement).map_err(unreadable)?;
        let digest = self.store().blob_put(&envelope).await?;
        self.receive(vec![subject], kind, digest, &self.keys().server().id().to_string(), summary, actor).await?;
        Ok(())
    }

    pub(crate) async fn take(
        &self,
        kind: &str,
        raw: &[u8],
        subject: Digest,
        summary: Summary,
        body: Value,
        actor: &Actor,
    ) -> Result<Taken, EvidenceError> {
        let source = self.store().blob_put(raw).await?;
        // The statement names it: it is kept with it.
        self.store().blob_pin(&source).await?;
        let predicate = json!({"report": body, "source": {"digest": {"sha256": source.hex()}}, "takenFrom": actor.label()});
        let statement = Statement::new(vec![ResourceDescriptor::named("subject", &subject)], kind, predicate).map_err(unreadable)?;
        let envelope = self.keys().attest(&statement).map_err(unreadable)?;
        let digest = self.store().blob_put(&envelope).await?;
        self.receive(vec![subject], kind, digest, &self.keys().server().id().to_string(), summary.clone(), actor).await?;
        Ok(Taken { envelope: digest, summary })
    }

    /// Records evidence whose signature was verified.
    pub async fn receive(
        &self,
        subjects: Vec<Digest>,
        predicate_type: &str,
        envelope: Digest,
        signer: &str,
        summary: Summary,
        actor: &Actor,
    ) -> Result<Value, StoreError> {
        self.receive_if(subjects, predicate_type, envelope, signer, summary, actor, |_| Ok(())).await
    }

    /// The same, if `check` agrees with the instant of the commit: the receive time.
    #[expect(clippy::too_many_arguments, reason = "what a fact of evidence consists of, and the check")]
    pub async fn receive_if(
        &self,
        subjects: Vec<Digest>,
        predicate_type: &str,
        envelope: Digest,
        signer: &str,
        summary: Summary,
        actor: &Actor,
        check: impl Fn(Timestamp) -> Result<(), Box<Refusal>> + Send + 'static,
    ) -> Result<Value, StoreError> {
        let id: EvidenceId = format!("evd_{}", random_id()).parse().map_err(|_| StoreError::Broken("no identifier".to_owned()))?;
        let ask = ReceiveEvidence {
            id,
            subjects,
            predicate_type: predicate_type.to_owned(),
            envelope,
            signer: signer.to_owned(),
            summary,
            actor: actor.clone(),
        };
        let request = Request {
            point: "evidence.receive",
            project: self.project().to_owned(),
            actor: actor.clone(),
            route: "evidence".to_owned(),
            idempotency: None,
            locks: intake::locks(&ask),
        };
        let decide = move |view: &View, now: Timestamp| {
            check(now).map_err(Stop::Refused)?;
            intake::receive(view, &ask)
        };
        Ok(self.store().decide(&request, decide).await?.answer)
    }

    /// What a finished step proves: provenance of a build's products, the results of a test.
    pub(crate) async fn evidence_of(&self, run: &Run, step: &Step, outputs: &Value) -> Result<(), EvidenceError> {
        match &step.spec {
            StepSpec::Build { .. } => self.provenance(run, step, outputs).await,
            StepSpec::Command { junit: Some((_, suite)), .. } => {
                let Some(manifest) = run.manifest_digest else { return Ok(()) };
                let reports = outputs.get("junit").and_then(Value::as_array).cloned().unwrap_or_default();
                for report in reports {
                    let digest: Option<Digest> = report.get("digest").and_then(Value::as_str).and_then(|text| text.parse().ok());
                    let Some(digest) = digest else { continue };
                    let Some(bytes) = self.store().blob_get(&digest).await? else { continue };
                    let worker = step.attempts.last().map(|attempt| attempt.worker.clone()).unwrap_or_default();
                    self.take_junit(&bytes, manifest, suite, run.environment.as_deref(), &Actor::worker(&worker)).await?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn provenance(&self, run: &Run, step: &Step, outputs: &Value) -> Result<(), EvidenceError> {
        let StepSpec::Build { component, repository, commit, base, build } = &step.spec else { return Ok(()) };
        let text = |name: &str| outputs.get(name).and_then(Value::as_str).map(str::to_owned);
        // The commit is what the worker read back from the working tree, not what was asked for.
        if text("commit").as_deref() != Some(commit.as_str()) {
            return Err(unreadable(format!("the worker built {:?}, not {commit}", text("commit"))));
        }
        let mut subjects = Vec::new();
        let mut digests = Vec::new();
        for (name, digest) in outputs.get("artifacts").and_then(Value::as_object).into_iter().flatten() {
            let digest: Digest = digest.as_str().unwrap_or_default().parse().map_err(unreadable)?;
            subjects.push(ResourceDescriptor::named(name, &digest));
            digests.push(digest);
        }
        if digests.is_empty() {
            return Err(unreadable("the build has no products"));
        }
        let commits = outputs.get("commits").and_then(Value::as_array).cloned().unwrap_or_default();
        let (authors, unknown) = self.people_of(&commits).await?;
        let attempt = step.attempts.last();
        let builder = format!("urn:holdpoint:builder:{}", self.keys().origin());
        let predicate = json!({
            "buildDefinition": {
                "buildType": "urn:holdpoint:build:command:1",
                "externalParameters": {"service": run.service, "component": component, "repository": repository, "commit": commit, "base": base},
                "internalParameters": {"command": build.command, "directory": build.directory, "toolchain": outputs.get("toolchain")},
                "resolvedDependencies": [{"uri": repository, "digest": {"gitCommit": commit}, "name": "source"}],
            },
            "runDetails": {
                "builder": {"id": builder},
                "metadata": {"invocationId": format!("{}/{}", run.id, attempt.map(|a| a.id.as_str()).unwrap_or_default()),
                             "startedOn": attempt.map(|a| a.leased_at.to_string())},
            },
        });
        let statement = Statement::new(subjects, PROVENANCE, predicate).map_err(unreadable)?;
        statement.provenance().map_err(unreadable)?;
        let envelope = self.keys().attest(&statement).map_err(unreadable)?;
        let digest = self.store().blob_put(&envelope).await?;
        let summary = Summary::Provenance {
            repository: repository.chars().take(500).collect(),
            commit: commit.clone(),
            builder,
            level: 1,
            authors,
            unknown_authors: unknown,
            commits: u32::try_from(commits.len()).unwrap_or(u32::MAX),
        };
        let worker = attempt.map(|attempt| attempt.worker.clone()).unwrap_or_default();
        self.receive(digests, PROVENANCE, digest, &self.keys().server().id().to_string(), summary, &Actor::worker(&worker)).await?;
        Ok(())
    }

    /// Who stands behind commits: authors, committers and co-authors, by their registered addresses. An address that
    /// belongs to nobody is kept as a salted commitment, one per address.
    async fn people_of(&self, commits: &[Value]) -> Result<(Vec<Author>, Vec<Digest>), EvidenceError> {
        let mut by_email: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for commit in commits {
            let id = commit.get("id").and_then(Value::as_str).unwrap_or_default();
            let one = |name: &str| commit.get(name).and_then(Value::as_str).map(str::to_lowercase);
            let more = commit.get("co_author_emails").and_then(Value::as_array).cloned().unwrap_or_default();
            let emails = one("author_email")
                .into_iter()
                .chain(one("committer_email"))
                .chain(more.iter().filter_map(|e| e.as_str().map(str::to_lowercase)));
            for email in emails {
                let list = by_email.entry(email).or_default();
                if list.len() < 20 && !list.iter().any(|known| known == id) {
                    list.push(id.to_owned());
                }
            }
        }
        let mut authors: BTreeMap<_, Author> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (email, commits) in by_email {
            match self.store().person_by_email(self.project(), &email).await? {
                Some(person) => {
                    let entry =
                        authors.entry(person.id.clone()).or_insert_with(|| Author { person: person.id.clone(), commits: Vec::new() });
                    for commit in commits {
                        if entry.commits.len() < 20 && !entry.commits.contains(&commit) {
                            entry.commits.push(commit);
                        }
                    }
                }
                None => {
                    let salt = crate::keys::random().map_err(unreadable)?;
                    unknown.push(OpenNote { salt: Salt::from_random(salt), text: email }.commit().digest);
                }
            }
        }
        Ok((authors.into_values().collect(), unknown))
    }
}
