//! Sweeps what may be forgotten: blobs that nothing names, readings, kept answers, sessions and invitations past their end,
//! and at a worker what its attempts have left. Facts are never swept.
//!
//! What is deleted of stored files is a fact (`BlobsSwept`). The plan is written down before anything goes, so that a round
//! that ended between deleting and telling is told by the next one.
//!
//! Every round is bounded. While the clock of decisions is doubtful nothing is swept: what is old is not known.

use crate::Engine;
use holdpoint_domain::kernel::Actor;
use holdpoint_domain::sweeping;
use holdpoint_seal::digest::Digest;
use holdpoint_store::{Request, StoreError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const EVERY: Duration = Duration::from_secs(60);
const TTL: Duration = Duration::from_secs(180);
const DAY: Duration = Duration::from_secs(86_400);
/// An upload that no fact has named for a day is condemned; a week later it goes, unless something names it by then.
const BLOB_GRACE: Duration = DAY;
const BLOB_WAIT: Duration = Duration::from_secs(7 * 86_400);
/// Readings, answers and sessions past their end; workers that were not heard of.
const KEEP: Duration = Duration::from_secs(30 * 86_400);
/// Rows of each kind in one round.
const ROWS: u32 = 1000;
/// What an attempt has left on its worker's disk.
const ATTEMPT_KEEP: Duration = Duration::from_secs(7 * 86_400);
/// Directory entries looked at in one round.
const ENTRIES_MAX: usize = 10_000;
const SWEEPER: &str = "sweeper";

pub(crate) async fn run(engine: Engine) {
    loop {
        tokio::select! {
            () = engine.stopped() => return engine.resign(SWEEPER).await,
            () = engine.pause(EVERY) => {}
        }
        if engine.leads(SWEEPER, TTL).await
            && let Err(why) = once(&engine).await
        {
            tracing::warn!(%why, "sweeping failed; it is tried again");
        }
    }
}

/// One round.
pub(crate) async fn once(engine: &Engine) -> holdpoint_store::Result<()> {
    if engine.store().clock_doubtful() {
        return Ok(());
    }
    blobs(engine, BLOB_GRACE, BLOB_WAIT).await?;
    let rows = engine.store().prune(KEEP, ROWS).await?;
    let now = engine.store().now().await?;
    let before = now.checked_sub(jiff::SignedDuration::try_from(KEEP).unwrap_or_default()).unwrap_or(now);
    let workers = engine.store().forget_workers(before).await?;
    if rows + workers > 0 {
        tracing::debug!(rows, workers, "swept");
    }
    Ok(())
}

/// What is about to be deleted, under a name of its own.
#[derive(serde::Serialize, serde::Deserialize)]
struct Plan {
    id: String,
    blobs: Vec<(Digest, u64)>,
}

/// The setting that holds the plan from before the first deletion until its fact is there.
const PLAN: &str = "sweep/plan";

async fn blobs(engine: &Engine, grace: Duration, wait: Duration) -> holdpoint_store::Result<()> {
    told(engine).await?;
    let doomed = engine.store().blob_doomed(grace, wait).await?;
    if doomed.is_empty() {
        return Ok(());
    }
    let plan = Plan { id: crate::random_id(), blobs: doomed };
    let text = serde_json::to_string(&plan).map_err(|why| StoreError::Broken(why.to_string()))?;
    engine.store().put_setting(PLAN, &text).await?;
    engine.store().blob_delete(&plan.blobs, wait).await?;
    told(engine).await
}

/// Tells what of the plan is gone, once; what was pinned in the meantime is still there and no part of it.
async fn told(engine: &Engine) -> holdpoint_store::Result<()> {
    let store = engine.store();
    let Some(text) = store.setting(PLAN).await? else { return Ok(()) };
    let plan: Plan = serde_json::from_str(&text).map_err(|why| StoreError::Broken(format!("the plan of a sweep: {why}")))?;
    let mut gone = Vec::new();
    for (digest, size) in plan.blobs {
        if store.blob_size(&digest).await?.is_none() {
            gone.push((digest, size));
        }
    }
    if !gone.is_empty() {
        tracing::info!(count = gone.len(), "stored files that nothing named are deleted");
        let request = Request {
            point: "blobs.swept",
            project: engine.project().to_owned(),
            actor: Actor::engine(SWEEPER),
            route: "engine blobs.swept".to_owned(),
            // Told once, also by a round that follows one which ended before it could say so.
            idempotency: Some((plan.id.clone(), Digest::of(plan.id.as_bytes()))),
            locks: vec![sweeping::lock()],
        };
        store.decide(&request, move |_, _| Ok(sweeping::swept(&gone))).await?;
    }
    store.remove_setting(PLAN).await.map(drop)
}

/// A server's own: logs of attempts that nobody has written to for a month. An attempt that ends takes its log with it into
/// a blob; one that never ended has left it. Returns how many went.
pub fn sweep_logs(folder: &Path, now: SystemTime) -> std::io::Result<usize> {
    let mut gone = 0;
    for log in entries(folder)? {
        let touched = std::fs::metadata(&log).and_then(|found| if found.is_file() { found.modified() } else { Ok(now) });
        if touched.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > KEEP)) {
            gone += usize::from(std::fs::remove_file(&log).is_ok());
        }
    }
    Ok(gone)
}

