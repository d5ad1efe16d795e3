//! Sweeps what may be forgotten: blobs that nothing names, readings, kept answers, sessions and invitations past their end,
//! and at a worker what its attempts have left. Facts are never swept.
//!
//! Every round is bounded. While the clock of decisions is doubtful nothing is swept: what is old is not known.

use crate::Engine;
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
        match engine.store().lead(SWEEPER, engine.holder(), TTL).await {
            Ok(Some(_)) => {
                if let Err(why) = once(&engine).await {
                    tracing::warn!(%why, "sweeping failed; it is tried again");
                }
            }
            Ok(None) => {}
            Err(why) => tracing::warn!(%why, "no leadership"),
        }
    }
}

/// One round.
pub(crate) async fn once(engine: &Engine) -> holdpoint_store::Result<()> {
    if engine.store().clock_doubtful() {
        return Ok(());
    }
    let gone = engine.store().blob_sweep(BLOB_GRACE, BLOB_WAIT).await?;
    for digest in &gone {
        tracing::info!(%digest, "a blob that nothing named is deleted");
    }
    let rows = engine.store().prune(KEEP, ROWS).await?;
    let now = engine.store().now().await?;
    let before = now.checked_sub(jiff::SignedDuration::try_from(KEEP).unwrap_or_default()).unwrap_or(now);
    let workers = engine.store().forget_workers(before).await?;
    if rows + workers > 0 {
        tracing::debug!(rows, workers, "swept");
    }
    Ok(())
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
#[expect(clippy::disallowed_methods, reason = "files carry this machine's own time")]
pub(crate) async fn worker(root: PathBuf, stop: tokio_util::sync::CancellationToken) {
    loop {
        let folder = root.clone();
        let swept = tokio::task::spawn_blocking(move || sweep_worker(&folder, SystemTime::now())).await;
        match swept {
            Ok(Ok(_)) => {}
            Ok(Err(why)) => tracing::warn!(%why, "the worker's folder could not be swept"),
            Err(why) => tracing::error!(%why, "sweeping a worker's folder ended"),
        }
        tokio::select! { () = tokio::time::sleep(Duration::from_secs(3600)) => {}, () = stop.cancelled() => return }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
