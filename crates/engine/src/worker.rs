//! A worker: leases steps over HTTP, executes them, and tells what became of them. The same in the server's own process
//! as on another machine.
//!
//! It stops a step a margin before its lease ends by its own boot-time clock, so that a server that hears nothing may
//! give the lease to somebody else after the end plus grace.

use crate::protocol::Lease;
use crate::roots::Root;
use futures_util::future::BoxFuture;
use holdpoint_executors::spec::Outcome;
use holdpoint_executors::{BlobError, BlobSource, Context, Deadline, Observation, Outbound, OutputSink, Secrets};
use reqwest::StatusCode;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long before the lease's end a step must have stopped.
const MARGIN: Duration = Duration::from_secs(3);
/// Output is sent in pieces of at most this size.
const PIECE: usize = 256 << 10;

/// How often a worker that was started again says so; after that its leases run out by themselves.
const RECLAIMS_MAX: usize = 20;

/// How long bytes are asked for and offered while the server does not answer.
const BLOB_PATIENCE: Duration = Duration::from_secs(60);

/// How a worker is set up.
#[derive(Clone)]
pub struct Config {
    /// Base address of the server.
    pub server: String,
    pub pool: String,
    pub name: String,
    pub pool_key: String,
    /// Its state: attempts and instances. Survives the worker.
    pub root: PathBuf,
    /// How many steps at once.
    pub slots: usize,
    /// The program that supervises processes.
    pub shim: Vec<String>,
    /// Exact `host:port` that HTTP steps may reach.
    pub outbound: Arc<Outbound>,
    /// For `${env.NAME}` and every command.
    pub base_env: BTreeMap<String, String>,
    pub secrets: Secrets,
}

/// Works until cancelled.
pub async fn run(config: Config, stop: CancellationToken) {
    let client = match reqwest::Client::builder().timeout(Duration::from_secs(60)).build() {
        Ok(client) => client,
        Err(why) => return tracing::error!(%why, "no HTTP client"),
    };
    let folder = config.root.clone();
    let root = match tokio::task::spawn_blocking(move || Root::claim(&folder)).await {
        Ok(Ok(root)) => Some(root),
        // It works all the same; what it holds when it dies is waited for.
        Ok(Err(why)) => {
            tracing::warn!(%why, "the worker's folder cannot be locked");
            None
        }
        Err(why) => return tracing::error!(%why, "the worker's folder could not be looked at"),
    };
    let worker = Arc::new(Worker { identity: root.as_ref().map(|root| root.identity.clone()), config, client });
    if let Some(root) = &root {
        if root.alone {
            worker.reclaim(&stop).await;
        }
        if let Err(why) = root.share() {
            tracing::warn!(%why, "the worker's folder stays locked for others");
        }
    }
    let sweeping = tokio::spawn(crate::sweeper::worker(worker.config.root.clone(), stop.clone()));
    let loops: Vec<_> = (0..worker.config.slots.max(1)).map(|slot| tokio::spawn(worker.clone().work(slot, stop.clone()))).collect();
    for one in loops {
        if let Err(why) = one.await {
            tracing::error!(%why, "a slot of the worker ended");
        }
    }
    sweeping.abort();
}

struct Worker {
    config: Config,
    client: reqwest::Client,
    /// What only the worker's folder holds.
    identity: Option<String>,
}

/// The header that carries a worker's identity. Servers that do not know it do without.
pub const IDENTITY: &str = "holdpoint-worker-identity";

impl Worker {
    async fn work(self: Arc<Self>, slot: usize, stop: CancellationToken) {
        let mut wait = Duration::from_millis(100);
        while !stop.is_cancelled() {
            let next = tokio::select! { next = self.next(slot) => next, () = stop.cancelled() => return };
            match next {
                Ok(Some(lease)) => {
                    wait = Duration::from_millis(100);
                    let mut lease = Some(lease);
                    while let Some(step) = lease.take() {
                        lease = self.execute(step, &stop).await;
                    }
                }
                Ok(None) => wait = Duration::from_millis(100),
                Err(why) => {
                    tracing::warn!(%why, "the server does not answer; asking again");
                    tokio::select! { () = tokio::time::sleep(wait) => {}, () = stop.cancelled() => return }
                    wait = (wait * 2).min(Duration::from_secs(5));
                }
            }
        }
    }

    fn ask(&self, url: &str, body: &serde_json::Value) -> reqwest::RequestBuilder {
        let request = self.client.post(url).bearer_auth(&self.config.pool_key).json(body);
        match &self.identity {
            Some(identity) => request.header(IDENTITY, identity),
            None => request,
        }
    }