/// Sweeps a server's logs every hour until it is stopped.
pub async fn logs(folder: PathBuf, stop: tokio_util::sync::CancellationToken) {
    hourly("the server's logs", stop, move |now| sweep_logs(&folder, now)).await;
}

#[expect(clippy::disallowed_methods, reason = "files carry this machine's own time")]
async fn hourly<F>(what: &'static str, stop: tokio_util::sync::CancellationToken, sweep: F)
where
    F: Fn(SystemTime) -> std::io::Result<usize> + Send + Sync + 'static,
{
    let sweep = std::sync::Arc::new(sweep);
    loop {
        let once = std::sync::Arc::clone(&sweep);
        match tokio::task::spawn_blocking(move || once(SystemTime::now())).await {
            Ok(Ok(gone)) => tracing::debug!(gone, what, "swept"),
            Ok(Err(why)) => tracing::warn!(%why, what, "could not be swept"),
            Err(why) => tracing::error!(%why, what, "sweeping ended"),
        }
        tokio::select! { () = tokio::time::sleep(Duration::from_secs(3600)) => {}, () = stop.cancelled() => return }
    }
}

/// A worker's own: the trees, logs and shims of attempts that ended a week ago, and bytes that can be fetched again. What
/// was asked and how it ended stays: whoever is asked about the attempt again must not begin it again. Instances stay.
///
/// Returns how many things went.
pub fn sweep_worker(root: &Path, now: SystemTime) -> std::io::Result<usize> {
    let old = |path: &Path, keep: Duration| {
        let touched = std::fs::metadata(path).and_then(|found| found.modified());
        touched.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > keep))
    };
    let mut gone = 0;
    for attempt in entries(&root.join("attempts"))? {
        if !old(&attempt.join("outcome.json"), ATTEMPT_KEEP) {
            continue;
        }
        for thing in entries(&attempt)? {
            let name = thing.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if matches!(name.as_str(), "asked.json" | "outcome.json" | "lock") {
                continue;
            }
            let removed = if thing.is_dir() { std::fs::remove_dir_all(&thing) } else { std::fs::remove_file(&thing) };
            gone += usize::from(removed.is_ok());
        }
    }
    for blob in entries(&root.join("blobs"))? {
        if old(&blob, KEEP) {
            gone += usize::from(std::fs::remove_file(&blob).is_ok());
        }
    }
    Ok(gone)
}

fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(found) => Ok(found.take(ENTRIES_MAX).filter_map(|entry| Some(entry.ok()?.path())).collect()),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(why) => Err(why),
    }
}

