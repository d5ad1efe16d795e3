//! The durable loop: load the view, decide, commit facts, act, commit what happened. One file per background task.
//!
//! Architecture invariant: every rule is the domain's; what is here carries decisions to the store and steps to workers.
//! Architecture invariant: tasks take no input; they are woken, look, and are safe to run twice.

mod advisor;
mod claims;
mod comparer;
mod deployer;
pub mod dossier;
pub mod evidence;
pub mod keys;
mod leased;
mod presence;
mod promoter;
pub mod protocol;
pub mod resolve;
pub mod roots;
pub mod scrub;
mod sequencer;
pub mod sweeper;
pub mod watcher;
pub mod worker;

use holdpoint_domain::gate::Report;
use holdpoint_domain::kernel::{Actor, Decision, Doc, DocKey, Need, Stop, Timestamp, View};
use holdpoint_store::{Committed, Request, Store, StoreError};
use keys::Keys;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Every durable step: the names of commits and acts at which a test can end the process. A name that no test visits
/// fails the run of kill points.
pub const KILL_POINTS: &[&str] = &[
    "organisation.apply",
    "release.create",
    "release.amend",
    "approval.vote",
    "approval.refused",
    "evidence.receive",
    "freeze.declare",
    "freeze.lift",
    "promotion.request",
    "build.start",
    "run.open",
    "step.lease",
    "step.report",
    "watch.judge",
    "rollback.ask",
    "run.resolve",
    "run.overdue",
    "release.withdraw",
    "release.supersede",
    "gate.report",
    "lease.lost",
    "worker.missing",
    "checkpoint",
    "act.start",
    "act.finish",
];

/// See the crate. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    keys: Keys,
    project: String,
    holder: String,
    stop: CancellationToken,
    sealed: broadcast::Sender<(u64, u64)>,
    presence: presence::Presence,
    scrub: scrub::Scrub,
    claims: claims::Claims,
    leased: leased::Leased,
}

