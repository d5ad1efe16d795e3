//! Times what `scan vulnerabilities` does, for `bench/vulnerabilities/run.py`. Prints one JSON object.
//!
//! `cold DIR BOM`: read archives, keep what is asked for, match. `index DIR FILE`: build a whole index.
//! `warm FILE BOM`: match with an index. `rejudge BOM RECORD COUNT`: a new record against COUNT stored inventories.

use holdpoint_inspect::advisories::holdings::Holdings;
use holdpoint_inspect::advisories::index::{Index, Part, build};
use holdpoint_inspect::advisories::package::Subject;
use holdpoint_inspect::advisories::{Answers, archive, inventory, judge, osv};
use serde_json::json;
use std::collections::HashSet;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn archives(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            archives(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "zip") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

fn parts(folder: &Path, only: Option<&HashSet<String>>) -> Result<Vec<Part>, Failure> {
    let mut paths = Vec::new();
    archives(folder, &mut paths)?;
    let files = paths.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
    let entries = files.iter().map(|bytes| archive::entries(bytes)).collect::<Result<Vec<_>, _>>()?;
    let tasks: Vec<_> = files.iter().zip(&entries).flat_map(|(bytes, entries)| entries.iter().map(move |entry| (bytes, entry))).collect();
    let next = AtomicUsize::new(0);
    let hashed = AtomicUsize::new(0);
    let work = || -> Result<Part, Failure> {
        let mut part = only.map_or_else(Part::default, |keys| Part::only(keys.clone()));
        let mut inflate = flate2::Decompress::new(false);
        while let Some(bytes) = files.get(hashed.fetch_add(1, Ordering::Relaxed)) {
            part.file("all.zip", bytes);
        }
        loop {
            let from = next.fetch_add(64, Ordering::Relaxed);
            let Some(batch) = tasks.get(from..tasks.len().min(from + 64)).filter(|batch| !batch.is_empty()) else { return Ok(part) };
            for (bytes, entry) in batch {
                part.add(&archive::unpack(bytes, entry, &mut inflate)?)?;
            }
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let own = work()?;
        Ok(vec![own, other.join().map_err(|_| "a thread ended early")??])
    })
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |at: usize| args.get(at).map(PathBuf::from).ok_or("which files?");
    let started = Instant::now();
    let milliseconds = |from: Instant| from.elapsed().as_secs_f64() * 1000.0;
    let said = match args.first().map(String::as_str) {
        Some("cold") => {
            let inventory = inventory::read(&std::fs::read(arg(2)?)?)?;
            let keys = inventory.components.iter().filter_map(Subject::of).map(|subject| subject.key()).collect();
            let bytes = build(&parts(&arg(1)?, Some(&keys))?, [0; 32]);
            let index = Index::of_bytes(&bytes)?;
            let judged = judge(&inventory, &index, Answers::default())?;
            json!({"ms": milliseconds(started), "advisories": index.summary.advisories, "found": judged.weaknesses.len()})
        }
        Some("index") => {
            let bytes = build(&parts(&arg(1)?, None)?, [0; 32]);
            std::fs::write(arg(2)?, &bytes)?;
            json!({"ms": milliseconds(started), "bytes": bytes.len()})
        }
        Some("warm") => {
            let inventory = inventory::read(&std::fs::read(arg(2)?)?)?;
            let file = std::fs::File::open(arg(1)?)?;
            let read = |offset: u64, length: usize| {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, offset).map_err(|why| why.to_string())?;
                Ok(bytes)
            };
            let index = Index::open(file.metadata()?.len(), Box::new(read))?;
            let judged = judge(&inventory, &index, Answers::default())?;
            json!({"ms": milliseconds(started), "components": inventory.components.len(), "found": judged.weaknesses.len()})
        }
        Some("rejudge") => {
            let inventory = inventory::read(&std::fs::read(arg(1)?)?)?;
            let advisory = osv::read(&std::fs::read(arg(2)?)?)?;
            let count: u32 = args.get(3).ok_or("how many?")?.parse()?;
            let mut holdings = Holdings::default();
            for number in 0..count {
                // Each inventory has another window of the components.
                let length = inventory.components.len().max(1);
                let start = number as usize * 7 % length;
                let own: Vec<_> = inventory.components.iter().cycle().skip(start).take(300).cloned().collect();
                holdings.add(number, &own);
            }
            let built_ms = milliseconds(started);
            let judging = Instant::now();
            let concerned = holdings.rejudge(&[advisory]).len();
            json!({"ms": milliseconds(judging), "inventories": count, "concerned": concerned, "built_ms": built_ms})
        }
        _ => return Err("cold, index, warm or rejudge?".into()),
    };
    println!("{said}");
    Ok(())
}