    /// Says that whoever worked in this folder before has ended, so that its steps need not be waited for.
    async fn reclaim(&self, stop: &CancellationToken) {
        let url = format!("{}/v1/worker/reclaim", self.config.server);
        let body = json!({"pool": self.config.pool, "worker": self.config.name});
        for _ in 0..RECLAIMS_MAX {
            match self.ask(&url, &body).timeout(Duration::from_secs(5)).send().await {
                Ok(answer) if answer.status().is_server_error() => {}
                Ok(answer) => return tracing::debug!(status = %answer.status(), "said that this worker was started again"),
                Err(why) => tracing::debug!(%why, "the server does not answer yet"),
            }
            tokio::select! { () = tokio::time::sleep(Duration::from_millis(300)) => {}, () = stop.cancelled() => return }
        }
    }

    async fn next(&self, slot: usize) -> Result<Option<Lease>, String> {
        let body = json!({"pool": self.config.pool, "worker": format!("{}/{slot}", self.config.name), "wait_ms": 20_000});
        let url = format!("{}/v1/worker/lease", self.config.server);
        let answer = self.ask(&url, &body).send().await.map_err(|why| why.to_string())?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(None),
            StatusCode::OK => answer.json().await.map(Some).map_err(|why| why.to_string()),
            other => Err(format!("{other}: {}", answer.text().await.unwrap_or_default())),
        }
    }

    /// Executes a step and tells its outcome; returns the lease of the run's next step, where the answer has one.
    async fn execute(&self, lease: Lease, stop: &CancellationToken) -> Option<Lease> {
        holdpoint_store::kill::at("act.start", "before");
        let cancel = stop.child_token();
        let (output, pieces) = OutputSink::new(64, &self.config.secrets);
        let deadline = Deadline::after(Duration::from_millis(lease.lease_ms).saturating_sub(MARGIN));
        let context = Context {
            root: self.config.root.clone(),
            attempt: lease.attempt.clone(),
            blobs: Arc::new(Blobs {
                server: self.config.server.clone(),
                key: self.config.pool_key.clone(),
                client: self.client.clone(),
                cache: self.config.root.join("blobs"),
            }),
            output,
            cancel: cancel.clone(),
            deadline: deadline.clone(),
            shim: self.config.shim.clone(),
            outbound: self.config.outbound.clone(),
            variables: self.config.base_env.clone(),
            base_env: self.config.base_env.clone(),
            secrets: self.config.secrets.clone(),
        };
        let sender = tokio::spawn(send_output(self.client.clone(), self.config.server.clone(), lease.clone(), pieces));
        let beats = tokio::spawn(heartbeats(self.client.clone(), self.config.server.clone(), lease.clone(), deadline, cancel));
        let mut not_started = false;
        let outcome = if lease.mode == "observe" {
            match holdpoint_executors::observe(&lease.spec, &context).await {
                Observation::NotStarted if lease.probe => holdpoint_executors::probe(&lease.spec, &context).await,
                Observation::NotStarted => {
                    not_started = true;
                    Outcome::indeterminate("nothing was begun here")
                }
                Observation::Ended(outcome) => outcome,
                Observation::Running => holdpoint_executors::start(&lease.spec, &context).await,
                Observation::Unknown { reason } => Outcome::indeterminate(reason),
            }
        } else {
            holdpoint_executors::start(&lease.spec, &context).await
        };
        drop(context);
        holdpoint_store::kill::at("act.finish", "after");
        if let Err(why) = sender.await {
            tracing::warn!(%why, "output was not sent to its end");
        }
        beats.abort();
        if stop.is_cancelled() && !matches!(outcome, Outcome::Done { .. }) {
            // The worker is being stopped: what goes on is adopted by the next one, and nobody is told anything untrue.
            return None;
        }
        self.tell(&lease, outcome, not_started, !stop.is_cancelled()).await
    }

    /// Tells the outcome until it is heard. A 409 says that somebody else holds the step: nothing more to say.
    async fn tell(&self, lease: &Lease, outcome: Outcome, not_started: bool, go_on: bool) -> Option<Lease> {
        let url = format!("{}/v1/worker/attempts/{}/outcome", self.config.server, lease.attempt);
        let body = json!({"token": lease.token, "outcome": outcome, "not_started": not_started, "go_on": go_on});
        let mut wait = Duration::from_millis(100);
        for _ in 0..200 {
            match self.client.post(&url).bearer_auth(&lease.secret).json(&body).send().await {
                Ok(answer) if answer.status().is_success() => match answer.json::<serde_json::Value>().await {
                    Ok(mut told) => {
                        return told.get_mut("next").map(serde_json::Value::take).and_then(|next| serde_json::from_value(next).ok());
                    }
                    // Told again, the answer is the same.
                    Err(why) => tracing::warn!(%why, "the server's answer was cut; telling it again"),
                },
                Ok(answer) if answer.status().is_client_error() => {
                    let status = answer.status();
                    let body = answer.text().await.unwrap_or_default();
                    tracing::warn!(%status, attempt = lease.attempt, body, "the outcome was not taken");
                    return None;
                }
                Ok(answer) => tracing::warn!(status = %answer.status(), "the server could not take the outcome; telling it again"),
                Err(why) => tracing::warn!(%why, "the server does not answer; telling it again"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(3));
        }
        None
    }
}

