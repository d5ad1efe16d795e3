//! What workers ask for and report: leases, heartbeats, outcomes. The HTTP routes only carry these calls.

use crate::Engine;
use crate::resolve::{self, Known};
use holdpoint_domain::kernel::{Actor, DocKey, Kind, Need, ReleaseId, Span, Stop, Timestamp, View};
use holdpoint_domain::nouns::{Environment, Outcome, Release, Run, Service, StepSpec};
use holdpoint_domain::orchestration::{runs, workers};
use holdpoint_executors::spec::{Outcome as Told, Spec};
use holdpoint_seal::digest::Digest;
use holdpoint_store::{QueuedAction, Request, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Length of a lease; a worker renews it well before.
pub const LEASE: Duration = Duration::from_secs(15);

/// A worker that asks for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    pub pool: String,
    /// `name/slot`.
    pub worker: String,
    /// What only its own folder holds, as a digest; none from workers of older programs.
    pub identity: Option<String>,
}

/// What an attempt's secret is for.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub project: String,
    pub attempt: String,
    pub run: String,
    pub step: String,
}

/// A granted lease, as the worker gets it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lease {
    pub attempt: String,
    /// Secret of this attempt: the bearer of its heartbeats and its outcome.
    pub secret: String,
    /// Fencing token.
    pub token: u64,
    /// `start` or `observe`.
    pub mode: String,
    /// Another worker began it and is gone: where nothing of it is found here, the step's probe is asked.
    #[serde(default)]
    pub probe: bool,
    pub run: String,
    pub step: String,
    pub title: String,
    pub lease_ms: u64,
    pub spec: Spec,
}

impl Engine {
    /// Waits up to `wait` for work of a pool. Whoever else wants the same step is sorted out by the transaction.
    pub async fn lease(&self, asking: &Asking, wait: Duration) -> holdpoint_store::Result<Option<Lease>> {
        let end = tokio::time::Instant::now() + wait;
        let mut woken = self.store().woken();
        loop {
            self.present(asking).await?;
            let actions = self.store().next_actions(Some(self.project()), &asking.pool, 64).await?;
            let alive = if actions.is_empty() { BTreeSet::new() } else { self.alive(&asking.pool).await? };
            for action in actions {
                // What is another worker's is passed over without a transaction.
                if alive.len() > 1 && !self.is_for(&action, asking, &alive).await? {
                    continue;
                }
                let Some(_claim) = self.claims().claim(&action) else { continue };
                if let Some(lease) = self.try_lease(&action, asking, &alive).await? {
                    return Ok(Some(lease));
                }
            }
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            tokio::select! {
                _ = woken.changed() => {}
                () = tokio::time::sleep(left.min(Duration::from_millis(500))) => {}
                () = self.stopped() => return Ok(None),
            }
        }
    }

    async fn try_lease(&self, action: &QueuedAction, asking: &Asking, alive: &BTreeSet<String>) -> holdpoint_store::Result<Option<Lease>> {
        // Whose folder a lease is in is known before it is granted.
        self.present(asking).await?;
        match self.grant(action, &asking.worker, alive).await? {
            Some(granted) => self.lease_of(granted, &asking.worker).await,
            None => Ok(None),
        }
    }

    /// Puts together what a worker needs for a lease that was granted.
    async fn lease_of(&self, granted: Granted, worker: &str) -> holdpoint_store::Result<Option<Lease>> {
        let Granted { seen, step, attempt, token, mode } = granted;
        let run = Arc::clone(&seen.run);
        let Some(step) = run.step(&step) else { return Ok(None) };
        // An attempt that is taken up again is asked for what it was asked for at first: its worker compares both.
        let at = step.attempts.iter().find(|one| one.id == attempt).map_or(seen.at, |first| first.leased_at);
        let spec = match self.spec_of(&seen, step, worker, at).await? {
            Ok(spec) => spec,
            Err(why) => {
                // What cannot be put together cannot run: the step fails, and the run turns back.
                self.report_step(&run, &step.id, &attempt, token, Outcome::Failed { reason: why, outputs: Value::Null }, None).await?;
                return Ok(None);
            }
        };
        let secret = self.secret(&attempt, run.id.as_str(), &step.id);
        self.leased().keep(&attempt, token, Arc::clone(&run), worker);
        Ok(Some(Lease {
            attempt,
            secret,
            token,
            // A worker of an older program observes, finds nothing, and claims nothing.
            mode: if mode == runs::Mode::Start { "start".to_owned() } else { "observe".to_owned() },
            probe: mode == runs::Mode::Probe,
            run: run.id.to_string(),
            step: step.id.clone(),
            title: step.title.clone(),
            lease_ms: u64::try_from(LEASE.as_millis()).unwrap_or(15_000),
            spec,
        }))
    }

