//! A database of advisories on disk: a folder of OSV records (`*.json`) and archives of them (`*.zip`), or one such file.
//!
//! Read side by side on all processors, and listed again afterwards: a database that changes under the scan is refused.
//! Links are not followed, other files are not looked at.

use crate::out::{BadInput, Out};
use holdpoint_inspect::advisories::archive::{self, Entry};
use holdpoint_inspect::advisories::index::{self, Index, IndexError, Part};
use std::collections::HashSet;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// More files than this are no database.
const FILES_MAX: usize = 5_000_000;
/// Folders in folders.
const DEPTH_MAX: usize = 16;
/// Files that a thread takes at a time.
const BATCH: usize = 64;

/// A file of the database.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    /// Relative to the database.
    name: String,
    path: PathBuf,
    bytes: u64,
    modified_ns: i128,
}

impl Listed {
    fn is_archive(&self) -> bool {
        self.name.ends_with(".zip")
    }
}

fn bad(path: &Path, why: &dyn std::fmt::Display) -> anyhow::Error {
    BadInput(format!("{}: {why}", path.display())).into()
}

fn list(root: &Path) -> anyhow::Result<Vec<Listed>> {
    let mut found = Vec::new();
    let meta = std::fs::metadata(root).map_err(|why| bad(root, &why))?;
    if meta.is_file() {
        let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        found.push(Listed { name, path: root.to_owned(), bytes: meta.len(), modified_ns: modified(&meta) });
        return Ok(found);
    }
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        if depth > DEPTH_MAX {
            return Err(bad(&folder, &format!("folders lie deeper than {DEPTH_MAX}")));
        }
        for entry in std::fs::read_dir(&folder).map_err(|why| bad(&folder, &why))? {
            let entry = entry.map_err(|why| bad(&folder, &why))?;
            let (kind, name) = (entry.file_type().map_err(|why| bad(&folder, &why))?, entry.file_name().to_string_lossy().into_owned());
            let path = entry.path();
            let name = format!("{prefix}{name}");
            if kind.is_dir() {
                folders.push((path, format!("{name}/"), depth + 1));
            } else if kind.is_file() && (name.ends_with(".json") || name.ends_with(".zip")) {
                let meta = entry.metadata().map_err(|why| bad(&path, &why))?;
                found.push(Listed { name, path, bytes: meta.len(), modified_ns: modified(&meta) });
                if found.len() > FILES_MAX {
                    return Err(bad(root, &format!("more than {FILES_MAX} files")));
                }
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn modified(meta: &std::fs::Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
}

fn digest(files: &[Listed]) -> [u8; 32] {
    index::listing(files.iter().map(|file| (file.name.as_str(), file.bytes, file.modified_ns)))
}

/// Where an index comes from.
pub enum Source {
    /// Bytes that were just built.
    Built(Vec<u8>),
    /// A file that was built from this database before, or that stands for one.
    Kept(std::fs::File, u64),
}

impl Source {
    pub fn open(&self) -> Result<Index<'_>, IndexError> {
        match self {
            Source::Built(bytes) => Index::of_bytes(bytes),
            Source::Kept(file, length) => Index::open(
                *length,
                Box::new(move |offset, count| {
                    let mut bytes = vec![0; count];
                    file.read_exact_at(&mut bytes, offset).map_err(|why| why.to_string())?;
                    Ok(bytes)
                }),
            ),
        }
    }
    fn kept(path: &Path) -> anyhow::Result<Self> {
        let file = std::fs::File::open(path).map_err(|why| bad(path, &why))?;
        let length = file.metadata().map_err(|why| bad(path, &why))?.len();
        Ok(Source::Kept(file, length))
    }
}

/// The index of a database: kept where it still fits, else built; built only of what is asked for where none is kept.
pub fn source(advisories: Option<&Path>, kept: Option<&Path>, wanted: HashSet<String>, out: &Out) -> anyhow::Result<Source> {
    let Some(root) = advisories else {
        let kept = kept.ok_or_else(|| BadInput("--advisories DIR or --index FILE is needed".to_owned()))?;
        return Source::kept(kept);
    };
    let files = list(root)?;
    if files.is_empty() {
        return Err(bad(root, &"no advisories: expected OSV records (*.json) or archives of them (*.zip)"));
    }
    let listing = digest(&files);
    if let Some(kept) = kept.filter(|kept| kept.exists()) {
        let source = Source::kept(kept)?;
        match source.open().map(|index| index.summary.listing == listing) {
            Ok(true) => return Ok(source),
            Ok(false) => out.say(format!("{}: the database has changed since; building it anew", kept.display())),
            Err(why) => out.say(format!("{}: {why}; building it anew", kept.display())),
        }
    }
    let only = kept.is_none().then_some(wanted);
    let parts = read(&files, only.as_ref(), out)?;
    if list(root)? != files {
        return Err(bad(root, &"the database changed while it was read; scan again when it is complete"));
    }
    let bytes = index::build(&parts, listing);
    if let Some(kept) = kept {
        keep(kept, &bytes)?;
    }
    Ok(Source::Built(bytes))
}

/// Written beside and then renamed: another scan reads the old one or the new one.
fn keep(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    std::fs::write(&beside, bytes).map_err(|why| bad(Path::new(&beside), &why))?;
    std::fs::rename(&beside, path).map_err(|why| bad(path, &why))
}

/// A piece of work.
enum Task<'a> {
    /// A record in a file of its own.
    Record(&'a Listed),
    /// A record in an archive.
    Packed(&'a Archive<'a>, &'a Entry),
    /// An archive's bytes, for the fingerprint.
    Whole(&'a Archive<'a>),
}

struct Archive<'a> {
    file: &'a Listed,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

fn read(files: &[Listed], only: Option<&HashSet<String>>, out: &Out) -> anyhow::Result<Vec<Part>> {
    let mut archives = Vec::new();
    for file in files.iter().filter(|file| file.is_archive()) {
        let bytes = std::fs::read(&file.path).map_err(|why| bad(&file.path, &why))?;
        let mut entries = archive::entries(&bytes).map_err(|why| bad(&file.path, &why))?;
        entries.retain(|entry| entry.name.ends_with(".json"));
        archives.push(Archive { file, bytes, entries });
    }
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for archive in &archives {
        tasks.push(Task::Whole(archive));
        tasks.extend(archive.entries.iter().map(|entry| Task::Packed(archive, entry)));
    }
    tasks.extend(files.iter().filter(|file| !file.is_archive()).map(Task::Record));

    let bar = crate::commands::scan::progress(out, tasks.len() as u64, "advisories");
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failed: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let work = || {
        let mut part = only.map_or_else(Part::default, |keys| Part::only(keys.clone()));
        let mut inflate = flate2::Decompress::new(false);
        while !stop.load(Ordering::Relaxed) {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(batch) = tasks.get(from..tasks.len().min(from + BATCH)).filter(|batch| !batch.is_empty()) else { break };
            for task in batch {
                if let Err(why) = take(task, &mut part, &mut inflate) {
                    stop.store(true, Ordering::Relaxed);
                    if let Ok(mut failed) = failed.lock() {
                        failed.get_or_insert(why);
                    }
                }
            }
            bar.inc(batch.len() as u64);
        }
        part
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(tasks.len().div_ceil(BATCH)).max(1);
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut parts = vec![work()];
        parts.extend(others.into_iter().filter_map(|other| other.join().ok()));
        parts
    });
    bar.finish_and_clear();
    if let Some(why) = failed.into_inner().ok().flatten() {
        return Err(why);
    }
    anyhow::ensure!(parts.len() == workers, "a thread that read advisories has ended early");
    Ok(parts)
}

fn take(task: &Task<'_>, part: &mut Part, inflate: &mut flate2::Decompress) -> anyhow::Result<()> {
    match task {
        Task::Record(file) => {
            let bytes = std::fs::read(&file.path).map_err(|why| bad(&file.path, &why))?;
            part.file(&file.name, &bytes);
            part.add(&bytes).map_err(|why| bad(&file.path, &why))
        }
        Task::Packed(archive, entry) => {
            let bytes = archive::unpack(&archive.bytes, entry, inflate).map_err(|why| bad(&archive.file.path, &why))?;
            part.add(&bytes).map_err(|why| bad(&archive.file.path, &format!("{}: {why}", entry.name)))
        }
        Task::Whole(archive) => {
            part.file(&archive.file.name, &archive.bytes);
            Ok(())
        }
    }
}