async fn heartbeats(client: reqwest::Client, server: String, lease: Lease, deadline: Deadline, cancel: CancellationToken) {
    let url = format!("{server}/v1/worker/attempts/{}/heartbeat", lease.attempt);
    let length = Duration::from_millis(lease.lease_ms);
    loop {
        tokio::time::sleep(length / 5).await;
        match client.post(&url).bearer_auth(&lease.secret).json(&json!({"token": lease.token})).timeout(Duration::from_secs(5)).send().await
        {
            Ok(answer) if answer.status().is_success() => deadline.extend(length.saturating_sub(MARGIN)),
            Ok(answer) if answer.status() == StatusCode::CONFLICT || answer.status() == StatusCode::UNAUTHORIZED => {
                tracing::warn!(attempt = lease.attempt, "the lease is no longer ours; stopping");
                return cancel.cancel();
            }
            Ok(_) | Err(_) => {}
        }
    }
}

async fn send_output(client: reqwest::Client, server: String, lease: Lease, mut pieces: tokio::sync::mpsc::Receiver<bytes::Bytes>) {
    let mut offset = 0_u64;
    while let Some(first) = pieces.recv().await {
        let mut piece = first.to_vec();
        while piece.len() < PIECE
            && let Ok(more) = pieces.try_recv()
        {
            piece.extend_from_slice(&more);
        }
        let length = piece.len() as u64;
        let url = format!("{server}/v1/worker/attempts/{}/output?offset={offset}", lease.attempt);
        for _ in 0..5 {
            match client.post(&url).bearer_auth(&lease.secret).body(piece.clone()).timeout(Duration::from_secs(10)).send().await {
                Ok(answer) if answer.status().is_success() || answer.status().is_client_error() => break,
                _ => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
        offset += length;
    }
}

/// Blobs of the server, cached below the worker's root. What is cached is hashed again by whoever uses it.
struct Blobs {
    server: String,
    key: String,
    client: reqwest::Client,
    cache: PathBuf,
}

impl Blobs {
    /// Asks until the server answers for itself: a server that is being started again is no reason to fail a step.
    async fn patiently(&self, ask: impl Fn() -> reqwest::RequestBuilder + Send) -> Result<(StatusCode, bytes::Bytes), BlobError> {
        let end = tokio::time::Instant::now() + BLOB_PATIENCE;
        let mut wait = Duration::from_millis(100);
        loop {
            let told = match ask().bearer_auth(&self.key).send().await {
                Ok(answer) if answer.status().is_server_error() => Err(answer.status().to_string()),
                Ok(answer) => {
                    let status = answer.status();
                    answer.bytes().await.map(|bytes| (status, bytes)).map_err(|why| why.to_string())
                }
                Err(why) => Err(why.to_string()),
            };
            match told {
                Ok(answer) => return Ok(answer),
                Err(why) if tokio::time::Instant::now() >= end => return Err(BlobError::Broken(why)),
                Err(why) => tracing::warn!(why, "the server neither gives nor takes bytes; asking again"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(3));
        }
    }
}

impl BlobSource for Blobs {
    fn get<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<PathBuf, BlobError>> {
        Box::pin(async move {
            let broken = |why: &dyn std::fmt::Display| BlobError::Broken(why.to_string());
            let parsed: holdpoint_seal::digest::Digest = digest.parse().map_err(|_| BlobError::Missing(digest.to_owned()))?;
            let path = self.cache.join(parsed.hex());
            if tokio::fs::read(&path).await.is_ok_and(|bytes| holdpoint_seal::digest::Digest::of(&bytes) == parsed) {
                return Ok(path);
            }
            let address = format!("{}/v1/blobs/{digest}", self.server);
            let bytes = match self.patiently(|| self.client.get(&address)).await? {
                (StatusCode::NOT_FOUND, _) => return Err(BlobError::Missing(digest.to_owned())),
                (status, bytes) if status.is_success() => bytes,
                (status, _) => return Err(BlobError::Broken(status.to_string())),
            };
            tokio::fs::create_dir_all(&self.cache).await.map_err(|why| broken(&why))?;
            let fresh = self.cache.join(format!(".{}-{}", parsed.hex(), crate::random_id()));
            tokio::fs::write(&fresh, &bytes).await.map_err(|why| broken(&why))?;
            tokio::fs::rename(&fresh, &path).await.map_err(|why| broken(&why))?;
            Ok(path)
        })
    }

    fn put<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<String, BlobError>> {
        Box::pin(async move {
            let broken = |why: &dyn std::fmt::Display| BlobError::Broken(why.to_string());
            let bytes = bytes::Bytes::from(tokio::fs::read(path).await.map_err(|why| broken(&why))?);
            let digest = holdpoint_seal::digest::Digest::of(&bytes).to_string();
            let address = format!("{}/v1/blobs/{digest}", self.server);
            let (status, _) = self.patiently(|| self.client.put(&address).body(bytes.clone())).await?;
            if status.is_success() { Ok(digest) } else { Err(BlobError::Broken(status.to_string())) }
        })
    }
}