impl Engine {
    /// An engine over a store; its tasks are started by [`Engine::run`].
    pub fn new(store: Store, keys: Keys, project: &str) -> Engine {
        let holder = format!("{}-{}", std::process::id(), random_id());
        let inner = Inner {
            store,
            keys,
            project: project.to_owned(),
            holder,
            stop: CancellationToken::new(),
            sealed: broadcast::channel(64).0,
            presence: presence::Presence::default(),
            scrub: scrub::Scrub::default(),
            claims: claims::Claims::default(),
            leased: leased::Leased::default(),
        };
        Engine { inner: Arc::new(inner) }
    }
    /// Starts the background tasks.
    pub fn run(&self) -> Vec<tokio::task::JoinHandle<()>> {
        vec![
            tokio::spawn(sequencer::run(self.clone())),
            tokio::spawn(promoter::run(self.clone())),
            tokio::spawn(deployer::run(self.clone())),
            tokio::spawn(watcher::run(self.clone())),
            tokio::spawn(advisor::run(self.clone())),
            tokio::spawn(comparer::run(self.clone())),
            tokio::spawn(scrub::run(self.clone())),
            tokio::spawn(sweeper::run(self.clone())),
        ]
    }
    /// Asks the tasks to end.
    pub fn stop(&self) {
        self.inner.stop.cancel();
    }
    pub fn store(&self) -> &Store {
        &self.inner.store
    }
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }
    pub fn project(&self) -> &str {
        &self.inner.project
    }
    /// (from, to) of every batch that was sealed.
    pub fn sealed(&self) -> broadcast::Receiver<(u64, u64)> {
        self.inner.sealed.subscribe()
    }

    pub(crate) fn leased(&self) -> &leased::Leased {
        &self.inner.leased
    }
    pub(crate) fn claims(&self) -> &claims::Claims {
        &self.inner.claims
    }
    pub(crate) fn holder(&self) -> &str {
        &self.inner.holder
    }
    /// Whether this is the server that does `name`'s rounds now. `ttl`: for how long, without asking again.
    pub(crate) async fn leads(&self, name: &str, ttl: Duration) -> bool {
        match self.inner.store.lead(name, self.holder(), ttl).await {
            Ok(epoch) => epoch.is_some(),
            Err(why) => {
                tracing::warn!(%why, name, "no leadership");
                false
            }
        }
    }
    /// Waits for the next commits or so long; false when the engine stops, with the leadership given up.
    pub(crate) async fn after_commits(&self, name: &str, woken: &mut watch::Receiver<u64>, every: Duration) -> bool {
        // Commits come in bursts; a short pause takes a burst as one.
        self.pause(Duration::from_millis(50)).await;
        tokio::select! {
            () = self.stopped() => {
                self.resign(name).await;
                return false;
            }
            _ = woken.changed() => {}
            () = self.pause(every) => {}
        }
        true
    }
    /// Gives a leadership up at the end, so that another server need not wait for its lease.
    pub(crate) async fn resign(&self, name: &str) {
        if let Err(why) = self.inner.store.resign(name, self.holder()).await {
            tracing::debug!(%why, name, "a leadership runs out by itself");
        }
    }
    pub(crate) fn scrub(&self) -> &scrub::Scrub {
        &self.inner.scrub
    }
    pub(crate) fn presence(&self) -> &presence::Presence {
        &self.inner.presence
    }
    pub(crate) fn announce(&self, from: u64, to: u64) {
        // Nobody listening is fine.
        let _nobody = self.inner.sealed.send((from, to));
    }
    pub(crate) async fn stopped(&self) {
        self.inner.stop.cancelled().await;
    }
    pub(crate) async fn pause(&self, length: Duration) {
        tokio::select! { () = tokio::time::sleep(length) => {}, () = self.inner.stop.cancelled() => {} }
    }

    /// Commits a decision of the engine's own.
    pub(crate) async fn decide<F>(&self, point: &'static str, locks: Vec<DocKey>, decide: F) -> holdpoint_store::Result<Committed>
    where
        F: for<'a> FnMut(&'a View, Timestamp) -> Result<Decision, Stop> + Send + 'static,
    {
        let request = Request {
            point,
            project: self.inner.project.clone(),
            actor: Actor::engine(point),
            route: format!("engine {point}"),
            idempotency: None,
            locks,
        };
        self.inner.store.decide(&request, decide).await
    }

    /// Asks a pure question of what is known, without a transaction: for pages and reports, never for what decides.
    pub async fn ask<T, F>(&self, question: F) -> holdpoint_store::Result<T>
    where
        F: Fn(&View, Timestamp) -> Result<T, Stop>,
    {
        let now = self.inner.store.now().await?;
        let mut view = View::default();
        view.doubt_clock(self.inner.store.clock_doubtful());
        for _ in 0..holdpoint_store::ROUNDS_MAX {
            match question(&view, now) {
                Ok(answer) => return Ok(answer),
                Err(Stop::Refused(refusal)) => return Err(StoreError::Refused(refusal)),
                Err(Stop::Unreadable { key, why }) => return Err(StoreError::Broken(format!("{key}: {why}"))),
                Err(Stop::Need(needs)) => self.load(&mut view, needs).await?,
            }
        }
        Err(StoreError::Broken("a question needs more rounds of documents than allowed".to_owned()))
    }

    async fn load(&self, view: &mut View, needs: Vec<Need>) -> holdpoint_store::Result<()> {
        for need in needs {
            match need {
                Need::Doc(key) => {
                    let doc: Option<Doc> = self.inner.store.doc(&self.inner.project, &key).await?;
                    view.insert(key, doc);
                }
                Need::All(kind) => {
                    let mut docs = Vec::new();
                    let mut cursor = None;
                    loop {
                        let filter = holdpoint_store::Filter { live: Some(true), cursor, limit: 1000, ..Default::default() };
                        let page = self.inner.store.docs(&self.inner.project, kind, &filter).await?;
                        docs.extend(page.rows.into_iter().map(|row| row.doc));
                        cursor = page.next;
                        if cursor.is_none() {
                            break;
                        }
                    }
                    view.insert_all(kind, docs);
                }
            }
        }
        Ok(())
    }

    /// All gates of a release in an environment, now.
    pub async fn report(&self, release: &str, environment: &str) -> holdpoint_store::Result<Report> {
        self.ask(|view, now| holdpoint_domain::gates::report(view, release, environment, None, now)).await
    }
}

/// 16 random hex digits for identifiers; falls back to nothing: without randomness there is no server.
pub fn random_id() -> String {
    let mut bytes = [0_u8; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => hex::encode(bytes),
        // tidy-allow(panics): identifiers that could repeat would be worse than no server
        Err(why) => panic!("the operating system has no randomness: {why}"),
    }
}
