//! Two folders of .proto files, compared; what `bench/compat-protobuf` measures. Prints the number of files and findings.

use holdpoint_inspect::compat::protobuf::{Level, Source, compare, read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn files(folder: &Path, below: &Path, found: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let path: PathBuf = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files(folder, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push((path.to_string_lossy().into_owned(), std::fs::read(folder.join(&path))?));
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [base, revision, level] = args.as_slice() else {
        eprintln!("protobuf_compat BASE REVISION LEVEL");
        return ExitCode::from(2);
    };
    let Some(level) = Level::ALL.into_iter().find(|known| known.word() == level) else {
        eprintln!("expected source, package, wire-json or wire, found {level}");
        return ExitCode::from(2);
    };
    let tree = |folder: &str| {
        let mut found = Vec::new();
        files(Path::new(folder), Path::new(""), &mut found).map_err(|why| format!("{folder}: {why}"))?;
        found.sort();
        let sources: Vec<Source<'_>> = found.iter().map(|(path, bytes)| Source { path, bytes }).collect();
        read(folder, &sources).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    match (tree(base), tree(revision)) {
        (Ok(base), Ok(revision)) => {
            let findings = compare(&base, &revision, level);
            for one in &findings {
                println!("{} {} {} {}", one.severity, one.rule, one.place(), one.message);
            }
            println!("{} files, {} findings", revision.files.len(), findings.len());
            ExitCode::SUCCESS
        }
        (base, revision) => {
            for problem in [base.err(), revision.err()].into_iter().flatten() {
                eprintln!("{problem}");
            }
            ExitCode::from(2)
        }
    }
}
