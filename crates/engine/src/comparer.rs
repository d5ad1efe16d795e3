//! The comparer: compares what open releases offer with what runs or may come back where they go, and says so as evidence.
//! Woken by commits or a timer, takes no input; safe to run twice, because a comparison's envelope is the same and counts once.
//!
//! Which pairs there are to compare is the domain's word; what a description means is `inspect`'s.

use crate::Engine;
use crate::evidence::{COMPATIBILITY, EvidenceError, INTERFACE, Taken, USAGE};
use holdpoint_domain::build::interfaces::{self, Pair};
use holdpoint_domain::gates;
use holdpoint_domain::kernel::{Actor, Timestamp};
use holdpoint_domain::nouns::{Break, Consumer, Pipeline, Release, Service, Subject, Summary};
use holdpoint_inspect::compat::interface::{self, Clash, Description, Format, Log, Observed, STACK_BYTES};
use holdpoint_inspect::finding::{Finding, Severity};
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Filter, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(5);
const TTL: Duration = Duration::from_secs(10);
/// A fact has 16 KiB: so many breaks are named in it, worst first; the counts are of all.
const FOUND_MAX: usize = 40;
const FOUND_BYTES_MAX: usize = 12_000;
const CONSUMERS_MAX: usize = 5;

fn unreadable(why: impl std::fmt::Display) -> EvidenceError {
    EvidenceError::Unreadable(why.to_string())
}

/// In a thread of its own: descriptions may be deep and comparisons long, and neither is for the threads that serve.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EvidenceError> {
    let run = move || std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).map(std::thread::JoinHandle::join);
    match tokio::task::spawn_blocking(run).await {
        Ok(Ok(Ok(done))) => Ok(done),
        Ok(Ok(Err(_))) => Err(unreadable("the comparison broke off")),
        Ok(Err(why)) => Err(unreadable(why)),
        Err(why) => Err(unreadable(why)),
    }
}

/// How the reader of a language knows a log: lines by their ending.
fn log_name(bytes: &[u8]) -> &'static str {
    if bytes.trim_ascii_start().starts_with(b"{\"") { "usage.jsonl" } else { "usage" }
}

impl Engine {
    /// The description of an interface of a digest: one that can be read, or it is not taken.
    pub async fn take_interface(
        &self,
        bytes: bytes::Bytes,
        subject: Digest,
        interface: &str,
        format: &str,
        actor: &Actor,
    ) -> Result<Taken, EvidenceError> {
        let (language, name, given) = (format.to_owned(), interface.to_owned(), bytes.clone());
        apart(move || read(&language, &name, &given).map(|_| ())).await?.map_err(unreadable)?;
        let (format, source) = (format.to_owned(), Digest::of(&bytes));
        let body = json!({"interface": interface, "format": format});
        let summary = Summary::Interface { interface: interface.to_owned(), format, source };
        self.take(INTERFACE, &bytes, subject, summary, body, actor).await
    }

    /// A log of who uses an interface of a digest in an environment. It is read by the description that stands about the
    /// digest, so there must be one.
    pub async fn take_usage(
        &self,
        bytes: bytes::Bytes,
        subject: Digest,
        interface: &str,
        environment: &str,
        actor: &Actor,
    ) -> Result<Taken, EvidenceError> {
        let known: Option<Subject> = self.store().get(self.project(), &subject.to_string()).await?;
        let described = known.as_ref().and_then(|known| {
            known.standing().find_map(|item| match &item.summary {
                Summary::Interface { interface: name, format, source } if name == interface => Some((format.clone(), *source)),
                _ => None,
            })
        });
        let Some((format, source)) = described else {
            return Err(unreadable(format!(
                "no interface {interface} of {} is described, by which the log could be read; add its description first",
                subject.short()
            )));
        };
        let description = self.source(&source).await?;
        let (name, log) = (interface.to_owned(), bytes.clone());
        let observed = apart(move || -> Result<Observed, String> {
            read(&format, &name, &description)?.observed(Log { name: log_name(&log), bytes: &log })
        })
        .await?
        .map_err(unreadable)?;
        let instant = |text: &str| -> Result<Timestamp, EvidenceError> { text.parse().map_err(|why| unreadable(format!("{text}: {why}"))) };
        let summary = Summary::Usage {
            interface: interface.to_owned(),
            environment: environment.to_owned(),
            requests: observed.requests,
            unmatched: observed.unmatched,
            consumers: u32::try_from(observed.consumers).unwrap_or(u32::MAX),
            from: instant(&observed.from)?,
            until: instant(&observed.until)?,
            source: Digest::of(&bytes),
        };
        let body = json!({"interface": interface, "environment": environment, "from": observed.from, "until": observed.until});
        self.take(USAGE, &bytes, subject, summary, body, actor).await
    }

