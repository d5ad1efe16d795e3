//! Times the comparison of two descriptions: reading, comparing, findings by severity. For `bench/compat-openapi`.
//!
//! `compat_openapi BASE REVISION [ROUNDS]` prints one line of JSON a round; `--findings` prints the findings as well.

use holdpoint_inspect::compat;
use holdpoint_inspect::compat::openapi::{Loading, Options, Spec, compare};
use std::time::Instant;

fn load(path: &str) -> Result<Spec, String> {
    let bytes = std::fs::read(path).map_err(|why| format!("{path}: {why}"))?;
    let folder = std::path::Path::new(path).parent().unwrap_or(std::path::Path::new("."));
    let own = std::path::Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    let mut loading = Loading::begin(path, &own, &bytes, []).map_err(|why| why.to_string())?;
    while let Some(wanted) = loading.wanted().map(str::to_owned) {
        let file = folder.join(&wanted);
        let bytes = std::fs::read(&file).map_err(|why| why.to_string());
        loading.supply(&wanted, &file.display().to_string(), bytes.as_deref().map_err(Clone::clone)).map_err(|why| why.to_string())?;
    }
    Ok(loading.finish())
}

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, paths): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|argument| argument.starts_with("--"));
    let [base, revision, rest @ ..] = paths.as_slice() else { return Err("compat_openapi BASE REVISION [ROUNDS]".to_owned()) };
    let rounds: usize = rest.first().map_or(Ok(1), |text| text.parse()).map_err(|_| "ROUNDS is a number")?;
    for _ in 0..rounds {
        let start = Instant::now();
        let (old, new) = (load(base)?, load(revision)?);
        let read = start.elapsed();
        let findings = compare(&old, &new, &Options::default()).map_err(|why| why.to_string())?;
        let all = start.elapsed();
        let count = |word: &str| findings.iter().filter(|finding| finding.severity.word() == word).count();
        println!(
            "{{\"read_ms\": {:.1}, \"all_ms\": {:.1}, \"verdict\": \"{}\", \"breaking\": {}, \"risky\": {}, \"info\": {}}}",
            read.as_secs_f64() * 1e3,
            all.as_secs_f64() * 1e3,
            compat::verdict(&findings),
            count("breaking"),
            count("risky"),
            count("info")
        );
        if !flags.is_empty() {
            for finding in &findings {
                println!("{}", serde_json::to_string(finding).map_err(|why| why.to_string())?);
            }
        }
    }
    Ok(())
}