    /// The transaction that grants a lease; `None` where the gates at the door hold it, or somebody else was faster.
    pub(crate) async fn grant(
        &self,
        action: &QueuedAction,
        worker: &str,
        alive: &BTreeSet<String>,
    ) -> holdpoint_store::Result<Option<Granted>> {
        let ask = runs::LeaseStep {
            run: action.run.clone(),
            step: action.step.clone(),
            worker: worker.to_owned(),
            alive: alive.clone(),
            length: length(),
        };
        let request = Request {
            point: "step.lease",
            project: self.project().to_owned(),
            actor: Actor::worker(worker),
            route: "lease".to_owned(),
            idempotency: None,
            locks: vec![DocKey::new(holdpoint_domain::kernel::Kind::Run, action.run.as_str())],
        };
        let (sight, told) = Sight::new();
        let decide = move |view: &View, now| {
            Seen::want(view, &ask.run)?;
            let run = runs::get(view, &ask.run)?;
            let decision = runs::grant(view, &run, &ask, now)?;
            sight.is(Seen::of(view, run, now)?);
            Ok(decision)
        };
        match self.store().decide(&request, decide).await {
            Ok(committed) if committed.answer.get("held").is_some() => Ok(None),
            Ok(committed) => Granted::read(&committed.answer, told.seen()).map(Some),
            Err(StoreError::Refused(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn spec_of(
        &self,
        seen: &Seen,
        step: &holdpoint_domain::nouns::Step,
        worker: &str,
        at: Timestamp,
    ) -> holdpoint_store::Result<Result<Spec, String>> {
        let run = &*seen.run;
        let Some(service) = &seen.service else { return Ok(Err(format!("service {} is not declared any more", run.service))) };
        let release = match (resolve::is_old(step), &run.previous) {
            (true, Some(previous)) => &previous.release,
            _ => &run.release,
        };
        let none = BTreeMap::new();
        let config = release.as_ref().and_then(|id| seen.configs.get(id)).unwrap_or(&none);
        let started = self.started(run, step).await?;
        let known = Known { run, service, environment: seen.environment.as_ref(), config, at, started: &started, worker };
        Ok(resolve::spec(&known, step))
    }

    /// Instances that a step checks, as the runs that started them told: what runs now may be of several runs.
    async fn started(
        &self,
        run: &Run,
        step: &holdpoint_domain::nouns::Step,
    ) -> holdpoint_store::Result<Vec<holdpoint_executors::spec::Instance>> {
        let StepSpec::Verify { side } = &step.spec else { return Ok(Vec::new()) };
        let runs: BTreeSet<String> = resolve::instances(run, *side).iter().filter_map(|one| resolve::run_of(&one.name)).collect();
        let mut started = resolve::started(run);
        for id in runs.into_iter().filter(|id| *id != run.id.as_str()) {
            if let Some(earlier) = self.store().get::<Run>(self.project(), &id).await? {
                started.extend(resolve::started(&earlier));
            }
        }
        Ok(started)
    }

    /// The secret of an attempt: what it is for, with a code that only this server's key makes. Nothing is stored, so a
    /// lease is one commit; whether the lease still holds is the fencing token's to say.
    fn secret(&self, attempt: &str, run: &str, step: &str) -> String {
        let message = format!("{}\n{attempt}\n{run}\n{step}", self.project());
        format!("hpa_{}.{}", hex::encode(&message), self.keys().mac(message.as_bytes()).hex())
    }

    /// Whose secret this is.
    pub fn attempt_by_secret(&self, attempt: &str, secret: &str) -> Option<Attempt> {
        let (message, code) = secret.strip_prefix("hpa_")?.split_once('.')?;
        let message = hex::decode(message).ok()?;
        // Digests are compared, not the codes: how far two of them agree says nothing about the code.
        if Digest::of(self.keys().mac(&message).hex().as_bytes()) != Digest::of(code.as_bytes()) {
            return None;
        }
        let text = String::from_utf8(message).ok()?;
        let mut parts = text.split('\n').map(str::to_owned);
        let found = Attempt { project: parts.next()?, attempt: parts.next()?, run: parts.next()?, step: parts.next()? };
        (found.attempt == attempt && found.project == self.project()).then_some(found)
    }

    /// Renews a lease; false: it is no longer held, stop.
    pub async fn heartbeat(&self, attempt: &Attempt, token: u64) -> holdpoint_store::Result<bool> {
        let now = self.store().now().await?;
        let until = now.checked_add(length().signed()).unwrap_or(now);
        let run = self.store().get::<Run>(&attempt.project, &attempt.run).await?;
        // A worker whose slots are all busy does not ask for work.
        if let Some((pool, worker)) = run_and_worker(run.as_ref(), attempt) {
            self.heard_of(&pool, &worker).await?;
        }
        // The run turned back: the step is to stop, and its end is waited for.
        if run.is_some_and(|run| run.unfinished().is_some_and(|step| step.id == attempt.step)) {
            return Ok(false);
        }
        self.store().extend_lease(&attempt.project, &attempt.run, &attempt.step, token, until).await
    }

    /// A worker's outcome. First what it proves becomes evidence, then the step ends: told again after a crash in
    /// between, both count once.
    pub async fn outcome(
        &self,
        attempt: &Attempt,
        token: u64,
        told: Told,
        not_started: bool,
        log: Option<Digest>,
        go_on: bool,
    ) -> holdpoint_store::Result<Taken> {
        let known = self.leased().take(&attempt.attempt, token).filter(|known| !not_started && !known.proves(&attempt.step));
        let (run, worker) = match known {
            Some(known) => (known.run, Some(known.worker)),
            None => match self.store().get::<Run>(&attempt.project, &attempt.run).await? {
                Some(run) => (Arc::new(run), None),
                None => return Err(StoreError::Broken(format!("{} is gone", attempt.run))),
            },
        };
        let mut outcome = match told {
            _ if not_started => match begun_elsewhere(&run, attempt) {
                None => Outcome::NotStarted { reason: "the worker has proof that nothing was begun".to_owned() },
                Some(other) => {
                    Outcome::Indeterminate { reason: format!("{other} may have begun it, and this worker cannot see what became of that") }
                }
            },
            // Interrupted, and the step's own probe proved that the effect is not there.
            Told::Failed { reason, outputs } if outputs.get("probed") == Some(&json!(false)) => {
                Outcome::NotStarted { reason: clip(&reason, 2000) }
            }
            Told::Done { outputs } => Outcome::Done { outputs },
            Told::Failed { reason, outputs } => Outcome::Failed { reason: clip(&reason, 2000), outputs },
            Told::Indeterminate { reason } => Outcome::Indeterminate { reason: clip(&reason, 2000) },
        };
        let current = run.step(&attempt.step).cloned();
        let held = current.as_ref().and_then(|step| step.attempts.last()).is_some_and(|last| last.token == token && last.outcome.is_none());
        if let (Some(step), true) = (&current, held)
            // A test that failed is evidence; a build that failed made nothing to vouch for.
            && let Outcome::Done { outputs } | Outcome::Failed { outputs, .. } = &outcome
            && (matches!(outcome, Outcome::Done { .. }) || !matches!(step.spec, StepSpec::Build { .. }))
            && let Err(why) = self.evidence_of(&run, step, outputs).await
        {
            match why {
                crate::evidence::EvidenceError::Store(why) => return Err(why),
                crate::evidence::EvidenceError::Unreadable(why) => {
                    outcome = Outcome::Failed { reason: clip(&why, 2000), outputs: Value::Null }
                }
            }
        }
        self.keep_named(&outcome).await?;
        slim(&mut outcome, current.as_ref().map(|step| &step.spec));
        let worker = worker.or_else(|| Some(current?.attempts.into_iter().find(|one| one.token == token)?.worker));
        match worker {
            Some(worker) if go_on => {
                let told = runs::Report {
                    run: attempt.run.clone(),
                    step: attempt.step.clone(),
                    attempt: attempt.attempt.clone(),
                    token,
                    outcome,
                    log,
                };
                self.report_and_go_on(&run, told, worker).await
            }
            _ => {
                let answer = self.report_step(&run, &attempt.step, &attempt.attempt, token, outcome, log).await?;
                Ok(Taken { answer, next: None })
            }
        }
    }

    /// The outcome and the lease of the run's next step in one commit.
    async fn report_and_go_on(&self, run: &Run, told: runs::Report, worker: String) -> holdpoint_store::Result<Taken> {
        let alive = self.alive(&run.pool).await?;
        let onward = runs::Onward { pool: run.pool.clone(), worker: worker.clone(), alive, length: length() };
        let (sight, after) = Sight::new();
        let decide = move |view: &View, now| {
            Seen::want(view, &told.run)?;
            let (decision, run) = runs::report_and_go_on(view, &told, &onward, now)?;
            if decision.answer.get("next").is_some() {
                sight.is(Seen::of(view, run, now)?);
            }
            Ok(decision)
        };
        let answer = self.decide("step.report", runs::locks(run), decide).await?.answer;
        let next = match answer.get("next") {
            Some(granted) => self.lease_of(Granted::read(granted, after.seen())?, &worker).await?,
            None => None,
        };
        Ok(Taken { answer, next })
    }

    /// Bytes that an outcome names are kept as long as the fact is.
    async fn keep_named(&self, outcome: &Outcome) -> holdpoint_store::Result<()> {
        let (Outcome::Done { outputs } | Outcome::Failed { outputs, .. }) = outcome else { return Ok(()) };
        let artifacts = outputs.get("artifacts").and_then(Value::as_object).into_iter().flat_map(|all| all.values());
        let reports = outputs.get("junit").and_then(Value::as_array).into_iter().flatten().filter_map(|one| one.get("digest"));
        for digest in artifacts.chain(reports).filter_map(Value::as_str).take(1000).filter_map(|text| text.parse::<Digest>().ok()) {
            // What is not stored cannot be kept; whoever needs it is told so.
            self.store().blob_pin(&digest).await?;
        }
        Ok(())
    }

    pub(crate) async fn report_step(
        &self,
        run: &Run,
        step: &str,
        attempt: &str,
        token: u64,
        outcome: Outcome,
        log: Option<Digest>,
    ) -> holdpoint_store::Result<Value> {
        let told = runs::Report { run: run.id.to_string(), step: step.to_owned(), attempt: attempt.to_owned(), token, outcome, log };
        Ok(self.decide("step.report", runs::locks(run), move |view, now| runs::report(view, &told, now)).await?.answer)
    }
}

fn run_and_worker(run: Option<&Run>, attempt: &Attempt) -> Option<(String, String)> {
    let run = run?;
    Some((run.pool.clone(), run.step(&attempt.step)?.attempts.last()?.worker.clone()))
}

/// What became of an outcome that a worker told.
#[derive(Debug)]
pub struct Taken {
    pub answer: Value,
    /// The run's next step, leased to the same worker.
    pub next: Option<Lease>,
}

/// A lease as its transaction granted it.
pub(crate) struct Granted {
    pub(crate) seen: Seen,
    pub(crate) step: String,
    pub(crate) attempt: String,
    pub(crate) token: u64,
    pub(crate) mode: runs::Mode,
}

impl Granted {
    fn read(answer: &Value, seen: Option<Seen>) -> holdpoint_store::Result<Self> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let mode = answer.get("mode").cloned().and_then(|mode| serde_json::from_value(mode).ok());
        match (seen, text("step"), text("attempt"), answer.get("token").and_then(Value::as_u64), mode) {
            (Some(seen), Some(step), Some(attempt), Some(token), Some(mode)) => Ok(Self { seen, step, attempt, token, mode }),
            _ => Err(StoreError::Broken(format!("a lease that cannot be read: {answer}"))),
        }
    }
}

/// What a lease's decision saw: of this the worker's instructions are made, without reading it once more.
pub(crate) struct Seen {
    /// As it was before the lease.
    pub(crate) run: Arc<Run>,
    service: Option<Service>,
    environment: Option<Environment>,
    /// Configuration of the releases that its steps start.
    configs: BTreeMap<ReleaseId, BTreeMap<String, String>>,
    at: Timestamp,
}

impl Seen {
    /// The one before it only where a step starts the old version again: it is locked, and others' runs are about it.
    fn releases(run: &Run) -> impl Iterator<Item = &ReleaseId> {
        let before = run.previous.as_ref().filter(|_| run.steps.iter().any(resolve::is_old));
        run.release.iter().chain(before.and_then(|before| before.release.as_ref()))
    }

    /// Asks for everything at once and first, so that the decision itself is made once.
    fn want(view: &View, run: &str) -> Result<(), Stop> {
        let Some(run) = view.look::<Run>(run)? else { return Ok(()) };
        let doc = |kind, key: &str| Need::Doc(DocKey::new(kind, key));
        let needs = [doc(Kind::Service, &run.service)]
            .into_iter()
            .chain(run.environment.iter().map(|name| doc(Kind::Environment, name)))
            .chain(Self::releases(&run).map(|id| doc(Kind::Release, id.as_str())));
        view.want(needs)
    }

    fn of(view: &View, run: Run, at: Timestamp) -> Result<Self, Stop> {
        let mut configs = BTreeMap::new();
        for id in Self::releases(&run) {
            if let Some(release) = view.look::<Release>(id.as_str())? {
                configs.insert(id.clone(), release.manifest().config.clone());
            }
        }
        let environment = match &run.environment {
            Some(name) => view.get(name)?,
            None => None,
        };
        Ok(Self { service: view.get(&run.service)?, environment, configs, at, run: Arc::new(run) })
    }
}

/// Carries what a decision saw out of it.
struct Sight(Arc<Mutex<Option<Seen>>>);

impl Sight {
    fn new() -> (Self, Self) {
        let shared = Arc::default();
        (Self(Arc::clone(&shared)), Self(shared))
    }
    fn is(&self, seen: Seen) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
    fn seen(&self) -> Option<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn length() -> Span {
    Span::from_s(LEASE.as_secs())
}

/// The other worker that held this attempt before, where it may have begun what must not be begun twice. A worker proves
/// by its own folder that nothing was begun; what it says of another's is no proof. Slots (`name/2`) share a folder.
fn begun_elsewhere(run: &Run, attempt: &Attempt) -> Option<String> {
    let step = run.step(&attempt.step).filter(|step| !step.idempotent)?;
    let name = |worker: &str| workers::name_of(worker).to_owned();
    let now = name(&step.attempts.last()?.worker);
    step.attempts.iter().filter(|lease| lease.id == attempt.attempt).map(|lease| name(&lease.worker)).find(|before| *before != now)
}

/// Keeps what later steps and people need of the outputs; a fact has 16 KiB, a list of commits has no bound.
fn slim(outcome: &mut Outcome, spec: Option<&StepSpec>) {
    let outputs = match outcome {
        Outcome::Done { outputs } | Outcome::Failed { outputs, .. } => outputs,
        _ => return,
    };
    if let Some(object) = outputs.as_object_mut() {
        if let Some(commits) = object.get("commits").and_then(Value::as_array).map(Vec::len) {
            object.insert("commits".to_owned(), json!(commits));
        }
        if matches!(spec, Some(StepSpec::Http(_)))
            && let Some(body) = object.get("body").and_then(Value::as_str).map(|body| clip(body, 1000))
        {
            object.insert("body".to_owned(), json!(body));
        }
    }
    if outputs.to_string().len() > 10_000 {
        *outputs = json!({"cut": "the outputs had more than 10,000 bytes"});
    }
}

fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max { text.to_owned() } else { text.chars().take(max).chain("…".chars()).collect() }
}