    async fn source(&self, digest: &Digest) -> Result<Vec<u8>, EvidenceError> {
        let found = self.store().blob_get(digest).await?;
        Ok(found.ok_or_else(|| unreadable(format!("{digest} is not in the store")))?.to_vec())
    }
}

fn read(format: &str, name: &str, bytes: &[u8]) -> Result<Description, String> {
    let known = || Format::ALL.map(Format::word).join(", ");
    let format = Format::named(format).ok_or_else(|| format!("{format:?} is no language of contracts; expected one of {}", known()))?;
    Description::read(format, name, bytes)
}

pub(crate) async fn run(engine: Engine) {
    let mut woken = engine.store().woken();
    loop {
        if engine.leads("comparer", TTL).await
            && let Err(why) = once(&engine).await
        {
            tracing::warn!(%why, "comparing interfaces failed; it is tried again");
            engine.pause(Duration::from_secs(1)).await;
        }
        if !engine.after_commits("comparer", &mut woken, EVERY).await {
            return;
        }
    }
}

/// One round over the open releases of services whose pipelines have the gate: where none has it, one read. Trouble with one
/// release is no other's.
async fn once(engine: &Engine) -> holdpoint_store::Result<()> {
    let (store, project) = (engine.store(), engine.project());
    let asks = |pipeline: &Pipeline| pipeline.spec.stages.iter().any(|stage| stage.gates.compatibility.is_some());
    let pipelines: BTreeMap<String, Pipeline> =
        store.all::<Pipeline>(project).await?.into_iter().filter(asks).map(|pipeline| (pipeline.spec.name.clone(), pipeline)).collect();
    if pipelines.is_empty() {
        return Ok(());
    }
    let services: BTreeMap<String, &Pipeline> = store
        .all::<Service>(project)
        .await?
        .into_iter()
        .filter_map(|service| Some((service.spec.name, pipelines.get(&service.spec.pipeline)?)))
        .collect();
    let mut cursor = None;
    loop {
        let filter = Filter { live: Some(true), cursor, limit: 500, ..Filter::default() };
        let (releases, next) = store.list::<Release>(project, &filter).await?;
        for release in releases {
            let Some(pipeline) = services.get(&release.manifest().service) else { continue };
            match consider(engine, &release, pipeline).await {
                Ok(()) => {}
                Err(EvidenceError::Store(why)) => return Err(why),
                Err(EvidenceError::Unreadable(why)) => {
                    tracing::warn!(why, release = %release.id, "its interfaces cannot be compared; it is tried again");
                }
            }
        }
        cursor = next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn consider(engine: &Engine, release: &Release, pipeline: &Pipeline) -> Result<(), EvidenceError> {
    for stage in pipeline.spec.stages.iter().filter(|stage| stage.gates.compatibility.is_some()) {
        let asked = engine.ask(|view, now| {
            gates::question(view, release.id.as_str(), &stage.environment, None, now).map(|asked| interfaces::unjudged(&asked))
        });
        let pairs = match asked.await {
            Ok(pairs) => pairs,
            // Retired in the meantime, for example: nothing goes there.
            Err(StoreError::Refused(_)) => continue,
            Err(other) => return Err(other.into()),
        };
        for pair in pairs {
            compare(engine, pair).await?;
        }
    }
    Ok(())
}

/// Compares two descriptions and records what was found about the newer one's subject.
async fn compare(engine: &Engine, pair: Pair) -> Result<(), EvidenceError> {
    let (base, revision) = (engine.source(&pair.base.source).await?, engine.source(&pair.revision.source).await?);
    let mut logs = Vec::new();
    for digest in &pair.usage {
        logs.push(engine.source(digest).await?);
    }
    let (formats, name) = ([pair.base.format.clone(), pair.revision.format.clone()], pair.revision.interface.clone());
    let found = apart(move || -> Result<Vec<Clash>, String> {
        let [before, after] = formats;
        let logs: Vec<Log> = logs.iter().map(|bytes| Log { name: log_name(bytes), bytes }).collect();
        interface::compare(&read(&before, &name, &base)?, &read(&after, &name, &revision)?, &logs)
    });
    // What cannot be compared is not compatible, also where comparing broke off; the next round would find no more.
    let clashes = match found.await {
        Ok(Ok(clashes)) => clashes,
        Ok(Err(why)) | Err(EvidenceError::Unreadable(why)) => vec![incomparable(why)],
        Err(other) => return Err(other),
    };
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for clash in &clashes {
        *counts.entry(clash.severity.word().to_owned()).or_default() += 1;
    }
    let summary = Summary::Compatibility {
        interface: pair.revision.interface.clone(),
        environment: pair.environment.clone(),
        base: pair.base.source,
        revision: pair.revision.source,
        usage: pair.usage.clone(),
        counts,
        found: named(&clashes),
    };
    let told: Vec<Value> =
        clashes.iter().map(|clash| json!({"way": clash.way.word(), "severity": clash.severity, "finding": clash.finding})).collect();
    let body = json!({
        "interface": pair.revision.interface, "environment": pair.environment, "base": pair.base.source, "revision": pair.revision.source,
        "usage": pair.usage, "found": told,
    });
    engine.attest(COMPATIBILITY, pair.revision.subject, summary, body, &Actor::engine("comparer")).await
}

fn incomparable(why: String) -> Clash {
    let finding = Finding::new("not-comparable", Severity::Breaking, why.clone());
    Clash { way: interface::Way::Forward, severity: Severity::Breaking, finding, message: why }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// As many as fit into a fact.
fn named(clashes: &[Clash]) -> Vec<Break> {
    let mut found: Vec<Break> = clashes.iter().take(FOUND_MAX).map(told).collect();
    while found.iter().map(|one| serde_json::to_string(one).map_or(0, |text| text.len())).sum::<usize>() > FOUND_BYTES_MAX {
        found.pop();
    }
    found
}

fn told(clash: &Clash) -> Break {
    let finding = &clash.finding;
    let key = [finding.rule.as_str(), finding.path.as_deref().unwrap_or_default(), clash.way.word(), clash.message.as_str()].join("\0");
    let seen = interface::consumers(&finding.more);
    let consumers = seen.iter().take(CONSUMERS_MAX).map(|(name, requests, last)| Consumer {
        name: cut(name, 60),
        requests: *requests,
        last: last.as_ref().and_then(|text| text.parse().ok()),
    });
    Break {
        id: format!("brk-{}", cut(Digest::of(key.as_bytes()).hex().as_ref(), 12)),
        way: clash.way.word().to_owned(),
        rule: cut(&finding.rule, 80),
        severity: clash.severity.word().to_owned(),
        place: cut(&finding.place(), 160),
        message: cut(&clash.message, 300),
        consumers: consumers.collect(),
        consumers_total: u32::try_from(seen.len()).unwrap_or(u32::MAX),
    }
}
