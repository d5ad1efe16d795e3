//! The files of a folder, scanned for secrets side by side on all processors.
//!
//! Links are not followed, `.git` is git's own. What is not read is counted and said: binary files, files over the limit.

use crate::out::{BadInput, Out};
use holdpoint_inspect::secrets::{self, Leak, Skip};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// More files than this are not one scan.
const FILES_MAX: usize = 5_000_000;
/// Folders in folders.
const DEPTH_MAX: usize = 256;
/// Files that a thread takes at a time.
const BATCH: usize = 16;
/// How many files that could not be read are named.
const NAMED: usize = 20;

#[derive(Default)]
pub struct Seen {
    /// (path below the folder, secret).
    pub leaks: Vec<(String, Leak)>,
    pub files: usize,
    pub bytes: u64,
    pub binary: usize,
    pub too_large: Vec<String>,
    pub unreadable: Vec<String>,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        self.leaks.extend(other.leaks);
        self.files += other.files;
        self.bytes += other.bytes;
        self.binary += other.binary;
        self.too_large.extend(other.too_large);
        self.unreadable.extend(other.unreadable);
    }
}

/// Below the root, with `/`; a file alone is named as it was given.
fn files(root: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let bad = |path: &Path, why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", path.display()));
    if std::fs::metadata(root).map_err(|why| bad(root, &why))?.is_file() {
        return Ok(vec![(root.display().to_string(), root.to_owned())]);
    }
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        if depth > DEPTH_MAX {
            return Err(bad(&folder, &format!("folders lie deeper than {DEPTH_MAX}")).into());
        }
        for entry in std::fs::read_dir(&folder).map_err(|why| bad(&folder, &why))? {
            let entry = entry.map_err(|why| bad(&folder, &why))?;
            let kind = entry.file_type().map_err(|why| bad(&folder, &why))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() && entry.file_name() != ".git" {
                folders.push((entry.path(), format!("{name}/"), depth + 1));
            } else if kind.is_file() {
                found.push((name, entry.path()));
            }
        }
        if found.len() > FILES_MAX {
            return Err(bad(root, &format!("more than {FILES_MAX} files")).into());
        }
    }
    found.sort_unstable();
    Ok(found)
}

pub fn scan(root: &Path, file_bytes_max: u64, out: &Out) -> anyhow::Result<Seen> {
    let files = files(root)?;
    let bar = super::progress(out, files.len() as u64, "files");
    let next = AtomicUsize::new(0);
    let work = || {
        let mut seen = Seen::default();
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(batch) = files.get(from..files.len().min(from + BATCH)).filter(|batch| !batch.is_empty()) else { return seen };
            batch.iter().for_each(|(name, path)| take(name, path, file_bytes_max, &mut seen));
            bar.inc(batch.len() as u64);
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(files.len().div_ceil(BATCH)).max(1);
    let mut seen = Seen::default();
    let complete = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        seen.add(work());
        let mut all = true;
        // Each is joined, also after one that failed.
        for other in others {
            all &= other.join().map(|one| seen.add(one)).is_ok();
        }
        all
    });
    bar.finish_and_clear();
    anyhow::ensure!(complete, "a thread that scanned files has ended early");
    seen.leaks.sort_by(|a, b| (&a.0, a.1.line).cmp(&(&b.0, b.1.line)));
    seen.too_large.sort_unstable();
    seen.unreadable.sort_unstable();
    seen.unreadable.truncate(NAMED);
    Ok(seen)
}

fn take(name: &str, path: &Path, file_bytes_max: u64, seen: &mut Seen) {
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() > file_bytes_max => return seen.too_large.push(name.to_owned()),
        _ => {}
    }
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(why) => return seen.unreadable.push(format!("{name}: {why}")),
    };
    match secrets::readable(&bytes) {
        Err(Skip::Binary) => seen.binary += 1,
        Ok(text) => {
            seen.files += 1;
            seen.bytes += bytes.len() as u64;
            seen.leaks.extend(secrets::scan(name, &text).into_iter().map(|leak| (name.to_owned(), leak)));
        }
    }
}