/// Sweeps a worker's folder every hour until it is stopped.
pub(crate) async fn worker(root: PathBuf, stop: tokio_util::sync::CancellationToken) {
    hourly("the worker's folder", stop, move |now| sweep_worker(&root, now)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdpoint_domain::kernel::DocKey;
    use holdpoint_store::Store;

    /// The digests that each fact tells of, in the order of facts.
    async fn facts(store: &Store) -> Vec<Vec<String>> {
        let found = store.facts_of_stream("default", &sweeping::lock(), 0, 10).await.unwrap();
        let body = |fact: &holdpoint_store::StoredFact| fact.body["digests"].clone();
        found.iter().map(|fact| serde_json::from_value(body(fact)).unwrap()).collect()
    }

    #[tokio::test]
    async fn what_is_deleted_is_told_once_also_after_a_sudden_end() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, &folder.path().join("blobs")).await.unwrap();
        let keys = crate::keys::Keys::load_or_make(&folder.path().join("keys"), "test").unwrap();
        let engine = Engine::new(store.clone(), keys, "default");
        let kept = store.blob_put(b"kept").await.unwrap();
        store.blob_pin(&kept).await.unwrap();
        let mut first = [store.blob_put(b"one").await.unwrap().to_string(), store.blob_put(b"two").await.unwrap().to_string()];
        first.sort();
        blobs(&engine, DAY, Duration::ZERO).await.unwrap();
        assert!(facts(&store).await.is_empty(), "too young");
        blobs(&engine, Duration::ZERO, Duration::ZERO).await.unwrap();
        blobs(&engine, Duration::ZERO, Duration::ZERO).await.unwrap();
        assert_eq!(facts(&store).await, [first.to_vec()]);
        assert_eq!(store.blob_get(&kept).await.unwrap().as_deref(), Some(&b"kept"[..]));
        // The end comes after deleting, and again after the fact, before the plan is put away. One is pinned meanwhile.
        let (late, saved) = (store.blob_put(b"late").await.unwrap(), store.blob_put(b"saved").await.unwrap());
        let doomed = store.blob_doomed(Duration::ZERO, Duration::ZERO).await.unwrap();
        assert_eq!(doomed.len(), 2);
        let plan = serde_json::to_string(&Plan { id: "a plan".to_owned(), blobs: doomed.clone() }).unwrap();
        store.put_setting(PLAN, &plan).await.unwrap();
        store.blob_pin(&saved).await.unwrap();
        store.blob_delete(&doomed, Duration::ZERO).await.unwrap();
        blobs(&engine, Duration::ZERO, Duration::ZERO).await.unwrap();
        store.put_setting(PLAN, &plan).await.unwrap();
        blobs(&engine, Duration::ZERO, Duration::ZERO).await.unwrap();
        assert_eq!(facts(&store).await, [first.to_vec(), vec![late.to_string()]]);
        assert!(store.setting(PLAN).await.unwrap().is_none());
        let state = store.doc("default", &DocKey::from_stream("sweeps/blobs").unwrap()).await.unwrap().unwrap().state.value().unwrap();
        assert_eq!((state["blobs"].as_u64(), state["bytes"].as_u64()), (Some(3), Some(10)));
    }

    #[test]
    fn logs_that_nobody_writes_go_after_a_month() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("0123");
        std::fs::write(&log, "output").unwrap();
        let written = std::fs::metadata(&log).unwrap().modified().unwrap();
        assert_eq!(sweep_logs(folder.path(), written + KEEP).unwrap(), 0);
        assert_eq!(sweep_logs(folder.path(), written + KEEP + DAY).unwrap(), 1);
        assert!(!log.exists());
        assert_eq!(sweep_logs(&folder.path().join("nowhere"), written).unwrap(), 0);
    }

    #[test]
    fn an_attempt_that_ended_long_ago_keeps_only_what_it_was_and_how_it_ended() {
        let root = tempfile::tempdir().unwrap();
        let attempts = root.path().join("attempts");
        for (name, ended) in [("att_ended", true), ("att_open", false)] {
            let folder = attempts.join(name);
            std::fs::create_dir_all(folder.join("run")).unwrap();
            for file in ["asked.json", "run/log", "checkout.json"] {
                std::fs::write(folder.join(file), "{}").unwrap();
            }
            if ended {
                std::fs::write(folder.join("outcome.json"), "{}").unwrap();
            }
        }
        std::fs::create_dir_all(root.path().join("blobs")).unwrap();
        std::fs::write(root.path().join("blobs/abc"), "bytes").unwrap();
        let written = std::fs::metadata(attempts.join("att_ended/outcome.json")).unwrap().modified().unwrap();
        assert_eq!(sweep_worker(root.path(), written + ATTEMPT_KEEP - DAY).unwrap(), 0);
        assert_eq!(sweep_worker(root.path(), written + ATTEMPT_KEEP + DAY).unwrap(), 2);
        let left = |name: &str| {
            let mut names: Vec<String> = entries(&attempts.join(name)).unwrap().iter().map(|p| p.display().to_string()).collect();
            names.sort();
            names.iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(left("att_ended"), ["asked.json", "outcome.json"]);
        assert_eq!(left("att_open"), ["asked.json", "checkout.json", "run"], "nobody knows how it ended");
        assert!(root.path().join("blobs/abc").exists());
        assert_eq!(sweep_worker(root.path(), written + KEEP + DAY).unwrap(), 1);
        assert!(!root.path().join("blobs/abc").exists());
    }
}
